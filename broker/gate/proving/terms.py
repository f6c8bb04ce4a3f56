"""From the syntax of a rule to two Z3 formulas over every request: that it applies, and that it errs.

Rule: this is Cedar's evaluation, step by step. && and || and if leave alone what they need not look at; arithmetic that
leaves 64 bits errs, and so does reading an attribute that is not there; scope comes before conditions, and conditions
in their order. A rule that errs does not apply: the engine skips it, and the gate's wrapper refuses.

It reads the operators of a checked bundle (`broker.gate.lint`); what it cannot read it refuses, and proves nothing of.
It does not combine rules: that is `broker.gate.proving.verdict`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any, TypeVar

import z3

from broker.gate.lint import Policy
from broker.gate.proving import values
from broker.gate.proving.values import (
    FALSE,
    NO_ATTRIBUTES,
    TRUE,
    Entity,
    Long,
    Many,
    Record,
    Truth,
    Value,
    Vocabulary,
    Word,
    every,
    negation,
    some,
)
from broker.protocol.errors import BadInput

_LEAST, _GREATEST = -(2**63), 2**63 - 1
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "<": lambda left, right: left < right,
        "<=": lambda left, right: left <= right,
        ">": lambda left, right: left > right,
        ">=": lambda left, right: left >= right,
    }
)
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "+": lambda left, right: left + right,
        "-": lambda left, right: left - right,
        "*": lambda left, right: left * right,
    }
)
_OF_SETS: Mapping[str, Callable[[Many, Many], z3.BoolRef]] = MappingProxyType(
    {"containsAll": values.includes, "containsAny": values.meets}
)
ValueT = TypeVar("ValueT", Truth, Long, Word, Many, Record, Entity)


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What an expression comes to, and the condition under which it errs instead."""

    value: Value
    errs: z3.BoolRef


@dataclass(frozen=True, eq=False)
class Reading:
    """One rule: the condition under which it applies, and the one under which it errs. Never both."""

    holds: z3.BoolRef
    errs: z3.BoolRef


