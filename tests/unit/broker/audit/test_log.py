"""The audit log: entries with receipts that verify offline, and no entry where anything is wrong."""

import itertools
from collections.abc import Iterator
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from broker.audit.log import AuditLog, Receipt
from broker.audit.records import BundleActivated, ClockWentBack
from broker.protocol import leaves, merkle, receipts
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, NotFound, Unavailable
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import migrate
from broker.store.database import Database

NOW = 1_790_000_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
ORIGIN = "broker.example.org/log"
RECORD = BundleActivated(
    bundle_digest=bytes(32),
    previous_digest=None,
    valid_from=NOW,
    approvals=("one.officers.word", "the.other.ones"),
)


def _audit() -> AuditLog:
    counter = itertools.count()
    return AuditLog(ORIGIN, KEY, lambda size: next(counter).to_bytes(size, "big"), trial=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    migrate.upgrade(opened)
    yield opened
    opened.close()


def _append(audit: AuditLog, database: Database) -> Receipt:
    with database.write() as connection:
        return audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, NOW)


def test_a_receipt_verifies_offline_and_its_record_opens_the_leaf(database: Database) -> None:
    audit = _audit()
    for index in range(5):
        receipt = _append(audit, database)
        entry = receipts.verify_log_proof(receipt.proof, ORIGIN, public_bytes(KEY))
        assert (entry.index, entry.content.kind, entry.content.recorded_at) == (
            index,
            "BUNDLE_ACTIVATED",
            NOW,
        )
        assert entry.checkpoint.size == index + 1
        leaves.verify_record(receipt.proof.leaf, encode(RECORD), receipt.salt)
    assert receipt.message().trial


def test_the_receipt_of_an_earlier_entry_is_proved_to_the_present_head(database: Database) -> None:
    audit = _audit()
    first = _append(audit, database)
    _append(audit, database)
    with database.read() as connection:
        again = audit.receipt(connection, 0)
    assert (again.record, again.salt, again.proof.leaf) == (first.record, first.salt, first.proof.leaf)
    assert receipts.verify_log_proof(again.proof, ORIGIN, public_bytes(KEY)).checkpoint.size == 2


def test_checkpoints_are_consistent_with_one_another(database: Database) -> None:
    audit = _audit()
    old = [_append(audit, database) for _ in range(3)][-1]
    new = [_append(audit, database) for _ in range(4)][-1]
    with database.read() as connection:
        path = audit.consistency(connection, 3, 7).path
        proof = audit.inclusion(connection, 1, 3)
        with pytest.raises(BadInput):
            audit.consistency(connection, 3, 8)
    roots = [
        receipts.verify_log_proof(each.proof, ORIGIN, public_bytes(KEY)).checkpoint.root
        for each in (old, new)
    ]
    merkle.verify_consistency(3, 7, path, *roots)
    assert receipts.verify_log_proof(proof, ORIGIN, public_bytes(KEY)).checkpoint.root == roots[0]


def test_an_entry_whose_transaction_fails_was_never_there(database: Database) -> None:
    audit = _audit()

    def append_and_fail() -> None:
        with database.write() as connection:
            audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, NOW)
            raise NotFound("Stop.")

    with pytest.raises(NotFound):
        append_and_fail()
    assert _append(audit, database).proof.index == 0


def test_a_damaged_log_refuses_to_start_and_to_grow(database: Database) -> None:
    audit = _audit()
    for _ in range(4):
        _append(audit, database)
    with database.write() as connection:
        connection.execute(
            text("UPDATE log_leaves SET leaf = :zeros WHERE leaf_index = 1"), {"zeros": bytes(32)}
        )
    with pytest.raises(Unavailable), database.read() as connection:
        _audit().start(connection)
    with pytest.raises(Unavailable):
        _append(_audit(), database)


def test_a_root_that_changes_under_a_running_broker_stops_it(database: Database) -> None:
    audit = _audit()
    _append(audit, database)
    with database.write() as connection:
        connection.execute(text("UPDATE log_head SET root = :zeros"), {"zeros": bytes(32)})
    for _ in range(2):
        with pytest.raises(Unavailable):
            _append(audit, database)


def test_pages_are_bounded(database: Database) -> None:
    audit = _audit()
    for _ in range(3):
        _append(audit, database)
    with database.read() as connection:
        assert len(audit.leaf_page(connection, 1, 1001).leaves) == 2
        assert [each.index for each in audit.record_page(connection, 0, 2).records] == [0, 1]
        for start, end in ((0, 1001), (5, 5), (-1, 3), (10**30, 10**30 + 1)):
            with pytest.raises(BadInput):
                audit.leaf_page(connection, start, end)


