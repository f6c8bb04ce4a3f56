"""What the packs say of an instrument that is not known: the fact `context.instrument` over variables.

Rule: each answer is tabulated by asking the instrument itself (`broker.gate.instruments`), for each moment at which it
may change and each pair of jurisdictions that anything names; a list of the instrument is a set under its own name.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from broker.gate import question
from broker.gate.instruments import Instrument
from broker.gate.proving.values import (
    Many,
    Truth,
    Value,
    Vocabulary,
    Word,
    every,
    negation,
    same_term,
    some,
)

_LISTS = ("gateways", "issuers", "validators", "tiers", "payload_categories")
_FAR_FUTURE = 2**62


@dataclass(frozen=True, eq=False)
class Named:
    """The facts that an instrument's answers depend on."""

    instrument: z3.BitVecRef
    issuing: z3.BitVecRef
    established_in: z3.BitVecRef
    identifier_type: z3.BitVecRef
    now: z3.ArithRef


class Catalogue:
    """The instruments of one bundle, as answers over variables."""

    def __init__(
        self, instruments: Mapping[str, Instrument], jurisdictions: Sequence[str], vocabulary: Vocabulary
    ) -> None:
        self._instruments, self._jurisdictions, self._vocabulary = instruments, jurisdictions, vocabulary

    def answers(self, named: Named) -> dict[str, Value]:
        """What rules read of the instrument, by the schema's names."""
        each = [
            (same_term(named.instrument, self._vocabulary.word(name)), instrument)
            for name, instrument in self._instruments.items()
        ]
        truths = {
            "known": some(here for here, _ in each),
            "inForce": some(every((here, _in_force(one, named.now))) for here, one in each),
            "pairNamed": some(every((here, self._pair_named(one, named))) for here, one in each),
            "typeReached": some(every((here, self._type_reached(one, named))) for here, one in each),
        }
        lists = {question.camel(name): self._list(each, name) for name in _LISTS}
        return {**{name: Truth(term) for name, term in truths.items()}, **lists}

    def _list(self, each: Iterable[tuple[z3.BoolRef, Instrument]], name: str) -> Many:
        where: dict[str, list[z3.BoolRef]] = {}
        for here, instrument in each:
            for word in getattr(instrument, name):
                where.setdefault(str(word), []).append(here)
        return Many(tuple((some(found), Word(self._vocabulary.word(word))) for word, found in where.items()))

    def _pair_named(self, instrument: Instrument, named: Named) -> z3.BoolRef:
        """From each issuing jurisdiction to those it leads to; alike ones together, as packs write them."""
        own: list[str] = []
        rows: dict[tuple[frozenset[str], bool], list[str]] = {}
        for issuing in self._jurisdictions:
            reached = {to for to in self._jurisdictions if instrument.joins(issuing, to)}
            if reached == {issuing}:
                own.append(issuing)
            elif reached:
                rows.setdefault((frozenset(reached | {issuing}), issuing in reached), []).append(issuing)
        same = same_term(named.issuing, named.established_in)
        to_its_own = every((self._among(named.issuing, own), same))
        to_others = [
            every(
                (
                    self._among(named.issuing, issuing),
                    self._among(named.established_in, reached),
                    *(() if with_its_own else (negation(same),)),
                )
            )
            for (reached, with_its_own), issuing in rows.items()
        ]
        return some((to_its_own, *to_others))

    def _type_reached(self, instrument: Instrument, named: Named) -> z3.BoolRef:
        if instrument.identifier_types is None:
            return z3.BoolVal(True)
        return self._among(named.identifier_type, instrument.identifier_types)

    def _among(self, term: z3.BitVecRef, words: Iterable[str]) -> z3.BoolRef:
        return some(same_term(term, self._vocabulary.word(word)) for word in words)


def _in_force(instrument: Instrument, now: z3.ArithRef) -> z3.BoolRef:
    return some(
        z3.And(now >= start, now < end) for start, end in _intervals(instrument) if instrument.in_force(start)
    )


def _intervals(instrument: Instrument) -> Iterator[tuple[int, int]]:
    """Between midnights of the days that it names, and of the days after them, it is in force throughout or not."""
    starts = {0}
    for day in _days(instrument.model_dump()):
        midnight = datetime.datetime.combine(day, datetime.time(), tzinfo=datetime.UTC)
        for more in (0, 1):
            starts.add(max(0, int((midnight + datetime.timedelta(days=more)).timestamp())))
    ordered = sorted(starts)
    yield from zip(ordered, [*ordered[1:], _FAR_FUTURE], strict=True)


def _days(entry: Any) -> Iterator[datetime.date]:
    if isinstance(entry, datetime.date):
        yield entry
    elif isinstance(entry, Mapping):
        for each in entry.values():
            yield from _days(each)
