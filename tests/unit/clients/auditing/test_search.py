"""An auditor finds the entries of a case, an agency, a law or a time, also where an entry itself names none of them."""

import pytest

from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.tiles import entry_bundle, leaves_in
from clients.auditing.mirrored import Entry, MirroredLog
from clients.auditing.search import Wanted, search
from tests import auditing_case as case
from tests.world import POLICE, World


@pytest.fixture(scope="module")
def entries(honest: World) -> tuple[Entry, ...]:
    """Every entry of the honest log."""
    return case.entries(honest)


def kinds(entries: tuple[Entry, ...], **wanted: object) -> list[str]:
    """The kinds of what is found, in the log's order."""
    return [each.kind for each in search(entries, Wanted(**wanted))]  # type: ignore[arg-type]


def test_a_case_is_found_with_all_that_belongs_to_it(entries: tuple[Entry, ...]) -> None:
    found = kinds(entries, case="case-1")
    for kind in ("ADMITTED", "TOKENS", "RELEASE", "RELEASED", "RELEASE_ASKED", "RELEASE_ANSWERED", "REFUSED"):
        assert kind in found
    assert "EMERGENCY_REVIEWED" in found
    assert "DEPOSIT_ADMITTED" not in found
    assert kinds(entries, case="case-2") == []


def test_a_request_is_found_by_its_id(entries: tuple[Entry, ...]) -> None:
    tokens = next(each for each in entries if each.kind == "TOKENS")
    assert tokens.record is not None
    assert kinds(entries, case=tokens.record.request_id) == ["TOKENS", "RELEASE", "RELEASED"]


def test_an_agency_is_found_by_what_it_did_and_by_its_requests(entries: tuple[Entry, ...]) -> None:
    company = kinds(entries, agency="company-1")
    assert {"ENROLMENT_ACCEPTED", "SERIES_OPENED", "DEPOSIT_COMPLETED", "RECORDS_WITHDRAWN"} <= set(company)
    assert "ADMITTED" not in company
    police = kinds(entries, agency=POLICE)
    assert {"ADMITTED", "REFUSED", "EMERGENCY_REVIEWED", "RELEASE_ASKED"} <= set(police)
    assert "RELEASE_ANSWERED" in kinds(entries, agency="ngo-1")


def test_rule_outcome_tier_and_law_are_read_from_decisions(entries: tuple[Entry, ...]) -> None:
    assert kinds(entries, outcome="DENY") == ["REFUSED"]
    assert kinds(entries, rule="L13") == ["REFUSED"]
    assert kinds(entries, tier="payload") == [
        "ADMITTED",
        "TOKENS",
        "RELEASE_ASKED",
        "RELEASE_ANSWERED",
        "RELEASE",
        "RELEASED",
    ]
    assert "RELEASED" in kinds(entries, law="eevidence_epoc_emergency")
    assert kinds(entries, law="2023/1543 ART 4", kind="RELEASE").count("RELEASE") >= 3
    assert kinds(entries, law="no such law") == []


def test_days_bound_what_is_found(entries: tuple[Entry, ...]) -> None:
    first = entries[0].recorded_at
    early = kinds(entries, since=first, until=first + 1)
    late = kinds(entries, since=first + 1)
    assert "BUNDLE_ACTIVATED" in early
    assert "BUNDLE_ACTIVATED" not in late
    assert early + late == [each.kind for each in entries]


def test_an_erased_record_is_found_by_kind_and_time_alone(planted: World) -> None:
    story = case.Story(planted, "unit-erased")
    index = story.tokens()
    case.erase(planted, index)
    found = list(search(case.entries(planted), Wanted(kind="TOKENS")))
    assert index in [each.index for each in found]
    assert list(search(case.entries(planted), Wanted(agency="unit-erased"))) == []


def test_nothing_is_read_before_the_first_audit_nor_from_a_mirror_that_was_changed(
    honest: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(NotFound, match="audit verify"):
        MirroredLog(honest.homes["desk-1"], honest.space)
    log, vault = case.mirror(honest), honest.homes["auditor-1"].vault
    name = f"mirror/{honest.space.space_id.hex()}/entries/000"
    kept = vault.read(name)
    first, second, *rest = leaves_in(kept)
    try:
        vault.write(name, entry_bundle([second, first, *rest]))
        with pytest.raises(VerificationFailed):
            list(log.entries())
        # A leaf whose record is left alone, and whose time is another: only the root tells.
        later = rest[-1].replace(b'"time":1', b'"time":2')
        vault.write(name, entry_bundle([first, second, *rest[:-1], later]))
        with pytest.raises(VerificationFailed, match="signed root"):
            list(log.entries())
    finally:
        vault.write(name, kept)
    assert len(list(log.entries())) == log.checkpoint.size
