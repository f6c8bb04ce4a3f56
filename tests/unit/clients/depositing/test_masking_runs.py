"""A masking that breaks off goes on where it was: what is kept, what is masked again, and what is given up."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients import masking
from clients.contributor import DepositResult
from clients.depositing import deposit_index, local_references, masked_deposit, masking_runs
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.depositing.masking_runs import MaskingRuns
from tests.contributor_case import CONDITIONS, ContributorCase, Killed

pytestmark = pytest.mark.all_only

ROWS = [(f"phone/1|+4477009{number:05d}", b'{"signals":[]}') for number in range(25)]
CALLED = {text: f"case {number}" for number, (text, _) in enumerate(ROWS)}


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContributorCase]:
    monkeypatch.setattr(masking_runs, "MAXIMUM_RUN_RECORDS", 4)
    made = ContributorCase(tmp_path)
    made.found()
    yield made
    made.close()


@pytest.fixture
def series_id(case: ContributorCase) -> bytes:
    return case.contributor().open_series(case.company.space().payload, "phone", CONDITIONS)


def _die(monkeypatch: pytest.MonkeyPatch, method: str, at_call: int) -> None:
    """Let that call of a method of `MaskingRuns` be the process's last."""
    calls, original = itertools.count(), getattr(MaskingRuns, method)

    def dying(self: MaskingRuns, *arguments: object) -> object:
        if next(calls) == at_call:
            raise Killed
        return original(self, *arguments)

    monkeypatch.setattr(MaskingRuns, method, dying)


@pytest.mark.parametrize(("method", "at_call", "kept"), [("keep", 0, 0), ("keep", 3, 12), ("merge", 0, 25)])
def test_what_was_masked_is_kept_and_the_rest_is_masked_under_the_same_deposit(
    case: ContributorCase,
    series_id: bytes,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    at_call: int,
    kept: int,
) -> None:
    with monkeypatch.context() as patch:
        _die(patch, method, at_call)
        with pytest.raises(Killed):
            case.contributor().deposit(series_id, ROWS, references=CALLED)
    (broken_off,) = masking_runs.unfinished(case.company)
    assert list(all_deposits(case.company)) == []
    masked: list[int] = []
    original = masking.mask_records

    def counting(signals, *arguments, **named):  # type: ignore[no-untyped-def]  # the very call
        given = list(signals)
        masked.append(len(given))
        return original(given, *arguments, **named)

    monkeypatch.setattr(masked_deposit, "mask_records", counting)
    result = case.contributor().deposit(series_id, reversed(ROWS), references=CALLED)
    assert masked == [25 - kept]
    assert result.deposit_id == broken_off.plan.deposit_id
    assert DepositFolder(case.company, result.deposit_id).masked.records == 26
    assert list(masking_runs.unfinished(case.company)) == []
    index = list(deposit_index.rows(case.company.vault, result.deposit_id))
    assert len({row.token for row in index}) == 25
    assert [row.key for row in index] == sorted(row.key for row in index)


def test_another_input_under_the_series_takes_the_place_of_a_masking_that_broke_off(
    case: ContributorCase, series_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _die(patch, "keep", 2)
        with pytest.raises(Killed):
            case.contributor().deposit(series_id, ROWS)
    (broken_off,) = masking_runs.unfinished(case.company)
    result = case.contributor().deposit(series_id, ROWS[:20])
    assert result.deposit_id != broken_off.plan.deposit_id
    assert case.company.vault.names("deposits") == (result.deposit_id.hex(),)


def _deposit_killed_as_it_is_declared(
    case: ContributorCase, series_id: bytes, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    """A deposit whose process ends just before, or just after, it is there; half a file lies beside."""
    original = DepositFolder.create.__func__  # type: ignore[attr-defined]  # the function of a class method

    def dying(kind: type[DepositFolder], *arguments: object) -> DepositFolder:
        if not before:
            original(kind, *arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(DepositFolder, "create", classmethod(dying))
        with pytest.raises(Killed):
            case.contributor().deposit(series_id, ROWS)
    (runs,) = masking_runs.unfinished(case.company)
    folder = case.company.vault.path(f"deposits/{runs.plan.deposit_id.hex()}")
    for name in (".records.0badcafe", "masking/.records-000001.0badcafe"):
        (folder / name).write_bytes(b"half")


def _left_of_masking(case: ContributorCase, result: DepositResult) -> list[str]:
    """What is in the home's deposits besides the files of one that serves."""
    folder = case.company.vault.path("deposits")
    files = {str(each.relative_to(folder)) for each in folder.rglob("*")}
    own = result.deposit_id.hex()
    kept = ("declaration.jws", "deposit.json", "index", "leaves", "self-test.jws")
    return sorted(files - {own, *(f"{own}/{name}" for name in kept)})


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_around_the_declaration_leaves_nothing_of_the_masking_once_the_deposit_serves(
    case: ContributorCase, series_id: bytes, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    _deposit_killed_as_it_is_declared(case, series_id, monkeypatch, before=before)
    assert _left_of_masking(case, case.contributor().deposit(series_id, ROWS)) == []


def test_what_was_merged_for_a_deposit_that_was_given_up_goes_too(
    case: ContributorCase, series_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deposit_killed_as_it_is_declared(case, series_id, monkeypatch, before=True)
    assert _left_of_masking(case, case.contributor().deposit(series_id, ROWS[:20])) == []


def test_a_series_that_is_closed_keeps_nothing_that_was_masked_and_not_declared(
    case: ContributorCase, series_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _die(patch, "keep", 2)
        with pytest.raises(Killed):
            case.contributor().deposit(series_id, ROWS)
    case.contributor().close(series_id)
    assert case.company.vault.names("deposits") == ()


@pytest.mark.parametrize("other", ["a name that takes a wider row than those that were kept", "case X"])
def test_a_masking_that_broke_off_goes_on_with_no_other_references_than_it_began_with(
    case: ContributorCase, series_id: bytes, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    with monkeypatch.context() as patch:
        _die(patch, "keep", 2)
        with pytest.raises(Killed):
            case.contributor().deposit(series_id, ROWS, references=CALLED)
    (broken_off,) = masking_runs.unfinished(case.company)
    again = {text: f"{other}, line {number}" for number, (text, _) in enumerate(ROWS)}
    result = case.contributor().deposit(series_id, ROWS, references=again)
    assert result.deposit_id != broken_off.plan.deposit_id
    kept = local_references.all_references(DepositFolder(case.company, result.deposit_id))
    assert sorted(text for _, text in kept) == sorted(again.values())
