"""A broker that lies about facts, decision or series gets no evaluation: each lie is found, and by its name."""

from dataclasses import replace

import pytest

from broker.protocol.errors import (
    Conflict,
    Expired,
    NotPermitted,
    Refused,
    VerificationFailed,
)
from broker.protocol.messages.vocabulary import Offence, Purpose, Tier
from tests.keyholder_calls import ask, refused
from tests.keyholder_world import COMPANIES, NOW, POLICE, Deal, World, conditions


def test_a_broker_that_changes_the_verified_purpose_is_found_out(
    world: World, deals: tuple[Deal, ...]
) -> None:
    filed = world.admit(
        deals,
        finding={"purpose": Purpose.LOCATE_MISSING},
        change_facts=lambda facts: facts.model_copy(
            update={
                "verified": facts.verified
                and facts.verified.model_copy(update={"purpose": facts.claims.purpose})
            }
        ),
    )
    with refused(world, VerificationFailed, "not so: verified"):
        ask(world, filed, deals[0])


def test_a_broker_that_changes_conditions_is_found_out(world: World) -> None:
    strict = {"conditions": conditions(permitted_offences=(Offence.CHILD_SEXUAL_EXPLOITATION,))}
    deals = tuple(world.deal(name, changes=strict) for name in COMPANIES)
    for each in deals:
        world.deliver(each)
    filed = world.admit(
        deals,
        change_facts=lambda facts: facts.model_copy(
            update={
                "series": tuple(each.model_copy(update={"conditions": conditions()}) for each in facts.series)
            }
        ),
    )
    with refused(world, VerificationFailed, "not so: series"):
        ask(world, filed, deals[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"identifiers": 1, "points": 1},
        {"identifier_types": ("phone", "email")},
        {"request_digest": bytes(32)},
        {"space_id": bytes(16)},
    ],
)
def test_a_broker_that_changes_another_fact_is_found_out(
    world: World, deals: tuple[Deal, ...], changes: dict[str, object]
) -> None:
    filed = world.admit(deals, change_facts=lambda facts: facts.model_copy(update=changes))
    with refused(world, VerificationFailed, f"not so: {', '.join(changes)}\\."):
        ask(world, filed, deals[0])


def test_a_broker_that_changes_the_type_of_another_series_is_found_out(world: World) -> None:
    first, second, third = (
        world.deal(name, changes={"identifier_type": kind})
        for name, kind in zip(COMPANIES, ("phone", "email", "phone"), strict=True)
    )
    for each in (first, second, third):
        world.deliver(each)
    said = second.manifest.model_copy(update={"identifier_type": "phone"})
    lie = replace(second, signed=replace(second.signed, payload=said))
    with refused(world, VerificationFailed, "not so: series"):
        ask(world, world.admit((first, lie, third)), first)


def test_a_broker_that_changes_claims_or_the_requesters_standing_is_found_out(
    world: World, deals: tuple[Deal, ...]
) -> None:
    claims = world.admit(
        deals,
        change_facts=lambda facts: facts.model_copy(
            update={"claims": facts.claims.model_copy(update={"retention_days": 30})}
        ),
    )
    with refused(world, VerificationFailed, "not so: claims"):
        ask(world, claims, deals[0])
    party = world.admit(
        deals,
        change_facts=lambda facts: facts.model_copy(
            update={
                "requester": facts.requester.model_copy(
                    update={"mandates": (*facts.requester.mandates, Purpose.FINANCIAL_TRAIL)}
                )
            }
        ),
    )
    with refused(world, VerificationFailed, "not so: requester"):
        ask(world, party, deals[0])


def test_a_decision_dated_outside_the_permit_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals, change_facts=lambda facts: facts.model_copy(update={"now": NOW - 3600}))
    with refused(world, VerificationFailed, "another time"):
        ask(world, filed, deals[0])


def test_a_permit_for_years_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals, change_terms={"expires_at": NOW + 365 * 86_400})
    with refused(world, NotPermitted, "longer than 30 days"):
        ask(world, filed, deals[0])


def test_a_decision_dated_back_to_when_the_finding_held_is_refused(
    world: World, deals: tuple[Deal, ...]
) -> None:
    world.clock.now = NOW - 12 * 3600
    filed = world.admit(
        deals, finding={"expires_at": NOW - 3600}, change_terms={"expires_at": NOW + 29 * 86_400}
    )
    world.clock.now = NOW
    with refused(world, Expired, "run out since it was decided"):
        ask(world, filed, deals[0])


def test_contributors_that_the_broker_made_up_hide_nobody(world: World) -> None:
    real = world.deal(COMPANIES[0])
    world.deliver(real)
    phantoms = tuple(world.deal(name, signer="broker") for name in COMPANIES[1:])
    with refused(world, NotPermitted, "too few of the contributors"):
        ask(world, world.admit((real, *phantoms)), real)


def test_a_denial_turned_into_an_allowance_does_not_replay(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(
        deals,
        finding={"basis_authentic": False},
        change_text=lambda text: text.replace('"outcome":"DENY"', '"outcome":"ALLOW"'),
    )
    with refused(world, VerificationFailed, "not what these rules come to"):
        ask(world, filed, deals[0])


def test_a_permit_on_an_honest_denial_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    with refused(world, Refused, "refuse this request"):
        ask(world, world.admit(deals, finding={"basis_authentic": False}), deals[0])


def test_a_text_that_is_no_decision_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    for change in (lambda text: "{}", lambda text: text + " "):
        with refused(world, VerificationFailed, "none that these rules"):
            ask(world, world.admit(deals, change_text=change), deals[0])


def test_a_decision_under_other_rules_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    with refused(world, Conflict, "never put in force"):
        ask(world, world.admit(deals, change_terms={"bundle_digest": bytes(32)}), deals[0])


def test_a_permit_for_more_or_fewer_series_than_were_admitted_is_refused(
    world: World, deals: tuple[Deal, ...]
) -> None:
    more = world.admit(
        deals, change_facts=lambda facts: facts.model_copy(update={"series": facts.series[:3]})
    )
    ask(world, more, deals[0])  # the same three: honest
    extra = world.deal()
    world.deliver(extra)
    filed = world.admit(
        (*deals, extra), change_facts=lambda facts: facts.model_copy(update={"series": facts.series[:3]})
    )
    with refused(world, VerificationFailed, "other series"):
        ask(world, filed, extra)
    single = world.admit(deals)
    single = world.admit(deals, change_terms={"series": single.terms.series[:1]})
    with refused(world, VerificationFailed, "other series"):
        ask(world, single, deals[0])


def test_a_permit_for_another_tier_than_decided_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    with refused(world, VerificationFailed, "another tier"):
        ask(world, world.admit(deals, change_terms={"tier": Tier.PAYLOAD}), deals[0])


def test_a_forged_finding_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    for filed in (world.admit(deals, desk="broker"), world.admit(deals, desk=POLICE)):
        with refused(world, VerificationFailed, "may not sign"):
            ask(world, filed, deals[0])
    with refused(world, VerificationFailed, "another legal desk"):
        ask(world, world.admit(deals, finding={"desk": "desk-2"}), deals[0])
    with refused(world, VerificationFailed, "another request"):
        ask(world, world.admit(deals, finding={"request_digest": bytes(32)}), deals[0])


def test_without_the_finding_the_verified_facts_are_not_so(world: World, deals: tuple[Deal, ...]) -> None:
    with refused(world, VerificationFailed, "not so: verified"):
        ask(world, replace(world.admit(deals), findings=()), deals[0])
