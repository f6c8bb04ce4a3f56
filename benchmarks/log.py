"""The log's writer against a bare insert of the same durability, on SQLite and on PostgreSQL; then its proofs.

Run: python -m benchmarks.log [ROUNDS [LARGEST]]

Bare is one row of 230 bytes by the driver itself, in a table of its own beside the log's. What is compared is taken in
turns, since the disk and the machine are shared; figures of one run are comparable with one another only, and the last
column is the ratio to the bare insert with as many rows in a commit. SQLite syncs its write-ahead log at each commit
(synchronous=FULL), PostgreSQL runs with its defaults. `LARGEST` is the largest log that proofs are timed on.
"""

import itertools
import multiprocessing
import resource
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event

from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.protocol import checkpoint, leaves, merkle
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import migrate
from broker.store.database import Connection, Database
from broker.store.log import SqlLogStorage
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from broker.translog.verify import rederive
from tests.databases import Databases, Server, SqliteFiles

ROW_BYTES = 230
ORIGIN = "broker.example.org/log"
NOW = 1_790_000_000
KEY = Ed25519PrivateKey.generate()
RECORD = BundleActivated(
    bundle_digest=bytes(32),
    previous_digest=None,
    valid_from=NOW,
    approvals=("one.officers.word", "another.officers.word"),
)
CALLERS = (1, 8, 32)
COMMITS_IN_A_ROUND = 60
PROOFS = 2_000
Step = Callable[[Connection, int], None]


@dataclass
class Log:
    """A database with a log and a table for bare rows."""

    name: str
    database: Database
    audit: AuditLog = field(default_factory=lambda: AuditLog(ORIGIN, KEY, secrets.token_bytes, trial=True))
    numbers: Iterator[int] = field(default_factory=itertools.count)
    kept: translog.KeptEdge = field(default_factory=translog.KeptEdge)

    def insert_bare(self, connection: Connection, rows: int) -> None:
        """So many rows by the driver, in the way that is fastest for that number."""
        driver: Any = connection.connection.driver_connection
        values = [(next(self.numbers), secrets.token_bytes(ROW_BYTES)) for _ in range(rows)]
        if self.database.is_sqlite:
            driver.executemany("INSERT INTO bare VALUES (?, ?)", values)
        elif rows == 1:
            driver.execute("INSERT INTO bare VALUES (%b, %b)", values[0])
        else:
            columns = [list(column) for column in zip(*values, strict=True)]
            driver.execute("INSERT INTO bare SELECT * FROM unnest(%b::int8[], %b::bytea[])", columns)

    def append_leaves(self, connection: Connection, rows: int) -> None:
        """Leaves, nodes and head, with one call."""
        rows_of = [secrets.token_bytes(ROW_BYTES) for _ in range(rows)]
        translog.append(SqlLogStorage(connection, lock=True), rows_of, self.kept)

    def append_entries(self, connection: Connection, rows: int) -> None:
        """What a step of a party does, so many times: salt, leaf, record, proof and signed checkpoint besides."""
        for _ in range(rows):
            self.audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, NOW)


def main(rounds: int, largest: int) -> None:
    """Print the figures."""
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder:
            with _log("SQLite", SqliteFiles(), Path(folder)) as log:
                _one_writer(log, 100, rounds)
                _callers(log, rounds)
            with _log("PostgreSQL", server, Path(folder)) as log:
                _one_writer(log, 200, rounds)
                _callers(log, rounds)
            _parts()
    finally:
        server.stop()
    with tempfile.TemporaryDirectory() as folder:
        _proofs(Path(folder), largest)


@contextmanager
def _log(name: str, databases: Databases, folder: Path) -> Iterator[Log]:
    database = Database(databases.new(folder))
    migrate.upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE bare (number BIGINT PRIMARY KEY, content {'BLOB' if database.is_sqlite else 'BYTEA'})"
        )
    yield Log(name, database)
    database.close()


# --- one writer ---


def _one_writer(log: Log, many: int, rounds: int) -> None:
    print(f"{log.name}, one writer, rows of {ROW_BYTES} bytes:")
    steps: tuple[tuple[str, Step], ...] = (
        ("bare insert", log.insert_bare),
        ("leaf, nodes and head", log.append_leaves),
        ("whole entry with receipt", log.append_entries),
    )
    for rows in (1, many):
        spent = dict.fromkeys((name for name, _ in steps), 0.0)
        for _ in range(rounds):
            for name, step in steps:
                spent[name] += _time(_commits, log, step, rows)
        for name, seconds in spent.items():
            done = rounds * COMMITS_IN_A_ROUND * rows
            ratio = spent["bare insert"] / seconds
            print(f"  {name + f', {rows} a commit':<40} {done / seconds:10,.0f} a second {ratio:7.2f}")


def _commits(log: Log, step: Step, rows: int) -> None:
    for _ in range(COMMITS_IN_A_ROUND):
        with log.database.write() as connection:
            step(connection, rows)


# --- callers at once ---


def _callers(log: Log, rounds: int) -> None:
    print(f"{log.name}, callers at once, each step a transaction of its own to its caller:")
    bare = 0.0
    for callers in CALLERS:
        for name, step in (
            ("bare insert", log.insert_bare),
            ("whole entry with receipt", log.append_entries),
        ):
            with _counted_commits(log.database) as commits:
                seconds = _time(_at_once, log, step, callers, rounds)
            done = rounds * COMMITS_IN_A_ROUND // callers * callers
            bare = bare or done / seconds
            print(
                f"  {name + f', {callers} callers':<40} {done / seconds:10,.0f} a second"
                f" {done / seconds / bare:7.2f} {done / len(commits):10.1f} steps a commit"
            )


