"""A contributor's nightly file against what is deposited, at a real broker: what is sent, and what a crash leaves."""

import itertools
import os
from collections.abc import Sequence

import pytest

from broker.protocol import tokens
from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.consent import ConsentTerms
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import Consent, PayloadCategory, Tier
from clients import masking
from clients.deposit_changes.syncing import Changes, Syncing, SyncResult
from clients.depositing import deposit_index, local_references, masked_deposit, reference_changes
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.deposit_index import index_name
from clients.depositing.masked_deposit import Row
from clients.persons import consent_record
from tests.contributor_case import CONDITIONS, ContributorCase, Killed

WITH_PAYLOAD = CONDITIONS.model_copy(update={"payload_category": PayloadCategory.OWN_REPORT})
CONTENT = b'{"signals":[],"v":1}'


@pytest.fixture
def series_id(case: ContributorCase, space: Space) -> bytes:
    return case.contributor().open_series(space, "phone", WITH_PAYLOAD)


def _rows(case: ContributorCase, numbers: Sequence[int], content: bytes = CONTENT) -> list[Row]:
    salt = case.company.salt(case.company.space().payload)
    texts = [f"phone/1|+4477009{number:05d}" for number in numbers]
    return sorted(Row(tokens.salted_hash(salt, text), content, "case 1") for text in texts)


def _sync(
    case: ContributorCase, space: Space, series_id: bytes, rows: list[Row], large_change: bool = False
) -> SyncResult:
    contributor, caller = case.contributor(), case.caller(case.company)
    acts = Syncing(case.company, contributor, caller, case.clock, os.urandom)
    return acts.sync(space, series_id, lambda: iter(rows), "Nightly export", large_change=large_change)


