"""Facts: what a legal desk's findings come to, and facts that contradict themselves."""

from typing import Any

import pytest
from pydantic import ValidationError

from broker.gate.facts import Verified, verified_from
from broker.protocol.errors import BadInput
from broker.protocol.messages.requests import Finding
from tests.gate_world import NOW, admit_facts, series, three_series, verified


def finding(desk: str = "desk-1", **changes: Any) -> Finding:
    found = {name: getattr(verified(), name) for name in Verified.model_fields}
    about: dict[str, Any] = {
        "finding_id": bytes(16),
        "space_id": bytes(16),
        "request_digest": bytes(32),
        "desk": desk,
        "found_at": NOW - 10,
        "expires_at": NOW + 10,
    }
    return Finding(**about | found | changes)


def test_a_finding_in_force_is_what_is_verified() -> None:
    assert verified_from([finding()], NOW) == verified()


@pytest.mark.parametrize("now", [NOW - 11, NOW + 10])
def test_a_finding_before_and_after_its_time_verifies_nothing(now: int) -> None:
    assert verified_from([finding()], now) is None


def test_no_finding_verifies_nothing() -> None:
    assert verified_from([], NOW) is None


def test_two_desks_that_agree_are_one_finding() -> None:
    assert verified_from([finding(), finding("desk-2")], NOW) == verified()


def test_two_desks_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(BadInput, match="contradict"):
        verified_from([finding(), finding("desk-2", threat_to_life=True)], NOW)


def test_a_finding_that_ran_out_contradicts_nobody() -> None:
    old = finding("desk-2", threat_to_life=True, expires_at=NOW)
    assert verified_from([finding(), old], NOW) == verified()


def test_a_series_listed_twice_is_not_two_series() -> None:
    with pytest.raises(ValidationError, match="listed twice"):
        admit_facts(series=(*three_series(), series(1)))


def test_a_series_of_a_type_that_was_not_asked_about_is_no_candidate() -> None:
    with pytest.raises(ValidationError, match="not asked about"):
        admit_facts(identifier_types=("email",))
