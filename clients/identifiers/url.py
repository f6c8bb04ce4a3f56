"""Type `url`: a link of the web, as two people who saw the same page would both write it.

Rule: RFC 3986 6.2.2 and 6.2.3 (case, percent-encoding, dot segments, default port), RFC 3987 3.1 for other letters, and
by choice: parameters sorted by name, those that only track the click dropped (`clients.identifiers.tracking`), the
fragment dropped unless it is a route of the page ("#/", "#!"). Two slashes in a path, a slash at its end, "www." and
http against https are kept apart: a server may answer differently.

Links with a name and password in them, links into local networks, and the front pages that everybody visits are
refused. It opens no link and follows no shortener or redirect.
"""

import re
import unicodedata

from clients.identifiers.plain_text import refanged, stripped
from clients.identifiers.tracking import is_tracking
from clients.identifiers.types import Canonical, Rejected
from clients.identifiers.web_host import canonical_host

TYPE = "url"
VERSION = 1
ENDS_IN_PUNCTUATION = "ends-in-punctuation"

_PARTS = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?\Z", re.IGNORECASE | re.DOTALL)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# RFC 3986 3.3 and 3.4: pchar and slash; in a query and a fragment the question mark too.
_IN_PATH = re.compile(r"%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
_IN_QUERY = re.compile(r"%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]")
_INVISIBLE = re.compile(
    r"[\s\x00-\x1f\x7f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HIGHEST_PORT = 65535
_MAXIMUM_CHARACTERS = 2048
_EVERYBODYS_SITES = """
    google.com youtube.com facebook.com instagram.com whatsapp.com wikipedia.org x.com twitter.com tiktok.com reddit.com
    amazon.com yahoo.com bing.com live.com microsoft.com office.com outlook.com apple.com icloud.com netflix.com
    linkedin.com pinterest.com snapchat.com telegram.org t.me wa.me vk.com ok.ru yandex.ru baidu.com duckduckgo.com
    booking.com airbnb.com paypal.com onlyfans.com craigslist.org
"""
_EVERYBODYS = frozenset(_EVERYBODYS_SITES.split())


def canonicalise_url(raw: str, hint: str | None) -> Canonical:
    """The link in its one written form.

    Args: `raw` as found, defanged or not; `hint` the scheme ("https") of a link that was written without one.
    Raises: Rejected.
    """
    found = _PARTS.match(_with_scheme(_written(raw), hint))
    if found is None:
        raise Rejected("The value is not a link that begins with http:// or https://. Copy it whole.")
    scheme = found[1].lower()
    host, port, flags = _authority(found[2], scheme)
    path = _without_dot_segments(_normal(found[3], _IN_PATH)) or "/"
    query = _query(found[4] or "")
    fragment = _route(found[5] or "")
    if path == "/" and not query and not fragment and re.sub(r"\A(?:www|m)\.", "", host) in _EVERYBODYS:
        raise Rejected(
            "The link is the front page of a site that everybody visits. Give the link of the page itself."
        )
    value = f"{scheme}://{host}{port}{path}{query}{fragment}"
    if len(value) > _MAXIMUM_CHARACTERS:
        raise Rejected(
            f"The link is longer than {_MAXIMUM_CHARACTERS:,} characters, with other letters written as %XX. "
            "Such links hold a visitor's session: give the link of the page itself."
        )
    if value[-1] in ".,;!":
        flags = (*flags, ENDS_IN_PUNCTUATION)
    return Canonical(TYPE, VERSION, value, flags)


def _written(raw: str) -> str:
    """The link out of the marks around it (RFC 3986 C), refanged, with the slashes that browsers read."""
    text = stripped(raw)
    if text[:1] + text[-1:] in ("<>", '""', "''", "“”", "„“", "«»"):
        text = text[1:-1].strip()
    if text[:1] in ("ｈ", "Ｈ"):
        # A whole link typed in wide letters; in a path of a link that is otherwise plain they are letters.
        text = unicodedata.normalize("NFKC", text)
    text = refanged(unicodedata.normalize("NFC", text))
    if _INVISIBLE.search(text):
        raise Rejected(
            "The link holds a space, a line break or an invisible sign. Write one link, in one piece."
        )
    head, mark, tail = text.partition("?")
    return head.replace("\\", "/") + mark + tail.replace("&amp;", "&")


def _with_scheme(text: str, hint: str | None) -> str:
    if "://" in text.partition("?")[0]:
        return text
    scheme = (hint or "").strip().lower().removesuffix("://")
    if re.match(r"[a-z][a-z0-9+-]*:(?![0-9])", text, re.IGNORECASE):
        raise Rejected("The value is not a link of the web: it does not begin with http:// or https://.")
    if scheme not in _DEFAULT_PORTS:
        raise Rejected(
            "The link lacks its beginning, http:// or https://, and these may be two pages. Copy it whole, or name "
            "https as the hint if you are sure."
        )
    return f"{scheme}://{text.removeprefix('//')}"


def _authority(written: str, scheme: str) -> tuple[str, str, tuple[str, ...]]:
    if "@" in written:
        raise Rejected(
            "The link holds a name or a password before an @ sign. Remove it: it must not be passed on."
        )
    host, colon, port = written.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = written, ""
    if not host:
        raise Rejected("The link names no host. Copy it whole.")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT):
        raise Rejected("The port of the link, after the colon, is not a number up to 65535.")
    name, flags = canonical_host(host)
    kept = port and int(port) != _DEFAULT_PORTS[scheme]
    return name, f":{int(port)}" if kept else "", flags


def _normal(text: str, special: re.Pattern[str]) -> str:
    """RFC 3986 6.2.2.1 and 6.2.2.2: unreserved signs plain, all others that are not allowed there in %XX."""
    return special.sub(_encoded, text)


def _encoded(found: re.Match[str]) -> str:
    if found[1] is None:
        return "".join(f"%{byte:02X}" for byte in found[0].encode())
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else f"%{found[1].upper()}"


def _without_dot_segments(path: str) -> str:
    """RFC 3986 5.2.4."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for place, segment in enumerate(segments, start=1):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
        if segment in (".", "..") and place == len(segments):
            kept.append("")
    return "/" + "/".join(kept)


def _query(written: str) -> str:
    """Sorted by name, with the parameters of one name in the order written: it may count."""
    if not written:
        return ""
    parameters = [each for each in _normal(written, _IN_QUERY).split("&") if each]
    kept = sorted((each for each in parameters if not is_tracking(_name(each))), key=_name)
    return "?" + "&".join(kept) if kept else ""


def _name(parameter: str) -> str:
    return parameter.partition("=")[0]


def _route(fragment: str) -> str:
    """Some sites have all their pages behind the # sign: without it each would be the same page."""
    route = _normal(fragment, _IN_QUERY).partition(":~:")[0]
    return f"#{route}" if route[:1] in ("/", "!") and len(route) > 1 else ""
