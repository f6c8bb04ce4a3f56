"""The ladder in memory: hits, sources, payload, each step by the people who stand behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.answers import AnswerAwaited
from clients.remote import RefusedByGate
from tests.world import PLAINTEXT, World, phone

PAYLOAD: dict[str, Any] = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three contributors that let police go up to payload."""
    made = World(tmp_path)
    made.deposit("company-1", range(10), **PAYLOAD)
    made.deposit("company-2", range(5, 15), **PAYLOAD)
    made.deposit("ngo-1", range(12, 20), **PAYLOAD)
    yield made
    made.close()


def test_from_hits_to_sources_to_payload(world: World) -> None:
    hits = world.ask([phone(number) for number in (3, 7, 13, 99)])
    assert hits.hits == (phone(3), phone(7), phone(13))
    sources = world.climb(hits.request_id, [phone(3), phone(7)])
    assert sources.tier is Tier.SOURCES
    assert {(each.source.contributor, each.source.contact, each.identifiers) for each in sources.sources} == {
        ("company-1", "company-1@example.org", (phone(3), phone(7))),
        ("company-2", "company-2@example.org", (phone(7),)),
    }
    payload = world.climb(sources.request_id, [phone(7)])
    assert (payload.tier, payload.records) == (Tier.PAYLOAD, 2)
    opened = world.payloads().open(payload.request_id).payloads
    assert {(each.identifier, each.contributor, each.plaintext) for each in opened} == {
        (phone(7), "company-1", PLAINTEXT),
        (phone(7), "company-2", PLAINTEXT),
    }
    assert world.replay().different == ()


def test_an_ngo_is_asked_before_its_own_record_is_opened(world: World) -> None:
    hits = world.ask([phone(12)])
    sources = world.climb(hits.request_id)
    with pytest.raises(AnswerAwaited) as caught:
        world.climb(sources.request_id)
    assert caught.value.waiting.contributors == 1


def test_two_approvers_are_asked_for(world: World) -> None:
    hits = world.ask([phone(3)])
    with pytest.raises(RefusedByGate) as caught:
        world.climb(hits.request_id, by=("supervisor-1",))
    assert caught.value.rules == ("L09",)
