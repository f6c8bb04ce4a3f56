"""A contributor takes out what is contested: what a crash leaves, and what a nightly file finds."""

import os

import pytest

from broker.protocol import tokens
from broker.protocol.errors import Conflict, NotFound
from broker.protocol.messages.consent import ContestState
from broker.protocol.messages.parties import Space
from broker.store import contests as contest_rows
from clients.deposit_changes.sieve import Sieve
from clients.deposit_changes.syncing import Syncing, SyncResult
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.masked_deposit import Row
from clients.persons import contested_records
from clients.persons.contested_records import ContestedSubmission
from clients.persons.contesting import Contesting
from tests.contributor_case import CONDITIONS, ContributorCase, Killed

pytestmark = pytest.mark.all_only

CALLERS = {f"phone/1|+4477009001{number:02d}": f"H-{number}" for number in range(4)}
SAID = "Not hers"


@pytest.fixture
def series_id(case: ContributorCase, space: Space) -> bytes:
    series = case.contributor().open_series(space, "phone", CONDITIONS)
    rows = [(text, b'{"signals":[]}') for text in CALLERS]
    case.contributor().deposit(series, rows, references=CALLERS)
    return series


def _acts(case: ContributorCase) -> Contesting:
    return Contesting(case.company, case.caller(case.company), case.clock, os.urandom)


def _kept(case: ContributorCase, reference: str = "H-1") -> ContestedSubmission:
    known = contested_records.find(case.company, reference)
    assert known is not None
    return known


def _stated(case: ContributorCase) -> list[set[ContestState]]:
    """What the broker knows of each withdrawal that the home noted."""
    with case.broker.database.read() as connection:
        return [set(contest_rows.find(connection, each.withdrawal_digest)) for each in _kept(case).parts]


def _sync(case: ContributorCase, space: Space, series_id: bytes) -> SyncResult:
    """The nightly file, as it always was."""
    home, salt = case.company, case.company.salt(space)
    sieve = Sieve(home, space, case.now, os.urandom)
    rows = sorted(
        Row(tokens.salted_hash(salt, text), b'{"signals":[]}', called)
        for text, called in CALLERS.items()
        if sieve.why_left_out(text, called, CONDITIONS) is None
    )
    acts = Syncing(home, case.contributor(), case.caller(home), case.clock, os.urandom)
    return acts.sync(space, series_id, lambda: iter(rows), "Nightly export", untouched=sieve.untouched)


def test_the_nightly_file_puts_it_back_once_it_is_upheld_and_not_before(
    case: ContributorCase, space: Space, series_id: bytes
) -> None:
    assert _sync(case, space, series_id).changes.unchanged == 4
    _acts(case).contest("H-1", SAID)
    _acts(case).contest("H-2", SAID)
    held = _sync(case, space, series_id)
    assert (held.changes.new, held.changes.unchanged, held.added) == (0, 2, None)
    _acts(case).decide("H-1", ContestState.UPHELD, "It is hers")
    _acts(case).decide("H-2", ContestState.WITHDRAWN, "It is not hers")
    again = _sync(case, space, series_id)
    assert (again.changes.new, again.changes.unchanged) == (1, 2)
    assert _sync(case, space, series_id).changes.unchanged == 3


def test_what_was_upheld_may_be_contested_anew(case: ContributorCase, space: Space, series_id: bytes) -> None:
    _acts(case).contest("H-1", SAID)
    _acts(case).decide("H-1", ContestState.UPHELD, "It is hers")
    _sync(case, space, series_id)
    assert sum(each.records for each in _acts(case).contest("H-1", "Still not hers").taken) == 1
    assert (_kept(case).state, len(_kept(case).parts)) == (ContestState.CONTESTED, 1)
    assert _sync(case, space, series_id).changes.new == 0


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_as_it_contests_goes_on_and_is_decided_after_that(
    case: ContributorCase, series_id: bytes, moment: str
) -> None:
    def kill(number: int, now: str) -> None:
        if now == moment and case.wire.calls[number].endswith("/contest-records"):
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        _acts(case).contest("H-1", SAID)
    case.wire.cut = None
    _acts(case).decide("H-1", ContestState.UPHELD, "It is hers")
    assert _stated(case) == [{ContestState.CONTESTED, ContestState.UPHELD}]
    assert all(deposit.pending() is None for deposit in all_deposits(case.company))


def test_a_run_killed_before_its_statement_is_kept_leaves_a_withdrawal_that_never_was(
    case: ContributorCase, series_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("clients.depositing.deposit_folder.DepositFolder.keep_pending", killed)
        with pytest.raises(Killed):
            _acts(case).contest("H-1", SAID)
    assert _acts(case).contest("H-1", SAID).taken[0].records == 1
    _acts(case).decide("H-1", ContestState.WITHDRAWN, "It is not hers")
    assert _stated(case) == [set(), {ContestState.CONTESTED, ContestState.WITHDRAWN}]
    assert not _kept(case).unsent


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_decision_that_was_cut_short_is_sent_again_and_is_no_other(
    case: ContributorCase, series_id: bytes, moment: str
) -> None:
    _acts(case).contest("H-1", SAID)

    def kill(number: int, now: str) -> None:
        if now == moment and case.wire.calls[number].endswith("/decide-contest"):
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        _acts(case).decide("H-1", ContestState.UPHELD, "It is hers")
    case.wire.cut = None
    for refused in (
        lambda: _acts(case).decide("H-1", ContestState.WITHDRAWN, "It is not"),
        lambda: _acts(case).contest("H-1", SAID),
    ):
        with pytest.raises(Conflict):
            refused()
    case.now += 60
    _acts(case).decide("H-1", ContestState.UPHELD, "It is hers")
    assert _stated(case) == [{ContestState.CONTESTED, ContestState.UPHELD}]


def test_nothing_is_decided_that_is_not_contested(case: ContributorCase, series_id: bytes) -> None:
    with pytest.raises(NotFound):
        _acts(case).decide("H-1", ContestState.UPHELD, "It is hers")


def test_no_identifier_and_no_token_of_it_stays_in_the_home(case: ContributorCase, series_id: bytes) -> None:
    _acts(case).contest("H-1", SAID)
    for path in case.company.vault.directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(secret in data for secret in (b"77009001", b"H-1", SAID.encode()))
