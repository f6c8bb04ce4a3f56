"""From one assignment of the variables to a case that a person can read, keep and have decided.

Rule: a case is a request as `narrowgate policy decide` takes it; before it is shown it is decided by the engine itself
(`check`), and where model and engine disagree nothing is proved and that is said.

A request is about one series for each of its contributors, all under the same conditions, since below the tier
`sources` an answer hides its contributors among one another.
"""

import json
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.decide import Case, decide_case
from broker.gate.decision import Action, Decision
from broker.gate.facts import AdmitFacts, DepositFacts, Result
from broker.gate.proving.facts import Facts
from broker.gate.proving.leaves import Assignment
from broker.gate.proving.question import Example
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.vocabulary import ContributorAnswer


def example_of(facts: Facts, assigned: Assignment) -> Example:
    """The request of an assignment, its first series and its result."""
    admitted = _request(facts, assigned, 1)
    return Example(admitted, admitted.series[0], _result(facts, assigned))


def case_of(facts: Facts, assigned: Assignment, action: Action) -> Case:
    """The case of an assignment, as one of the action."""
    if action == "deposit":
        return Case(deposit=_deposit(facts, assigned))
    admitted = _request(facts, assigned, facts.contributors.concrete(assigned))
    if action == "admit":
        return Case(admit=admitted)
    answer = ContributorAnswer(facts.answer.concrete(assigned))
    answers = [{"series_id": one.series_id.hex(), "answer": answer} for one in admitted.series]
    told: dict[str, Any] = {
        "now": admitted.now,
        "admission_digest": bytes(32).hex(),
        "admitted": admitted.model_dump(mode="json"),
        "result": _result(facts, assigned).model_dump(mode="json"),
        "answers": [] if answer is ContributorAnswer.NOT_ASKED else answers,
    }
    return Case.model_validate_json(
        json.dumps({"release": told, "tier": facts.released_as.concrete(assigned)})
    )


def check(bundle: Bundle, case: Case, *, allowed: bool) -> Decision:
    """Have the engine decide a case. Raises VerificationFailed when it says otherwise than the model did."""
    decision = decide_case(bundle, case)
    if decision.allowed is not allowed:
        raise VerificationFailed(
            "The prover and the engine disagree about a request, so nothing is proved. Tell the maintainers."
        )
    return decision


def members_of(case: Case) -> dict[str, Any]:
    """The case as JSON that `narrowgate policy decide --facts` takes."""
    return {name: value for name, value in case.model_dump(mode="json").items() if value is not None}


def _request(facts: Facts, assigned: Assignment, contributors: int) -> AdmitFacts:
    identifier_type = facts.identifier_type.concrete(assigned)
    series = [_series(facts, assigned, place) for place in range(1, contributors + 1)]
    known = facts.request.concrete(assigned) | {"identifier_types": [identifier_type], "series": series}
    return AdmitFacts.model_validate_json(json.dumps(known))


def _series(facts: Facts, assigned: Assignment, place: int) -> dict[str, Any]:
    contributor = facts.contributor.concrete(assigned) | {"agency_id": f"contributor-{place}"}
    return {
        "series_id": place.to_bytes(32, "big").hex(),
        "contributor": contributor,
        "identifier_type": facts.identifier_type.concrete(assigned),
        "conditions": facts.conditions.concrete(assigned),
    }


def _result(facts: Facts, assigned: Assignment) -> Result:
    return Result.model_validate_json(json.dumps(facts.result.concrete(assigned)))


def _deposit(facts: Facts, assigned: Assignment) -> DepositFacts:
    request = facts.request.concrete(assigned)
    known = {
        "now": request["now"],
        "space_id": request["space_id"],
        "contributor": facts.contributor.concrete(assigned),
        "identifier_type": facts.identifier_type.concrete(assigned),
        "conditions": facts.conditions.concrete(assigned),
        "records": facts.records.concrete(assigned),
        "declaration_digest": bytes(32).hex(),
    }
    return DepositFacts.model_validate_json(json.dumps(known))
