"""Which attributes of MISP are identifiers that are compared here (MISP's types of attributes, and its objects).

Rule: one line of the table an attribute type, or an attribute of an object by its relation; what is not in it is passed
over, and counted. What MISP files as a target's is a victim's: it must be deposited under conditions for victims, so it
is refused with that advice and never slips in among suspects' identifiers.
"""

from collections.abc import Mapping
from types import MappingProxyType

from clients.identifiers import Rejected
from clients.readers.exchange.stix_patterns import Named, named_at

_TYPES = {
    "phone": "phone-number whois-registrant-phone prtn",
    "email": "email email-src email-dst email-reply-to whois-registrant-email",
    "url": "url uri",
    "ip": "ip-src ip-dst ip-src|port ip-dst|port domain|ip",
    "iban": "iban",
    "btc_address": "btc",
    "file_hash": "md5 sha1 sha256 filename|md5 filename|sha1 filename|sha256 malware-sample",
}
TYPES: Mapping[str, str] = MappingProxyType(
    {name: kind for kind, names in _TYPES.items() for name in names.split()}
)
"""Identifier type by attribute type."""
HANDLES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("telegram-account", "username"): "telegram",
        ("telegram-bot", "username"): "telegram",
        ("instagram-account", "account-name"): "instagram",
        ("facebook-account", "account-name"): "facebook",
        ("facebook-account", "account-id"): "facebook",
        ("reddit-account", "account-name"): "reddit",
        ("twitter-account", "name"): "x",
        ("github-user", "twitter_username"): "x",
    }
)
"""Platform by object and relation."""
RELATIONS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("telegram-account", "phone"): "phone",
        ("keybase-account", "emails"): "email",
        ("phone", "msisdn"): "phone",
        ("phone", "imei"): "imei",
        ("remote-controller", "imei"): "imei",
        ("uav", "imei"): "imei",
        ("vehicle", "license-plate-number"): "licence_plate",
    }
)
"""Identifier type by object and relation, where the attribute's own type is plain text."""
PLATFORM_BESIDE: Mapping[tuple[str, str], str] = MappingProxyType(
    {("user-account", "username"): "account-type", ("microblog", "username"): "type"}
)
"""Account names, and the relation that names their platform in the same object."""
NOBODYS = frozenset({("short-message-service", "smsc")})
"""Attributes of a type that is compared, but not anybody's own: an operator's centre for messages."""
TARGETS = frozenset({"target-email", "target-user"})
COINS = frozenset({"", "BTC", "ETH", "TRX", "TRON", "USDT", "USDC", "DAI"})
_VICTIM = (
    "it is a target's and so a victim's. Put victims' identifiers into a file of their own and deposit it under "
    "conditions for victims."
)


def named_by(thing: str, siblings: Mapping[str, str], relation: str, kind: str, raw: str) -> Named | None:
    """The identifier of one attribute; None if it is none.

    Args: `thing` the name of the object that holds it, "" outside of one; `siblings` the values of that object's
    attributes by relation; `kind` the attribute's type.
    Raises: Rejected.
    """
    place = (thing, relation)
    named = _named(place, siblings, kind, raw)
    if kind in TARGETS or (named is not None and thing == "victim"):
        raise Rejected(_VICTIM)
    return named


def _named(place: tuple[str, str], siblings: Mapping[str, str], kind: str, raw: str) -> Named | None:
    if place in HANDLES:
        return Named("handle", raw, HANDLES[place])
    if place in RELATIONS:
        return Named(RELATIONS[place], raw)
    if place in PLATFORM_BESIDE:
        return Named("handle", raw, siblings.get(PLATFORM_BESIDE[place]))
    if place == ("coin-address", "address-crypto"):
        if siblings.get("symbol", "").strip().upper() not in COINS:
            raise Rejected("addresses of this currency are not compared here.")
        return named_at("cryptocurrency-wallet:value", raw)
    if kind == "twitter-id":
        return Named("handle", raw, "x")
    if kind not in TYPES or place in NOBODYS:
        return None
    return Named(TYPES[kind], _part(kind, raw))


def _part(kind: str, raw: str) -> str:
    """The identifying part of a composite attribute, such as ip-dst|port or filename|md5."""
    if kind in ("ip-src|port", "ip-dst|port"):
        return raw.partition("|")[0]
    if "|" in kind or kind == "malware-sample":
        return raw.rpartition("|")[2]
    return raw
