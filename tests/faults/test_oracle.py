"""The oracle sees what it is there to see: an entry taken away, one taken twice, a charge without its entry."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.audit.log import AuditLog
from broker.folder import DATABASE_FILE, read_keys
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import AdmissionRecord
from broker.protocol.messages.vocabulary import RecordKind
from broker.store.database import Database
from tests.exchange_story import LOG_ORIGIN
from tests.faults.ground import Ground
from tests.faults.oracle import Judgement
from tests.faults.rounds import Rounds

pytestmark = pytest.mark.all_only


@pytest.fixture
def rounds(ground: Ground, folder: Path) -> Rounds:
    """A stopped broker that acknowledged some entries."""
    rounds = Rounds(ground, folder, "none", seed=0)
    assert rounds.call(seconds=0.5, least=8) >= 8
    rounds.writer.stop()
    assert said(rounds.compare()) == (0, 0, 0)
    return rounds


def said(found: Judgement) -> tuple[int, int, int]:
    return len(found.lost), found.doubled, len(found.torn)


def change(rounds: Rounds, statement: str) -> None:
    with closing(sqlite3.connect(rounds.folder / DATABASE_FILE)) as connection:
        connection.execute(statement)
        connection.commit()


def test_an_acknowledged_entry_that_is_gone_is_lost(rounds: Rounds) -> None:
    change(rounds, f"DELETE FROM log_leaves WHERE leaf_index = {rounds.oracle.given_out}")
    lost, _, torn = said(rounds.compare())
    assert lost == 1
    assert torn >= 1, "and there is a gap"


def test_an_acknowledged_entry_that_is_another_is_lost(rounds: Rounds) -> None:
    change(rounds, f"UPDATE log_leaves SET leaf = x'7b7d' WHERE leaf_index = {rounds.oracle.given_out}")
    with pytest.raises(Exception, match="canonical"):
        rounds.compare()
    assert rounds.oracle.lost(rounds.books.leaves()) == (rounds.oracle.given_out,)


def test_a_step_that_is_in_the_log_twice_is_doubled(rounds: Rounds) -> None:
    database = Database(rounds.url)
    audit = AuditLog(LOG_ORIGIN, read_keys(rounds.folder).log_key, lambda size: bytes(size), trial=True)
    with database.write() as connection:
        query = "SELECT record FROM log_records WHERE json_extract(record, '$.terms') IS NOT NULL"
        stored: bytes = connection.exec_driver_sql(query).scalars().all()[0]
        record = decode(AdmissionRecord, stored)
        audit.append(connection, RecordKind.ADMITTED, record, rounds.ground.now)
    database.close()
    lost, doubled, torn = said(rounds.compare())
    assert (lost, doubled) == (0, 1)
    assert torn >= 1, "and its request is not where that entry says"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger WHERE rowid = (SELECT max(rowid) FROM ledger)",
        "UPDATE requests SET log_index = log_index + 1 WHERE rowid = (SELECT max(rowid) FROM requests)",
        "DELETE FROM requests WHERE rowid = (SELECT max(rowid) FROM requests)",
        "UPDATE log_records SET record = x'78' WHERE leaf_index = 0",
    ],
)
def test_rows_and_entries_that_do_not_agree_are_torn(rounds: Rounds, statement: str) -> None:
    change(rounds, "PRAGMA foreign_keys = OFF")
    change(rounds, statement)
    assert said(rounds.compare())[2] >= 1
