"""The contributor against a real broker and real holders: what it sends, what it keeps, and what a crash leaves."""

import os
from collections.abc import Callable
from datetime import datetime

import pytest

from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, Refused, Unavailable
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import AgencyKind, PayloadCategory
from broker.store.series import serving_series
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.series_folder import SeriesFolder, SeriesState, quarter_of
from clients.home_retention import forget_expired
from tests.contributor_case import CONDITIONS, DAY_SECONDS, ContributorCase, Killed

ROWS = [(f"phone/1|+4477009001{number:02d}", b'{"signals":[]}') for number in range(5)]


MOMENTS = [pytest.param("before", marks=pytest.mark.all_only), "after"]
"""When a run is killed; after a call is the worse, since it was done and its answer is lost."""


def _opened(case: ContributorCase) -> bytes:
    return case.contributor().open_series(case.company.space().payload, "phone", CONDITIONS)


def test_a_file_is_deposited_tested_and_served(case: ContributorCase) -> None:
    seen: list[tuple[int, int]] = []
    result = case.contributor().deposit(_opened(case), ROWS, lambda done, total: seen.append((done, total)))
    assert (result.identifiers, result.repeated, result.trial) == (5, False, True)
    assert seen == [(5, 5), (6, 6)]
    (kept,) = all_deposits(case.company)
    assert kept.entry.stage == "serving"
    assert kept.masked.records == 6


def test_nothing_that_leaves_or_stays_holds_an_identifier_or_a_key(case: ContributorCase) -> None:
    series_id = _opened(case)
    keys = SeriesFolder(case.company, series_id).keys()
    case.contributor().deposit(series_id, ROWS)
    on_disk = b"".join(path.read_bytes() for path in case.folder.rglob("*") if path.is_file())
    for secret in (keys.k_match, keys.k_open, b"+44770090010", keys.k_match.hex().encode()):
        assert secret not in on_disk


def test_a_deposit_with_payload_is_sealed_under_both_keys_and_its_test_opens(case: ContributorCase) -> None:
    conditions = CONDITIONS.model_copy(update={"payload_category": PayloadCategory.OWN_REPORT})
    contributor = case.contributor()
    series_id = contributor.open_series(case.company.space().payload, "phone", conditions)
    assert contributor.deposit(series_id, ROWS).identifiers == 5


def test_the_same_file_again_changes_nothing(case: ContributorCase) -> None:
    series_id = _opened(case)
    first = case.contributor().deposit(series_id, ROWS)
    calls = len(case.wire.calls)
    again = case.contributor().deposit(series_id, reversed(ROWS))
    assert again.deposit_id == first.deposit_id
    assert (again.repeated, again.elsewhere) == (True, 0)
    assert len(case.wire.calls) == calls
    other = case.contributor().deposit(series_id, ROWS[:4])
    assert other.deposit_id != first.deposit_id


def test_what_was_taken_back_of_a_file_goes_in_again_with_it_and_nothing_twice(case: ContributorCase) -> None:
    space = case.company.space().payload
    series_id = case.contributor().open_series(space, "phone", CONDITIONS)
    first = case.contributor().deposit(series_id, ROWS)
    acts = TakingBack(case.company, case.caller(case.company), case.clock, os.urandom)
    for _ in range(2):
        acts.withdraw_identifiers(space, {"phone": [ROWS[1][0], ROWS[3][0]]}, "By mistake")
        assert sum(case.stored().values()) == 3
        again = case.contributor().deposit(series_id, ROWS)
        assert (again.identifiers, again.repeated, again.elsewhere) == (2, False, 3)
        assert again.deposit_id != first.deposit_id
        assert sum(case.stored().values()) == 5
        calls = len(case.wire.calls)
        third = case.contributor().deposit(series_id, ROWS)
        assert (third.deposit_id, third.identifiers, third.elsewhere) == (first.deposit_id, 3, 2)
        assert (third.repeated, len(case.wire.calls)) == (True, calls), "the file again sends nothing"


