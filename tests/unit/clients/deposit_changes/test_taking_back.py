"""A contributor takes back deposits and identifiers: what goes from a real broker, what stays, what a crash leaves."""

import json
import os

import pytest

from broker.protocol import merkle, sealing
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.deposits import Record
from broker.protocol.messages.parties import Space
from broker.store import deposits as broker_rows
from clients.deposit_changes.taking_back import Result, TakingBack
from clients.depositing.deposit_folder import DepositFolder
from clients.depositing.record_leaves import leaves_name
from clients.depositing.series_folder import SeriesFolder
from tests.contributor_case import CONDITIONS, ContributorCase, Killed

ROWS = [(f"phone/1|+4477009001{number:02d}", b'{"signals":[]}') for number in range(5)]
TEXTS = [text for text, _ in ROWS]


@pytest.fixture
def series_id(case: ContributorCase, space: Space) -> bytes:
    return case.contributor().open_series(space, "phone", CONDITIONS)


@pytest.fixture
def deposit_id(case: ContributorCase, series_id: bytes) -> bytes:
    """Five identifiers that serve."""
    return case.contributor().deposit(series_id, ROWS).deposit_id


def _acts(case: ContributorCase) -> TakingBack:
    home = case.company
    return TakingBack(home, case.caller(home), case.clock, os.urandom)


def _take(case: ContributorCase, space: Space, *texts: str) -> Result:
    return _acts(case).withdraw_identifiers(space, {"phone": texts}, "By mistake")


def _records(case: ContributorCase, deposit_id: bytes) -> list[Record]:
    """What the broker holds of a deposit."""
    with case.broker.database.read() as connection:
        stored = broker_rows.find(connection, deposit_id)
        assert stored is not None
        return list(broker_rows.all_records(connection, stored.deposit_number))


def _kinds(case: ContributorCase) -> list[str]:
    with case.broker.database.read() as connection:
        page = case.broker.audit.leaf_page(connection, 0, 1000)
    return [str(json.loads(leaf)["kind"]) for leaf in page.leaves]


def test_identifiers_are_taken_back_from_every_deposit_that_holds_them(
    case: ContributorCase, space: Space, series_id: bytes, deposit_id: bytes
) -> None:
    other = case.contributor().deposit(series_id, ROWS[:2]).deposit_id
    before = {deposit: set(_records(case, deposit)) for deposit in (deposit_id, other)}
    result = _take(case, space, TEXTS[1], TEXTS[4], "phone/1|+447700900999")
    assert {item.deposit_id: (item.records, item.identifiers_left) for item in result.taken} == {
        deposit_id: (2, 3),
        other: (1, 1),
    }
    for deposit, number in ((deposit_id, 2), (other, 1)):
        left = set(_records(case, deposit))
        assert left < before[deposit]
        on_disk = b"".join(path.read_bytes() for path in case.folder.glob("broker.sqlite3*"))
        gone = before[deposit] - left
        assert len(gone) == number
        assert not any(record.sealed in on_disk or record.token in on_disk for record in gone)


