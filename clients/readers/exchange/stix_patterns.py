"""The identifiers that a STIX pattern names (STIX 2.1, chapter 9).

Rule: a pattern is read only where each comparison by itself names an identifier: equality (= and IN), joined by OR. One
that holds only if something else holds too (AND, FOLLOWEDBY, a qualifier), that excludes (NOT, !=) or that matches many
values (LIKE, MATCHES, <, ISSUBSET) names no identifier and is refused as a whole. The one AND that is read is an
account's name with its platform, since neither is an identifier alone. The grammar is the `stix2` library's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from broker.protocol.errors import BadInput
from clients.identifiers import Rejected

MAXIMUM_PATTERN_CHARACTERS = 32 * 1024
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_NOT = re.compile(r"\bNOT\b", re.IGNORECASE)
_ALONE = 'Only comparisons with "=" or "IN", joined by OR, name identifiers.'
_EXCLUDES = f"the pattern excludes a value (NOT, !=). {_ALONE}"
_PLATFORM, _LOGIN = "user-account:account_type", "user-account:account_login"
_HASHES = {
    "md5": "file_hash",
    "sha-1": "file_hash",
    "sha1": "file_hash",
    "sha-256": "file_hash",
    "sha256": "file_hash",
    "pdq": "pdq",
    "photodna": "photodna",
}
_PATHS = {
    "email-addr:value": "email",
    "url:value": "url",
    "ipv4-addr:value": "ip",
    "ipv6-addr:value": "ip",
    "phone-number:value": "phone",
    "x-phone-number:value": "phone",
    "bank-account:iban": "iban",
    "imei:value": "imei",
    "media-content:url": "url",
    "cryptocurrency-wallet:value": "wallet",
    "cryptocurrency-wallet:address": "wallet",
}
OPENCTI = "x-opencti-"
OWN_OBJECT = "x-narrowgate-"
"""How objects are named for identifiers for which STIX has none: x-narrowgate-licence-plate."""


@dataclass(frozen=True)
class Named:
    """An identifier as a file of another program names it: its type here, its text, and a hint."""

    kind: str
    raw: str = field(repr=False)
    hint: str | None = None


def named_at(path: str, raw: str, hint: str | None = None) -> Named | None:
    """The identifier at an object path, such as ("email-addr:value", text); None if none is kept there.

    Hashes are at "file:hashes.MD5". `hint` is the platform of an account.
    """
    path = path.removeprefix(OPENCTI)  # its objects of before version 5
    thing, _, place = path.partition(":")
    if thing in ("file", "artifact") and place.startswith("hashes."):
        kind = _HASHES.get(place.removeprefix("hashes.").strip("'").lower())
    elif path == _LOGIN:
        kind = "handle"
    elif thing.startswith(OWN_OBJECT) and place == "value":
        kind = thing.removeprefix(OWN_OBJECT).replace("-", "_")
    else:
        kind = _PATHS.get(path)
    if kind == "wallet":
        kind = _chain(raw)
    return None if kind is None else Named(kind, raw, hint)


def _chain(address: str) -> str:
    """A wallet names no chain; the forms of those that are compared here differ in how they begin."""
    text = address.strip()
    if text[:2].lower() == "0x":
        return "eth_address"
    return "tron_address" if text.startswith("T") else "btc_address"


def named_by_pattern(pattern: str) -> tuple[Named, ...]:
    """The identifiers of a pattern, in order. Raises Rejected with the reason, which repeats nothing of it."""
    if len(pattern) > MAXIMUM_PATTERN_CHARACTERS:
        raise Rejected(f"the pattern is longer than {MAXIMUM_PATTERN_CHARACTERS:,} characters.")
    # The library forgets the NOT of "NOT IN" and would hand on what a pattern excludes (stix2 3.0.2).
    if _NOT.search(_LITERAL.sub("", pattern)):
        raise Rejected(_EXCLUDES)
    return tuple(_named(_parsed(pattern)))


def _parsed(pattern: str) -> Any:
    patterns, failures = _library()
    try:
        return patterns(pattern, version="2.1")
    except RecursionError:
        raise Rejected("the pattern is nested too deeply.") from None
    except failures:
        raise Rejected("the pattern is not written in the language of STIX patterns.") from None


def _library() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        from stix2.pattern_visitor import create_pattern_object
        from stix2patterns.exceptions import ParseException, ParserErrorListener  # noqa: F401
    except ImportError:
        raise BadInput(
            "To read STIX patterns the library `stix2` is needed, which is not installed here. Install the extra "
            "`data`: pip install 'narrowgate[data]'"
        ) from None
    # The library's own visitor meets what the grammar allows and the standard does not with these.
    return create_pattern_object, (
        ParseException,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        IndexError,
    )


def _named(part: Any) -> Iterator[Named]:
    kind = type(part).__name__
    if kind == "ParentheticalExpression":
        yield from _named(part.expression)
    elif kind == "ObservationExpression":
        yield from _named(part.operand)
    elif kind in ("OrObservationExpression", "OrBooleanExpression"):
        for each in part.operands:
            yield from _named(each)
    elif kind == "AndBooleanExpression":
        yield _account(part)
    elif kind in ("EqualityComparisonExpression", "InComparisonExpression"):
        yield from _compared(part)
    elif kind in ("AndObservationExpression", "FollowedByObservationExpression"):
        raise Rejected(f"the pattern holds only if several things hold at once. {_ALONE}")
    elif kind == "QualifiedObservationExpression":
        raise Rejected("the pattern says when or how often (WITHIN, REPEATS, START), which is no identifier.")
    else:
        raise Rejected(f"the pattern matches many values (LIKE, MATCHES, <, >, ISSUBSET, EXISTS). {_ALONE}")


def _compared(part: Any) -> Iterator[Named]:
    if part.negated:
        raise Rejected(_EXCLUDES)
    for text in _texts(part):
        named = named_at(_path(part), text)
        if named is None:
            raise Rejected("the pattern compares something that is not compared here as an identifier.")
        yield named


def _account(part: Any) -> Named:
    compared = {}
    for each in part.operands:
        if type(each).__name__ == "EqualityComparisonExpression" and not each.negated:
            compared[_path(each)] = next(_texts(each))
    if len(part.operands) != 2 or set(compared) != {_PLATFORM, _LOGIN}:
        raise Rejected(f"the pattern holds only if several things hold at once (AND). {_ALONE}")
    return Named("handle", compared[_LOGIN], compared[_PLATFORM])


def _texts(part: Any) -> Iterator[str]:
    constants = part.rhs.value if type(part.rhs).__name__ == "ListConstant" else [part.rhs]
    for each in constants:
        if type(each).__name__ != "StringConstant":
            raise Rejected("the pattern compares something that is not text.")
        # The library leaves \' and \\ as they are written.
        yield _ESCAPED.sub(r"\1", each.value)


def _path(part: Any) -> str:
    names = [getattr(each, "property_name", "") for each in part.lhs.property_path]
    return f"{part.lhs.object_type_name}:{'.'.join(names)}"
