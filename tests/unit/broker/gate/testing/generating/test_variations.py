"""Variations of a story: every word of every vocabulary, every flag, every set with one more or one less."""

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.testing.changes import Change, changed, document
from broker.gate.testing.generating.variations import Words, variations, words_of
from broker.gate.testing.scenarios import read_scenarios
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Offence, Tier
from tests.gate_world import BUNDLE

STORIES = {story.name: story.case for story in read_scenarios(BUNDLE)}
HITS = STORIES["ALLOW/police-ask-two-companies-and-an-ngo-on-a-production-order"]
RELEASED = STORIES["ALLOW/five-hits-leave"]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def words(bundle: Bundle) -> Words:
    return words_of(bundle, list(STORIES.values()))


@pytest.fixture(scope="module")
def of_hits(words: Words) -> list[Change]:
    return list(variations(HITS, document(HITS), words))


def test_every_other_word_of_a_vocabulary_is_tried(of_hits: list[Change]) -> None:
    tiers = {change["admit.tier"] for change in of_hits if "admit.tier" in change}
    assert tiers == {str(tier) for tier in Tier} - {"hits"}
    offences = {change["admit.stated.offence"] for change in of_hits if "admit.stated.offence" in change}
    assert offences == {str(offence) for offence in Offence} - {"trafficking_adult"}


def test_a_claim_a_finding_and_both_alike_are_told_apart(of_hits: list[Change]) -> None:
    for path in ("claims", "verified", "stated"):
        assert {f"admit.{path}.purpose": "identify_victim"} in of_hits


def test_flags_are_switched_and_what_may_be_missing_is_missing(of_hits: list[Change]) -> None:
    assert {"admit.verified.threat_to_life": True} in of_hits
    assert {"admit.verified": None} in of_hits
    assert {"admit.series": []} in of_hits


def test_a_set_has_one_less_one_more_and_none_of_its_own(of_hits: list[Change]) -> None:
    path = "admit.series.*.conditions.permitted_purposes"
    tried = [change[path] for change in of_hits if path in change]
    assert ["identify_victim"] in tried
    assert ["investigate_trafficker", "identify_victim", "locate_missing"] in tried
    assert ["locate_missing"] in tried


def test_words_come_from_tables_and_from_what_rules_compare_with(bundle: Bundle, words: Words) -> None:
    assert set(bundle.instruments) < set(words.of("instrument"))
    assert {"consent", "legitimate_interests", "us_2258a"} <= set(words.of("lawful_ground"))
    assert "EU" in words.of("permitted_jurisdictions")


def test_the_contributors_answer_to_a_release_is_tried(words: Words) -> None:
    tried = [
        change for change in variations(RELEASED, document(RELEASED), words) if "release.answers" in change
    ]
    assert {each["answer"] for change in tried for each in change["release.answers"]} == {
        "not_asked",
        "given",
        "refused",
        "silent",
    }


def test_most_variations_are_cases_and_each_is_another_one(of_hits: list[Change]) -> None:
    made = []
    for change in of_hits:
        try:
            made.append(changed(document(HITS), change).model_dump_json())
        except BadInput:
            continue
    assert len(made) > 0.9 * len(of_hits)
    assert len(set(made)) > 0.95 * len(made)