def test_putting_back_that_broke_off_goes_on(case: ContributorCase) -> None:
    space = case.company.space().payload
    series_id = case.contributor().open_series(space, "phone", CONDITIONS)
    case.contributor().deposit(series_id, ROWS)
    acts = TakingBack(case.company, case.caller(case.company), case.clock, os.urandom)
    acts.withdraw_identifiers(space, {"phone": [ROWS[1][0]]}, "By mistake")

    def kill(number: int, now: str) -> None:
        if now == "after" and "/batches/" in case.wire.calls[number]:
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        case.contributor().deposit(series_id, ROWS)
    case.wire.cut = None
    (unfinished,) = case.contributor().unfinished()
    assert case.contributor().deposit(series_id, ROWS).deposit_id == unfinished
    assert sorted(case.stored().values()) == [1, 4]


def _calls_of(case: ContributorCase, act: Callable[[], object]) -> int:
    before = len(case.wire.calls)
    act()
    return len(case.wire.calls) - before


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_at_any_call_goes_on_with_the_same_deposit(case: ContributorCase, moment: str) -> None:
    series_id = _opened(case)
    steps = _calls_of(case, lambda: case.contributor().deposit(series_id, ROWS[:1]))
    for step in range(steps):
        rows = [(text, b'{"signals":[],"step":%d}' % step) for text, _ in ROWS]
        at = len(case.wire.calls) + step

        def kill(number: int, now: str, at: int = at) -> None:
            if (number, now) == (at, moment):
                raise Killed

        case.wire.cut = kill
        with pytest.raises(Killed):
            case.contributor().deposit(series_id, rows)
        case.wire.cut = None
        (broken_off,) = case.contributor().unfinished()
        assert case.contributor().deposit(series_id, rows).deposit_id == broken_off
        assert case.contributor().unfinished() == ()


def test_a_deposit_that_broke_off_is_resumed_without_the_file(case: ContributorCase) -> None:
    series_id = _opened(case)

    def kill(number: int, now: str) -> None:
        if "/batches/" in case.wire.calls[number]:
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        case.contributor().deposit(series_id, ROWS)
    case.wire.cut = None
    (broken_off,) = case.contributor().unfinished()
    assert case.contributor().resume(broken_off).identifiers == 5


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_opening_killed_at_any_call_goes_on_with_the_same_series(
    case: ContributorCase, moment: str
) -> None:
    space = case.company.space().payload
    steps = _calls_of(case, lambda: _opened(case))
    for step in range(steps):
        conditions = CONDITIONS.model_copy(update={"confidence_percent": step})
        at = len(case.wire.calls) + step

        def kill(number: int, now: str, at: int = at) -> None:
            if (number, now) == (at, moment):
                raise Killed

        case.wire.cut = kill
        with pytest.raises(Killed):
            case.contributor().open_series(space, "phone", conditions)
        case.wire.cut = None
        folders = [path.name for path in (case.folder / "adverts-company" / "series").iterdir()]
        series_id = case.contributor().open_series(space, "phone", conditions)
        assert series_id.hex() in folders
        assert case.contributor().find_series(space, "phone", conditions) == series_id


def test_shares_are_gone_from_the_home_once_the_holders_have_them(case: ContributorCase) -> None:
    series = SeriesFolder(case.company, _opened(case))
    assert set(series.documents("acceptance")) == {"holder-1", "holder-2", "holder-3"}
    with pytest.raises(NotFound):
        series.share_pair(1)


def test_with_a_holder_down_a_series_waits_and_then_goes_on(case: ContributorCase) -> None:
    case.wire.down = {"http://holder1.example.org:8480"}
    with pytest.raises(Unavailable, match="2 key holders took their shares, and 3 must"):
        _opened(case)
    delivered = len([call for call in case.wire.calls if call == "POST /v1/series"])
    case.wire.down = set()
    series_id = _opened(case)
    assert SeriesFolder(case.company, series_id).state is SeriesState.OPEN
    # One more holder and the broker: the two that had accepted were not asked again.
    assert len([call for call in case.wire.calls if call == "POST /v1/series"]) == delivered + 2


def test_the_self_test_finds_a_quorum_when_one_holder_is_down(case: ContributorCase) -> None:
    series_id = _opened(case)
    case.wire.down = {"http://holder1.example.org:8480"}
    assert case.contributor().deposit(series_id, ROWS).identifiers == 5


