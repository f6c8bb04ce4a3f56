"""Words for one part of a rule: what it asks for, and what the facts of a question say instead.

Rule (POLICY 4): the words are made from the rule's own expression, the names of the schema and the facts that were put
to the engine; nothing is said that is not in them. Numbers of limits.toml are named. An expression for which there are
no words here is shown as it stands in the rule.

It evaluates nothing: whether a part holds is the engine's to say.
"""

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cedarpy

from broker.gate.expressions import Syntax
from broker.gate.question import Question

_COMPARED = {
    "==": "equal to",
    "!=": "other than",
    "<": "less than",
    "<=": "at most",
    ">": "more than",
    ">=": "at least",
}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_TIME = re.compile(r"(?:^now|At|Until|From)\Z")
_BRACKETS = re.compile(r"(?<!\w)\(([\w.]+)\)")
"""Brackets around a plain name, which the engine writes and nobody needs."""
_SILENT = frozenset({"context", "facts", "derived", "people"})
_ARITHMETIC = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}


def asked_for(body: Syntax, wanted: bool, question: Question) -> str:
    """What is asked for and what is so now: `identifiers: at most 500, the limit hits_identifiers (600 now)`."""
    (operator, operands), *_ = body.items()
    if operator in _COMPARED:
        return _comparison(operator if wanted else _OPPOSITE[operator], operands, question)
    if operator == "contains":
        return _membership(operands, wanted, question)
    if operator == "has":
        name = _phrase({".": operands}, question)
        return f"{name}: given (missing now)" if wanted else f"{name}: not given"
    path = path_of(body)
    if path is not None:
        return f"{_phrase(body, question)}: {_yes(wanted)} ({shown(path, question)} now)"
    return f"{as_written(body)}: {_yes(wanted)}"


def circumstance(body: Syntax, holds: bool, question: Question) -> str:
    """What is so when a rule applies: `tier is hits`. Empty for what goes without saying."""
    (operator, operands), *_ = body.items()
    if operator == "has":
        return "" if holds else f"no {_phrase({'.': operands}, question)}"
    path = path_of(body)
    if path is not None:
        return f"{_phrase(body, question)} is {_yes(holds)}"
    facts = [each for each in paths(body) if each[:2] != ("context", "limit")]
    said = [f"{_words(each, question)} is {shown(each, question)}" for each in facts]
    return " and ".join(said) or as_written(body)


def facts_of(body: Syntax, question: Question) -> dict[str, Any]:
    """The facts that an expression reads, by their names in the schema; one that was not given is None."""
    return {".".join(path): question.fact(path) for path in paths(body)}


def paths(body: Syntax) -> Iterator[tuple[str, ...]]:
    """Every fact that an expression reads, as the names from its variable down."""
    path = path_of(body)
    if path is not None:
        if len(path) > 1:
            yield path
        return
    for operands in body.values():
        within = operands.values() if isinstance(operands, Mapping) else operands
        for each in within if isinstance(within, Iterable) else ():
            if isinstance(each, Mapping):
                yield from paths(each)


def path_of(body: Syntax) -> tuple[str, ...] | None:
    """The names of a plain fact such as context.people.approvers, or None for any other expression."""
    if "Var" in body:
        return (body["Var"],)
    if "." not in body:
        return None
    before = path_of(body["."]["left"])
    return None if before is None else (*before, body["."]["attr"])


