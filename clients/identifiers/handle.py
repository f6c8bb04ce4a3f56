"""Type `handle`: an account name, qualified by its platform: `telegram:alice_99`.

Rule: the same name on two platforms is two people until somebody shows otherwise, so the platform is part of the form
and is never guessed: it is the hint, the link's host, or written in front ("IG: alice"). Names are prepared by PRECIS
(RFC 8265 3.3, UsernameCaseMapped: small letters, common width, NFC, no invisible sign), then held to the platform's
own rule. Letters of another writing system than the platform takes are kept and flagged, never folded: Cyrillic a is
another account, or a disguise that somebody wrote down. Words that stand for "no account" are refused.

It does not ask whether the account exists, and knows no display names.
"""

import re
import unicodedata
from urllib.parse import parse_qs, unquote, urlsplit

from precis_i18n import get_profile

from clients.identifiers.plain_text import refanged, stripped
from clients.identifiers.platforms import PLATFORMS, Platform, platform_at, platform_called
from clients.identifiers.scripts import look_alike_flags
from clients.identifiers.types import Canonical, Rejected

TYPE = "handle"
VERSION = 1
NOT_VALID = "not-valid"

_PROFILE = get_profile("UsernameCaseMapped")
_LINK = re.compile(r"(?:https?|tg)://|(?:[a-z0-9-]+\.)+[a-z]{2,}/|tg:resolve", re.IGNORECASE)
_PHONE_NUMBER = re.compile(r"\+[0-9 ().-]{6,}|(?=.*[ ()])[0-9 ().-]{7,}")
_AT = re.compile("[@＠﹫]")
_NOBODY_WORDS = """
    none null nil unknown unbekannt inconnu desconocido onbekend private privat deleted user username handle name
    profile account test anon hidden notavailable
"""
_NOBODY = frozenset(_NOBODY_WORDS.split())
_NO_ACCOUNT = (
    "The link does not lead to an account. Open the profile, and copy the name or the link from there."
)


def canonicalise_handle(raw: str, hint: str | None) -> Canonical:
    """Platform and name of an account, from the name, with @ or not, or a link to the profile.

    Args: `raw` as found; `hint` the platform ("telegram", "IG"), needed where the value does not say it.
    Raises: Rejected.
    """
    text = stripped(raw)
    if "／" in text:
        text = unicodedata.normalize("NFKC", text)  # no name has a slash: a link in wide letters
    named = _hinted(hint)
    platform, written = _from_link(text, named) if _is_link(text) else _from_words(text, named)
    name = _prepared(written)
    if platform.ignored:
        name = name.replace(platform.ignored, "")
    return Canonical(TYPE, VERSION, f"{platform.slug}:{name}", _flags(platform, name))


def _hinted(hint: str | None) -> Platform | None:
    if hint is None or not hint.strip():
        return None
    platform = platform_called(hint)
    if platform is None:
        raise Rejected(f"The platform given for the account is not known. Known are {', '.join(PLATFORMS)}.")
    return platform


def _is_link(text: str) -> bool:
    return ("/" in text or "tg:" in text) and _LINK.match(refanged(text) + "/") is not None


def _one(named: Platform | None, found: Platform | None) -> Platform:
    """The platform, if what was given and what the value says agree."""
    if found is None and named is None:
        raise Rejected(
            "The account name alone does not say its platform. Name the platform, such as telegram, or give the link."
        )
    if found is not None and named is not None and found is not named:
        raise Rejected("The value names another platform than the one given. Correct one of the two.")
    platform = found or named
    assert platform is not None
    return platform


def _from_words(text: str, named: Platform | None) -> tuple[Platform, str]:
    """A bare name, or one with its platform in front: "telegram: @alice"."""
    head, colon, tail = text.partition(":")
    found = platform_called(head) if colon else None
    platform = _one(named, found)
    name = (tail if found is not None else text).strip()
    if found is not None and _is_link(name):
        return _from_link(name, platform)
    if found is not None and platform.slug == "skype":
        name = name.partition("?")[0]
    mark = re.match(platform.marks, _AT.sub("@", name[:1]) + name[1:], re.IGNORECASE)
    return platform, name if mark is None else name[mark.end() :]


def _from_link(text: str, named: Platform | None) -> tuple[Platform, str]:
    """The name in a profile link. Telegram's may also stand before its host: alice.t.me."""
    text = refanged(text)
    try:
        parts = urlsplit(text.replace("tg:resolve", "tg://resolve") if "://" not in text else text)
        parts = parts if parts.netloc else urlsplit(f"https://{text}")
        host = (parts.hostname or "").removesuffix(".")
    except ValueError:
        raise Rejected("The link cannot be read. Give the account name itself, with its platform.") from None
    host = f"tg:{host}" if parts.scheme == "tg" else host
    platform, path = platform_at(host), unquote(parts.path)
    if host.endswith(".t.me") and host != "www.t.me":
        platform, path = PLATFORMS["telegram"], f"/{host.removesuffix('.t.me')}"
    if platform is None:
        raise Rejected(
            "The link is not to a platform that is known here. Give it as a url, or give the account name itself."
        )
    _one(named, platform)
    return platform, _linked_name(platform, path, parse_qs(parts.query))


def _linked_name(platform: Platform, path: str, query: dict[str, list[str]]) -> str:
    if platform.parameter and platform.parameter in query:
        return query[platform.parameter][0]
    found = platform.profile_of.fullmatch(path.rstrip("/"))
    name = "" if found is None else found[found.lastindex or 0]
    if not name or name.lower() in platform.pages.split() or name.startswith("+"):
        raise Rejected(_NO_ACCOUNT)
    return name


def _prepared(name: str) -> str:
    if _PHONE_NUMBER.fullmatch(name):
        raise Rejected("The value looks like a phone number and not an account name. Give it as a phone.")
    if "@" in name and "." in name.rpartition("@")[2]:
        raise Rejected("The value looks like an e-mail address and not an account name. Give it as an email.")
    if re.search(r"\s", name):
        raise Rejected("An account name has no spaces. Give the account name, not the name that is shown.")
    if not name:
        raise Rejected("The account name is empty.")
    try:
        return str(_PROFILE.enforce(name))
    except UnicodeEncodeError:
        # The library's own text repeats the value.
        raise Rejected(
            "The account name holds a sign that no account name has: an invisible or decorated one. "
            "Copy the name from the profile."
        ) from None


def _flags(platform: Platform, name: str) -> tuple[str, ...]:
    """Raises Rejected if the name cannot be one of the platform's, or is nobody's."""
    if name in _NOBODY or name == platform.slug:
        raise Rejected("The word is no account of anybody: it would match all who have none. Leave it out.")
    if name.isascii():
        fits, flags = platform.name_of.fullmatch(name), ()
    else:
        # Held to length and signs; which other letters a platform takes changes too often to be a rule.
        fits = platform.name_of.fullmatch(re.sub(r"[^\x00-\x7f]", "a", name))
        flags = (*look_alike_flags(name), *((NOT_VALID,) if platform.letters == "latin" else ()))
    if fits is None:
        raise Rejected(
            f"A name of this platform has {platform.rule}. Give the account name and nothing else."
        )
    return flags
