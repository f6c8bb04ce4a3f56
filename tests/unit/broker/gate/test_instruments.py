"""One instrument as data: what it may say, and what it says of a day, a pair of jurisdictions and a type."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from broker.gate.instruments import Instrument
from tests.gate_world import DAY_SECONDS

FIELDS: dict[str, Any] = {
    "title": "Production order",
    "law": "Act of examples",
    "articles": ["1"],
    "gateways": ["G1b"],
    "issuers": ["court"],
    "validators": ["none"],
    "pairs": [
        {"issuing": ["NL", "DE"], "contributors": ["IE"]},
        {"issuing": ["FR", "ES"], "contributors": "same"},
    ],
    "tiers": ["count", "hits", "sources"],
    "payload_categories": [],
    "in_force_from": datetime.date(2026, 1, 1),
    "duties": {"notify_person": "The court"},
    "dpv_legal_bases": ["https://w3id.org/dpv#LegalObligation"],
    "review": True,
}
FIRST = 1_767_225_600
"""2026-01-01 00:00 UTC."""


def instrument(**changes: Any) -> Instrument:
    return Instrument.model_validate(FIELDS | changes, strict=False)


def test_the_instrument_these_tests_change_is_taken() -> None:
    assert instrument().in_force(FIRST)


def test_it_is_in_force_from_its_first_day_to_the_end_of_its_last() -> None:
    ends = instrument(in_force_until=datetime.date(2026, 1, 2))
    assert not ends.in_force(FIRST - 1)
    assert ends.in_force(FIRST)
    assert ends.in_force(FIRST + 2 * DAY_SECONDS - 1)
    assert not ends.in_force(FIRST + 2 * DAY_SECONDS)


@given(now=st.integers(0, 253_402_300_799))
def test_without_a_date_it_is_never_in_force(now: int) -> None:
    assert not instrument(in_force_from=None, status="Awaits ratifications").in_force(now)


PLACES = st.sampled_from(["NL", "DE", "IE", "FR", "ES", "US"])


@given(issuing=PLACES, established_in=PLACES)
def test_only_the_pairs_that_are_named_are_joined(issuing: str, established_in: str) -> None:
    named = {("NL", "IE"), ("DE", "IE"), ("FR", "FR"), ("ES", "ES")}
    assert instrument().joins(issuing, established_in) is ((issuing, established_in) in named)


def test_it_is_for_every_type_unless_it_names_some() -> None:
    assert instrument().reaches_type("phone")
    plates = instrument(identifier_types=["licence_plate"])
    assert plates.reaches_type("licence_plate")
    assert not plates.reaches_type("phone")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"in_force_until": datetime.date(2025, 12, 31)}, "in_force_until: is before"),
        (
            {"in_force_from": None, "in_force_until": datetime.date(2026, 1, 1), "status": "Gone"},
            "stands without",
        ),
        ({"in_force_from": None}, "status: an instrument without"),
        ({"tiers": ["count", "payload"]}, "payload_categories: go with"),
        ({"payload_categories": ["content"]}, "payload_categories: go with"),
        ({"tiers": ["payload"], "payload_categories": ["none"]}, "none is no category"),
        ({"gateways": []}, "tiers: go with gateways"),
        ({"tiers": []}, "tiers: go with gateways"),
        ({"pairs": []}, "pairs: an instrument in force"),
        ({"gateways": ["G3"]}, "duties: what opens"),
        ({"issuers": ["court", "court"]}, "issuers: names something twice"),
        ({"pairs": [{"issuing": ["NL"], "contributors": "all"}]}, "pairs"),
        ({"pairs": [{"issuing": ["Netherlands"], "contributors": ["NL"]}]}, "pairs"),
        ({"validators": []}, "validators"),
        ({"issuers": []}, "issuers"),
        ({"issuers": ["sheriff"]}, "issuers"),
        ({"identifier_types": []}, "identifier_types"),
        ({"dpv_legal_bases": ["https://example.org/LegalObligation"]}, "dpv_legal_bases"),
        ({"deadlines": {"answer_days": 0}}, "answer_days"),
        ({"deadlines": {"answer_weeks": 1}}, "answer_weeks"),
        ({"form": "letter"}, "form"),
        ({"tiers": ["everything"]}, "tiers"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_an_instrument_that_contradicts_itself_is_refused_by_its_field(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        instrument(**changes)


def test_an_emergency_instrument_says_within_what_time_it_is_reviewed() -> None:
    duties = {"notify_person": "The court", "validated_within_hours": 48}
    assert instrument(gateways=["G3"], duties=duties).duties.validated_within_hours == 48
