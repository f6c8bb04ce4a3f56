"""Type `ip`: an address of the public internet, version 4 or 6.

Rule: IPv4 in dotted decimals, IPv6 as RFC 5952 writes it; an IPv4 address inside an IPv6 one (mapped, RFC 4291 2.5.5.2,
or translated, RFC 6052 2.1) is the IPv4 address. Leading zeros are refused: some programs read them as octal. A port is
dropped. What many share is refused: private, carrier and local networks, and the public name servers that stand in
every phone. Ranges reserved for examples (RFC 5737, 3849, 9637) are nobody's: kept for tests, and flagged.

The list of ranges is written out here and not taken from the Python release in use: all agencies must come to the same
answer. It does not ask whether a provider shares an address among customers, or who had it at what time.
"""

import re
from bisect import bisect_right
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network

from clients.identifiers.plain_text import plain_characters, refanged
from clients.identifiers.types import Canonical, Rejected

TYPE = "ip"
VERSION = 1
FOR_EXAMPLES = "for-examples"

_PRIVATE = (
    "The IP address is of a private network such as a home's: millions of networks use it. Leave it out."
)
_CARRIER = "The IP address is one that all providers use inside their networks: many have it. Leave it out."
_DEVICE = "The IP address means the device itself or its nearest network, so any device. Leave it out."
_GROUP = "The IP address is a multicast address, for a group of devices. Leave it out."
_RESERVED = "The IP address is reserved and in use nowhere on the public internet. Leave it out."
_NAME_SERVER = (
    "The IP address is a public name server of countless devices: it would match everyone. Leave it out."
)

# IANA's special-purpose address registries (RFC 6890), and name servers as their operators publish them.
_RANGES: tuple[tuple[str, str | None], ...] = (
    ("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10", _PRIVATE),
    ("100.64.0.0/10 192.0.0.0/24", _CARRIER),
    ("0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 ::/127 fe80::/10", _DEVICE),
    ("224.0.0.0/4 ff00::/8", _GROUP),
    ("192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.175.48.0/24 198.18.0.0/15", _RESERVED),
    ("240.0.0.0/4 2001:2::/48 2001:10::/28 2001:20::/28", _RESERVED),
    ("192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20", None),
    ("8.8.8.8 8.8.4.4 2001:4860:4860::8888 2001:4860:4860::8844", _NAME_SERVER),
    ("1.1.1.1 1.0.0.1 2606:4700:4700::1111 2606:4700:4700::1001", _NAME_SERVER),
    ("9.9.9.9 149.112.112.112 2620:fe::fe 2620:fe::9", _NAME_SERVER),
    ("208.67.222.222 208.67.220.220 2620:119:35::35 2620:119:53::53", _NAME_SERVER),
    ("4.2.2.1 4.2.2.2 4.2.2.3 4.2.2.4 4.2.2.5 4.2.2.6", _NAME_SERVER),
    ("94.140.14.14 94.140.15.15 77.88.8.8 77.88.8.1", _NAME_SERVER),
)


def _sorted_ranges(version: int) -> tuple[list[int], list[tuple[int, str | None]]]:
    networks = sorted(
        (int(network[0]), int(network[-1]), reason)
        for written, reason in _RANGES
        for network in map(ip_network, written.split())
        if network.version == version
    )
    return [first for first, _, _ in networks], [(last, reason) for _, last, reason in networks]


_RANGES_OF = {version: _sorted_ranges(version) for version in (4, 6)}
_MAPPED = 0xFFFF
_TRANSLATED = 0x0064_FF9B << 64
_BRACKETED = re.compile(r"\[([0-9a-f:.]+)\](?::[0-9]{1,5})?\Z", re.IGNORECASE)
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}\Z")
_LEADING_ZERO = re.compile(r"(?:\A|[.:])0[0-9]+(?=\.|\Z)")


def canonicalise_ip(raw: str, hint: str | None) -> Canonical:
    """The address in its one written form. `hint` is not used. Raises Rejected."""
    text = plain_characters(raw).strip()
    # Most addresses are written plainly, and a search for signs costs less than undoing nothing.
    if "[" in text or "(" in text or "{" in text or ("." in text and ":" in text):
        text = refanged(text)
        found = (_BRACKETED.match(text) or _WITH_PORT.match(text)) if ":" in text or "[" in text else None
        text = text if found is None else found[1]
    try:
        address = _parsed(text)
    except AddressValueError:
        # The library's own text repeats the value.
        raise Rejected(_what_it_is(text)) from None
    return Canonical(TYPE, VERSION, str(address), _flags(address))


def _parsed(text: str) -> IPv4Address | IPv6Address:
    if ":" not in text:
        return IPv4Address(text)
    if "%" in text:
        raise Rejected(
            "The IP address names a network card after a % sign, so it is of a local network. Leave it out."
        )
    address = IPv6Address(text)
    number = int(address)
    return IPv4Address(number & 0xFFFF_FFFF) if number >> 32 in (_MAPPED, _TRANSLATED) else address


def _flags(address: IPv4Address | IPv6Address) -> tuple[str, ...]:
    """Raises Rejected if the address is everybody's."""
    number = int(address)
    firsts, rest = _RANGES_OF[address.version]
    place = bisect_right(firsts, number) - 1
    if place >= 0 and number <= rest[place][0]:
        reason = rest[place][1]
        if reason is None:
            return (FOR_EXAMPLES,)
        raise Rejected(reason)
    # All addresses of the public internet of version 6 begin with the bits 001 (RFC 4291 2.4).
    if address.version == 6 and number >> 125 != 1:
        raise Rejected(_RESERVED)
    return ()


def _what_it_is(text: str) -> str:
    """Why the text is no address, with the advice that fits."""
    if "://" in text:
        return "The value is a link and not an IP address. Give it as a url."
    if re.fullmatch(r"[0-9a-f:.]+/[0-9]{1,3}", text, re.IGNORECASE):
        return "The value is a network and not one IP address. Give the addresses that were seen."
    if re.search(r"[\s,;/]", text):
        return "The value seems to hold more than one IP address, or words. Give each address its own row."
    if _LEADING_ZERO.search(text):
        return (
            "The IP address has a leading zero, which programs read in two ways. Write the number without it."
        )
    return "The value is not an IP address: four numbers up to 255 with dots, or the form with colons."