def test_every_record_left_is_under_the_root_that_was_signed_last(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    for text in TEXTS[:3]:
        _take(case, space, text)
    left = _records(case, deposit_id)
    hashes = [
        merkle.leaf_hash(sealing.record_leaf(each.token, each.sealed, each.record_version)) for each in left
    ]
    number, root = DepositFolder(case.company, deposit_id).last_change()
    assert (number, len(left)) == (3, 3)
    for index, leaf in enumerate(hashes):
        merkle.verify_inclusion(leaf, index, len(hashes), merkle.inclusion_path(hashes, index), root)


def test_the_same_identifiers_again_change_nothing(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    _take(case, space, TEXTS[0])
    calls, entries = len(case.wire.calls), _kinds(case)
    assert _take(case, space, TEXTS[0]).taken == ()
    assert (len(case.wire.calls), _kinds(case)) == (calls, entries)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_its_call_goes_on_with_the_same_statement(
    case: ContributorCase, space: Space, deposit_id: bytes, moment: str
) -> None:
    def kill(number: int, now: str) -> None:
        if now == moment and case.wire.calls[number].endswith("/withdraw-records"):
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        _take(case, space, TEXTS[0])
    case.wire.cut = None
    (finished,) = _take(case, space, TEXTS[1]).taken
    assert (finished.records, finished.identifiers_left) == (2, 3)
    assert _kinds(case).count("RECORDS_WITHDRAWN") == 2
    assert len(_records(case, deposit_id)) == 4


def test_no_identifier_and_no_token_stays_in_the_home(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    before = set(_records(case, deposit_id))
    _take(case, space, TEXTS[0])
    (gone,) = before - set(_records(case, deposit_id))
    on_disk = b"".join(path.read_bytes() for path in case.folder.rglob("*") if path.is_file())
    for secret in (b"+44770090010", gone.token, gone.token.hex().encode()):
        assert secret not in on_disk


def test_a_closed_series_is_named_since_its_keys_are_gone(
    case: ContributorCase, space: Space, series_id: bytes, deposit_id: bytes
) -> None:
    case.contributor().close(series_id)
    assert not case.company.vault.exists(leaves_name(deposit_id))
    assert _take(case, space, TEXTS[0]) == Result((), (deposit_id,))
    assert len(_records(case, deposit_id)) == 6


def test_a_deposit_past_its_retention_is_left_to_the_purge(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    case.now = CONDITIONS.retain_until
    assert _take(case, space, TEXTS[0]) == Result((), ())


def test_an_unfinished_deposit_and_no_identifier_are_said_so(
    case: ContributorCase, space: Space, series_id: bytes
) -> None:
    with pytest.raises(BadInput):
        _take(case, space)

    def kill(number: int, now: str) -> None:
        if "/batches/" in case.wire.calls[number]:
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        case.contributor().deposit(series_id, ROWS)
    case.wire.cut = None
    with pytest.raises(Conflict, match="resume"):
        _take(case, space, TEXTS[0])


def test_a_damaged_list_of_records_signs_nothing(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    path = case.company.vault.path(leaves_name(deposit_id))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerificationFailed):
        _take(case, space, TEXTS[0])
    assert "RECORDS_WITHDRAWN" not in _kinds(case)


# --- one deposit ---


def test_one_deposit_is_taken_back_and_its_series_goes_on(
    case: ContributorCase, series_id: bytes, deposit_id: bytes
) -> None:
    other = case.contributor().deposit(series_id, ROWS[:2]).deposit_id
    _acts(case).withdraw_deposit(deposit_id, "By mistake")
    _acts(case).withdraw_deposit(deposit_id, "again, which changes nothing")
    assert _kinds(case).count("DEPOSIT_WITHDRAWN") == 1
    assert (len(_records(case, deposit_id)), len(_records(case, other))) == (0, 3)
    assert DepositFolder(case.company, deposit_id).entry.stage == "withdrawn"
    assert not case.company.vault.exists(leaves_name(deposit_id))
    assert SeriesFolder(case.company, series_id).keys()
    anew = case.contributor().deposit(series_id, ROWS)
    assert anew.deposit_id != deposit_id


def test_a_deposit_the_broker_never_heard_of_is_taken_back_here(
    case: ContributorCase, series_id: bytes
) -> None:
    def kill(number: int, now: str) -> None:
        if now == "before":
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        case.contributor().deposit(series_id, ROWS)
    case.wire.cut = None
    (broken_off,) = case.contributor().unfinished()
    _acts(case).withdraw_deposit(broken_off, "Not needed")
    assert case.contributor().unfinished() == ()


def test_an_unknown_deposit_is_not_found(case: ContributorCase, deposit_id: bytes) -> None:
    with pytest.raises(NotFound):
        _acts(case).withdraw_deposit(bytes(32), "By mistake")
