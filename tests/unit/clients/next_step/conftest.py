"""A police unit that was told who holds two of its numbers, for all tests of what comes after."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.next_step.disclosed import Disclosed, read_disclosed
from tests.world import POLICE, World, phone

PAYLOAD: dict[str, Any] = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}


@dataclass(frozen=True)
class Told:
    """The world, the ids of its answered requests by tier, and the disclosure of sources as it is read."""

    world: World
    requests: dict[Tier, bytes]
    disclosed: Disclosed


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Numbers 3 and 7: company-1 (IE) holds both, company-2 (NL) the second. One payload was released besides."""
    world = World(tmp_path_factory.mktemp("next-step"))
    world.deposit("company-1", range(10), **PAYLOAD)
    world.deposit("company-2", range(5, 15), **PAYLOAD)
    world.deposit("ngo-1", range(12, 20), **PAYLOAD)
    count = world.ask([phone(number) for number in range(12)], Tier.COUNT)
    hits = world.ask([phone(number) for number in (3, 7, 13)])
    sources = world.climb(hits.request_id, [phone(3), phone(7)])
    payload = world.climb(sources.request_id, [phone(7)])
    answers = {Tier.COUNT: count, Tier.HITS: hits, Tier.SOURCES: sources, Tier.PAYLOAD: payload}
    requests = {tier: answer.request_id for tier, answer in answers.items()}
    assert all(answer.tier is tier for tier, answer in answers.items())
    disclosed = read_disclosed(world.homes[POLICE], world.space, requests[Tier.SOURCES])
    yield Told(world, requests, disclosed)
    world.close()
