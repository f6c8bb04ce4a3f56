"""A change to a story's facts: what paths reach, what they refuse, and that any two cases are some change apart."""

from itertools import product

import pytest

from broker.gate.testing.changes import changed, difference, document
from broker.gate.testing.scenarios import read_scenarios
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Purpose, Subject
from tests.gate_world import BUNDLE

STORIES = {story.name: story.case for story in read_scenarios(BUNDLE)}
HITS = document(STORIES["ALLOW/police-ask-two-companies-and-an-ngo-on-a-production-order"])


def test_a_path_changes_one_fact_and_leaves_the_story_as_it_was() -> None:
    before = repr(HITS)
    case = changed(HITS, {"admit.identifiers": 41})
    assert case.admit is not None
    assert case.admit.identifiers == 41
    assert repr(HITS) == before


def test_a_star_reaches_every_series_and_a_number_one() -> None:
    every = changed(HITS, {"admit.series.*.conditions.subject": "minor"}).admit
    assert every is not None
    assert {one.conditions.subject for one in every.series} == {Subject.MINOR}
    second = changed(HITS, {"admit.series.1.conditions.subject": "minor"}).admit
    assert second is not None
    assert [one.conditions.subject is Subject.MINOR for one in second.series] == [False, True, False]


def test_what_is_stated_is_claimed_and_verified_alike() -> None:
    told = changed(HITS, {"admit.stated.purpose": "identify_victim"}).admit
    assert told is not None
    assert told.verified is not None
    assert told.claims.purpose is told.verified.purpose is Purpose.IDENTIFY_VICTIM


def test_what_the_desk_has_no_word_for_is_only_claimed() -> None:
    told = changed(HITS, {"admit.stated.retention_days": 7}).admit
    assert told is not None
    assert told.claims.retention_days == 7


@pytest.mark.parametrize(
    "path",
    [
        "admit.nothing.here",
        "admit.nothing",
        "admit.series.9.conditions.subject",
        "admit.series.x.conditions.subject",
        "admit.tier.more",
        "admit.stated.nothing",
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        changed(HITS, {path: "minor"})


def test_facts_that_no_case_can_have_are_refused_without_the_value() -> None:
    with pytest.raises(BadInput) as refused:
        changed(HITS, {"admit.stated.purpose": "to-find-somebody"})
    assert "to-find-somebody" not in refused.value.detail


def test_any_two_stories_of_one_action_are_a_change_apart() -> None:
    some = list(STORIES.values())[::5]
    for one, other in product(some, some):
        if set(document(one)) == set(document(other)):
            assert document(changed(document(one), difference(document(one), document(other)))) == document(
                other
            )
