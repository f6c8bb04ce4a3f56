"""Types `email` (exact) and `email_mailbox` (by the rules of the provider).

Rule: NFC; the local part in lower case (a choice: RFC 5321 2.4 allows a host to tell the cases apart, none in
wide use does); the domain as IDNA2008 A-labels, which keep sharp s apart from ss. `email_mailbox` is a type
of its own, so that policy can tell an exact match from a mailbox match; it drops dots and +tags only where
the provider is known to, and equals the exact form elsewhere. Look-alikes are flagged, never folded.

It asks no server whether the mailbox exists.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from email_validator import EmailNotValidError, validate_email

from clients.identifiers.plain_text import stripped
from clients.identifiers.scripts import look_alike_flags
from clients.identifiers.types import Canonical, Rejected

EMAIL = "email"
EMAIL_MAILBOX = "email_mailbox"
VERSION = 1

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
# Only domains that Microsoft itself runs for the public: elsewhere a plus sign may be part of the name.
_OUTLOOK_DOMAINS = """
    outlook.com hotmail.com live.com msn.com passport.com windowslive.com outlook.at outlook.be outlook.cl
    outlook.cz outlook.de outlook.dk outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it
    outlook.jp outlook.kr outlook.lv outlook.my outlook.ph outlook.pt outlook.sa outlook.sg outlook.sk
    outlook.co.id outlook.co.il outlook.co.th outlook.com.ar outlook.com.au outlook.com.br outlook.com.gr
    outlook.com.tr outlook.com.vn hotmail.be hotmail.ca hotmail.co.uk hotmail.com.ar hotmail.com.br hotmail.de
    hotmail.es hotmail.fr hotmail.it live.be live.ca live.co.uk live.com.au live.com.mx live.com.pt live.de
    live.dk live.fr live.it live.nl live.no live.se
"""
_OUTLOOK = frozenset(_OUTLOOK_DOMAINS.split())
_DEFANGED = re.compile(
    r"\s{0,3}[\[({](?:(?P<at>at|@)|(?:dot|punkt|punto|point|\.))[\])}]\s{0,3}", re.IGNORECASE
)


@dataclass(frozen=True)
class _Address:
    local: str
    domain: str
    flags: tuple[str, ...]


def canonicalise_email(raw: str, hint: str | None) -> Canonical:
    """The exact address: lower case, NFC, domain in A-labels. `hint` is not used. Raises Rejected."""
    address = _address(raw)
    return Canonical(EMAIL, VERSION, f"{address.local}@{address.domain}", address.flags)


def canonicalise_email_mailbox(raw: str, hint: str | None) -> Canonical:
    """The mailbox behind an address. `hint` is not used. Raises Rejected.

    Gmail: dots and +tag ignored, googlemail.com is gmail.com. Outlook and Hotmail: +tag ignored, dots count.
    Other providers: the exact address.
    """
    address = _address(raw)
    local, domain = address.local, address.domain
    if domain in _GMAIL:
        local, domain = local.partition("+")[0].replace(".", ""), "gmail.com"
    elif domain in _OUTLOOK:
        local = local.partition("+")[0]
    if not local:
        raise Rejected("Nothing is left of the e-mail address without its +tag: it names no mailbox.")
    return Canonical(EMAIL_MAILBOX, VERSION, f"{local}@{domain}", address.flags)


def _address(raw: str) -> _Address:
    text = stripped(raw)
    if "＠" in text:
        # Wide letters throughout: no address has this sign, so undoing them merges nothing.
        text = unicodedata.normalize("NFKC", text)
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0])
    # Brackets are no part of an unquoted address but for comments (RFC 5322 3.2.3), which are refused, so undoing
    # "[.]" and "(at)" can merge nothing.
    text = _DEFANGED.sub(lambda found: "@" if found["at"] else ".", text)
    _refuse_plainly(text)
    try:
        parsed = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        # The library's own text repeats characters of the value.
        raise Rejected(
            "The value is not an e-mail address of the form name@domain: check its signs, length and domain."
        ) from None
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", parsed.local_part).lower())
    return _Address(local, parsed.ascii_domain.lower(), look_alike_flags(local, *parsed.domain.split(".")))


def _refuse_plainly(text: str) -> None:
    """The usual faults, each with its own advice."""
    if text.count("@") != 1:
        raise Rejected(
            "An e-mail address has exactly one @ sign. Give each address its own row, without a name."
        )
    if text.endswith("."):
        raise Rejected(
            "The e-mail address ends with a full stop. Remove it if it belongs to the sentence around it."
        )
    if "." not in unicodedata.normalize("NFKC", text.partition("@")[2]).replace("。", "."):
        raise Rejected(
            "The part after the @ sign is not a public domain, so the address names no public mailbox."
        )