def _at_once(log: Log, step: Step, callers: int, rounds: int) -> None:
    def call() -> None:
        for _ in range(rounds * COMMITS_IN_A_ROUND // callers):
            with log.database.write() as connection:
                step(connection, 1)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _counted_commits(database: Database) -> Iterator[list[object]]:
    seen: list[object] = []
    note = seen.append
    event.listen(database.engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "commit", note)


# --- what an entry is made of ---


def _parts() -> None:
    """CPU time of each part of one entry, in a log of 10,000 entries, without the commit."""
    print("one entry, SQLite, CPU time without the commit:")
    with tempfile.TemporaryDirectory() as folder, _log("parts", SqliteFiles(), Path(folder)) as log:
        salt, memory = secrets.token_bytes(32), MemoryStorage()
        with log.database.write() as connection:
            translog.append(SqlLogStorage(connection), [b"leaf"] * 10_000)
            log.append_entries(connection, 1)
        leaf = leaves.compose("BUNDLE_ACTIVATED", NOW, encode(RECORD), salt)
        grown = translog.append(memory, [b"leaf"] * 10_000).after
        with log.database.write() as connection:
            storage = SqlLogStorage(connection, lock=True, beside=[(leaf.record, salt)])
            parts: tuple[tuple[str, Callable[[], object]], ...] = (
                ("record as canonical JSON", lambda: encode(RECORD)),
                (
                    "salt, digest and leaf",
                    lambda: leaves.compose("X", NOW, leaf.record, secrets.token_bytes(32)),
                ),
                (
                    "leaf, nodes, head, record: hashes and rows",
                    lambda: translog.append(storage, [leaf.leaf], log.kept),
                ),
                ("proof off the edge", lambda: grown.path_of_next),
                ("checkpoint, signed", lambda: checkpoint.sign(ORIGIN, 9, bytes(32), KEY, ORIGIN)),
            )
            for name, part in parts:
                print(f"  {name:<40} {_cpu_each(part) * 1e6:10.1f} microseconds")
        with log.database.write() as connection:
            whole = _cpu_each(lambda: log.append_entries(connection, 1))
        print(f"  {'all of it, through the audit log':<40} {whole * 1e6:10.1f} microseconds")


def _cpu_each(part: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(PROOFS):
        part()
    return (time.process_time() - started) / PROOFS


# --- proofs ---


def _proofs(folder: Path, largest: int) -> None:
    print("proofs from the SQLite store; sizes in hashes of 32 bytes, the longest; times of the median:")
    print("      entries   inclusion    prove   verify   consistency    prove   verify   rederive   grew by")
    size = 1_000
    while size <= largest:
        url = f"sqlite:///{folder}/{size}.sqlite3"
        _fill(url, size)
        print(f"  {size:11,}   {_proof_figures(url, size)}   {_rederived(url)}")
        size *= 10


def _fill(url: str, size: int) -> None:
    database = Database(url)
    migrate.upgrade(database)
    kept = translog.KeptEdge()
    for at in range(0, size, 10_000):
        with database.write() as connection:
            batch = [secrets.token_bytes(ROW_BYTES) for _ in range(min(10_000, size - at))]
            translog.append(SqlLogStorage(connection), batch, kept)
    database.close()


def _proof_figures(url: str, size: int) -> str:
    database, dice = Database(url), secrets.SystemRandom()
    included, continued = _Timed(), _Timed()
    with database.read() as connection:
        storage = SqlLogStorage(connection)
        root = storage.head().root
        for _ in range(PROOFS):
            index, old = dice.randrange(size), dice.randrange(1, size)
            path = included.prove(translog.inclusion_proof, storage, index, size)
            (leaf,) = storage.leaves(index, index + 1)
            included.verify(merkle.verify_inclusion, merkle.leaf_hash(leaf), index, size, path, root)
            old_root = translog.root_at(storage, old)
            path = continued.prove(translog.consistency_proof, storage, old, size)
            continued.verify(merkle.verify_consistency, old, size, path, old_root, root)
    database.close()
    return f"{included}   {continued}"


@dataclass
class _Timed:
    """Times of proving and verifying, and the longest proof."""

    longest: int = 0
    proving: list[float] = field(default_factory=list)
    verifying: list[float] = field(default_factory=list)

    def prove(self, function: Callable[..., tuple[bytes, ...]], *arguments: object) -> tuple[bytes, ...]:
        """Time one proof."""
        started = time.perf_counter()
        path = function(*arguments)
        self.proving.append(time.perf_counter() - started)
        self.longest = max(self.longest, len(path))
        return path

    def verify(self, function: Callable[..., None], *arguments: object) -> None:
        """Time one check, which raises if it does not hold."""
        self.verifying.append(_time(function, *arguments))

    def __str__(self) -> str:
        middle = [sorted(times)[len(times) // 2] * 1e3 for times in (self.proving, self.verifying)]
        return f"{self.longest:9} {middle[0]:6.3f}ms {middle[1]:6.3f}ms"


def _rederived(url: str) -> str:
    """Seconds and growth of memory, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, grown_kib = pool.apply(_rederive, (url,))
    return f"{seconds:7.2f} s {grown_kib / 1024:6.1f} MiB"


def _rederive(url: str) -> tuple[float, int]:
    database = Database(url)
    with database.read() as connection:
        storage = SqlLogStorage(connection)
        storage.head()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = _time(rederive, storage)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    database.close()
    return seconds, grown


def _time(function: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*(given + [5, 1_000_000][len(given) :]))
