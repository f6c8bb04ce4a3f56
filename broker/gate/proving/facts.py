"""A request that is not known: one variable for each fact of an admission, a release or a deposit.

Rule: the facts are read off the pydantic types of `broker.gate.facts`, so that a new one is in the proof as soon as it
is in the type, with its bounds. One variable stands for a fact wherever it appears: the three actions share them.

There is one series: the rules are asked about each by itself. What the gate makes of facts before it asks the engine is
`broker.gate.proving.question`'s, and which facts together are a case `broker.gate.proving.witness`'s.
"""

import typing
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

import z3
from annotated_types import Ge, Le, MinLen
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from broker.gate.facts import AdmitFacts, DepositFacts, Party, Result
from broker.gate.proving.leaves import (
    ChoiceFact,
    CountedFact,
    Fact,
    Group,
    LongFact,
    Maybe,
    SetFact,
    StatedFact,
    TextFact,
    TruthFact,
    accepts,
)
from broker.gate.proving.values import Vocabulary, word_variable
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Jurisdiction, Message, Slug
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import ContributorAnswer, Tier

_STATED = {"claims.necessity": "", "claims.less_intrusive_means": "", "conditions.inclusion_criterion": " "}
"""Texts of which rules only see whether they say anything, and how each says nothing."""
_OTHER_JURISDICTIONS = ("XA", "XB", "XC", "XD", "XE", "XF", "XG", "XH")
"""Codes that ISO 3166-1 assigns to nobody. A request names six jurisdictions, so that it has room to differ in all."""
_NO_FACTS = ("vocabulary", "jurisdictions")
_JURISDICTION: TypeAdapter[str] = TypeAdapter(Jurisdiction)
_PEOPLE = 16
"""Approvals that one request may carry (`RequestSubmission`); as many refusals."""


@dataclass(frozen=True, eq=False)
class Facts:
    """All facts of the three actions. `request` has the members of AdmitFacts but those about its series."""

    vocabulary: Vocabulary
    jurisdictions: list[str]
    """Those that rules, packs and regions name, and a few that nobody does."""
    request: Group
    contributor: Group
    identifier_type: Fact
    conditions: Group
    result: Group
    answer: Fact
    records: Fact
    released_as: Fact
    """The tier at which a result would leave."""
    contributors: LongFact
    """How many contributors the request is about, each with one series under the same conditions."""

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """What is true of them in every request that can be put to the gate."""
        return self._all().well_formed()

    def excluded(self, words: Iterable[str]) -> Iterable[z3.BoolRef]:
        """Which of these words are no value of which fact, by its type."""
        listed = list(words)
        for text in self._all().texts():
            yield from text.excluded(listed)

    def optional(self) -> Iterable[z3.BoolRef]:
        """The conditions under which facts are there that may be missing."""
        return self._all().optional()

    def _all(self) -> Group:
        return Group(
            {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _NO_FACTS}
        )


