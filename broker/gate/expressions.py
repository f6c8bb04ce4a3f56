"""Take a rule apart: what each part of its condition asks for, as a tree over the engine's JSON.

Rule (POLICY 4): the tree is read from the rule's own syntax and from nothing else, in negation normal form, so that it
and the rule can never say different things: a forbid refuses exactly when its demand is not met. Whether a part holds
is the engine's to say, never this module's.

It reads && || ! and if; everything else is one question to the engine, an `Atom`. Words are in `broker.gate.wording`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Syntax = Mapping[str, Any]
"""One expression as the engine's JSON: an object of one member, the operator."""


@dataclass(frozen=True)
class Atom:
    """One expression without && || ! or if at its top, and the value that is asked of it."""

    body: Syntax
    wanted: bool


@dataclass(frozen=True)
class Every:
    """All of these are asked for."""

    parts: tuple["Demand", ...]


@dataclass(frozen=True)
class Either:
    """One of these is enough."""

    parts: tuple["Demand", ...]


@dataclass(frozen=True)
class Limited:
    """Under these circumstances the last part is asked for: what `a && b && c` that must not hold comes to.

    Not to be under the circumstances would do too; conditions name them first and what they limit last."""

    circumstances: tuple["Demand", ...]
    """What holds when the rule refuses."""
    asked: "Demand"


@dataclass(frozen=True)
class Branch:
    """`if test then one else other`: which of the two is asked for."""

    test: "Demand"
    then: "Demand"
    otherwise: "Demand"


@dataclass(frozen=True)
class Named:
    """A part for which the rule's author wrote words: @part_1 of a limit, @needs_1 of a gateway."""

    words: str
    demand: "Demand"


Demand = Atom | Every | Either | Limited | Branch | Named


def demand(body: Syntax, wanted: bool, words: Sequence[str] = ()) -> Demand:
    """What makes the expression come to `wanted`. `words` are the author's for each operand of its top, or empty."""
    parts = operands(body)
    said = [*words, *[""] * (len(parts) - len(words))]
    if len(parts) == 1:
        return _named(said[0], _single(body, wanted))
    if "&&" in body and not wanted:
        *first, last = parts
        return Limited(tuple(demand(each, True) for each in first), _named(said[-1], demand(last, False)))
    each_asked = tuple(_named(name, demand(each, wanted)) for name, each in zip(said, parts, strict=True))
    return Every(each_asked) if ("&&" in body) is wanted else Either(each_asked)


def operands(body: Syntax) -> tuple[Syntax, ...]:
    """The operands of && or || at the top, however they nest to the left or right; else the expression alone."""
    for operator in ("&&", "||"):
        if operator in body:
            return tuple(_flat(body, operator))
    return (body,)


@dataclass(frozen=True)
class Refusal:
    """A forbid taken apart: it applies where all of `applies` hold, and refuses unless `asked` is met."""

    applies: tuple[Demand, ...]
    asked: Demand


def refusal(policy: Syntax) -> Refusal:
    """A forbid taken apart. With an `unless`, its `when` says only where it applies; without, what must not be."""
    whens: list[tuple[Syntax, Sequence[str]]] = []
    unlesses: list[tuple[Syntax, Sequence[str]]] = []
    for condition, words in zip(policy["conditions"], _words(policy), strict=True):
        (whens if condition["kind"] == "when" else unlesses).append((condition["body"], words))
    if unlesses:
        asked = tuple(demand(body, True, words) for body, words in unlesses)
        return Refusal(_hold(whens), asked[0] if len(asked) == 1 else Either(asked))
    if not whens:
        return Refusal((), Either(()))  # it refuses everything
    *circumstances, (last, said) = whens
    return Refusal(_hold(circumstances), demand(last, False, said))


def part_count(policy: Syntax) -> int:
    """How many parts a rule has that an author may give words to: the operands of its conditions' tops, in order."""
    return sum(len(operands(each["body"])) for each in policy["conditions"])


def clauses(policy: Syntax) -> Demand:
    """What a permit asks for: all of its clauses, each under the author's own words (@needs_1 and so on)."""
    annotations = policy["annotations"]
    return Every(
        tuple(
            Named(annotations[f"needs_{number}"], demand(each["body"], each["kind"] == "when"))
            for number, each in enumerate(policy["conditions"], start=1)
        )
    )


def atoms(asked: Demand) -> Iterator[Syntax]:
    """Every expression that must be put to the engine to know whether a demand is met."""
    match asked:
        case Atom():
            yield asked.body
        case Every() | Either():
            for part in asked.parts:
                yield from atoms(part)
        case Limited():
            for part in (*asked.circumstances, asked.asked):
                yield from atoms(part)
        case Branch():
            for part in (asked.test, asked.then, asked.otherwise):
                yield from atoms(part)
        case Named():
            yield from atoms(asked.demand)


def _flat(body: Syntax, operator: str) -> Iterator[Syntax]:
    if operator in body:
        yield from _flat(body[operator]["left"], operator)
        yield from _flat(body[operator]["right"], operator)
    else:
        yield body


def _hold(conditions: Sequence[tuple[Syntax, Sequence[str]]]) -> tuple[Demand, ...]:
    return tuple(demand(body, True) for body, _ in conditions)


def _single(body: Syntax, wanted: bool) -> Demand:
    if "!" in body:
        return demand(body["!"]["arg"], not wanted)
    if "if-then-else" in body:
        test, then, otherwise = (body["if-then-else"][name] for name in ("if", "then", "else"))
        return Branch(demand(test, True), demand(then, wanted), demand(otherwise, wanted))
    return Atom(body, wanted)


def _named(words: str, asked: Demand) -> Demand:
    return Named(words, asked) if words else asked


def _words(policy: Syntax) -> list[list[str]]:
    """For each condition, the author's words for each operand of its top: @part_1 on, counted over all conditions."""
    annotations, number, found = policy.get("annotations") or {}, 0, []
    for condition in policy["conditions"]:
        parts = len(operands(condition["body"]))
        found.append([annotations.get(f"part_{number + place}") or "" for place in range(1, parts + 1)])
        number += parts
    return found
