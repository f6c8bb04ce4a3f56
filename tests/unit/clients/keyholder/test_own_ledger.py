"""A holder's own ledger: what it counts, and that it never makes a broker's numbers milder."""

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.gate.facts import Derived
from broker.protocol.messages.vocabulary import Tier
from clients.keyholder.own_ledger import DAY_SECONDS, LATE_SECONDS, OwnLedger, own_ledger
from clients.keyholder.store import permits
from tests.gate_world import derived
from tests.keyholder_calls import ask
from tests.keyholder_world import NOW, POLICE, Deal, World

NUMBERS = st.integers(0, 1_000_000)


def charge(world: World, identifiers: int, days_ago: int = 0, **changes: Any) -> None:
    """The first holder was charged for another permit, some days ago."""
    fields: dict[str, Any] = {
        "permit_id": os.urandom(16),
        "terms_digest": bytes(32),
        "space_id": world.space.payload.space_id,
        "requester": POLICE,
        "tier": Tier.HITS,
        "identifiers": identifiers,
        "charged_at": NOW - days_ago * DAY_SECONDS,
    }
    with world.holder.database.write() as connection:
        permits.charge_permit(connection, permits.UsedPermit(**fields | changes))


def known(world: World, deals: tuple[Deal, ...], now: int = NOW) -> OwnLedger:
    """What the first holder knows of the requester, when another of its requests is admitted."""
    terms = world.admit(deals).terms
    with world.holder.database.read() as connection:
        return own_ledger(connection, terms, now)


def test_a_holder_counts_what_it_evaluated_for_the_requester_in_the_space(
    world: World, deals: tuple[Deal, ...]
) -> None:
    assert known(world, deals) == OwnLedger()
    charge(world, 5)
    charge(world, 7, tier=Tier.COUNT)
    charge(world, 11, days_ago=40)
    charge(world, 13, requester="unit-2")
    charge(world, 17, space_id=bytes(16))
    assert known(world, deals) == OwnLedger(identifiers_30d=12, identifiers_90d=23, counts_30d=1)


def test_an_opened_payload_is_no_question_of_its_own(world: World, deals: tuple[Deal, ...]) -> None:
    charge(world, 5, tier=Tier.PAYLOAD)
    assert known(world, deals) == OwnLedger()


def test_the_second_series_of_a_permit_is_not_weighed_against_the_first(
    world: World, deals: tuple[Deal, ...]
) -> None:
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    with world.holder.database.read() as connection:
        assert own_ledger(connection, filed.terms, NOW) == OwnLedger()
    ask(world, filed, deals[1])


def test_what_was_evaluated_a_day_after_its_filing_weighs_no_longer_than_at_the_broker(
    world: World, deals: tuple[Deal, ...]
) -> None:
    charge(world, 5)
    month = 30 * DAY_SECONDS - LATE_SECONDS
    assert known(world, deals, NOW + month - 1).identifiers_30d == 5
    assert known(world, deals, NOW + month).identifiers_30d == 0


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 30))
def test_a_holder_never_makes_the_brokers_numbers_milder(
    told: int, left: int, short: int, more: int, counts: int
) -> None:
    facts = derived(identifiers_30d=told, queries_90d=told, hits_90d=7, count_budget_left_millis=left)
    stricter = OwnLedger(short, short + more, counts).stricter(facts, 5000, 500)
    assert stricter.identifiers_30d == max(told, short)
    assert stricter.queries_90d == max(told, short + more)
    assert stricter.count_budget_left_millis == min(left, max(0, 5000 - 500 * counts))
    untouched = set(Derived.model_fields) - {"identifiers_30d", "queries_90d", "count_budget_left_millis"}
    assert all(getattr(stricter, name) == getattr(facts, name) for name in untouched)