class Builder:
    """Makes facts of types. `words` are those that rules, catalogue or regions write out; `most_contributors` are so
    many that more make no difference."""

    def __init__(self, vocabulary: Vocabulary, words: Iterable[str], most_contributors: int) -> None:
        self._vocabulary = vocabulary
        self._most_contributors = most_contributors
        named = filter(is_jurisdiction, words)
        self._jurisdictions = sorted({*named, *_OTHER_JURISDICTIONS})

    def facts(self) -> Facts:
        """The facts of a request, a series and a deposit. Raises BadInput for a type that is not known here."""
        request = self._group("", AdmitFacts, leave_out=("series", "identifier_types", "people"))
        request.facts["people"] = Group(
            {
                name: CountedFact(LongFact(z3.Int(f"people.{name}"), 0, _PEOPLE), name.removesuffix("s"))
                for name in ("approvers", "reviewers", "refusers")
            }
        )
        return Facts(
            vocabulary=self._vocabulary,
            jurisdictions=self._jurisdictions,
            request=request,
            contributor=self._group("contributor.", Party),
            identifier_type=self._fact("identifier_type", Slug),
            conditions=self._group("conditions.", Conditions),
            result=self._group("result.", Result),
            answer=self._fact("answer", ContributorAnswer),
            records=self._fact(
                "records", typing.get_type_hints(DepositFacts, include_extras=True)["records"]
            ),
            released_as=self._fact("released_as", Tier),
            contributors=LongFact(z3.Int("contributors"), 1, self._most_contributors),
        )

    def _group(self, prefix: str, model: type[Message], leave_out: Iterable[str] = ()) -> Group:
        types = typing.get_type_hints(model, include_extras=True)
        names = [name for name in model.model_fields if name not in leave_out]
        return Group({name: self._fact(prefix + name, types[name]) for name in names})

    def _fact(self, name: str, annotation: Any) -> Fact:
        """One fact by its type. Raises BadInput for a type that is not known here."""
        kind, bounds = _unwrapped(annotation)
        if name in _STATED:
            return StatedFact(z3.Bool(name), _STATED[name])
        if get_origin(kind) in (typing.Union, UnionType):
            (inner,) = (each for each in get_args(kind) if each is not NoneType)
            return Maybe(z3.Bool(f"{name}?"), self._fact(name, inner))
        if get_origin(kind) is tuple:
            return self._set(name, get_args(kind)[0], bounds)
        if kind is bool:
            return TruthFact(z3.Bool(name))
        if kind is int:
            return self._number(name, bounds)
        if isinstance(kind, type) and issubclass(kind, Message):
            return self._group(f"{name}.", kind)
        if kind in (str, bytes) or (isinstance(kind, type) and issubclass(kind, StrEnum)):
            return self._text(name, kind, annotation, bounds)
        raise BadInput(f"The prover does not know facts of the type of {name}. Teach it in proving/facts.py.")

    def _number(self, name: str, bounds: Iterable[Any]) -> LongFact:
        least = [each.ge for each in bounds if isinstance(each, Ge)]
        greatest = [each.le for each in bounds if isinstance(each, Le)]
        if not (least and greatest):
            raise BadInput(f"The number {name} has no bounds, so nothing can be proved of it.")
        return LongFact(z3.Int(name), int(str(least[0])), int(str(greatest[0])))

    def _text(self, name: str, kind: Any, annotation: Any, bounds: Iterable[Any]) -> Fact:
        choices = self._choices(kind, annotation)
        if choices:
            for each in choices:
                self._vocabulary.word(each)
            return ChoiceFact(word_variable(name), choices, self._vocabulary)
        size_bytes = _least(bounds) if kind is bytes else 0
        fact = TextFact(word_variable(name), TypeAdapter(annotation), size_bytes, self._vocabulary)
        if not accepts(fact.kind, fact.other(0)):
            raise BadInput(
                f"The prover does not know texts of the type of {name}. Teach it in proving/facts.py."
            )
        return fact

    def _set(self, name: str, member: Any, bounds: Iterable[Any]) -> SetFact:
        choices = self._choices(_unwrapped(member)[0], member)
        if not choices:
            raise BadInput(
                f"The prover does not know sets of the type of {name}. Teach it in proving/facts.py."
            )
        members = {each: z3.Bool(f"{name}.{each}") for each in choices}
        return SetFact(members, _least(bounds) > 0, self._vocabulary)

    def _choices(self, kind: Any, annotation: Any) -> list[str]:
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return [str(each) for each in kind]
        if annotation == Jurisdiction:
            return self._jurisdictions
        return []


def is_jurisdiction(word: str) -> bool:
    """Whether a word could name a jurisdiction."""
    return accepts(_JURISDICTION, word)


def _least(bounds: Iterable[Any]) -> int:
    return max((each.min_length for each in bounds if isinstance(each, MinLen)), default=0)


def _unwrapped(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without its bounds, and the bounds."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    kind, *notes = get_args(annotation)
    bounds = [each for note in notes for each in (note.metadata if isinstance(note, FieldInfo) else (note,))]
    return kind, bounds
