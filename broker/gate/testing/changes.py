"""A change to the facts of a case: another value for one fact, or for a few that belong together.

Rule: a change is written as paths and values, so that a reviewer reads what differs from a story told in full. In a
path `*` stands for every element of a list, and `stated` for what the requester claims and, where there is a finding,
the legal desk's word of it alike. What results is checked like any case; nothing is decided here.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from broker.gate.decide import Case
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import read

Change = Mapping[str, Any]
"""New values by path, such as {"admit.stated.purpose": "identify_victim"}, in JSON."""


def document(case: Case) -> dict[str, Any]:
    """The facts of a case as JSON, without its story."""
    written = case.model_dump(mode="json", exclude={"story", "expected"})
    return {name: value for name, value in written.items() if value is not None}


def changed(facts: Mapping[str, Any], change: Change) -> Case:
    """The case with some facts changed. `facts` are as `document` gives them.

    Raises BadInput for a path that leads nowhere, or facts that no case can have."""
    new = facts
    for path, value in change.items():
        new = _put(new, tuple(path.split(".")), value)
    return read(Case, json.dumps(new).encode())


def _put(place: Any, steps: tuple[str, ...], value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(place, list):
        if step == "*":
            return [_put(each, rest, value) for each in place]
        if not step.isdigit() or int(step) >= len(place):
            raise BadInput(f"A change names an element {step} that the facts do not have.")
        return [_put(each, rest, value) if index == int(step) else each for index, each in enumerate(place)]
    if not isinstance(place, Mapping):
        raise BadInput(f"A change names a fact {step} where the facts have no more members.")
    if step == "stated":
        both = [name for name in ("claims", "verified") if name in place and _has(place[name], rest)]
        if not both:
            raise BadInput("A change names a stated fact that the facts do not have.")
        return {**place, **{name: _put(place[name], rest, value) for name in both}}
    if rest and step not in place:
        raise BadInput(f"A change names a fact {step} that the facts do not have.")
    return {**place, step: _put(place.get(step), rest, value)}


def _has(place: Mapping[str, Any], steps: tuple[str, ...]) -> bool:
    return isinstance(place, Mapping) and steps[0] in place


def stated(change: Change, facts: Mapping[str, Any]) -> Change:
    """A change of what claim and finding both say as one of both alike; any other change as it is."""
    return {_of_both(path, facts): value for path, value in change.items()}


def _of_both(path: str, facts: Mapping[str, Any]) -> str:
    for name in ("claims", "verified"):
        before, found, after = path.partition(f".{name}.")
        if found and all(_leads(facts, f"{before}.{each}.{after}") for each in ("claims", "verified")):
            return f"{before}.stated.{after}"
    return path


def _leads(facts: Any, path: str) -> bool:
    for step in path.split("."):
        if not isinstance(facts, Mapping) or step not in facts:
            return False
        facts = facts[step]
    return True


def difference(facts: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The change that makes `others` of `facts`, fact by fact; lists of another length are changed as a whole."""
    return dict(_differences(facts, others, ""))


def _differences(facts: Any, others: Any, at: str) -> Iterator[tuple[str, Any]]:
    if facts == others:
        return
    if isinstance(facts, Mapping) and isinstance(others, Mapping):
        for key in dict.fromkeys((*facts, *others)):
            yield from _differences(facts.get(key), others.get(key), f"{at}.{key}" if at else key)
    elif _records(facts) and _records(others) and len(facts) == len(others):
        for index, (one, other) in enumerate(zip(facts, others, strict=True)):
            yield from _differences(one, other, f"{at}.{index}")
    else:
        yield at, others


def _records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
