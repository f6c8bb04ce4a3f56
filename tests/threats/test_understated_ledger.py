"""A broker that tells of less than was asked: the holders that evaluated it know better.

The requester colludes. Two of three holders make a quorum, so of those that evaluated for it one is in each other."""

from typing import Any

import pytest

from broker import exchange
from broker.gate.decide import decide_admission
from broker.gate.facts import AdmitFacts
from broker.protocol.errors import NarrowgateError, Refused
from broker.protocol.messages.evaluation import EvaluationAnswer
from broker.protocol.messages.vocabulary import Tier
from clients.remote import RefusedByGate
from tests.threats import colluding
from tests.world import HOLDERS, World, phone

pytestmark = pytest.mark.all_only

FISHING = [phone(number) for number in range(100, 350)]
"""So many that the hit rate counts (limits.toml), and nobody holds one of them."""
NOTHING: dict[str, Any] = {"identifiers_30d": 0, "queries_90d": 0, "hits_90d": 0}


def forget(monkeypatch: pytest.MonkeyPatch, **ledger: Any) -> None:
    """From now on the broker decides as if its ledger said this."""

    def understated(facts: AdmitFacts) -> AdmitFacts:
        return facts.model_copy(update={"derived": facts.derived.model_copy(update=ledger)})

    monkeypatch.setattr(
        exchange, "decide_admission", lambda bundle, facts: decide_admission(bundle, understated(facts))
    )


def refusing(outcomes: colluding.Outcomes, words: str) -> set[int]:
    """The holders that refuse, and say so."""
    refused = {x: each for x, each in outcomes.items() if isinstance(each, NarrowgateError)}
    assert all(isinstance(each, Refused) and words in each.detail for each in refused.values()), outcomes
    return set(refused)


def test_a_broker_that_zeroes_its_ledger_is_refused_by_the_holders_that_evaluated_before(
    fresh_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fresh_world.ask(FISHING).hits == ()
    asked = {x for x, evaluated in fresh_world.evaluations().items() if evaluated}
    assert len(asked) >= fresh_world.space.threshold
    with pytest.raises(RefusedByGate) as caught:
        fresh_world.ask([phone(3), phone(500)])
    assert caught.value.rules == ("L10",)
    forget(monkeypatch, **NOTHING)
    papers = colluding.admitted(fresh_world, [phone(3), phone(500)])
    outcomes = colluding.ask_all(fresh_world, papers)
    assert refusing(outcomes, "evaluated more for the requester than the broker decided on") == asked
    assert "one approver more" in next(e.detail for e in outcomes.values() if isinstance(e, Refused))
    # A holder that evaluated nothing cannot know; with those that do it makes no quorum.
    answered = [x for x, each in outcomes.items() if isinstance(each, EvaluationAnswer)]
    assert len(answered) == len(HOLDERS) - len(asked) < fresh_world.space.threshold


def test_a_broker_that_refills_the_budget_for_counts_is_refused_by_them_too(
    fresh_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = fresh_world.space
    forget(monkeypatch, count_budget_left_millis=space.count_budget_millis)
    for start in range(space.count_budget_millis // space.count_epsilon_millis):
        texts = [phone(400 + 10 * start + each) for each in range(10)]
        colluding.assert_all_answer(
            colluding.ask_all(fresh_world, colluding.admitted(fresh_world, texts, tier=Tier.COUNT))
        )
    papers = colluding.admitted(fresh_world, [phone(number) for number in range(10)], tier=Tier.COUNT)
    outcomes = colluding.ask_all(fresh_world, papers)
    assert refusing(outcomes, "the budget for counts is spent") == set(HOLDERS)


def test_an_honest_ledger_is_answered_on(fresh_world: World) -> None:
    fresh_world.ask([phone(number) for number in range(10)] + FISHING)
    papers = colluding.admitted(fresh_world, [phone(3), phone(500)])
    colluding.assert_all_answer(colluding.ask_all(fresh_world, papers))