def test_conditions_that_name_another_kind_of_agency_are_refused_before_anything_is_dealt(
    case: ContributorCase,
) -> None:
    conditions = CONDITIONS.model_copy(update={"contributor_kind": AgencyKind.NGO})
    calls = len(case.wire.calls)
    with pytest.raises(BadInput, match="contributor_kind"):
        case.contributor().open_series(case.company.space().payload, "phone", conditions)
    with pytest.raises(NotPermitted):
        case.contributor().open_series(case.company.space().payload, "iban", CONDITIONS)
    assert len(case.wire.calls) == calls


def test_a_deposit_the_gate_refuses_is_given_up_and_may_be_made_anew(case: ContributorCase) -> None:
    conditions = CONDITIONS.model_copy(update={"reviewed_by_person": False})
    contributor = case.contributor()
    series_id = contributor.open_series(case.company.space().payload, "phone", conditions)
    with pytest.raises(Refused):
        contributor.deposit(series_id, ROWS)
    (given_up,) = all_deposits(case.company)
    assert given_up.entry.stage == "refused"
    assert contributor.unfinished() == ()
    assert not any("/batches/" in call for call in case.wire.calls)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "nothing"),
        ([ROWS[0], ROWS[0]], "twice"),
        ([("email/1|a@example.org", b"{}")], "another type"),
    ],
)
def test_what_cannot_be_one_deposit_is_refused_here(
    case: ContributorCase, rows: list[tuple[str, bytes]], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        case.contributor().deposit(_opened(case), rows)
    assert "example.org" not in caught.value.detail


def test_withdrawing_erases_records_shares_and_keys(case: ContributorCase) -> None:
    series_id = _opened(case)
    case.contributor().deposit(series_id, ROWS)
    result = case.contributor().withdraw(series_id, "The accounts were blocked by mistake")
    assert (result.destruction_receipts, result.needed, result.complete) == (3, 2, True)
    with pytest.raises(NotFound):
        SeriesFolder(case.company, series_id).keys()
    with pytest.raises(Conflict):
        case.contributor().deposit(series_id, ROWS)
    assert case.contributor().withdraw(series_id, "again").complete
    assert case.contributor().find_series(case.company.space().payload, "phone", CONDITIONS) is None


def test_a_withdrawal_with_too_few_holders_is_finished_later(case: ContributorCase) -> None:
    series_id = _opened(case)
    case.contributor().deposit(series_id, ROWS)
    case.wire.down = {"http://holder2.example.org:8480", "http://holder3.example.org:8480"}
    partly = case.contributor().withdraw(series_id, "By mistake")
    assert (partly.destruction_receipts, partly.complete) == (1, False)
    case.wire.down = set()
    assert case.contributor().withdraw(series_id, "By mistake").destruction_receipts == 3


def test_a_series_that_never_opened_can_be_withdrawn(case: ContributorCase) -> None:
    case.wire.down = {"http://holder3.example.org:8480"}
    with pytest.raises(Unavailable):
        _opened(case)
    case.wire.down = set()
    (name,) = case.company.vault.names("series")
    result = case.contributor().withdraw(bytes.fromhex(name), "Not needed")
    assert result.destruction_receipts == 2
    assert SeriesFolder(case.company, bytes.fromhex(name)).state is SeriesState.WITHDRAWN


def test_closing_erases_the_keys_and_what_was_deposited_goes_on(case: ContributorCase) -> None:
    series_id = _opened(case)
    result = case.contributor().deposit(series_id, ROWS)
    case.contributor().close(series_id)
    series = SeriesFolder(case.company, series_id)
    assert series.state is SeriesState.CLOSED
    with pytest.raises(NotFound):
        series.keys()
    with pytest.raises(Conflict):
        case.contributor().deposit(series_id, ROWS)
    assert case.contributor().resume(result.deposit_id).repeated


def test_a_second_deposit_extends_an_open_series_without_new_keys(case: ContributorCase) -> None:
    series_id, space = _opened(case), case.company.space().payload
    keys = SeriesFolder(case.company, series_id).keys()
    first = case.contributor().deposit(series_id, ROWS[:3])
    series_calls = [call for call in case.wire.calls if call == "POST /v1/series"]
    assert case.contributor().find_series(space, "phone", CONDITIONS) == series_id
    second = case.contributor().deposit(series_id, ROWS[2:])
    assert (second.series_id, second.deposit_id == first.deposit_id) == (series_id, False)
    assert [call for call in case.wire.calls if call == "POST /v1/series"] == series_calls
    assert SeriesFolder(case.company, series_id).keys() == keys


def test_k_is_gone_from_the_bytes_of_the_home_once_its_series_is_closed(case: ContributorCase) -> None:
    series_id = _opened(case)
    case.contributor().deposit(series_id, ROWS)
    home = case.company.vault.directory
    sealed = (home / "series" / series_id.hex() / "keys").read_bytes()
    keys = SeriesFolder(case.company, series_id).keys()
    case.contributor().close(series_id)
    left = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for secret in (sealed, sealed[12:44], keys.k_match, keys.k_open):
        assert secret not in left


def test_after_closing_and_in_a_new_quarter_the_next_series_is_opened_with_new_keys(
    case: ContributorCase,
) -> None:
    space, contributor = case.company.space().payload, case.contributor()
    first = _opened(case)
    contributor.deposit(first, ROWS[:2])
    contributor.close(first)
    assert contributor.find_series(space, "phone", CONDITIONS) is None
    second = contributor.open_series(space, "phone", CONDITIONS)
    contributor.deposit(second, ROWS[2:4])
    keys = SeriesFolder(case.company, second).keys()
    case.now += 20 * DAY_SECONDS
    assert contributor.find_series(space, "phone", CONDITIONS) is None
    with pytest.raises(Conflict, match="earlier quarter"):
        contributor.deposit(second, ROWS[4:])
    third = contributor.open_series(space, "phone", CONDITIONS)
    contributor.deposit(third, ROWS[4:])
    assert SeriesFolder(case.company, third).keys() != keys
    quarters = [SeriesFolder(case.company, each).quarter for each in (first, second, third)]
    assert quarters == ["2026-Q3", "2026-Q3", "2026-Q4"]
    with case.broker.database.read() as connection:
        serving = serving_series(connection, space.space_id, ["phone"], case.now)
    assert {each.series.series_id for each in serving} == {first, second, third}


def test_a_deposit_that_broke_off_in_one_quarter_is_finished_in_the_next(case: ContributorCase) -> None:
    series_id = _opened(case)

    def kill(number: int, now: str) -> None:
        if "/batches/" in case.wire.calls[number]:
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        case.contributor().deposit(series_id, ROWS)
    case.wire.cut = None
    case.now += 20 * DAY_SECONDS
    assert case.contributor().deposit(series_id, ROWS).identifiers == 5


@pytest.mark.parametrize(
    ("day", "quarter"),
    [
        ("2026-01-01", "2026-Q1"),
        ("2026-03-31", "2026-Q1"),
        ("2026-04-01", "2026-Q2"),
        ("2026-12-31", "2026-Q4"),
    ],
)
def test_a_retention_quarter_is_one_of_the_calendar_in_utc(day: str, quarter: str) -> None:
    midnight = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
    assert quarter_of(midnight) == quarter_of(midnight + DAY_SECONDS - 1) == quarter


def test_past_retention_the_home_forgets_keys_lists_and_references(case: ContributorCase) -> None:
    series_id = _opened(case)
    called = {ROWS[0][0]: "case 1"}
    deposit_id = case.contributor().deposit(series_id, ROWS, references=called).deposit_id
    assert forget_expired(case.company, CONDITIONS.retain_until - 1) == ()
    assert forget_expired(case.company, CONDITIONS.retain_until) == (series_id,)
    assert forget_expired(case.company, CONDITIONS.retain_until) == ()
    left = set(case.company.vault.names(f"deposits/{deposit_id.hex()}"))
    assert left == {"declaration.jws", "deposit.json", "self-test.jws"}
    with pytest.raises(NotFound):
        SeriesFolder(case.company, series_id).keys()
    for act in (lambda: case.contributor().close(series_id), lambda: case.contributor().resume(deposit_id)):
        with pytest.raises(Conflict, match="retention"):
            act()


def test_conditions_are_compared_whole_when_a_series_is_looked_for(case: ContributorCase) -> None:
    series_id, space = _opened(case), case.company.space().payload
    longer = CONDITIONS.model_copy(update={"retain_until": CONDITIONS.retain_until + 1})
    assert encode(longer) != encode(CONDITIONS)
    assert case.contributor().find_series(space, "phone", CONDITIONS) == series_id
    assert case.contributor().find_series(space, "phone", longer) is None
    assert case.contributor().find_series(space, "email", CONDITIONS) is None
