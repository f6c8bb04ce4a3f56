"""Who read a disclosure: the first answer is RELEASED's, each further one an entry of its own, recorded first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.audit.records import DisclosureRead
from broker.gate.bundle import load
from broker.protocol.errors import Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.vocabulary import RecordKind, Tier
from tests.exchange_story import COMPANIES, Story, token

POLICIES = Path(__file__).parents[3] / "policies"


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """Three companies hold tokens 0 to 4 each."""
    story = Story(tmp_path, load(POLICIES), database_url=f"sqlite:///{tmp_path / 'broker.sqlite3'}")
    for company in COMPANIES[:3]:
        story.deposit(company, [token(index) for index in range(5)])
    yield story
    story.stop()


def readings(story: Story) -> list[DisclosureRead]:
    """The records of all DISCLOSURE_READ."""
    with story.broker.database.read() as connection:
        audit = story.broker.audit
        receipts = [audit.receipt(connection, index) for index in range(audit.size(connection))]
    return [
        decode(DisclosureRead, each.record) for each in receipts if each.kind is RecordKind.DISCLOSURE_READ
    ]


def test_each_answer_after_the_first_says_who_read_which_disclosure_at_which_tier_and_when(
    story: Story,
) -> None:
    request = story.request()
    submission = story.tokens(story.file(request), [token(1)])
    first = story.answer(request, submission)
    before = readings(story)
    assert [each for each in before if each.request_id == request.payload.request_id] == [], "RELEASED's"
    times = [story.now + 60, story.now + 7200]
    for story.now in times:
        assert story.answer(request, submission) == first
    caller = story.caller(request.payload.requester)
    told = [(each.requester, each.kid, each.request_id, each.permit_id) for each in readings(story)]
    assert told == [(caller.party_id, caller.kid, request.payload.request_id, first.permit_id)] * 2
    assert [(each.tier, each.read_at) for each in readings(story)] == [(Tier.HITS, at) for at in times]


def test_what_cannot_be_recorded_is_not_answered(story: Story) -> None:
    request = story.request()
    submission = story.tokens(story.file(request), [token(2)])
    story.answer(request, submission)
    before = len(readings(story))
    story.broker.audit.refuse("The log is closed.")
    with pytest.raises(Unavailable, match="closed"):
        story.answer(request, submission)
    assert len(readings(story)) == before