def test_a_nightly_file_adds_what_is_new_takes_back_what_is_gone_and_masks_nothing_else(
    case: ContributorCase, space: Space, series_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _sync(case, space, series_id, _rows(case, range(300)))
    assert first.changes == Changes(300, 0, 0, 0)
    masked: list[int] = []
    original = masking.mask_records

    def counting(signals, *arguments, **named):  # type: ignore[no-untyped-def]  # the very call
        given = list(signals)
        masked.append(len(given))
        return original(given, *arguments, **named)

    monkeypatch.setattr(masked_deposit, "mask_records", counting)
    second = _sync(case, space, series_id, _rows(case, range(5, 310)))
    assert second.changes == Changes(10, 5, 0, 295)
    assert masked == [10]
    assert sorted(case.stored().values()) == [10, 295]
    calls = len(case.wire.calls)
    assert _sync(case, space, series_id, _rows(case, range(5, 310))).changes == Changes(0, 0, 0, 305)
    assert len(case.wire.calls) == calls, "the same file again sends nothing"


def test_a_row_whose_person_agreed_to_less_is_found_before_anything_is_taken_back(
    case: ContributorCase, space: Space
) -> None:
    narrow = WITH_PAYLOAD.model_copy(update={"consent": Consent.GIVEN})
    wide = narrow.model_copy(update={"highest_tier": Tier.PAYLOAD})
    series_id = case.contributor().open_series(space, "phone", wide)
    _sync(case, space, series_id, _rows(case, range(20)))
    terms = ConsentTerms(
        purposes=narrow.permitted_purposes,
        readers=narrow.permitted_readers,
        highest_tier=narrow.highest_tier,
        words_shown="Police may find your number, and no more.",
        how_given="In writing",
        taken_by="Desk",
        given_at=case.now,
        until_at=narrow.retain_until,
    )
    consent_record.record(case.company, "H-1", terms, narrow, now=case.now, random_bytes=os.urandom)
    before = case.stored()
    new = [row._replace(reference="H-1") for row in _rows(case, [30])]
    with pytest.raises(BadInput, match="the highest tier"):
        _sync(case, space, series_id, sorted([*_rows(case, range(19)), *new]))
    assert case.stored() == before
    _sync(case, space, series_id, _rows(case, range(19)))
    assert sum(case.stored().values()) == 19


def test_changed_content_is_replaced_where_it_lies(
    case: ContributorCase, space: Space, series_id: bytes
) -> None:
    _sync(case, space, series_id, _rows(case, range(50)))
    tonight = sorted([*_rows(case, range(45)), *_rows(case, range(45, 50), b'{"signals":[1],"v":1}')])
    assert _sync(case, space, series_id, tonight).changes == Changes(0, 0, 5, 45)
    assert _sync(case, space, series_id, tonight).changes == Changes(0, 0, 0, 50)


@pytest.mark.parametrize("at_once", [50_000, 3])
def test_a_corrected_reference_is_taken_over_where_no_record_holds_it_and_nothing_is_sent(
    case: ContributorCase, space: Space, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(reference_changes, "_AT_ONCE", at_once)
    series_id = case.contributor().open_series(space, "phone", CONDITIONS)
    rows = [row._replace(reference=f"H-{at}") for at, row in enumerate(_rows(case, range(20)))]
    _sync(case, space, series_id, rows[:15])
    _sync(case, space, series_id, rows)
    calls = len(case.wire.calls)
    tonight = [*rows[:5], *(row._replace(reference="H-2; H-100") for row in rows[5:])]
    assert _sync(case, space, series_id, tonight).changes == Changes(0, 0, 0, 20)
    assert len(case.wire.calls) == calls
    assert _called(case, space) == {row.salted_hash: row.reference for row in tonight}
    # The same file by `deposit add`, with other corrections.
    by_add = [row._replace(reference="H-7") for row in rows[:15]]
    case.contributor().deposit_rows(series_id, lambda: iter(by_add))
    assert _called(case, space) == {row.salted_hash: row.reference for row in [*by_add, *tonight[15:]]}


def test_references_taken_over_by_half_are_taken_over_by_the_next_run(
    case: ContributorCase, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    series_id = case.contributor().open_series(space, "phone", CONDITIONS)
    rows = _rows(case, range(6))
    _sync(case, space, series_id, rows)
    tonight = [row._replace(reference=f"H-{at}") for at, row in enumerate(rows)]
    monkeypatch.setattr(reference_changes, "_AT_ONCE", 2)
    real, calls = deposit_index.change, itertools.count()

    def dying(*arguments: object, **named: object) -> None:
        if next(calls) == 1:
            raise Killed
        real(*arguments, **named)  # type: ignore[arg-type]  # the very call

    with monkeypatch.context() as patch:
        patch.setattr(deposit_index, "change", dying)
        with pytest.raises(Killed):
            _sync(case, space, series_id, tonight)
    _sync(case, space, series_id, tonight)
    assert _called(case, space) == {row.salted_hash: row.reference for row in tonight}


def _called(case: ContributorCase, space: Space) -> dict[bytes, str | None]:
    """What each identifier is called, by its salted hash: as kept by token, and told by the numbers in the test."""
    found = {}
    salt = case.company.salt(space)
    by_key = {
        (h := tokens.salted_hash(salt, f"phone/1|+4477009{number:05d}"))[:16]: h for number in range(20)
    }
    for deposit in all_deposits(case.company):
        for row in deposit_index.rows(case.company.vault, deposit.deposit_id):
            found[by_key[row.key]] = local_references.find(deposit, row.token)
    return found


def test_half_an_export_takes_nothing_back_unless_it_is_said_to_be_meant(
    case: ContributorCase, space: Space, series_id: bytes
) -> None:
    _sync(case, space, series_id, _rows(case, range(300)))
    calls = len(case.wire.calls)
    with pytest.raises(BadInput, match="--large-change"):
        _sync(case, space, series_id, _rows(case, range(150)))
    assert len(case.wire.calls) == calls
    done = _sync(case, space, series_id, _rows(case, range(150)), large_change=True)
    assert done.changes == Changes(0, 150, 0, 150)


def test_what_was_taken_back_can_come_again_and_an_empty_deposit_is_withdrawn(
    case: ContributorCase, space: Space, series_id: bytes
) -> None:
    _sync(case, space, series_id, _rows(case, range(20)))
    _sync(case, space, series_id, _rows(case, range(22)))
    _sync(case, space, series_id, _rows(case, range(20)))
    assert list(case.stored().values()) == [20]
    again = _sync(case, space, series_id, _rows(case, range(22)))
    assert again.changes == Changes(2, 0, 0, 20)
    assert sorted(case.stored().values()) == [2, 20]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_sync_killed_at_any_call_ends_with_what_the_file_says(
    case: ContributorCase, space: Space, series_id: bytes, moment: str
) -> None:
    _sync(case, space, series_id, _rows(case, range(30)))
    for step in range(6):
        rows = _rows(case, range(step + 1, step + 31))
        at = len(case.wire.calls) + step

        def kill(number: int, now: str, at: int = at) -> None:
            if (number, now) == (at, moment):
                raise Killed

        case.wire.cut = kill
        with pytest.raises(Killed):
            _sync(case, space, series_id, rows)
        case.wire.cut = None
        _sync(case, space, series_id, rows)
        assert _sync(case, space, series_id, rows).changes == Changes(0, 0, 0, 30)
        assert sum(case.stored().values()) == 30


def test_the_index_tells_nothing_without_the_homes_key_and_goes_with_the_keys(
    case: ContributorCase, space: Space, series_id: bytes
) -> None:
    rows = _rows(case, range(20))
    done = _sync(case, space, series_id, rows)
    assert done.added is not None
    data = case.company.vault.read(index_name(done.added.deposit_id))
    assert not any(row.salted_hash[:16] in data for row in rows)
    found = list(deposit_index.rows(case.company.vault, done.added.deposit_id))
    assert [row.key for row in found] == [row.salted_hash[:16] for row in rows]
    case.contributor().close(series_id)
    with pytest.raises(NotFound, match="no index"):
        list(deposit_index.rows(case.company.vault, done.added.deposit_id))
