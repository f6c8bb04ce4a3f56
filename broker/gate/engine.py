"""Ask the Cedar engine, and close its traps (POLICY 3): the one module that trusts its answer.

Rule: only an explicit Allow without any error allows. The engine skips a rule that errs, so an error anywhere refuses;
it answers NoDecision to a bad question without raising, so that refuses too; entities and question are checked
against the schema on every call; principal and resource must be among the entities.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cedarpy

from broker.gate.bundle import Bundle, policy_set
from broker.gate.computed import ENGINE_ERROR as ENGINE_ERROR
from broker.gate.question import NAMESPACE, Question


@dataclass(frozen=True)
class Verdict:
    """What the engine came to: the ids that decided, and of permits' clauses those that were not met."""

    allowed: bool
    rules: tuple[str, ...]
    missed: tuple[str, ...]


def ask(
    bundle: Bundle, action: str, entities: Sequence[Mapping[str, Any]], context: Mapping[str, Any]
) -> Verdict:
    """One question: may the first entity do `action` to the second? Never raises; any doubt refuses."""
    request = request_of(action, entities, context)
    try:
        known = cedarpy.Entities.from_json_str(json.dumps(list(entities)), schema=bundle.schema)
        answer = cedarpy.is_authorized(request, bundle.policies, known, bundle.schema)
    except (ValueError, TypeError, RuntimeError):
        return Verdict(False, (ENGINE_ERROR,), ())
    deciding = tuple(sorted(answer.diagnostics.reasons))
    if answer.diagnostics.errors or answer.decision is cedarpy.Decision.NoDecision:
        return Verdict(False, tuple(sorted({*_forbidding(bundle, deciding), ENGINE_ERROR})), ())
    if answer.decision is cedarpy.Decision.Allow and deciding:
        return Verdict(True, deciding, ())
    missed = () if deciding else _missed(bundle, request, known)
    return Verdict(False, deciding, missed)


def holding(
    bundle: Bundle, asked: Question, expressions: Sequence[Mapping[str, Any]]
) -> tuple[bool | None, ...]:
    """Whether each expression of a rule holds for a question; None where it could not be evaluated.

    It explains a decision that `ask` took, and takes none: each is put to the engine as a policy of its own."""
    request = request_of(asked.action, asked.entities, asked.context)
    policies = {str(place): _alone(each) for place, each in enumerate(expressions)}
    negated = {f"not {place}": _alone({"!": {"arg": each}}) for place, each in enumerate(expressions)}
    try:
        known = cedarpy.Entities.from_json_str(json.dumps(list(asked.entities)), schema=bundle.schema)
        answer = cedarpy.is_authorized(request, policy_set(policies | negated), known, bundle.schema)
    except (ValueError, TypeError, RuntimeError):
        return (None,) * len(expressions)
    true = set(answer.diagnostics.reasons)
    return tuple(
        True if str(place) in true else False if f"not {place}" in true else None
        for place in range(len(expressions))
    )


def erring(bundle: Bundle, asked: Question) -> tuple[str, ...]:
    """The rules that could not be evaluated for a question; empty when the question itself was wrong."""
    request = request_of(asked.action, asked.entities, asked.context)
    try:
        known = cedarpy.Entities.from_json_str(json.dumps(list(asked.entities)), schema=bundle.schema)
        answer = cedarpy.is_authorized(request, bundle.policies, known, bundle.schema)
    except (ValueError, TypeError, RuntimeError):
        return ()
    said = " ".join(answer.diagnostics.errors)
    return tuple(sorted(rule for rule in bundle.rules if f"`{rule}`" in said))


def request_of(
    action: str, entities: Sequence[Mapping[str, Any]], context: Mapping[str, Any]
) -> dict[str, Any]:
    """A question as the engine takes it, about the first two of its entities."""
    principal, resource = entities[0]["uid"], entities[1]["uid"]
    return {
        "principal": dict(principal),
        "action": {"type": f"{NAMESPACE}::Action", "id": action},
        "resource": dict(resource),
        "context": dict(context),
    }


def _alone(expression: Mapping[str, Any]) -> dict[str, Any]:
    anybody = {"op": "All"}
    return {
        "effect": "permit",
        "principal": anybody,
        "action": anybody,
        "resource": anybody,
        "conditions": [{"kind": "when", "body": expression}],
    }


def _forbidding(bundle: Bundle, deciding: Sequence[str]) -> list[str]:
    return [rule for rule in deciding if bundle.rules[rule].effect == "forbid"]


def _missed(bundle: Bundle, request: dict[str, Any], known: cedarpy.Entities) -> tuple[str, ...]:
    """The permits' clauses that do not hold, as `ID/number`; one that errs does not hold."""
    answer = cedarpy.is_authorized(request, bundle.clauses, known, bundle.schema)
    met = set(answer.diagnostics.reasons)
    clauses = [
        f"{rule.id}/{number}"
        for rule in bundle.rules.values()
        if rule.effect == "permit"
        for number in range(1, len(rule.needs) + 1)
    ]
    return tuple(clause for clause in clauses if clause not in met)
