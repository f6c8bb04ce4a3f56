"""Every single change to a case's facts that could matter: other words, switched flags, sets with one more or less.

Rule (issue 4): one fact at a time, or a few that only make sense together, in the order of the facts, so that equal
bundles give equal variations. Words come from the closed vocabularies, from the bundle's tables and from what its
rules compare with. Numbers are not here: their edges are searched for in `broker.gate.testing.generating.edges`.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.testing.changes import Change, stated
from broker.gate.testing.mutants.expressions import places
from broker.protocol.messages.base import Message
from broker.protocol.messages.vocabulary import AgencyKind, ContributorAnswer

_BLANK = ("case_reference", "officer", "necessity", "less_intrusive_means", "inclusion_criterion")
_PEOPLE = ("approvers", "reviewers", "refusers")
_MOST_PEOPLE = 3


@dataclass(frozen=True)
class Words:
    """Texts that a fact may be given, by the fact's name; those of `""` suit any jurisdiction."""

    by_name: Mapping[str, tuple[str, ...]]

    def of(self, name: str) -> tuple[str, ...]:
        """Texts for a fact of this name."""
        return self.by_name.get(name, ())


def words_of(bundle: Bundle, cases: list[Case]) -> Words:
    """The texts of tables, rules and cases that a fact may be given."""
    countries = sorted({country for case in cases for country in _countries(case.model_dump(mode="json"))})
    found: dict[str, tuple[str, ...]] = {
        name: tuple(countries)
        for name in ("jurisdiction", "established_in", "place", "permitted_jurisdictions")
    }
    found["instrument"] = (*sorted(bundle.instruments), "unheard_of")
    for name, compared in sorted(_compared(bundle).items()):
        found.setdefault(name, (*sorted(compared), "other"))
    return Words(found)


def _countries(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("jurisdiction", "established_in"):
                yield each
            if key == "permitted_jurisdictions":
                yield from each
            yield from _countries(each)
    elif isinstance(value, list):
        for each in value:
            yield from _countries(each)


def _compared(bundle: Bundle) -> dict[str, set[str]]:
    """The texts that rules compare each attribute with, by the attribute's name as facts spell it."""
    found: dict[str, set[str]] = {}
    for policy in bundle.syntax.values():
        for condition in policy["conditions"]:
            for _, node in places(condition["body"]):
                (operator, operands), *_ = node.items()
                if operator in ("==", "!=", "contains"):
                    sides = (operands["left"], operands["right"])
                    names = [side["."]["attr"] for side in sides if "." in side]
                    texts = [literal for side in sides for literal in _literals(side)]
                    for name in names:
                        found.setdefault(_snake(name), set()).update(texts)
    return found


def _literals(node: Mapping[str, Any]) -> list[str]:
    listed = node.get("Set", [node])
    return [each["Value"] for each in listed if isinstance(each.get("Value"), str)]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def variations(case: Case, facts: Mapping[str, Any], words: Words, *, apart: bool = True) -> Iterator[Change]:
    """Every change of one fact of a case. `facts` are those of the case as `changes.document` gives them.

    Not `apart`: what claim and finding both say is changed in both alike only."""
    seen: set[str] = set()
    for change in (*_members(Case, facts, "", words), *_together(case)):
        alike = stated(change, facts)
        for each in (change, alike) if apart or change == alike else (alike,):
            if (written := repr(sorted(each.items()))) not in seen:
                seen.add(written)
                yield each


def _together(case: Case) -> Iterator[Change]:
    """Facts that only make sense together."""
    at = "admit" if case.admit is not None else "release.admitted"
    if case.deposit is not None:
        for kind in map(str, AgencyKind):
            yield {"deposit.contributor.kind": kind, "deposit.conditions.contributor_kind": kind}
    else:
        for kind in map(str, AgencyKind):
            yield {
                f"{at}.series.*.contributor.kind": kind,
                f"{at}.series.*.conditions.contributor_kind": kind,
            }
    if case.release is not None:
        series = [one.series_id.hex() for one in case.release.admitted.series]
        for answer in map(str, ContributorAnswer):
            yield {"release.answers": [{"series_id": one, "answer": answer} for one in series]}
        yield {"release.admitted.series": []}
    if case.admit is not None:
        yield {"admit.series": []}


def _members(kind: type[Message], facts: Mapping[str, Any], at: str, words: Words) -> Iterator[Change]:
    for name, field in kind.model_fields.items():
        path = f"{at}.{name}" if at else name
        if name in ("story", "expected") or (not at and name not in facts):
            continue
        yield from _of(field.annotation, facts.get(name), path, words)


def _of(annotation: Any, value: Any, path: str, words: Words) -> Iterator[Change]:
    name = path.rpartition(".")[2]
    kinds = [kind for kind in _alternatives(annotation) if kind is not types.NoneType]
    if value is not None and len(kinds) < len(_alternatives(annotation)) and "." in path:
        yield {path: None}
    kind = kinds[0]
    if isinstance(kind, type) and issubclass(kind, Message):
        if value is not None:
            yield from _members(kind, value, path, words)
    elif typing.get_origin(kind) is tuple:
        yield from _of_list(typing.get_args(kind)[0], value or [], path, words)
    elif kind is bool:
        yield {path: not value}
    elif isinstance(kind, type) and issubclass(kind, StrEnum):
        yield from ({path: str(word)} for word in kind if word != value)
    elif name in _BLANK:
        yield from ({path: blank} for blank in ("", " "))
    elif kind is str:
        others = words.of(name) or ((f"{value}-other",) if ".basis." in path else ())
        yield from ({path: other} for other in others if other != value)


def _of_list(element: Any, value: list[Any], path: str, words: Words) -> Iterator[Change]:
    name = path.rpartition(".")[2]
    kind = _alternatives(element)[0]
    if isinstance(kind, type) and issubclass(kind, Message):
        if value:
            # All elements alike, so that what one says is not hidden by another.
            yield from _members(kind, value[0], f"{path}.*", words)
    elif name in _PEOPLE:
        yield from ({path: [f"person-{each}" for each in range(1, n + 1)]} for n in range(_MOST_PEOPLE + 1))
    else:
        members = [str(word) for word in kind] if issubclass(kind, StrEnum) else list(words.of(name))
        others = [each for each in members if each not in value]
        yield from ({path: [other for other in value if other != each]} for each in value)
        yield from ({path: [*value, each]} for each in others)
        yield from ({path: [each]} for each in others[:1])


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, unwrapped of their bounds; one type alone is a union of one."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(each for part in typing.get_args(annotation) for each in _alternatives(part))
    if typing.get_origin(annotation) is typing.Annotated:
        return _alternatives(typing.get_args(annotation)[0])
    return (annotation,)
