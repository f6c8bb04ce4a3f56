"""Random requests near those of the bundle's scenarios: each with a few facts changed to another value of its type.

Most are refused for a reason or two, and many are allowed, which values drawn at random from their types never are.
"""

import json
import random
import typing
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError

from broker.gate.decide import Case
from broker.protocol.messages.base import Jurisdiction, Message, read
from tests.gate_world import BUNDLE, DAY_SECONDS, NOW

_MOMENTS = [
    NOW + shift for shift in (0, -1, 1, -DAY_SECONDS, DAY_SECONDS, 60, -31 * DAY_SECONDS, 400 * DAY_SECONDS)
]
_NUMBERS = [
    0,
    1,
    2,
    3,
    5,
    6,
    9,
    10,
    20,
    21,
    25,
    26,
    36,
    47,
    48,
    50,
    51,
    100,
    180,
    200,
    365,
    366,
    500,
    501,
    10_000,
    20_001,
]
_JURISDICTIONS = ["NL", "IE", "US", "GB", "KE", "XA", "EU", "DK"]
_WORDS = [
    "",
    " ",
    "phone",
    "account",
    "legal_obligation",
    "consent",
    "legitimate_interests",
    "adequacy",
    "CASE-2",
]
_INSTRUMENTS = [
    "eevidence_epoc",
    "us_sca_2702_emergency",
    "budapest_2ap_art7",
    "consent_of_the_person",
    "prum_ii_2024_982",
    "no_such_law",
]
_MAY_GO = ("verified", "prior_tier", "prior_decided_at")
_MAY_COME = _MAY_GO[1:]
SCENARIOS = sorted((BUNDLE / "scenarios").glob("*/*.json"))


def random_case(dice: random.Random, changes: int | None = None) -> Case:
    """The case of a scenario with some facts changed: none or up to eight."""
    case = read(Case, dice.choice(SCENARIOS).read_bytes())
    told = case.model_dump(mode="json", exclude={"story", "expected"})
    for _ in range(dice.randrange(9) if changes is None else changes):
        before = json.dumps(told)
        _change(dice, told, Case)
        try:
            Case.model_validate_json(json.dumps(told))
        except ValidationError:
            told = json.loads(before)
    return Case.model_validate_json(json.dumps(told))


def _change(dice: random.Random, told: dict[str, Any], model: type[Message]) -> None:
    types = typing.get_type_hints(model, include_extras=True)
    known = [name for name in told if name in types and (told[name] is not None or name in _MAY_COME)]
    name = dice.choice(known)
    told[name] = _other(dice, name, types[name], told[name])


def _other(dice: random.Random, name: str, annotation: Any, value: Any) -> Any:
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(kind) in (typing.Union, UnionType):
        inner = next(each for each in get_args(kind) if each is not NoneType)
        missing = value is None and isinstance(inner, type) and issubclass(inner, Message)
        if missing or (name in _MAY_GO and dice.random() < 0.2):
            return None
        return _other(dice, name, inner, value)
    if get_origin(kind) is tuple:
        return _others(dice, name, get_args(kind)[0], value)
    if isinstance(kind, type) and issubclass(kind, Message):
        _change(dice, value, kind)
        return value
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return str(dice.choice(list(kind)))
    if kind is bool:
        return not value
    if kind is int:
        return dice.choice(_MOMENTS if isinstance(value, int) and value > 1_000_000_000 else _NUMBERS)
    if kind is bytes:
        return value if name == "series_id" else dice.choice(["00", "11"]) * (len(value) // 2)
    if annotation == Jurisdiction:
        return dice.choice(_JURISDICTIONS)
    return dice.choice(_INSTRUMENTS if name == "instrument" else _WORDS)


def _others(dice: random.Random, name: str, member: Any, value: list[Any]) -> list[Any]:
    if isinstance(member, type) and issubclass(member, Message):
        if value:
            _change(dice, dice.choice(value), member)
        return value
    if name in ("approvers", "reviewers", "refusers"):
        return [f"{name}-{place}" for place in range(dice.randrange(4))]
    few = [_other(dice, name, member, None) for _ in range(dice.randrange(1, 5))]
    return sorted({*few, *(value if dice.random() < 0.5 else [])})
