"""The database refuses what would lose entries: a second process, a vanished or replaced file, a failed disk."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.protocol.errors import Conflict, NotFound, Unavailable
from broker.store.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{path}")
    with opened.write() as connection:
        connection.execute(text("CREATE TABLE notes (note TEXT PRIMARY KEY)"))
    yield opened
    opened.close()


def _write(database: Database, note: str = "one") -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM notes")).scalar_one())


def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO notes VALUES ('one')"))
            raise NotFound("Stop.")

    with pytest.raises(NotFound):
        write_and_fail()
    assert _count(database) == 0


def test_what_a_reader_writes_is_rolled_back(database: Database) -> None:
    with database.read() as connection:
        connection.execute(text("INSERT INTO notes VALUES ('one')"))
    assert _count(database) == 0


def test_sqlite_syncs_each_commit_and_overwrites_deleted_rows(database: Database) -> None:
    with database.read() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}


def test_a_deleted_file_refuses_this_and_every_later_step(database: Database, path: Path) -> None:
    path.unlink()
    with pytest.raises(Unavailable):
        _write(database)
    path.touch()
    with pytest.raises(Unavailable):
        _write(database)
    with pytest.raises(Unavailable):
        _count(database)


def test_a_file_deleted_within_the_transaction_is_seen_before_the_commit(
    database: Database, path: Path
) -> None:
    def write_and_delete() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO notes VALUES ('one')"))
            path.unlink()

    with pytest.raises(Unavailable):
        write_and_delete()
    assert not path.exists()


def test_a_replaced_file_refuses(database: Database, path: Path) -> None:
    _write(database)
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    os.replace(copy, path)
    with pytest.raises(Unavailable):
        _write(database, "two")


def test_a_deleted_write_ahead_log_refuses(database: Database, path: Path) -> None:
    _write(database)
    Path(f"{path}-wal").unlink()
    with pytest.raises(Unavailable):
        _write(database, "two")


def test_a_write_ahead_log_with_another_in_its_place_refuses(database: Database, path: Path) -> None:
    _write(database)
    wal = Path(f"{path}-wal")
    copy = wal.with_suffix(".copy")
    copy.write_bytes(wal.read_bytes())
    os.replace(copy, wal)
    with pytest.raises(Unavailable):
        _write(database, "two")


def test_a_step_behind_one_whose_commit_failed_is_refused_though_the_file_is_back(
    database: Database, path: Path
) -> None:
    aside = path.with_suffix(".aside")
    path.rename(aside)
    with pytest.raises(Unavailable):
        _write(database)
    aside.rename(path)
    with pytest.raises(Unavailable, match="failed earlier"):
        _write(database, "two")


def test_a_second_process_is_refused(database: Database, path: Path) -> None:
    program = f"from broker.store.database import Database; Database('sqlite:///{path}')"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "Another process owns this database" in found.stderr


def test_a_closed_database_may_be_opened_again(database: Database, path: Path) -> None:
    _write(database)
    database.close()
    again = Database(f"sqlite:///{path}")
    assert _count(again) == 1
    again.close()


def test_a_row_that_another_call_wrote_first_is_a_conflict_and_no_fault(database: Database) -> None:
    _write(database)
    with pytest.raises(Conflict):
        _write(database)
    _write(database, "two")
    assert _count(database) == 2


def test_a_full_disk_refuses_and_stops_serving(database: Database) -> None:
    pages = 20

    def fill() -> None:
        with database.write() as connection:
            connection.execute(text(f"PRAGMA max_page_count={pages}"))
            connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": "x" * pages * 4096})

    with pytest.raises(Unavailable):
        fill()
    with pytest.raises(Unavailable):
        _count(database)


def test_a_file_that_cannot_be_read_stops_serving_for_good(database: Database, path: Path) -> None:
    """Put right behind its back, too: what was read in between may have been wrong."""
    for number in range(50):
        _write(database, f"{number} " + "x" * 4000)
    database.empty_wal()
    sound = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (len(sound) - 4096))
    for _ in range(2):
        with pytest.raises(Unavailable):
            _longest(database)
        with path.open("r+b") as file:
            file.write(sound)
    with pytest.raises(Unavailable, match="failed earlier"):
        _write(database)


def _longest(database: Database) -> int:
    # Into every page, past those that are at hand.
    with database.read() as connection:
        connection.execute(text("PRAGMA cache_size=0"))
        connection.execute(text("PRAGMA shrink_memory"))
        return int(connection.execute(text("SELECT max(length(note)) FROM notes")).scalar_one())


def test_a_write_within_a_write_is_a_fault_and_does_not_hang(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write(), database.write():
        pass
    _write(database)


def test_deleted_rows_are_gone_from_every_file(database: Database, path: Path) -> None:
    _write(database, "secret-to-be-forgotten")
    database.empty_wal()
    with database.write() as connection:
        connection.execute(text("DELETE FROM notes"))
    database.empty_wal()
    files = [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
    assert not any(b"secret-to-be-forgotten" in each.read_bytes() for each in files)


def test_a_memory_database_is_refused() -> None:
    with pytest.raises(Conflict):
        Database("sqlite:///:memory:")


def test_what_was_committed_is_there_for_another_reader(database: Database, path: Path) -> None:
    _write(database)
    other = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert other.execute("SELECT note FROM notes").fetchall() == [("one",)]
    other.close()
