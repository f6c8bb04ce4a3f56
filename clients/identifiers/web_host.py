"""The host of a link: a domain in the letters that name servers know, or an IP address.

Rule: IDNA2008 A-labels after the mapping of UTS 46, non-transitional, so that sharp s and ss stay two domains; one full
stop at the end is dropped, since it names the same host. Names that every network has (localhost, .local) are refused.
Look-alikes are flagged by what the labels show, never folded.

It asks no name server whether the host exists.
"""

import re
from urllib.parse import unquote

import idna

from clients.identifiers.ip import canonicalise_ip
from clients.identifiers.scripts import look_alike_flags
from clients.identifiers.types import Rejected

NOT_VALID = "not-valid"

# RFC 6761, 6762 and 8375, ICANN's .internal, and names that routers and offices give themselves.
_LOCAL = re.compile(
    r"(?:.*\.)?(?:localhost|local|internal|intranet|lan|home|corp|private|localdomain|home\.arpa)\Z"
)
_PLAIN = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)+\Z"
)
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_MAXIMUM_CHARACTERS = 253
_NO_DOMAIN = Rejected(
    "The host of the link is not a domain name such as example.org. Copy the link from the address bar."
)


def canonical_host(written: str) -> tuple[str, tuple[str, ...]]:
    """The host as it stands in a link, and its flags. Raises Rejected."""
    if written.startswith("["):
        return _address(written)
    host = written if written.isascii() and "%" not in written else _mapped(unquote(written))
    host = host.lower().removesuffix(".")
    if _NUMBER.match(host.rpartition(".")[2]):
        # Browsers take any host whose last part is a number for an IPv4 address, in octal too.
        return _address(host)
    if _LOCAL.match(host) or (host and "." not in host):
        raise Rejected(
            "The host of the link is of a local network only: every network has one. Leave it out."
        )
    flags: tuple[str, ...] = ()
    if host.isascii() and "xn--" not in host:
        labels = host
    else:
        labels, flags = _in_a_labels(host)
    if not _PLAIN.match(labels) or len(labels) > _MAXIMUM_CHARACTERS:
        raise Rejected(_NO_DOMAIN.detail)
    return labels, flags


def _address(written: str) -> tuple[str, tuple[str, ...]]:
    try:
        form = canonicalise_ip(written, None)
    except Rejected as refusal:
        raise Rejected(f"The host of the link is a number and not a name. {refusal.detail}") from None
    return (f"[{form.value}]" if ":" in form.value else form.value), form.flags


def _mapped(host: str) -> str:
    try:
        return idna.uts46_remap(host, std3_rules=False, transitional=False)
    except (idna.IDNAError, UnicodeError):
        raise Rejected(_NO_DOMAIN.detail) from None


def _in_a_labels(host: str) -> tuple[str, tuple[str, ...]]:
    """Every label in A-form; flags for what a reader would see."""
    labels, shown, flags = [], [], []
    for label in host.split("."):
        try:
            if label.startswith("xn--"):
                shown.append(idna.ulabel(label))
                labels.append(label)
            else:
                shown.append(label)
                labels.append(label if label.isascii() else idna.alabel(label).decode("ascii"))
        except (idna.IDNAError, UnicodeError):
            if not label.isascii():
                raise Rejected(
                    "The domain of the link holds a sign that domain names do not have (RFC 5892). "
                    "If the link works, copy its form with xn-- from the address bar."
                ) from None
            # Emoji domains: some registries sell them against the standard, so they exist.
            labels.append(label)
            flags.append(NOT_VALID)
    return ".".join(labels), (*look_alike_flags(*shown), *dict.fromkeys(flags))
