"""Edges are found by deciding, wherever they are made: by a limit, a constant, another fact or the gate's own count."""

from dataclasses import replace

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.testing.changes import changed, document
from broker.gate.testing.generating.edges import edges
from broker.gate.testing.scenarios import come_to, read_scenarios
from tests.gate_world import BUNDLE

STORIES = {story.name: story for story in read_scenarios(BUNDLE)}
DEPOSIT = document(STORIES["ALLOW/a-company-deposits-reviewed-accounts"].case)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


def test_both_sides_of_a_limit_are_found(bundle: Bundle) -> None:
    found = [change["deposit.records"] for change in edges(bundle, DEPOSIT) if "deposit.records" in change]
    most = bundle.limits.company_records
    assert found == [0, 1, most, most + 1]


def test_an_edge_moves_with_its_limit(bundle: Bundle) -> None:
    limits = bundle.limits.model_copy(update={"phone_retention_days": 20})
    moved = list(edges(replace(bundle, limits=limits), DEPOSIT))
    now = DEPOSIT["deposit"]["now"]
    for second in (now + 20 * 86_400, now + 20 * 86_400 + 1):
        assert {"deposit.conditions.retain_until": second} in moved


def test_the_decision_changes_between_the_sides_of_an_edge(bundle: Bundle) -> None:
    by_path: dict[tuple[str, ...], list[int]] = {}
    for change in edges(bundle, DEPOSIT):
        by_path.setdefault(tuple(change), []).append(next(iter(change.values())))
    assert by_path
    for paths, values in by_path.items():
        decided = [come_to(bundle, changed(DEPOSIT, dict.fromkeys(paths, value))) for value in values]
        neighbours = [
            (one, other)
            for one, other, low, high in zip(decided, decided[1:], values, values[1:], strict=False)
            if high == low + 1
        ]
        assert any(one != other for one, other in neighbours), paths