def shown(path: tuple[str, ...], question: Question) -> str:
    """The value of a fact as people read it; a time as UTC."""
    value = question.fact(path)
    if isinstance(value, bool):
        return _yes(value)
    if isinstance(value, int) and _TIME.search(path[-1]):
        moment = datetime.datetime.fromtimestamp(value, datetime.UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "missing" if value is None else str(value) or "empty"


def as_written(body: Syntax) -> str:
    """The expression in the words of the rule itself."""
    policy = {
        "effect": "permit",
        "principal": {"op": "All"},
        "action": {"op": "All"},
        "resource": {"op": "All"},
        "conditions": [{"kind": "when", "body": body}],
    }
    text = cedarpy.policies_from_json_str(
        json.dumps({"staticPolicies": {"part": policy}, "templates": {}, "templateLinks": []})
    )
    plain, before = " ".join(text[text.index("{") + 1 : text.rindex("}")].split()), ""
    while plain != before:
        before, plain = plain, _BRACKETS.sub(r"\1", plain)
    return plain


def _comparison(operator: str, operands: Mapping[str, Syntax], question: Question) -> str:
    left, right = operands["left"], operands["right"]
    if not list(_facts(left)) and list(_facts(right)):
        left, right, operator = right, left, _MIRRORED[operator]
    mine, other = question.fact(path_of(left) or ()), question.fact(path_of(right) or ())
    if isinstance(mine, Mapping) and isinstance(other, Mapping):
        return f"{_phrase(left, question)}: {_COMPARED[operator]} {_phrase(right, question)} " + _apart(
            mine, other
        )
    return f"{_phrase(left, question)}: {_COMPARED[operator]} {_bound(right, question)} ({_value(left, question)} now)"


def _membership(operands: Mapping[str, Syntax], wanted: bool, question: Question) -> str:
    container, member = operands["left"], operands["right"]
    if "Set" in container:
        listed = ", ".join(_value(each, question) for each in container["Set"])
        some, now = "one" if wanted else "none", _value(member, question)
        return f"{_phrase(member, question)}: {some} of {listed} ({now} now)"
    has = "with" if wanted else "without"
    return f"{_phrase(container, question)}: {has} {_bound(member, question)} ({_value(container, question)} now)"


def _bound(body: Syntax, question: Question) -> str:
    """The side that is compared with: a number of limits.toml by value and name, a fact by name and value."""
    path = path_of(body)
    if path is None:
        return (
            _value(body, question)
            if "Value" in body
            else f"{_value(body, question)}, {_phrase(body, question)}"
        )
    if path[:2] == ("context", "limit"):
        return f"{shown(path, question)}, the limit {_snake(path[-1])}"
    return f"the {_words(path, question)}, {shown(path, question)}"


def _phrase(body: Syntax, question: Question) -> str:
    path = path_of(body)
    if path is not None:
        return _words(path, question)
    for operator in _ARITHMETIC:
        if operator in body:
            left, right = body[operator]["left"], body[operator]["right"]
            sign = "times" if operator == "*" else operator
            return f"{_phrase(left, question)} {sign} {_phrase(right, question)}"
    return str(body["Value"]) if "Value" in body else as_written(body)


def _value(body: Syntax, question: Question) -> str:
    path = path_of(body)
    if path is not None:
        return shown(path, question)
    number = _number(body, question)
    return as_written(body) if number is None else str(number)


def _number(body: Syntax, question: Question) -> Any:
    """A literal, a fact, or what plain arithmetic over them comes to; None for anything else."""
    path = path_of(body)
    if path is not None:
        return question.fact(path)
    for operator, compute in _ARITHMETIC.items():
        if operator in body:
            left, right = (_number(body[operator][side], question) for side in ("left", "right"))
            known = isinstance(left, int) and isinstance(right, int)
            return compute(left, right) if known else None
    return body.get("Value")


def _facts(body: Syntax) -> Iterator[tuple[str, ...]]:
    return (each for each in paths(body) if each[:2] != ("context", "limit"))


def _words(path: tuple[str, ...], question: Question) -> str:
    owner = {"principal": question.principal_role, "resource": "deposit's"}.get(path[0], "")
    said = [_snake(name).replace("_", " ") for name in path[1:] if name not in _SILENT]
    if path[-1] == "facts":
        said.append("facts")
    return " ".join([*([owner] if owner else []), *said])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", name).lower()


def _apart(mine: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    names = [name for name in mine if mine[name] != other.get(name)]
    return f"(they differ in {', '.join(_snake(name).replace('_', ' ') for name in names)})"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
