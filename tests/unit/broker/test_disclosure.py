"""What leaves the broker, and that nothing does without the evidence of every step before."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import pytest

from broker import permits
from broker.audit.log import Receipt
from broker.disclosure import Found, Release, ReleaseDecision, assemble, sources
from broker.gate.bundle import load
from broker.gate.ruling import rule_release
from broker.matching.evidence import Admitted, Matches, Recorded, TokenSet
from broker.matching.find import find, recall
from broker.protocol.errors import Refused, Unavailable
from broker.protocol.messages.vocabulary import Outcome, Tier
from broker.store import requests as rows
from tests.exchange_story import COMPANIES, Story, token

POLICIES = Path(__file__).parents[3] / "policies"
COUNT_KEY = b"k" * 32


@pytest.fixture
def story(tmp_path: Path, database_url: str) -> Iterator[Story]:
    """Three companies hold tokens 0 to 4 each."""
    story = Story(tmp_path, load(POLICIES), database_url=database_url)
    for company in COMPANIES[:3]:
        story.deposit(company, [token(index) for index in range(5)])
    yield story
    story.stop()


def open_release(story: Story, tier: Tier = Tier.HITS) -> tuple[Matches, ReleaseDecision]:
    """A request that stopped after RELEASE: what was found and what was decided, read back."""
    request = story.request(tier=tier)
    submission = story.tokens(story.file(request), [token(index) for index in range(3, 20)])
    # The salts of two entries are drawn before, and that of what is kept of a count.
    story.randomness.fail_after = 3 if tier is Tier.COUNT else 2
    with pytest.raises(OSError, match="no randomness"):
        story.answer(request, submission)
    story.randomness.fail_after = None
    with story.broker.database.read() as connection:
        held = permits.held_permit(
            story.broker, connection, story.caller("unit-1"), request.payload.request_id
        )
        receipt = story.broker.audit.receipt(connection, held.request.log_index)
        assert held.request.state == rows.RELEASING
        recorded = Recorded.by(TokenSet.within(held.admitted, submission), receipt)
        return recall(connection, recorded, story.now), ReleaseDecision.by(receipt)


def test_hits_are_the_requesters_own_tokens_sorted_together(story: Story) -> None:
    told = assemble(Release.of(*open_release(story)), None, COUNT_KEY, story.now)
    assert told.matched == tuple(sorted((token(3), token(4))))
    assert (told.noised_count, told.contributors, told.count_epsilon_millis) == (None, None, None)
    assert told.released_at == story.now


def test_a_count_tells_no_token_and_depends_on_the_brokers_secret(story: Story) -> None:
    release = Release.of(*open_release(story, Tier.COUNT))
    counts = {assemble(release, None, bytes([key]) * 32, story.now).noised_count for key in range(20)}
    assert len(counts) > 1
    told = assemble(release, None, COUNT_KEY, story.now)
    assert (told.tier, told.matched, told.contributors) == (Tier.COUNT, (), 3)


def test_a_count_over_fewer_than_three_contributors_is_not_assembled(story: Story) -> None:
    matches, decided = open_release(story, Tier.COUNT)
    fewer = replace(matches, deposits=matches.deposits[:2])
    with pytest.raises(Refused, match="three contributors"):
        assemble(Release.of(fewer, decided), None, COUNT_KEY, story.now)


def test_a_deposit_that_ran_out_between_two_counts_of_one_set_changes_their_noise(story: Story) -> None:
    story.deposit(COMPANIES[3], [token(index) for index in range(5)])
    matches, decided = open_release(story, Tier.COUNT)
    fewer = replace(matches, deposits=matches.deposits[:3])
    differences = set()
    for key in range(20):
        more, less = (
            assemble(Release.of(each, decided), None, bytes([key]) * 32, story.now).noised_count or 0
            for each in (matches, fewer)
        )
        differences.add(more - less)
    # With one noise for both, the difference would be the exact number of matches in that deposit.
    assert len(differences) > 1


def with_decision(decided: ReleaseDecision, **changes: object) -> ReleaseDecision:
    """The same release, as if it had been decided otherwise."""
    changed = decided.ruling.decision.model_copy(update=changes)
    return replace(decided, ruling=replace(decided.ruling, decision=changed))


@pytest.mark.parametrize("tier", [Tier.SOURCES, Tier.PAYLOAD])
def test_who_holds_a_match_is_found_before_a_tier_that_names_it_is_assembled(
    story: Story, tier: Tier
) -> None:
    matches, decided = open_release(story)
    higher = with_decision(decided, tier=tier)
    with pytest.raises(Unavailable, match="Who holds the matches"):
        assemble(Release.of(matches, higher), None, COUNT_KEY, story.now)


def test_hits_tell_nobody_who_holds_them_even_where_it_was_found(story: Story) -> None:
    matches, decided = open_release(story)
    release = Release.of(matches, decided)
    named = sources(release, matches.recorded.tokens.admitted.facts, story.space)
    assert [each.contributor for each in named] == sorted(
        COMPANIES[:3], key=lambda name: series_of(release, name)
    )
    told = assemble(release, None, COUNT_KEY, story.now, Found(named, ()))
    assert (told.sources, told.records) == ((), ())


def series_of(release: Release, contributor: str) -> bytes:
    """The series that a contributor's deposit is under."""
    return next(each.series_id for each in release.deposits if each.contributor == contributor)


def test_a_lowered_tier_tells_what_refused_the_higher_one(story: Story) -> None:
    matches, decided = open_release(story)
    facts = decided.ruling.facts
    crowded = facts.model_copy(update={"result": facts.result.model_copy(update={"hits": 26})})
    refused = rule_release(story.broker.bundle, None, crowded, Tier.HITS)
    told = assemble(Release.of(matches, decided), refused, COUNT_KEY, story.now)
    assert told.rules == ("L16", *decided.ruling.rules)
    assert len(told.rules) == len(told.reasons) == len(told.law)


def test_a_decision_that_denies_releases_nothing(story: Story) -> None:
    matches, decided = open_release(story)
    with pytest.raises(Unavailable):
        Release.of(matches, with_decision(decided, outcome=Outcome.DENY))


def test_one_requests_release_does_not_release_anothers_matches(story: Story) -> None:
    matches, _ = open_release(story)
    _, decided = open_release(story)
    with pytest.raises(Unavailable):
        Release.of(matches, decided)
    with pytest.raises(Unavailable):
        Recorded.by(matches.recorded.tokens, decided.receipt)


def test_receipts_of_other_steps_are_no_evidence(story: Story) -> None:
    matches, decided = open_release(story)
    admitted = matches.recorded.tokens.admitted
    with pytest.raises(Unavailable):
        ReleaseDecision.by(admitted.receipt)
    with pytest.raises(Unavailable):
        Recorded.by(matches.recorded.tokens, admitted.receipt)
    with pytest.raises(Unavailable):
        Admitted.by(admitted.terms, decided.receipt)


def test_each_step_demands_the_evidence_of_the_step_before() -> None:
    chain = (
        (Admitted.by, "receipt", Receipt),
        (TokenSet.within, "admitted", Admitted),
        (Recorded.by, "tokens", TokenSet),
        (find, "recorded", Recorded),
        (find, "return", Matches),
        (Release.of, "matches", Matches),
        (Release.of, "decided", ReleaseDecision),
        (assemble, "release", Release),
    )
    for step, parameter, evidence in chain:
        assert get_type_hints(step)[parameter] is evidence
