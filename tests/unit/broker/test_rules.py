"""Rules that change while requests are under way: nothing leaves but what both allow, and everybody is told."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker import registry
from broker.gate.bundle import load
from broker.gate.ruling import CHANGED
from broker.protocol.documents import sign
from broker.protocol.errors import Conflict, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import ReleaseDecided
from broker.protocol.messages.vocabulary import RecordKind, Tier
from broker.refusals import GateRefusal
from broker.store import requests as rows
from clients.replay import replay_all
from tests import rules
from tests.exchange_story import COMPANIES, Story, key_of, token
from tests.messages_examples import NOW
from tests.rules import FORBIDDEN, POLICIES

Make = Callable[..., Story]
ASKED = [token(index) for index in range(3, 20)]
KEPT = tuple(sorted((token(3), token(4))))


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Make]:
    """Three companies hold tokens 0 to 4 each, at a broker by these rules, or the project's."""
    made: list[Story] = []

    def story(first: Path | None = None) -> Story:
        one = Story(tmp_path, load(first or POLICIES), database_url=database_url, first_rules=first)
        for company in COMPANIES[:3]:
            one.deposit(company, [token(index) for index in range(5)])
        made.append(one)
        return one

    yield story
    for each in made:
        each.stop()


def looser(folder: Path, previous: bytes) -> Path:
    """Rules that allow what the project's do, under another digest; signed to follow `previous`."""
    source = rules.changed_rules(folder, lambda text: text + "# another digest\n")
    return rules.sign_rules(source, NOW - 60, previous)


def stricter(folder: Path, previous: bytes) -> Path:
    """Rules under which no hits leave; signed to follow `previous`."""
    source = rules.forbidding(folder, "release", 'context.tier == "hits"')
    return rules.sign_rules(source, NOW - 60, previous)


def released(story: Story) -> tuple[int, ReleaseDecided]:
    """The newest RELEASE: its index, and its record."""
    with story.broker.database.read() as connection:
        for index in reversed(range(story.broker.audit.size(connection))):
            receipt = story.broker.audit.receipt(connection, index)
            if receipt.kind is RecordKind.RELEASE:
                return index, decode(ReleaseDecided, receipt.record)
    raise AssertionError("nothing was released")


def both_replay(story: Story, old: Path, new: Path) -> tuple[str, str]:
    """What the two decisions of the newest RELEASE came to, the earlier first, once both came out the same again from
    the record and the rules alone."""
    index, record = released(story)
    assert record.earlier_decision is not None
    texts = (record.earlier_decision, record.decision)
    bundles = {bundle.digest: bundle for bundle in map(load, (old, new))}
    report = replay_all(bundles, [(index, text) for text in texts])
    assert (report.decisions, report.same) == (2, 2)
    earlier, decision = map(json.loads, texts)
    assert [earlier["bundle_digest"], decision["bundle_digest"]] == [
        load(source).digest.hex() for source in (old, new)
    ]
    return earlier["outcome"], decision["outcome"]


def test_what_both_rules_allow_leaves_and_says_that_they_changed(make: Make, tmp_path: Path) -> None:
    story = make()
    new = looser(tmp_path / "new", story.bundle.digest)
    request = story.request()
    tokens = story.tokens(story.file(request), ASKED)
    story.change_rules(new)
    told = story.answer(request, tokens)
    assert (told.tier, told.matched) == (Tier.HITS, KEPT)
    assert told.reasons[-1] == CHANGED
    assert both_replay(story, POLICIES, new) == ("ALLOW", "ALLOW")


def test_what_new_rules_refuse_does_not_leave_though_it_was_admitted(make: Make, tmp_path: Path) -> None:
    story = make()
    new = stricter(tmp_path / "new", story.bundle.digest)
    request = story.request()
    tokens = story.tokens(story.file(request), ASKED)
    story.change_rules(new)
    with pytest.raises(GateRefusal) as refused:
        story.answer(request, tokens)
    assert refused.value.told.rules == (FORBIDDEN,)
    assert CHANGED in refused.value.told.notes
    assert both_replay(story, POLICIES, new) == ("ALLOW", "DENY")
    with pytest.raises(GateRefusal) as again:
        story.answer(request, tokens)
    assert again.value.told == refused.value.told


