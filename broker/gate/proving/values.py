"""Cedar's values as Z3 terms: what an expression of a rule comes to for every request at once.

Rule: a string is a code of the vocabulary, since rules only compare strings for equality; a number is an unbounded
integer, and whether it leaves the engine's 64 bits is said beside it (`broker.gate.proving.terms`). A set is a list of
members, each with the condition under which it is one. Entities have no parents here (`broker.gate.question`).

It reads no rule and knows no fact.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import z3

from broker.protocol.errors import BadInput

TRUE = z3.BoolVal(True)
FALSE = z3.BoolVal(False)
_TRUE_ID, _FALSE_ID = TRUE.get_id(), FALSE.get_id()
WORD_BITS = 14
"""Room for 8,192 strings that are written out, and as many others: rules and catalogue use a few hundred."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A boolean."""

    term: z3.BoolRef


@dataclass(frozen=True, eq=False)
class Long:
    """A number; a Z3 integer."""

    term: z3.ArithRef


@dataclass(frozen=True, eq=False)
class Word:
    """A string, as its code in the vocabulary."""

    term: z3.BitVecRef


@dataclass(frozen=True, eq=False)
class Many:
    """A set: each value is a member if the condition beside it holds."""

    members: tuple[tuple[z3.BoolRef, "Value"], ...]


@dataclass(frozen=True, eq=False)
class Record:
    """A record: each attribute is present if the condition beside it holds."""

    attributes: Mapping[str, tuple[z3.BoolRef, "Value"]]


@dataclass(frozen=True, eq=False)
class Entity:
    """An entity: its type, its id and its attributes; one written in a rule has none."""

    kind: str
    name: Word
    attributes: Record


Value: TypeAlias = Truth | Long | Word | Many | Record | Entity
NO_ATTRIBUTES = Record({})


class Vocabulary:
    """The strings that rules, catalogue and vocabularies write out, each with a code. Codes above stand for others."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._codes))

    def word(self, text: str) -> z3.BitVecRef:
        """The code of a string, a new one if it was not met before. Raises BadInput when there is no room."""
        code = self._codes.setdefault(text, len(self._codes))
        if code >= 2 ** (WORD_BITS - 1):
            raise BadInput("The rules and the catalogue write out too many different words for the prover.")
        return z3.BitVecVal(code, WORD_BITS)

    def text(self, code: int) -> str | None:
        """The string of a code; None for a code that stands for some other string."""
        return next((text for text, known in self._codes.items() if known == code), None)


def word_variable(name: str) -> z3.BitVecRef:
    """A string that is not known."""
    return z3.BitVec(name, WORD_BITS)


# --- connectives that fold what is known, so that formulas stay small ---


def is_true(term: z3.BoolRef) -> bool:
    """It is the constant true. Asked very often, and quicker so than by z3's own function."""
    return bool(term.get_id() == _TRUE_ID)


def is_false(term: z3.BoolRef) -> bool:
    """It is the constant false."""
    return bool(term.get_id() == _FALSE_ID)


def every(terms: Iterable[z3.BoolRef]) -> z3.BoolRef:
    """All of them hold."""
    kept = [term for term in terms if not is_true(term)]
    if any(is_false(term) for term in kept):
        return FALSE
    if not kept:
        return TRUE
    return kept[0] if len(kept) == 1 else z3.And(kept)


def some(terms: Iterable[z3.BoolRef]) -> z3.BoolRef:
    """One of them holds."""
    kept = [term for term in terms if not is_false(term)]
    if any(is_true(term) for term in kept):
        return TRUE
    if not kept:
        return FALSE
    return kept[0] if len(kept) == 1 else z3.Or(kept)


def negation(term: z3.BoolRef) -> z3.BoolRef:
    """It does not hold."""
    if is_true(term):
        return FALSE
    if is_false(term):
        return TRUE
    return z3.Not(term)


def same_term(left: Any, right: Any) -> z3.BoolRef:
    """Two terms of one sort are equal; known at once for two constants."""
    if left.eq(right):
        return TRUE
    if z3.is_bv_value(left) and z3.is_bv_value(right):
        return FALSE
    return left == right


# --- what Cedar asks of values ---


def equal(left: Value, right: Value) -> z3.BoolRef:
    """Cedar's ==: values of different kinds are never equal; sets by members, records by attributes."""
    if isinstance(left, Many) and isinstance(right, Many):
        return every((includes(left, right), includes(right, left)))
    if isinstance(left, Record) and isinstance(right, Record):
        names = {*left.attributes, *right.attributes}
        return every(_same_attribute(left, right, name) for name in sorted(names))
    if isinstance(left, Entity) and isinstance(right, Entity):
        return same_term(left.name.term, right.name.term) if left.kind == right.kind else FALSE
    if isinstance(left, Truth | Long | Word) and type(left) is type(right):
        return same_term(left.term, right.term)
    return FALSE


def _same_attribute(left: Record, right: Record, name: str) -> z3.BoolRef:
    absent: tuple[z3.BoolRef, Value] = (FALSE, NO_ATTRIBUTES)
    (here, mine), (there, other) = left.attributes.get(name, absent), right.attributes.get(name, absent)
    return every((same_term(here, there), some((negation(here), equal(mine, other)))))


def contains(many: Many, wanted: Value) -> z3.BoolRef:
    """Cedar's contains."""
    return some(every((member, equal(value, wanted))) for member, value in many.members)


def includes(many: Many, others: Many) -> z3.BoolRef:
    """Cedar's containsAll."""
    return every(some((negation(member), contains(many, value))) for member, value in others.members)


def meets(many: Many, others: Many) -> z3.BoolRef:
    """Cedar's containsAny."""
    return some(every((member, contains(many, value))) for member, value in others.members)


def is_empty(many: Many) -> z3.BoolRef:
    """Cedar's isEmpty."""
    return negation(some(member for member, _ in many.members))


def either(condition: z3.BoolRef, then: Value, otherwise: Value) -> Value:
    """Cedar's if: one of two values of one kind. Raises BadInput where they cannot be one value."""
    if is_true(condition):
        return then
    if is_false(condition):
        return otherwise
    if isinstance(then, Truth) and isinstance(otherwise, Truth):
        return Truth(z3.If(condition, then.term, otherwise.term))
    if isinstance(then, Long) and isinstance(otherwise, Long):
        return Long(z3.If(condition, then.term, otherwise.term))
    if isinstance(then, Word) and isinstance(otherwise, Word):
        return Word(z3.If(condition, then.term, otherwise.term))
    if isinstance(then, Many) and isinstance(otherwise, Many):
        chosen = [(every((condition, member)), value) for member, value in then.members]
        rest = [(every((negation(condition), member)), value) for member, value in otherwise.members]
        return Many((*chosen, *rest))
    raise BadInput("It chooses with `if` between records or entities, which the prover cannot read.")
