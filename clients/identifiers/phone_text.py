"""From what an advert or a contact list says to a bare phone number: digits, with a plus sign if one was
there.

Rule: full-width, Arabic-Indic and other decimal digits become ASCII; tel: URIs (RFC 3966) and the deep links
of messengers are opened; an extension is dropped; letters and second numbers are refused, since
libphonenumber would turn letters into the digits of a keypad and so make another person's number.

It does not know regions or numbering plans: see `clients.identifiers.phone`.
"""

import re
from urllib.parse import parse_qs, unquote, urlsplit

from clients.identifiers.plain_text import plain_characters, refanged
from clients.identifiers.types import Rejected

# A pause or hash sign leads an extension of at most six digits, so that "number, number" is never cut to the
# first.
_EXTENSION = re.compile(
    r"""(?: \s* [,;#]+ | [\s,;]* (?:ext(?:ension|n)?|x|int|anexo|poste|durchwahl|доб) (?![a-z]) )
        [\s.:=]* [0-9]{1,6} \s* \#? \s* \Z""",
    re.IGNORECASE | re.VERBOSE,
)
_SCHEME = re.compile(
    r"(?:(?:tel|callto|sms|smsto|imessage|facetime(?:-audio)?):(?://)?|(?:whatsapp|skype):(?!//))(.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_MAXIMUM_CHARACTERS = 80
_SEPARATORS = frozenset(" -.()[]/~·•_")
_LINK = re.compile(
    r"(?:(?:https?|whatsapp|viber|tg|sgnl|intent)://)?(?:www\.)?"
    r"(?:wa\.me|(?:(?:api|web|chat)\.)?whatsapp\.com|t\.me|telegram\.me|signal\.me|send|chat|add|contact|resolve)"
    r"(?=[/?#])",
    re.IGNORECASE,
)
_LINKED_NUMBER = re.compile(r"[\s+()\-.0-9]+\Z")


def plain_number(raw: str) -> str:
    """ASCII digits, led by "+" if the number says its country code. Raises Rejected."""
    text = plain_characters(raw).strip()
    scheme = _SCHEME.match(text)
    if scheme is not None:
        text = _from_uri(unquote(scheme[1]))
    elif _LINK.match(link := refanged(text)):
        text = _from_link(link)
    if len(text) > _MAXIMUM_CHARACTERS:
        raise Rejected("The value is too long for one phone number. Give each number its own row.")
    text = _EXTENSION.sub("", text).strip()
    if any(character.isalpha() for character in text):
        raise Rejected("The value holds letters. Write the phone number in digits, alone in its field.")
    number = "".join(character for character in text if character not in _SEPARATORS)
    if number.count("+") > 1 or "," in number or ";" in number or _has_second_ending(text):
        raise Rejected("The value seems to hold more than one phone number. Give each number its own row.")
    if not re.fullmatch(r"\+?[0-9]+", number):
        raise Rejected(
            "The value is not a phone number: it holds other signs than digits, spaces, + - . ( ) and /."
        )
    return number


def _from_uri(body: str) -> str:
    """RFC 3966: number, then parameters after ";"; phone-context completes a local number if it is itself a
    number."""
    number, *parameters = re.split(r"[;?]", body.removeprefix("//"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "phone-context" and not number.strip().startswith("+"):
            if not value.strip().startswith("+"):
                raise Rejected(
                    "The tel: link is local to a network. Write the number with + and its country code."
                )
            return value.strip() + number.strip()
    return number


def _from_link(text: str) -> str:
    """A messenger's deep link always carries the country code, with or without the plus sign."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        raise Rejected("The link cannot be read. Write the phone number itself.") from None
    query = parse_qs(parts.query)
    path = unquote(parts.path).strip("/")
    fragment = unquote(parts.fragment)
    if "phone" in query or "number" in query:
        linked = (query.get("phone") or query["number"])[0]
    elif fragment.startswith("p/"):
        linked = fragment.removeprefix("p/")
    elif (parts.hostname or "").removeprefix("www.") in ("t.me", "telegram.me") and not path.startswith("+"):
        linked = ""  # a Telegram name, which may be written in digits
    else:
        linked = path
    digits = re.sub(r"[^0-9]", "", linked)
    if not digits or not _LINKED_NUMBER.match(linked):
        raise Rejected("The link holds no phone number. Write the number itself.")
    return f"+{digits}"


def _has_second_ending(text: str) -> bool:
    """ "030 123456/7" means two numbers; "030/123456" is one."""
    head, slash, tail = text.rpartition("/")
    return bool(slash) and ("/" in head or sum(character.isdigit() for character in tail) < 3)
