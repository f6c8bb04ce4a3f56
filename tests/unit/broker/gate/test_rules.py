"""The rules of the first bundle, one story each: facts that pass, changed in one place, and the rule that refuses."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.gate.bundle import Bundle, load
from broker.gate.decide import decide_admission, decide_deposit, decide_release
from broker.gate.facts import AdmitFacts, DepositFacts, People, ReleaseFacts
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Authority,
    Consent,
    Offence,
    Outcome,
    PayloadCategory,
    Purpose,
    Subject,
    Tier,
)
from tests.gate_world import (
    BUNDLE,
    DAY_SECONDS,
    NOW,
    admit_facts,
    basis,
    both,
    claims,
    deposit_facts,
    derived,
    emergency_basis,
    party,
    release_facts,
    series,
    three_series,
    verified,
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


def of_police(**changes: Any) -> AdmitFacts:
    """Police ask three police units, on Directive (EU) 2023/977."""
    held = tuple(
        series(number, party(f"unit-{number}", AgencyKind.POLICE, jurisdiction="IE"), **changes)
        for number in (2, 3, 4)
    )
    paper = basis(instrument="directive_2023_977", issued_by=Authority.POLICE, validated_by=Authority.NONE)
    return admit_facts(claims=claims(basis=paper), verified=verified(basis=paper), series=held)


def of_police_at_sources_on_the_protocol() -> AdmitFacts:
    """The same police on the trafficking protocol, which ends at hits."""
    facts = of_police()
    paper = basis(instrument="palermo_10", issued_by=Authority.POLICE, validated_by=Authority.NONE)
    said, found = claims(basis=paper), verified(basis=paper)
    return facts.model_copy(update={"tier": Tier.SOURCES, "claims": said, "verified": found})


def of_companies_in_the_country() -> AdmitFacts:
    """Police ask companies of their own country, on a national order."""
    paper = basis(instrument="led_national_order")
    held = three_series(established_in="NL")
    return admit_facts(claims=claims(basis=paper), verified=verified(basis=paper), series=held)


def in_an_emergency(**changes: Any) -> AdmitFacts:
    """A verified threat to life, on a production order for emergencies."""
    stated: dict[str, Any] = {"basis": emergency_basis(), "threat_to_life": True} | changes
    return admit_facts(claims=claims(basis=stated["basis"]), verified=verified(**stated))


def between_companies() -> AdmitFacts:
    """A company asks companies, voluntarily."""
    paper = basis(instrument="voluntary_referral", issued_by=Authority.NONE, validated_by=Authority.NONE)
    held = three_series(permitted_readers=(AgencyKind.COMPANY,))
    asking = party("company-9", AgencyKind.COMPANY)
    return admit_facts(
        requester=asking, claims=claims(basis=paper), verified=verified(basis=paper), series=held
    )


def of_a_helpline(**changes: Any) -> AdmitFacts:
    """Police ask helplines about persons who consented."""
    paper = basis(instrument="consent_of_the_person", issued_by=Authority.NONE, validated_by=Authority.NONE)
    held = tuple(
        series(
            number,
            party(f"helpline-{number}", AgencyKind.HELPLINE, jurisdiction="IE"),
            **{"consent": Consent.GIVEN, "payload_category": PayloadCategory.OWN_REPORT} | changes,
        )
        for number in (1, 2, 3)
    )
    return admit_facts(claims=claims(basis=paper), verified=verified(basis=paper), series=held)


@pytest.mark.parametrize(
    ("facts", "gateway"),
    [
        (admit_facts(), "G2"),
        (admit_facts(tier=Tier.COUNT), "G2"),
        (of_police(), "G1a"),
        (of_companies_in_the_country(), "G1b"),
        (in_an_emergency(), "G3"),
        (between_companies(), "G4"),
        (of_a_helpline(), "G5"),
    ],
)
def test_each_gateway_opens_its_lane(bundle: Bundle, facts: AdmitFacts, gateway: str) -> None:
    decision = decide_admission(bundle, facts)
    assert (decision.outcome, decision.rules) == (Outcome.ALLOW, (gateway,))
    assert len(decision.admitted_series) == 3


@pytest.mark.parametrize(
    ("facts", "missed"),
    [
        (
            both(basis=basis(issued_by=Authority.POLICE)),
            "G2, clause 3: an authority that may issue that order",
        ),
        (
            both(basis=basis(validated_by=Authority.POLICE)),
            "G2, clause 4: the validation that order needs",
        ),
        (
            admit_facts(requester=party(mandates=(Purpose.LOCATE_MISSING,))),
            "G2, clause 5: a purpose within the requester's mandate",
        ),
        (in_an_emergency(threat_to_life=False), "G3, clause 1: a legal desk's finding of a threat to life"),
        (
            in_an_emergency(basis=emergency_basis(issued_by=Authority.NONE)),
            "G3, clause 5: an authority that may ask in an emergency",
        ),
        (
            in_an_emergency(basis=emergency_basis(validated_by=Authority.POLICE)),
            "G3, clause 6: the validation that the instrument needs",
        ),
        (
            of_a_helpline(consent=Consent.NOT_RELIED_ON),
            "G5, clause 3: the person's consent, or a child in danger",
        ),
    ],
)
def test_a_refusal_for_lack_of_a_gateway_says_what_was_missed(
    bundle: Bundle, facts: AdmitFacts, missed: str
) -> None:
    decision = decide_admission(bundle, facts)
    assert (decision.outcome, decision.rules) == (Outcome.DENY, ("GATEWAY",))
    assert missed in decision.missed


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("L01", admit_facts(verified=verified(basis_authentic=False))),
        ("L01", both(basis=basis(valid_from=NOW + 1))),
        ("L01", both(basis=basis(valid_until=NOW))),
        ("L01", both(basis=basis(instrument="an_unknown_instrument"))),
        ("L01", both(basis=basis(instrument="un_cybercrime_convention"))),
        ("L01", both(basis=basis(valid_from=0, valid_until=1))),
        ("L01b", of_police_at_sources_on_the_protocol()),
        ("L01c", both(basis=basis(jurisdiction="US"))),
        ("L01c", admit_facts(series=three_series(established_in="US"))),
        ("L02", admit_facts(series=three_series(permitted_readers=(AgencyKind.NGO,)))),
        ("L02", admit_facts(series=three_series(permitted_purposes=(Purpose.LOCATE_MISSING,)))),
        ("L02", admit_facts(series=three_series(permitted_jurisdictions=("IE",)))),
        ("L02", admit_facts(series=three_series(permitted_offences=(Offence.SMUGGLING,)))),
        ("L02", admit_facts(series=three_series(highest_tier=Tier.COUNT))),
        ("L03", both(purpose=Purpose.IMMIGRATION_ENFORCEMENT)),
        ("L03", both(purpose=Purpose.PROSECUTE_VICTIM)),
        ("L03", both(purpose=Purpose.SEX_WORK_ENFORCEMENT)),
        ("L03", both(offence=Offence.IMMIGRATION_ONLY)),
        ("L03", both(offence=Offence.SEX_WORK_ONLY)),
        ("L03", admit_facts(claims=claims(purpose=Purpose.IMMIGRATION_ENFORCEMENT))),
        ("L03", admit_facts(verified=verified(offence=Offence.IMMIGRATION_ONLY))),
        ("L04", admit_facts(tier=Tier.SOURCES, series=three_series(subject=Subject.MINOR))),
        ("L05", admit_facts(tier=Tier.SOURCES, identifiers=5)),
        ("L05", admit_facts(tier=Tier.PAYLOAD, identifiers=5)),
        (
            "L05",
            admit_facts(
                tier=Tier.SOURCES,
                derived=derived(prior_tier=Tier.HITS, prior_decided_at=NOW - 31 * DAY_SECONDS),
            ),
        ),
        ("L06", admit_facts(identifiers=501, points=501)),
        ("L06", admit_facts(tier=Tier.COUNT, identifiers=10_001, points=10_001)),
        ("L06", admit_facts(tier=Tier.SOURCES, identifiers=51, points=51)),
        ("L06", both(maximum_penalty_months=47)),
        ("L06", admit_facts(identifiers=40, points=39)),
        (
            "L07",
            admit_facts(
                tier=Tier.PAYLOAD,
                claims=claims(maximum_penalty_months=35),
                verified=verified(maximum_penalty_months=35),
                series=three_series(payload_category=PayloadCategory.TRAFFIC),
            ),
        ),
        (
            "L08",
            admit_facts(
                tier=Tier.SOURCES,
                claims=claims(offence=Offence.FORCED_LABOUR),
                verified=verified(offence=Offence.FORCED_LABOUR, dual_criminality=False),
            ),
        ),
        ("L09", admit_facts(tier=Tier.SOURCES, identifiers=5)),
        ("L10", admit_facts(derived=derived(identifiers_30d=19_961))),
        ("L10", admit_facts(derived=derived(queries_90d=200, hits_90d=1))),
        ("L12", admit_facts(series=three_series(retain_until=NOW))),
        ("L12", admit_facts(claims=claims(retention_days=366))),
        ("L12", admit_facts(claims=claims(retention_days=0))),
        ("L13", admit_facts(claims=claims(case_reference=""))),
        ("L13", admit_facts(claims=claims(necessity="  "))),
        ("L13", admit_facts(claims=claims(less_intrusive_means=""))),
        ("L13", admit_facts(verified=verified(necessity_shown=False))),
        ("L13", admit_facts(requester=party(suspended=True))),
        (
            "L14",
            admit_facts(
                tier=Tier.PAYLOAD,
                claims=claims(basis=basis(validated_by=Authority.NONE)),
                verified=verified(basis=basis(validated_by=Authority.NONE)),
                series=three_series(payload_category=PayloadCategory.CONTENT),
            ),
        ),
        ("L17", admit_facts(series=three_series(established_in="US", transfer_ground="none_stated"))),
        ("L17", admit_facts(series=three_series(established_in="US", transfer_ground="within_union"))),
        ("L20", admit_facts(claims=claims(purpose=Purpose.IDENTIFY_VICTIM))),
        ("L20", admit_facts(claims=claims(offence=Offence.FORCED_LABOUR))),
        ("L20", admit_facts(claims=claims(maximum_penalty_months=145))),
        ("L20", admit_facts(claims=claims(subjects=(Subject.VICTIM,)))),
        ("L20", admit_facts(claims=claims(basis=basis(reference="EPOC 2")))),
        ("L20", admit_facts(claims=claims(basis=basis(valid_until=NOW + 2 * DAY_SECONDS)))),
        ("L21", admit_facts(series=three_series()[:2])),
        ("LANE", admit_facts(requester=party("ngo-1", AgencyKind.NGO))),
        ("NO_SERIES", admit_facts(series=())),
    ],
)
def test_each_limit_refuses_by_its_name(bundle: Bundle, rule: str, facts: AdmitFacts) -> None:
    decision = decide_admission(bundle, facts)
    assert decision.outcome is Outcome.DENY
    assert rule in decision.rules
    assert decision.admitted_series == ()
    assert all(decision.reasons)
    assert len(decision.rules) == len(decision.reasons) == len(decision.law)


def test_police_data_has_no_lane_to_a_company(bundle: Bundle) -> None:
    held = tuple(
        series(number, party(f"unit-{number}"), permitted_readers=(AgencyKind.COMPANY,))
        for number in (1, 2, 3)
    )
    decision = decide_admission(bundle, admit_facts(requester=party("c", AgencyKind.COMPANY), series=held))
    assert "LANE" in decision.rules


def test_without_a_finding_nothing_is_admitted(bundle: Bundle) -> None:
    decision = decide_admission(bundle, admit_facts(verified=None))
    assert decision.outcome is Outcome.DENY
    assert decision.rules == ("L01a",)
    assert decision.reasons[0].startswith("A legal desk's finding is missing")


def test_a_series_that_only_its_own_conditions_refuse_is_left_out(bundle: Bundle) -> None:
    held = (*three_series(), series(4, retain_until=NOW))
    decision = decide_admission(bundle, admit_facts(series=held))
    assert decision.outcome is Outcome.ALLOW
    assert decision.admitted_series == tuple(one.series_id for one in held[:3])


@pytest.mark.parametrize(
    ("facts", "decided_as"),
    [
        (admit_facts(tier=Tier.COUNT), Tier.COUNT),
        (admit_facts(tier=Tier.COUNT, identifiers=9, points=9), Tier.HITS),
        (admit_facts(tier=Tier.COUNT, derived=derived(count_budget_left_millis=499)), Tier.HITS),
    ],
)
def test_a_count_too_small_or_without_budget_is_decided_as_hits(
    bundle: Bundle, facts: AdmitFacts, decided_as: Tier
) -> None:
    assert decide_admission(bundle, facts).tier is decided_as


@pytest.mark.parametrize(
    ("facts", "tier", "rules"),
    [
        (release_facts(), Tier.HITS, ("G2",)),
        (release_facts(hits=25), Tier.HITS, ("G2",)),
        (release_facts(hits=26), Tier.HITS, ("L16",)),
        (release_facts(hits=26), Tier.COUNT, ("G2",)),
        (release_facts(hits=12, identifiers=60, points=60), Tier.HITS, ("G2",)),
        (release_facts(hits=13, identifiers=60, points=60), Tier.HITS, ("L16",)),
        (release_facts(contributors=2), Tier.COUNT, ("L15",)),
        (release_facts(identifiers=9, points=9), Tier.COUNT, ("L15",)),
        (release_facts(now=NOW + DAY_SECONDS), Tier.HITS, ("L01",)),
        (release_facts(now=NOW + 91 * DAY_SECONDS), Tier.HITS, ("L01", "L12")),
    ],
)
def test_the_gate_decides_again_on_the_result(
    bundle: Bundle, facts: ReleaseFacts, tier: Tier, rules: tuple[str, ...]
) -> None:
    assert decide_release(bundle, facts, tier).rules == rules


@given(
    asks=st.integers(0, 6),
    nearest=st.none() | st.integers(0, 20),
    approvers=st.integers(0, 2),
    life=st.booleans(),
    tier=st.sampled_from([Tier.COUNT, Tier.HITS]),
)
@settings(max_examples=60)
def test_what_was_asked_before_refuses_at_its_limits_and_nowhere_else(
    bundle: Bundle, asks: int, nearest: int | None, approvers: int, life: bool, tier: Tier
) -> None:
    facts = release_facts(
        tier=tier,
        verified=verified(threat_to_life=life),
        people=People(approvers=tuple(f"supervisor-{number}" for number in range(approvers))),
    )
    result = facts.result.model_copy(update={"target_asks": asks, "nearest_count": nearest})
    decided = decide_release(bundle, facts.model_copy(update={"result": result}), tier)
    too_often = tier is Tier.HITS and asks >= 3 and approvers == 0 and not life
    too_near = tier is Tier.COUNT and nearest is not None and nearest < 10
    expected = {"L10a": too_often, "L15a": too_near}
    assert set(decided.rules) == {rule for rule, refuses in expected.items() if refuses} or (
        decided.rules == ("G2",) and not too_often and not too_near
    )


@pytest.mark.parametrize(
    ("tier", "enough"), [(Tier.HITS, 1), (Tier.COUNT, 1), (Tier.SOURCES, 3), (Tier.PAYLOAD, 3)]
)
def test_a_low_hit_rate_needs_one_approver_more_than_the_tier(
    bundle: Bundle, tier: Tier, enough: int
) -> None:
    def refusing(approvers: int, **ledger: int) -> bool:
        people = People(approvers=tuple(f"supervisor-{number}" for number in range(approvers)))
        rules = decide_admission(
            bundle, admit_facts(tier=tier, people=people, derived=derived(**ledger))
        ).rules
        return "L10" in rules

    for approvers in range(4):
        assert refusing(approvers, queries_90d=200, hits_90d=1) == (approvers < enough)
        assert not refusing(approvers, queries_90d=200, hits_90d=2)
        assert not refusing(approvers, queries_90d=199, hits_90d=1)


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("D0", deposit_facts()),
        ("D0", deposit_facts(party("police-1"), lawful_ground="public_task")),
        ("D0", deposit_facts(party("ngo-1", AgencyKind.NGO), lawful_ground="vital_interests")),
        ("GATEWAY", deposit_facts(contributor_kind=AgencyKind.NGO)),
        ("GATEWAY", deposit_facts(party("company-1", AgencyKind.COMPANY, suspended=True))),
        ("D1", deposit_facts(lawful_ground="legitimate_interests")),
        ("D1", deposit_facts(party("police-1"), lawful_ground="consent")),
        ("D1", deposit_facts(lawful_ground="because")),
        ("D2", deposit_facts(reviewed_by_person=False)),
        ("D3", deposit_facts(retain_until=NOW)),
        ("D3", deposit_facts(retain_until=NOW + 181 * DAY_SECONDS)),
        ("D4", deposit_facts(records=5_000_001)),
        ("D4", deposit_facts(party("ngo-1", AgencyKind.NGO), 100_001, lawful_ground="vital_interests")),
        ("D4", deposit_facts(records=0)),
        ("D5", deposit_facts(consent=Consent.WITHDRAWN)),
        ("D5", deposit_facts(special_category=True, lawful_ground="dsa_art_18")),
    ],
)
def test_a_deposit_passes_the_gate_too(bundle: Bundle, rule: str, facts: DepositFacts) -> None:
    decision = decide_deposit(bundle, facts)
    assert rule in decision.rules
    assert (decision.outcome is Outcome.ALLOW) == (rule == "D0")
