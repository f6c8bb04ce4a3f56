"""Varied facts over all three actions, drawn from a seed: what a log of many decisions is grown from.

Each draw starts from facts that the rules allow and changes some of them, so that both outcomes and most rules come up.
"""

import random
from collections.abc import Iterator
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.decide import decide_admission, decide_deposit, decide_release
from broker.gate.decision import Decision
from broker.gate.facts import AdmitFacts, People, ReleaseFacts, Result, SeriesAnswer, SeriesFacts, Verified
from broker.protocol.messages.requests import Claims, LegalBasis
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Authority,
    Consent,
    ContributorAnswer,
    Offence,
    PayloadCategory,
    Purpose,
    Subject,
    Tier,
)
from tests.gate_world import NOW, admit_facts, basis, claims, deposit_facts, derived, party, series, verified

_KINDS = (AgencyKind.COMPANY, AgencyKind.NGO, AgencyKind.HELPLINE, AgencyKind.POLICE, AgencyKind.BANK)
_PEOPLE = (
    People(),
    People(approvers=("supervisor-1",)),
    People(approvers=("prosecutor-1", "supervisor-1")),
    People(approvers=("prosecutor-1", "supervisor-1"), reviewers=("judge-1",)),
    People(refusers=("prosecutor-1",)),
)


def decisions(bundle: Bundle, number: int, seed: int) -> Iterator[Decision]:
    """So many decisions under the bundle, of deposits, admissions and releases in turn."""
    draw = random.Random(seed)
    for place in range(number):
        if place % 3 == 0:
            yield decide_deposit(
                bundle, deposit_facts(_contributor(draw), draw.choice((0, 1, 10**6)), **_held(draw))
            )
        elif place % 3 == 1:
            yield decide_admission(bundle, _asked(draw))
        else:
            facts = _asked(draw)
            yield decide_release(
                bundle, _found(draw, facts), draw.choice((facts.tier, Tier.COUNT, Tier.HITS))
            )


def _asked(draw: random.Random) -> AdmitFacts:
    told: dict[str, Any] = {"basis": _basis(draw)} | _now_and_then(
        draw,
        offence=draw.choice(tuple(Offence)),
        purpose=draw.choice(tuple(Purpose)),
        maximum_penalty_months=draw.choice((24, 40, 240)),
    )
    identifiers = draw.choice((1, 5, 40, 60, 501))
    return admit_facts(
        requester=party("unit-1", draw.choice((AgencyKind.POLICE,) * 5 + _KINDS)),
        tier=draw.choice((Tier.COUNT, Tier.HITS, Tier.HITS, Tier.SOURCES, Tier.PAYLOAD)),
        claims=_claims(draw, told),
        verified=None if draw.random() < 0.1 else _verified(draw, told),
        derived=derived(
            identifiers_30d=draw.choice((0, 0, 19_990)),
            queries_90d=draw.choice((0, 0, 400)),
            prior_tier=draw.choice((None, Tier.HITS, Tier.SOURCES)),
            prior_decided_at=NOW - draw.choice((10, 10**7)),
            confirmed=draw.random() < 0.8,
            count_budget_left_millis=draw.choice((0, 5000)),
        ),
        people=draw.choice(_PEOPLE),
        identifiers=identifiers,
        points=identifiers,
        series=tuple(_series(draw, number) for number in range(1, draw.choice((1, 3, 4)) + 1)),
    )


def _found(draw: random.Random, facts: AdmitFacts) -> ReleaseFacts:
    return ReleaseFacts(
        now=facts.now + draw.choice((10, 10**6)) * (draw.random() < 0.3),
        admission_digest=draw.randbytes(32),
        admitted=facts,
        result=Result(hits=draw.choice((0, 3, 26)), contributors=draw.choice((1, 3))),
        answers=tuple(
            SeriesAnswer(series_id=each.series_id, answer=draw.choice(tuple(ContributorAnswer)))
            for each in facts.series
        ),
    )


def _series(draw: random.Random, number: int) -> SeriesFacts:
    kind = draw.choice((AgencyKind.COMPANY,) * 3 + _KINDS)
    who = party(f"{kind}-{number}", kind, jurisdiction=draw.choice(("IE", "NL", "US")))
    return series(number, who, established_in=who.jurisdiction, **_held(draw))


def _contributor(draw: random.Random) -> Any:
    return party("contributor-1", draw.choice(_KINDS), jurisdiction="IE", suspended=draw.random() < 0.1)


def _held(draw: random.Random) -> dict[str, Any]:
    return _now_and_then(
        draw,
        lawful_ground=draw.choice(("public_task", "consent", "vital_interests", "legitimate_interests")),
        subject=draw.choice(tuple(Subject)),
        consent=draw.choice(tuple(Consent)),
        payload_category=draw.choice(tuple(PayloadCategory)),
        retain_until=NOW + draw.choice((0, 5, 10**6, 10**8)),
        reviewed_by_person=draw.random() < 0.5,
        transfer_ground=draw.choice(("within_union", "adequacy")),
        permitted_offences=(Offence.SMUGGLING,),
        highest_tier=draw.choice(tuple(Tier)),
        releases_each_payload=True,
    )


def _basis(draw: random.Random) -> LegalBasis:
    return basis(
        **_now_and_then(
            draw,
            instrument=draw.choice(("directive_2023_977", "led_national_order", "unknown_act")),
            issued_by=draw.choice(tuple(Authority)),
            validated_by=draw.choice(tuple(Authority)),
            valid_until=NOW,
        )
    )


def _claims(draw: random.Random, told: dict[str, Any]) -> Claims:
    return claims(
        **told | _now_and_then(draw, retention_days=draw.choice((0, 366)), necessity="", onward_transfer=True)
    )


def _verified(draw: random.Random, told: dict[str, Any]) -> Verified:
    found = _now_and_then(draw, threat_to_life=True, basis_authentic=False, maximum_penalty_months=12)
    return verified(**told | found)


def _now_and_then(draw: random.Random, **changes: Any) -> dict[str, Any]:
    """Each change with a chance of one in ten."""
    return {name: value for name, value in changes.items() if draw.random() < 0.1}
