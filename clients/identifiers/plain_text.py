"""What happens to an identifier on its way into a file, undone: other digits, wide letters, invisible marks, and links
made harmless ("defanged") as police reports and threat lists have them.

Rule: only what can mean nothing else is undone. Brackets around a dot or colon are no part of a host name or a number;
round ones may be part of a path and are undone before the path alone.

It does not know any type: each family says which of these it takes.
"""

import re
import unicodedata

_DEFANGED_SCHEME = re.compile(r"\Ah(?:xx|\*\*|tt)p(s?)(?:\[:\]//|\[://\]|:\[//\]|://)", re.IGNORECASE)
_SQUARE = re.compile(r"\[(?:(?P<colon>:)|(?P<slash>/)|\.|dot|punkt|point|punto|punt)\]", re.IGNORECASE)
_ROUND = re.compile(r"\((?:\.|dot|punkt)\)|\{(?:\.|dot)\}", re.IGNORECASE)
_MARKS = "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069"


def plain_characters(raw: str) -> str:
    """ASCII digits, spaces and hyphens, letters of common width; keycap, direction and other marks dropped.

    For numbers, where a mark never means anything; not for names.
    """
    if raw.isascii():
        return raw.replace("\t", " ") if "\t" in raw else raw
    kept = []
    for character in unicodedata.normalize("NFKC", raw):
        category = unicodedata.category(character)
        if category in ("Mn", "Me", "Cf"):
            continue
        if category == "Nd":
            character = str(unicodedata.decimal(character))
        elif category == "Zs" or character == "\t":
            character = " "
        elif category == "Pd" or character == "\u2212":
            character = "-"
        kept.append(character)
    return "".join(kept)


def stripped(raw: str) -> str:
    """Without spaces, direction marks and byte order marks at both ends: they come along when text is copied."""
    text = raw.strip()
    return text if text.isascii() else text.strip(_MARKS).strip()


def refanged(text: str) -> str:
    """A defanged link, host or address as it was: hxxps[:]//example[.]org becomes https://example.org."""
    scheme = _DEFANGED_SCHEME.match(text) if text[:1] in ("h", "H") else None
    if scheme is not None:
        text = f"http{scheme[1].lower()}://{text[scheme.end() :]}"
    if "[.]" in text:
        text = text.replace("[.]", ".")
    if "[" in text:
        text = _SQUARE.sub(lambda found: ":" if found["colon"] else "/" if found["slash"] else ".", text)
    if "(" in text or "{" in text:
        start = text.find("://") + 3 if "://" in text else 0
        end = text.find("/", start)
        end = len(text) if end < 0 else end
        text = _ROUND.sub(".", text[:end]) + text[end:]
    return text