class Translator:
    """Reads rules for one kind of question: principal, action, resource and context as symbolic values."""

    def __init__(self, vocabulary: Vocabulary, variables: Mapping[str, Value]) -> None:
        self._vocabulary = vocabulary
        self._variables = variables

    def rule(self, policy: Policy) -> Reading:
        """One rule, scope and conditions. Raises BadInput for an operator that the prover cannot read."""
        try:
            return self._rule(policy)
        except BadInput as error:
            name = (policy.get("annotations") or {}).get("id", "without a name")
            raise BadInput(f"Rule {name}: {error.detail}") from None

    def _rule(self, policy: Policy) -> Reading:
        parts = [
            Evaluated(Truth(self._in_scope(policy[name], self._variables[name])), FALSE)
            for name in ("principal", "action", "resource")
        ]
        if any(z3.is_false(_of_kind(Truth, part.value).term) for part in parts):
            # Not about this action: its conditions may be about facts that this question does not have.
            return Reading(FALSE, FALSE)
        for condition in policy["conditions"]:
            asked = self.expression(condition["body"])
            met = _of_kind(Truth, asked.value).term
            parts.append(Evaluated(Truth(met if condition["kind"] == "when" else negation(met)), asked.errs))
        whole = reduce(_both, parts)
        return Reading(every((_of_kind(Truth, whole.value).term, negation(whole.errs))), whole.errs)

    def expression(self, body: Mapping[str, Any]) -> Evaluated:
        """One expression of a rule, as the engine's JSON has it. Raises BadInput."""
        ((operator, given),) = body.items()
        if operator == "Value":
            return Evaluated(self._constant(given), FALSE)
        if operator == "Var":
            return Evaluated(self._variables[given], FALSE)
        if operator in ("&&", "||"):
            combine = _both if operator == "&&" else _one
            return combine(self.expression(given["left"]), self.expression(given["right"]))
        if operator == "if-then-else":
            return self._choice(given)
        if operator in (".", "has"):
            return self._attribute(operator, given["attr"], self.expression(given["left"]))
        if operator == "is":
            return self._is(given)
        if operator == "Set":
            found = [self.expression(each) for each in given]
            return Evaluated(
                Many(tuple((TRUE, each.value) for each in found)), some(each.errs for each in found)
            )
        if operator == "Record":
            named = {name: self.expression(each) for name, each in given.items()}
            attributes = {name: (TRUE, each.value) for name, each in named.items()}
            return Evaluated(Record(attributes), some(each.errs for each in named.values()))
        if isinstance(given, Mapping) and set(given) == {"arg"}:
            return self._unary(operator, self.expression(given["arg"]))
        if isinstance(given, Mapping) and set(given) == {"left", "right"}:
            return self._binary(operator, self.expression(given["left"]), self.expression(given["right"]))
        raise _unreadable(operator)

    def _constant(self, given: Any) -> Value:
        if isinstance(given, bool):
            return Truth(z3.BoolVal(given))
        if isinstance(given, int):
            return Long(z3.IntVal(given))
        if isinstance(given, str):
            return Word(self._vocabulary.word(given))
        if isinstance(given, Mapping) and set(given) == {"__entity"}:
            return self._entity(given["__entity"])
        raise _unreadable("a constant of another type")

    def _entity(self, uid: Mapping[str, str]) -> Entity:
        return Entity(uid["type"], Word(self._vocabulary.word(uid["id"])), NO_ATTRIBUTES)

    def _in_scope(self, scope: Mapping[str, Any], asked: Value) -> z3.BoolRef:
        entity = _of_kind(Entity, asked)
        if scope["op"] == "All":
            return TRUE
        if scope["op"] == "is" and "in" not in scope:
            return z3.BoolVal(entity.kind == scope["entity_type"])
        if scope["op"] in ("==", "in"):
            # Entities have no parents, so to be in one is to be it.
            named = scope["entities"] if "entities" in scope else [scope["entity"]]
            return some(values.equal(entity, self._entity(each)) for each in named)
        raise _unreadable(f"a scope with {scope['op']}")

    def _choice(self, given: Mapping[str, Any]) -> Evaluated:
        test = self.expression(given["if"])
        then, otherwise = self.expression(given["then"]), self.expression(given["else"])
        condition = _of_kind(Truth, test.value).term
        fails = some((every((condition, then.errs)), every((negation(condition), otherwise.errs))))
        return Evaluated(values.either(condition, then.value, otherwise.value), some((test.errs, fails)))

    def _attribute(self, operator: str, name: str, of: Evaluated) -> Evaluated:
        record = of.value.attributes if isinstance(of.value, Entity) else _of_kind(Record, of.value)
        present, value = record.attributes.get(name, (FALSE, None))
        if operator == "has":
            return Evaluated(Truth(present), of.errs)
        if value is None:
            raise BadInput(f"It reads {name}, a fact that no request has. Check it against the schema.")
        return Evaluated(value, some((of.errs, negation(present))))

    def _is(self, given: Mapping[str, Any]) -> Evaluated:
        if "in" in given:
            raise _unreadable("is ... in")
        asked = self.expression(given["left"])
        return Evaluated(
            Truth(z3.BoolVal(_of_kind(Entity, asked.value).kind == given["entity_type"])), asked.errs
        )

    def _unary(self, operator: str, asked: Evaluated) -> Evaluated:
        if operator == "!":
            return Evaluated(Truth(negation(_of_kind(Truth, asked.value).term)), asked.errs)
        if operator == "isEmpty":
            return Evaluated(Truth(values.is_empty(_of_kind(Many, asked.value))), asked.errs)
        if operator == "neg":
            return _counted(-_of_kind(Long, asked.value).term, asked.errs)
        raise _unreadable(operator)

    def _binary(self, operator: str, left: Evaluated, right: Evaluated) -> Evaluated:
        errs = some((left.errs, right.errs))
        if operator in ("==", "!="):
            same = values.equal(left.value, right.value)
            return Evaluated(Truth(same if operator == "==" else negation(same)), errs)
        if operator == "contains":
            return Evaluated(Truth(values.contains(_of_kind(Many, left.value), right.value)), errs)
        if operator in _OF_SETS:
            found = _OF_SETS[operator](_of_kind(Many, left.value), _of_kind(Many, right.value))
            return Evaluated(Truth(found), errs)
        if operator == "in":
            if isinstance(right.value, Many):
                return Evaluated(Truth(values.contains(right.value, left.value)), errs)
            return Evaluated(Truth(values.equal(left.value, _of_kind(Entity, right.value))), errs)
        if operator in _COMPARISONS:
            compared = _COMPARISONS[operator](
                _of_kind(Long, left.value).term, _of_kind(Long, right.value).term
            )
            return Evaluated(Truth(compared), errs)
        if operator in _ARITHMETIC:
            counted = _ARITHMETIC[operator](_of_kind(Long, left.value).term, _of_kind(Long, right.value).term)
            return _counted(counted, errs)
        raise _unreadable(operator)


def words_of(body: Any) -> set[str]:
    """The strings that a rule writes out."""
    if isinstance(body, Mapping):
        here = {body["Value"]} if isinstance(body.get("Value"), str) else set()
        return here.union(*(words_of(each) for each in body.values()))
    if isinstance(body, list | tuple):
        return set().union(*(words_of(each) for each in body))
    return set()


def _both(left: Evaluated, right: Evaluated) -> Evaluated:
    """&&: the right side is looked at only where the left one holds."""
    here, there = _of_kind(Truth, left.value).term, _of_kind(Truth, right.value).term
    return Evaluated(Truth(every((here, there))), some((left.errs, every((here, right.errs)))))


def _one(left: Evaluated, right: Evaluated) -> Evaluated:
    """||: the right side is looked at only where the left one does not hold."""
    here, there = _of_kind(Truth, left.value).term, _of_kind(Truth, right.value).term
    return Evaluated(Truth(some((here, there))), some((left.errs, every((negation(here), right.errs)))))


def _counted(number: z3.ArithRef, errs: z3.BoolRef) -> Evaluated:
    """A number that was computed: it errs outside 64 bits."""
    folded = z3.simplify(number)
    if z3.is_int_value(folded):
        outside = z3.BoolVal(not _LEAST <= folded.as_long() <= _GREATEST)
    else:
        outside = z3.Or(folded < _LEAST, folded > _GREATEST)
    return Evaluated(Long(folded), some((errs, outside)))


def _of_kind(kind: type[ValueT], value: Value) -> ValueT:
    if not isinstance(value, kind):
        raise BadInput("It uses a fact as another type than it is of. Check the bundle against its schema.")
    return value


def _unreadable(operator: str) -> BadInput:
    return BadInput(f"It uses {operator}, which the prover cannot read. Write it without.")
