"""No rule loosens on a claim: whatever the requester writes, what was refused on papers or ledger stays refused."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.gate.bundle import load
from broker.gate.decide import decide_admission
from broker.gate.facts import AdmitFacts
from broker.protocol.messages.requests import Claims
from broker.protocol.messages.vocabulary import Authority, Offence, Outcome, Purpose, Subject, Tier, Urgency
from tests.gate_world import BUNDLE as FOLDER
from tests.gate_world import admit_facts, basis, claims, derived, party, series, three_series, verified

BUNDLE = load(FOLDER)

written = st.builds(
    claims,
    case_reference=st.sampled_from(["CASE-1", ""]),
    basis=st.builds(
        basis,
        instrument=st.sampled_from(sorted(BUNDLE.instruments)),
        issued_by=st.sampled_from(Authority),
        validated_by=st.sampled_from(Authority),
        jurisdiction=st.sampled_from(["NL", "IE", "US", "KE"]),
    ),
    offence=st.sampled_from(Offence),
    maximum_penalty_months=st.integers(0, 1200),
    purpose=st.sampled_from(Purpose),
    subjects=st.lists(st.sampled_from(Subject), min_size=1, max_size=3, unique=True).map(tuple),
    urgency=st.sampled_from(Urgency),
    retention_days=st.integers(0, 400),
    onward_transfer=st.booleans(),
)

REFUSED: dict[str, Callable[[Claims], AdmitFacts]] = {
    "no finding": lambda said: admit_facts(claims=said, verified=None),
    "not authentic": lambda said: admit_facts(claims=said, verified=verified(basis_authentic=False)),
    "police order": lambda said: admit_facts(
        claims=said, verified=verified(basis=basis(issued_by=Authority.POLICE))
    ),
    "immigration": lambda said: admit_facts(
        claims=said, verified=verified(purpose=Purpose.IMMIGRATION_ENFORCEMENT)
    ),
    "lesser offence": lambda said: admit_facts(claims=said, verified=verified(maximum_penalty_months=24)),
    "not necessary": lambda said: admit_facts(claims=said, verified=verified(necessity_shown=False)),
    "fishing": lambda said: admit_facts(claims=said, identifiers=501, points=501),
    "budget": lambda said: admit_facts(claims=said, derived=derived(identifiers_30d=20_000)),
    "not permitted": lambda said: admit_facts(
        claims=said, series=three_series(permitted_offences=(Offence.SMUGGLING,))
    ),
    "sources": lambda said: admit_facts(claims=said, tier=Tier.SOURCES),
}


@pytest.mark.parametrize("why", sorted(REFUSED))
@settings(max_examples=25)
@given(said=written)
def test_no_claim_opens_what_was_refused(why: str, said: Claims) -> None:
    assert decide_admission(BUNDLE, REFUSED[why](said)).outcome is Outcome.DENY


@settings(max_examples=50)
@given(said=written)
def test_what_is_admitted_was_claimed_as_it_was_found(said: Claims) -> None:
    decision = decide_admission(BUNDLE, admit_facts(claims=said))
    agrees = (said.basis, said.offence, said.purpose, said.maximum_penalty_months, set(said.subjects)) == (
        basis(),
        verified().offence,
        verified().purpose,
        verified().maximum_penalty_months,
        set(verified().subjects),
    )
    assert agrees or "L20" in decision.rules


def test_the_facts_these_tests_spoil_are_admitted() -> None:
    assert decide_admission(BUNDLE, admit_facts()).outcome is Outcome.ALLOW


def test_the_requesters_own_series_alone_answer_nobody() -> None:
    paper = basis(instrument="directive_2023_977", issued_by=Authority.POLICE, validated_by=Authority.NONE)
    own = tuple(series(number, party()) for number in (1, 2, 3))
    facts = admit_facts(claims=claims(basis=paper), verified=verified(basis=paper), series=own)
    assert "L21" in decide_admission(BUNDLE, facts).rules
