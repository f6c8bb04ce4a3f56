"""What a probe asks: identifiers of reserved ranges alone, all different, the same whenever they are made anew."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from clients.identifiers import canonicalise
from clients.probing import MOST, ProbePlan


def plan(**changes: Any) -> ProbePlan:
    """A plan, unless changed, of addresses."""
    usual: dict[str, Any] = {
        "probe_id": bytes(16),
        "space_id": bytes(16),
        "seed": bytes(32),
        "contributor": "company-1",
        "requester": "unit-1",
        "identifier_type": "email",
        "deposited": 12,
        "asked": 5,
        "others": 7,
        "consent": "Letter 12",
        "planned_at": 1_800_000_000,
    }
    return ProbePlan(**usual | changes)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [("email", r"email/1\|[0-9a-f]{20}@example\.org"), ("phone", r"phone/1\|\+447700900\d{3}")],
)
@pytest.mark.parametrize("numbers", [(12, 5, 7), (1, 1, 1), (MOST, MOST, MOST)])
def test_identifiers_are_of_reserved_ranges_all_different_and_known_to_the_reader(
    kind: str, pattern: str, numbers: tuple[int, int, int]
) -> None:
    deposited, asked, others = numbers
    made = plan(identifier_type=kind, deposited=deposited, asked=asked, others=others)
    signals, question = set(made.signals), set(made.question)
    assert (len(signals), len(question)) == (deposited, asked + others)
    assert len(signals & question) == asked
    assert made.identifiers == len(question)
    for each in signals | question:
        assert re.fullmatch(pattern, canonicalise(kind, each).text)


def test_they_come_from_the_seed_alone_which_no_repr_shows() -> None:
    made, again = plan(seed=b"s" * 32), plan(seed=b"s" * 32, planned_at=1)
    assert made.signals == again.signals
    assert not set(made.signals) & set(plan(seed=b"t" * 32).signals)
    assert "seed" not in repr(made)


@pytest.mark.parametrize("changes", [{"deposited": 0}, {"others": MOST + 1}, {"consent": ""}])
def test_a_plan_of_no_numbers_or_without_consent_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        plan(**changes)
