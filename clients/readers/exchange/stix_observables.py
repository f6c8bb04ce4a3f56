"""The identifiers that a STIX observable or indicator holds, and the facts that go on with them (STIX 2.0 and 2.1).

Rule: an observable is read for what identifies it and for nothing else. What names no identifier that is compared here
is passed over, and counted by whoever asks; what should name one and does not is refused in words.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from clients.identifiers import Rejected
from clients.readers.exchange.stix_patterns import OPENCTI, OWN_OBJECT, Named, named_at, named_by_pattern

_MEMBERS = {
    "email-addr": "value",
    "url": "value",
    "ipv4-addr": "value",
    "ipv6-addr": "value",
    "phone-number": "value",
    "x-phone-number": "value",
    "bank-account": "iban",
    "imei": "value",
    "media-content": "url",
}
_CUSTOM = ("phone-number", "bank-account", "imei", "media-content", "cryptocurrency-wallet")
"""Observables of OpenCTI's own, which it once wrote with a prefix."""
_OPTIONAL = frozenset({"media-content"})
"""Observables that are often noted without what would identify them."""
_FACTS = (
    "created_by_ref",
    "created",
    "modified",
    "valid_from",
    "valid_until",
    "confidence",
    "indicator_types",
    "labels",
)


def is_observable(kind: str) -> bool:
    """Whether objects of this type are read as observables."""
    return kind in (
        *_MEMBERS,
        "cryptocurrency-wallet",
        "file",
        "artifact",
        "user-account",
        *(OPENCTI + custom for custom in _CUSTOM),
    ) or kind.startswith(OWN_OBJECT)


def word_for(kind: object) -> str:
    """What an object is called in a refusal: its type if it is one of those that are read, else "object"."""
    if not isinstance(kind, str) or kind.startswith(OWN_OBJECT):
        return "object"
    return kind if is_observable(kind) or kind in ("indicator", "sighting", "observed-data") else "object"


def named_by(thing: Mapping[str, Any]) -> tuple[Named, ...]:
    """The identifiers of an indicator or observable. Raises Rejected."""
    if thing.get("type") == "indicator":
        return _by_indicator(thing)
    return tuple(_by_observable(thing))


def facts_of(thing: Mapping[str, Any]) -> dict[str, object]:
    """What goes on with each identifier of an object."""
    return {name: thing.get(name) for name in _FACTS}


def _by_indicator(thing: Mapping[str, Any]) -> tuple[Named, ...]:
    if thing.get("revoked") is True:
        raise Rejected("its author has revoked it.")
    # STIX 2.0 knows one language of patterns and does not name it.
    if thing.get("pattern_type", "stix") != "stix":
        raise Rejected("its pattern is in another language than that of STIX (pattern_type).")
    pattern = thing.get("pattern")
    if not isinstance(pattern, str):
        raise Rejected("it has no pattern.")
    return named_by_pattern(pattern)


def _by_observable(thing: Mapping[str, Any]) -> Iterator[Named]:
    kind = thing["type"].removeprefix(OPENCTI)
    if kind in ("file", "artifact"):
        # Many files are noted by name or size alone.
        hashes = thing.get("hashes", {})
        if not isinstance(hashes, dict):
            raise Rejected('its "hashes" are no list of hashes.')
        for algorithm, digest in hashes.items():
            named = named_at(f"{kind}:hashes.{algorithm}", _text(digest))
            if named is not None:
                yield named
        return
    if kind == "user-account":
        platform = thing.get("account_type")
        login = thing.get("account_login") or thing.get("user_id")
        yield Named("handle", _text(login), platform if isinstance(platform, str) else None)
        return
    if kind == "cryptocurrency-wallet":
        member = "value" if "value" in thing else "address"
    else:
        member = _MEMBERS.get(kind, "value")
    if kind in _OPTIONAL and not thing.get(member):
        return
    named = named_at(f"{kind}:{member}", _text(thing.get(member)))
    if named is not None:
        yield named


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Rejected("what should identify it is missing, or is no text.")
    return value