def test_an_erased_record_leaves_its_leaf_and_proofs(database: Database) -> None:
    audit = _audit()
    _append(audit, database)
    _append(audit, database)
    with database.write() as connection:
        connection.execute(text("UPDATE log_records SET record = NULL, salt = NULL WHERE leaf_index = 0"))
    with database.read() as connection:
        audit.start(connection)
        assert audit.record_page(connection, 0, 1).records[0].record is None
        assert audit.inclusion(connection, 0, 2).index == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_records SET record = :zeros WHERE leaf_index = 1",
        "UPDATE log_records SET salt = :zeros WHERE leaf_index = 1",
        "UPDATE log_records SET salt = NULL WHERE leaf_index = 1",
        "DELETE FROM log_records WHERE leaf_index = 1",
    ],
)
def test_a_record_that_is_not_its_leafs_gives_no_receipt_and_is_found_at_start(
    database: Database, damage: str
) -> None:
    audit = _audit()
    _append(audit, database)
    _append(audit, database)
    with database.write() as connection:
        connection.execute(text(damage), {"zeros": bytes(32)} if ":zeros" in damage else {})
    with pytest.raises(Unavailable), database.read() as connection:
        audit.receipt(connection, 1)
    with pytest.raises(Unavailable, match="damaged"), database.read() as connection:
        _audit().start(connection)


def test_neither_salt_nor_record_is_shown_by_a_repr(database: Database) -> None:
    receipt = _append(_audit(), database)
    shown = repr(receipt)
    assert "salt" not in shown
    assert "record=" not in shown


# --- a clock that goes back ---


def _append_at(audit: AuditLog, database: Database, now: int) -> Receipt:
    with database.write() as connection:
        return audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, now)


def _entries(audit: AuditLog, database: Database) -> list[tuple[str, int]]:
    with database.read() as connection:
        parsed = [leaves.parse_leaf(leaf) for leaf in audit.leaf_page(connection, 0, 100).leaves]
        audit.start(connection)
    return [(each.kind, each.recorded_at) for each in parsed]


def test_a_clock_that_goes_back_is_an_entry_of_its_own_and_reorders_nothing(database: Database) -> None:
    audit = _audit()
    for now in (NOW, NOW - 3600, NOW - 3599, NOW + 5):
        receipt = _append_at(audit, database, now)
        entry = receipts.verify_log_proof(receipt.proof, ORIGIN, public_bytes(KEY))
        assert (entry.content.kind, entry.content.recorded_at) == ("BUNDLE_ACTIVATED", now)
    assert _entries(audit, database) == [
        ("BUNDLE_ACTIVATED", NOW),
        ("BUNDLE_ACTIVATED", NOW - 3600),
        ("CLOCK_WENT_BACK", NOW - 3600),
        ("BUNDLE_ACTIVATED", NOW - 3599),
        ("BUNDLE_ACTIVATED", NOW + 5),
    ]
    with database.read() as connection:
        told = decode(ClockWentBack, audit.receipt(connection, 2).record)
    assert (told.index, told.from_at, told.to_at) == (1, NOW, NOW - 3600)


def test_a_clock_that_went_back_while_the_broker_was_stopped_is_told_too(database: Database) -> None:
    _append_at(_audit(), database, NOW)
    restarted = _audit()
    _append_at(restarted, database, NOW - 61)
    assert [kind for kind, _ in _entries(restarted, database)][-1] == "CLOCK_WENT_BACK"


def test_a_minute_between_calls_that_wait_for_one_another_is_no_clock_that_went_back(
    database: Database,
) -> None:
    audit = _audit()
    for now in (NOW, NOW - 60, NOW - 30, NOW - 90):
        _append_at(audit, database, now)
    assert [kind for kind, _ in _entries(audit, database)] == ["BUNDLE_ACTIVATED"] * 4


def test_an_entry_that_was_rolled_back_leaves_no_time_behind(database: Database) -> None:
    audit = _audit()
    _append_at(audit, database, NOW)
    with suppress(RuntimeError), database.write() as connection:
        audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, NOW + 10_000)
        raise RuntimeError
    _append_at(audit, database, NOW + 1)
    assert [kind for kind, _ in _entries(audit, database)] == ["BUNDLE_ACTIVATED"] * 2


def test_of_two_brokers_on_one_log_each_sees_the_others_time(database: Database) -> None:
    one, two = _audit(), _audit()
    _append_at(one, database, NOW)
    _append_at(two, database, NOW - 120)
    _append_at(one, database, NOW)
    _append_at(two, database, NOW - 120)
    kinds = [kind for kind, _ in _entries(one, database)]
    assert kinds.count("CLOCK_WENT_BACK") == 2


# --- a log that is not what it was ---


def test_nodes_that_do_not_give_the_head_stop_the_log_for_good(database: Database) -> None:
    """Put right behind its back, it goes on being refused: it may not be the log it was (AUDIT 3, promise 3)."""
    audit = _audit()
    _append(audit, database)
    with database.read() as connection:
        root = connection.execute(text("SELECT root FROM log_head")).scalar_one()
    for put in (bytes(32), root):
        with database.write() as connection:
            connection.execute(text("UPDATE log_head SET root = :root"), {"root": put})
        with pytest.raises(Unavailable, match="damaged"):
            _append(audit, database)
        with pytest.raises(Unavailable, match="damaged"):
            audit.check_not_refused()
    assert _append(_audit(), database).proof.index == 1, "until somebody looked and started it again"