def test_what_the_earlier_rules_refuse_does_not_leave_though_new_ones_allow_it(
    make: Make, tmp_path: Path
) -> None:
    """Rules that are loosened open nothing that was asked for before."""
    old = rules.sign_rules(rules.forbidding(tmp_path / "old", "release", 'context.tier == "hits"'))
    story = make(old)
    new = looser(tmp_path / "new", story.bundle.digest)
    request = story.request()
    tokens = story.tokens(story.file(request), ASKED)
    story.change_rules(new)
    with pytest.raises(GateRefusal) as refused:
        story.answer(request, tokens)
    assert refused.value.told.rules == (FORBIDDEN,)
    assert CHANGED in refused.value.told.notes
    assert both_replay(story, old, new) == ("DENY", "ALLOW")


def test_under_rules_that_did_not_change_nothing_is_decided_twice(make: Make) -> None:
    story = make()
    request = story.request()
    told = story.answer(request, story.tokens(story.file(request), ASKED))
    assert CHANGED not in told.reasons
    assert released(story)[1].earlier_decision is None


def test_what_new_rules_crowd_out_leaves_as_a_count_under_both(make: Make, tmp_path: Path) -> None:
    story = make()
    source = rules.changed_rules(
        tmp_path / "new", lambda text: text.replace("released_hits = 25", "released_hits = 5")
    )
    new = rules.sign_rules(source, NOW - 60, story.bundle.digest)
    request = story.request()
    tokens = story.tokens(story.file(request), ASKED)
    story.change_rules(new)
    told = story.answer(request, tokens)
    assert (told.asked_tier, told.tier, told.matched, told.rules[0]) == (Tier.HITS, Tier.COUNT, (), "L16")
    assert both_replay(story, POLICIES, new) == ("ALLOW", "ALLOW")
    assert json.loads(released(story)[1].earlier_decision or "")["tier"] == "count"


def test_a_broker_that_started_under_older_rules_decides_nothing(make: Make, tmp_path: Path) -> None:
    """As one of several on a database, that nobody restarted yet."""
    story = make()
    request, asked = story.request(), story.request()
    tokens = story.tokens(story.file(request), ASKED)
    rules.activate_at_broker(story.broker, looser(tmp_path / "new", story.bundle.digest))
    for step in (
        lambda: story.answer(request, tokens),
        lambda: story.file(asked),
        lambda: story.deposit(COMPANIES[3], [token(1)]),
    ):
        with pytest.raises(Unavailable, match="restart"):
            step()
    with story.broker.database.read() as connection:
        assert rows.find(connection, asked.payload.request_id) is None


def test_a_space_whose_roster_names_other_rules_takes_in_nothing_new(make: Make, tmp_path: Path) -> None:
    story = make()
    new = looser(tmp_path / "new", story.bundle.digest)
    story.change_rules(new)
    for step in (lambda: story.file(story.request()), lambda: story.deposit(COMPANIES[3], [token(1)])):
        with pytest.raises(Conflict, match="space change-rules"):
            step()
    agreed = story.space.model_copy(update={"roster_version": 2, "bundle_digest": load(new).digest})
    founder = COMPANIES[0]
    registry.found_space(story.broker, story.caller(founder), sign(agreed, key_of(founder)).document)
    anew = sign(story.request().payload.model_copy(update={"roster_version": 2}), key_of("unit-1"))
    assert story.answer(anew, story.tokens(story.file(anew), ASKED)).matched == KEPT


def test_a_release_waits_while_the_earlier_rules_are_not_at_hand(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = make()
    request = story.request()
    tokens = story.tokens(story.file(request), ASKED)
    story.change_rules(looser(tmp_path / "new", story.bundle.digest))
    shelf = rules.shared_shelf()
    with monkeypatch.context() as gone:
        gone.setattr(shelf, "_loaded", {})
        gone.setattr(shelf, "_directory", tmp_path / "empty")
        with pytest.raises(Unavailable, match="not at hand"):
            story.answer(request, tokens)
    assert story.answer(request, tokens).matched == KEPT
