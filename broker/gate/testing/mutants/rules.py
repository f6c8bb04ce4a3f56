"""The mutants of a bundle's rules: every rule with one slip in it, each with a name that a person can read.

Rule (issue 4): all mutants of the rules as the engine parsed them count, but those that do not fit the schema, since
they could not be loaded. Two slips that leave the same rule are one mutant. Nothing is decided here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

from broker.gate.bundle import Bundle, with_other_rules
from broker.gate.lint import Policy
from broker.gate.question import NAMESPACE
from broker.gate.testing.mutants.attributes import Attributes, read_attributes
from broker.gate.testing.mutants.expressions import places, put
from broker.gate.testing.mutants.slips import mutations

_OTHER_EFFECT = {"permit": "forbid", "forbid": "permit"}
_OTHER_KIND = {"when": "unless", "unless": "when"}
_ACTION = f"{NAMESPACE}::Action"


@dataclass(frozen=True)
class RuleMutant:
    """One rule with one slip; `policy` is what became of it, None where it is gone."""

    name: str
    rule: str
    policy: Policy | None

    def applied(self, bundle: Bundle) -> Bundle:
        """The bundle with this slip."""
        others = {name: policy for name, policy in bundle.syntax.items() if name != self.rule}
        return with_other_rules(bundle, others if self.policy is None else {**others, self.rule: self.policy})


def rule_mutants(bundle: Bundle) -> tuple[RuleMutant, ...]:
    """All mutants of the rules, in the order of the rules."""
    attributes = read_attributes(bundle.schema)
    found = [
        mutant
        for rule, policy in bundle.syntax.items()
        for mutant in _distinct(rule, policy, _slips(policy, attributes))
    ]
    return tuple(_that_fit(bundle, found))


def _distinct(rule: str, policy: Policy, slips: Iterable[tuple[str, Policy | None]]) -> Iterator[RuleMutant]:
    seen, named = {json.dumps(policy)}, dict[str, int]()
    for slip, mutated in slips:
        if (content := json.dumps(mutated)) in seen:
            continue
        seen.add(content)
        named[slip] = named.get(slip, 0) + 1
        # The same words may stand twice in one clause.
        again = f" (place {named[slip]})" if named[slip] > 1 else ""
        yield RuleMutant(f"{rule}, {slip}{again}", rule, mutated)


def _slips(policy: Policy, attributes: Attributes) -> Iterator[tuple[str, Policy | None]]:
    yield "deleted", None
    yield f"{_OTHER_EFFECT[policy['effect']]} instead", {**policy, "effect": _OTHER_EFFECT[policy["effect"]]}
    yield from _other_actions(policy, attributes)
    conditions = policy["conditions"]
    for index, condition in enumerate(conditions):
        where = f"clause {index + 1}"
        yield f"{where}: deleted", _with(policy, conditions[:index] + conditions[index + 1 :])
        other = {**condition, "kind": _OTHER_KIND[condition["kind"]]}
        yield f"{where}: {other['kind']} instead", _with(policy, put(conditions, (index,), other))
        for at, node in places(condition["body"]):
            for slip, changed in mutations(node, attributes):
                if at or "!" not in changed:  # The whole clause negated is `unless` for `when`.
                    body = put(condition["body"], at, changed)
                    yield f"{where}: {slip}", _with(policy, put(conditions, (index, "body"), body))


def _with(policy: Policy, conditions: list[Any]) -> Policy:
    return {**policy, "conditions": conditions}


def _other_actions(policy: Policy, attributes: Attributes) -> Iterator[tuple[str, Policy]]:
    scope = policy["action"]
    if scope["op"] not in ("==", "in"):
        return
    listed = scope.get("entities") or [scope["entity"]]
    named = [entity["id"] for entity in listed]
    for action, record in sorted(attributes.by_action.items()):
        if action not in named and _asked_for(policy) <= set(record["context"]):
            yield f"also for {action}", _for_actions(policy, [*named, action])
        elif action in named and len(named) > 1:
            yield f"not for {action}", _for_actions(policy, [name for name in named if name != action])


def _asked_for(policy: Policy) -> set[str]:
    """What a rule asks of the context whether it is there: where it never is, the rule is no other one."""
    return {
        node["has"]["attr"]
        for condition in policy["conditions"]
        for _, node in places(condition["body"])
        if "has" in node and node["has"]["left"] == {"Var": "context"}
    }


def _for_actions(policy: Policy, actions: list[str]) -> Policy:
    entities = [{"type": _ACTION, "id": action} for action in actions]
    return {**policy, "action": {"op": "in", "entities": entities}}


def _that_fit(bundle: Bundle, mutants: list[RuleMutant]) -> Iterator[RuleMutant]:
    """Those that fit the schema; all are shown to the engine at once, each under its number."""
    numbered = {
        str(number): {**mutant.policy, "annotations": {"id": str(number)}}
        for number, mutant in enumerate(mutants)
        if mutant.policy is not None
    }
    written = cedarpy.policies_from_json_str(_policy_file(numbered))
    checked = cedarpy.validate_policies(written, bundle.schema)
    misfits = {checked.id_annotations_by_policy_id[error.policy_id] for error in checked.errors}
    yield from (mutant for number, mutant in enumerate(mutants) if str(number) not in misfits)


def _policy_file(policies: Mapping[str, Policy]) -> str:
    return json.dumps({"staticPolicies": dict(policies), "templates": {}, "templateLinks": []})
