"""Records in PostgreSQL: a partition for each deposit, gone with it, and no byte of what was deleted in the files."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.protocol.documents import sign
from broker.protocol.errors import Unavailable
from broker.protocol.messages.deposits import DepositWithdrawal, Record
from broker.protocol.messages.envelopes import DocumentMessage
from broker.store import deposits, matches, partitions
from broker.store.database import Database
from tests.broker_case import NOW, Case, Upload, keep_permit, key_of
from tests.databases import Server

pytestmark = pytest.mark.all_only


@pytest.fixture(scope="module")
def founded_here(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = Case(tmp_path_factory.mktemp("founded"), databases=postgresql).ready()
    made.close()
    yield made.settings.database_url
    postgresql.drop(made.settings.database_url)


@pytest.fixture
def case(postgresql: Server, founded_here: str, tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path, "copy", postgresql, postgresql.copy(founded_here, tmp_path))
    yield made
    made.close()
    postgresql.drop(made.settings.database_url)


def _partitions(database: Database) -> set[str]:
    with database.read() as connection:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'records!_%' ESCAPE '!'"
        return set(connection.execute(text(query)).scalars()) & {
            partitions.name_of(number) for number in range(100)
        }


def _withdraw(case: Case, upload: Upload) -> None:
    statement = DepositWithdrawal(deposit_id=upload.deposit_id, reason="Example", withdrawn_at=NOW)
    document = sign(statement, key_of("company-1")).document
    assert case.step(upload, "withdraw", DocumentMessage(document=document)).status == 200


def _found(files: list[bytes], upload: Upload) -> bool:
    public = upload.declaration.payload.self_test_token
    wanted = [record.sealed for record in upload.records]
    wanted += [record.token for record in upload.records if record.token != public]
    return any(each in data for each in wanted for data in files)


def test_a_deposit_has_a_partition_that_is_dropped_with_it_and_no_byte_stays(
    case: Case, postgresql: Server
) -> None:
    keys, database, url = case.opened(), case.broker.database, case.settings.database_url
    first, second = case.serving(keys), case.serving(keys, 3)
    assert _partitions(database) == {"records_1", "records_2"}
    # What an administrator may run at any time, and what would copy tokens into the catalogue.
    postgresql.run("ANALYZE", url.partition("@/")[2].partition("?")[0])
    assert _found(postgresql.files(url), first)
    _withdraw(case, first)
    assert _partitions(database) == {"records_2"}
    assert not _found(postgresql.files(url), first)
    assert _found(postgresql.files(url), second)


def test_the_write_ahead_log_keeps_the_bytes_until_the_server_removes_it(
    case: Case, postgresql: Server
) -> None:
    """What docs/data-model.md tells operators: with wal_recycle off, a switch of the log and checkpoints are enough."""
    upload = case.serving(case.opened())
    _withdraw(case, upload)
    assert _found(postgresql.everything(case.settings.database_url), upload)
    postgresql.run("ALTER SYSTEM SET wal_recycle = off")
    postgresql.run("SELECT pg_reload_conf()")
    try:
        # A checkpointer that has not read the setting yet recycles a file once more; a later round has done with it.
        for _ in range(20):
            postgresql.run("SELECT pg_sleep(0.2), pg_switch_wal()")
            postgresql.run("CHECKPOINT")
            found = _found(postgresql.everything(case.settings.database_url), upload)
            if not found:
                break
        assert not found
    finally:
        postgresql.run("ALTER SYSTEM RESET wal_recycle")
        postgresql.run("SELECT pg_reload_conf()")


def test_matched_tokens_go_with_the_deposit(case: Case, postgresql: Server) -> None:
    upload = case.serving(case.opened())
    token = upload.records[0].token
    with case.broker.database.write() as connection:
        keep_permit(connection, bytes(16))
        matches.keep(connection, bytes(16), [matches.Match(1, token)])
    _withdraw(case, upload)
    assert not _found(postgresql.files(case.settings.database_url), upload)


def test_a_reader_delays_the_dropping_of_a_partition_and_not_its_emptying(case: Case) -> None:
    upload, database = case.serving(case.opened()), case.broker.database
    with database.read() as connection:
        # It reads `records`, though not this deposit: it is in nobody's way but that of who changes the partitions.
        connection.execute(text("LOCK TABLE ONLY records IN ACCESS SHARE MODE"))
        _withdraw(case, upload)
        assert _partitions(database) == {"records_1"}
        assert not case.on_disk(upload.records[0].sealed)
    database.empty_wal()
    assert _partitions(database) == set()


def test_a_reader_of_matches_delays_the_answer_until_a_repeat(case: Case) -> None:
    database = case.broker.database
    with database.read() as connection:
        connection.execute(text("SELECT 1 FROM matches"))
        with pytest.raises(Unavailable, match="Repeat"):
            database.empty_wal()
    database.empty_wal()


def _stored(case: Case, records: list[Record]) -> int:
    """The number of a new deposit with these records."""
    upload = case.mask(case.opened(), 1)
    assert case.declare(upload).status == 200
    with case.broker.database.write() as connection:
        stored = deposits.find(connection, upload.deposit_id)
        assert stored is not None
        partitions.copy_in(connection, stored.deposit_number, records)
    return stored.deposit_number


def _records(number: int) -> list[Record]:
    tokens = sorted(secrets.token_bytes(16) for _ in range(number))
    return [Record(token, version, secrets.token_bytes(540)) for version, token in enumerate(tokens, 1)]


def test_what_is_copied_in_is_read_back_exactly(case: Case) -> None:
    records = _records(3_000)
    number = _stored(case, records)
    with case.broker.database.read() as connection:
        assert list(deposits.all_records(connection, number)) == records
        assert deposits.last_token(connection, number) == records[-1].token


def test_tokens_are_matched_in_one_round_trip_and_never_hashed_or_sorted_on_disk(case: Case) -> None:
    one, two = _records(3_000), _records(2_000)
    numbers = [_stored(case, one), _stored(case, two)]
    others = [secrets.token_bytes(16) for _ in range(5_000)]
    asked = {numbers[0]: [*others, one[7].token], numbers[1]: [*others, one[7].token, two[9].token]}
    explain = "EXPLAIN SELECT token FROM records WHERE deposit_number = :number AND token = ANY(:tokens)"
    with case.broker.database.read() as connection:
        assert matches.held(connection, asked) == (
            matches.Match(numbers[0], one[7].token),
            matches.Match(numbers[1], two[9].token),
        )
        found = connection.execute(text(explain), {"number": numbers[0], "tokens": asked[numbers[0]]})
        plan = "\n".join(row[0] for row in found)
    assert "Hash" not in plan
    assert "Sort" not in plan
    assert partitions.name_of(numbers[1]) not in plan
