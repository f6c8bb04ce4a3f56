"""The file of boundary cases: read, written, and what a reviewer sees of a changed rule."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.decide import Expected
from broker.gate.testing.boundaries import (
    FILE,
    Boundary,
    cases,
    changes,
    compact,
    read_boundaries,
    written,
)
from broker.gate.testing.scenarios import judge, read_scenarios
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Outcome, Tier
from tests.gate_world import BUNDLE

pytestmark = pytest.mark.all_only

STORIES = read_scenarios(BUNDLE)
FIVE = "ALLOW/five-hits-leave"
REFUSED = Expected(outcome=Outcome.DENY, tier=Tier.HITS, rules=("L16",))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


def test_the_file_is_written_as_it_is_read() -> None:
    assert (BUNDLE / FILE).read_text(encoding="utf-8") == written(read_boundaries(BUNDLE))


def test_the_file_is_small_enough_to_be_reviewed() -> None:
    assert 100 < len(read_boundaries(BUNDLE)) <= 600


def test_a_limit_one_off_shows_as_failing_cases(bundle: Bundle) -> None:
    limits = bundle.limits.model_copy(update={"released_hits": bundle.limits.released_hits + 1})
    judged = judge(replace(bundle, limits=limits), cases(read_boundaries(BUNDLE), STORIES))
    failed = [each for each in judged if not each.passed]
    assert failed
    assert all("L16" in {*each.decided.rules, *each.scenario.expected.rules} for each in failed)


def test_lines_that_differ_in_their_last_value_become_one_line() -> None:
    lines = [
        Boundary(
            base=FIVE,
            change={"release.result.contributors": 3, "release.result.hits": hits},
            expected=REFUSED,
        )
        for hits in (27, 26)
    ]
    other = Boundary(base=FIVE, change={"release.result.hits": 28}, expected=REFUSED)
    one, two = sorted(compact([*lines, other]), key=lambda line: line.each is None)
    assert two == other
    assert one.change == {"release.result.contributors": 3}
    assert one.each is not None
    assert one.each.values == (26, 27)
    assert [dict(change) for change in changes(one)] == [
        {"release.result.contributors": 3, "release.result.hits": 26},
        {"release.result.contributors": 3, "release.result.hits": 27},
    ]


def test_facts_that_take_one_value_together_stay_together() -> None:
    lines = [
        Boundary(
            base=FIVE,
            change={"release.admitted.identifiers": n, "release.admitted.points": n},
            expected=REFUSED,
        )
        for n in (1, 2)
    ]
    [one] = compact(lines)
    assert one.each is not None
    assert one.each.paths == ("release.admitted.identifiers", "release.admitted.points")


def folder(tmp_path: Path, **line: object) -> Path:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / FILE).write_text(json.dumps([line]))
    return tmp_path


def test_a_line_about_a_story_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    expected = REFUSED.model_dump(mode="json")
    lines = read_boundaries(folder(tmp_path, base="ALLOW/gone", change={"tier": "hits"}, expected=expected))
    with pytest.raises(BadInput, match="policy boundaries --write"):
        cases(lines, STORIES)


def test_a_line_about_facts_that_are_gone_says_what_to_do(tmp_path: Path) -> None:
    expected = REFUSED.model_dump(mode="json")
    lines = read_boundaries(folder(tmp_path, base=FIVE, change={"release.gone.fact": 1}, expected=expected))
    with pytest.raises(BadInput, match="policy boundaries --write"):
        cases(lines, STORIES)


def test_a_line_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=FILE):
        read_boundaries(folder(tmp_path, base=FIVE))


def test_a_bundle_without_the_file_has_no_boundary_cases(tmp_path: Path) -> None:
    assert read_boundaries(tmp_path) == ()
