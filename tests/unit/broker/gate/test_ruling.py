"""The stricter of two: whatever the two bundles say, only what both let leave leaves."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.gate.bundle import Bundle, load
from broker.gate.decide import Case, decide_release
from broker.gate.ruling import CHANGED, Ruling, rule_release
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import Tier
from tests import rules
from tests.gate_world import release_facts
from tests.rules import FORBIDDEN, POLICIES


@pytest.fixture(scope="module")
def project() -> Bundle:
    """The project's rules."""
    return load(POLICIES)


@pytest.fixture(scope="module")
def without_ngos(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Rules under which nothing of an NGO leaves."""
    folder = tmp_path_factory.mktemp("rules") / "without-ngos"
    return load(rules.forbidding(folder, "release", 'resource.contributorKind == "ngo"'))


@pytest.fixture(scope="module")
def without_hits(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Rules under which no hits leave."""
    folder = tmp_path_factory.mktemp("rules") / "without-hits"
    return load(rules.forbidding(folder, "release", 'context.tier == "hits"'))


def test_one_bundle_is_one_decision(project: Bundle) -> None:
    facts = release_facts()
    for earlier in (None, project):
        ruling = rule_release(project, earlier, facts, Tier.HITS)
        assert ruling == Ruling(decide_release(project, facts, Tier.HITS))
        assert CHANGED not in ruling.notes


def test_either_refuses_and_is_named(project: Bundle, without_hits: Bundle) -> None:
    facts = release_facts()
    for in_force, earlier in ((project, without_hits), (without_hits, project)):
        ruling = rule_release(in_force, earlier, facts, Tier.HITS)
        assert (ruling.allowed, ruling.rules, ruling.admitted_series) == (False, (FORBIDDEN,), ())
        assert len(ruling.refusing) == 1
        assert CHANGED in ruling.notes


BUNDLES = st.sampled_from(["project", "without_ngos", "without_hits"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BUNDLES, BUNDLES, st.integers(0, 40), st.sampled_from([Tier.COUNT, Tier.HITS]), st.booleans())
def test_nothing_leaves_that_either_would_keep(
    request: pytest.FixtureRequest, in_force: str, earlier: str, hits: int, tier: Tier, reviewed: bool
) -> None:
    """And what the record says of it is read back as it was."""
    first, second = request.getfixturevalue(earlier), request.getfixturevalue(in_force)
    facts = release_facts(hits=hits, people={"reviewers": ("judge-1",)} if reviewed else {})
    ruling = rule_release(second, first, facts, tier)
    alone = [decide_release(bundle, facts, tier) for bundle in (first, second)]
    assert ruling.allowed == all(each.allowed for each in alone)
    assert set(ruling.admitted_series) <= set.intersection(*(set(each.admitted_series) for each in alone))
    texts = (ruling.decision.text, None if ruling.earlier is None else ruling.earlier.text)
    assert Ruling.read(*texts) == ruling


def test_from_sources_on_what_leaves_is_what_both_let_leave(
    project: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The project's rules leave out an NGO that was silent; the others leave out a company of one country."""
    scenario = POLICIES / "scenarios" / "ALLOW" / "what-an-ngo-does-not-release-is-left-out.json"
    facts = read(Case, scenario.read_bytes()).release
    assert facts is not None
    company = facts.admitted.series[0]
    folder = tmp_path_factory.mktemp("rules") / "without-one"
    place = f'resource.establishedIn == "{company.conditions.established_in}"'
    other = load(rules.forbidding(folder, "release", place))
    expected = {
        each.series_id
        for each in facts.admitted.series
        if each.contributor.kind == "company"
        and each.conditions.established_in != company.conditions.established_in
    }
    assert expected
    for in_force, earlier in ((project, other), (other, project)):
        ruling = rule_release(in_force, earlier, facts, Tier.PAYLOAD)
        assert ruling.allowed
        assert set(ruling.admitted_series) == expected
        assert any(note.startswith("L19:") for note in ruling.notes)
        assert any(note.startswith(f"{FORBIDDEN}:") for note in ruling.notes)
        assert ruling.earlier is not None
        assert Ruling.read(ruling.decision.text, ruling.earlier.text) == ruling


def test_two_decisions_about_different_releases_are_not_read_as_one(
    project: Bundle, without_ngos: Bundle
) -> None:
    ruling = rule_release(project, without_ngos, release_facts(), Tier.HITS)
    assert ruling.earlier is not None
    other = rule_release(project, without_ngos, release_facts(hits=6), Tier.HITS)
    assert other.earlier is not None
    count = decide_release(without_ngos, release_facts(), Tier.COUNT)
    for text in (other.earlier.text, count.text, ruling.decision.text):
        with pytest.raises(VerificationFailed, match="not about the same"):
            Ruling.read(ruling.decision.text, text)
    with pytest.raises(BadInput):
        Ruling.read(ruling.decision.text, "{}")
