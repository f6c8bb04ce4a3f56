"""Type `licence_plate`: a vehicle by its plate, with the country (and state) that issued it.

Rule: country, colon, plate in capital letters: `DE:B-MW1234`, `GB:AB12CDE`, `US-CA:7ABC123`. The country is the hint or
stands in front, and is never guessed. Separators are dropped but where they tell two cars apart (the table of
`clients.identifiers.plate_rules`); where one that counts is missing, the plate is refused. O and 0, I and 1 are never
exchanged, and umlauts stay. Letters of another alphabet are flagged `look-alike`, not read as Latin ones, but for the
letters that the country itself puts on plates. A country without rules here is flagged `plate-rules-unknown`.

It does not know whether a plate was issued, to which car, or since when.
"""

import re
import unicodedata

import phonenumbers

from clients.identifiers.plain_text import plain_characters
from clients.identifiers.plate_rules import (
    DIPLOMATIC,
    DISTRICT_FIRST,
    DROPPED,
    GROUPS_COUNT,
    OWN_LETTERS,
    PLACEHOLDERS,
    SUBDIVISIONS,
)
from clients.identifiers.scripts import LOOK_ALIKE, look_alike_flags
from clients.identifiers.types import Canonical, Rejected

TYPE = "licence_plate"
VERSION = 1
RULES_UNKNOWN = "plate-rules-unknown"

_SEPARATORS = re.compile(r"[\s\-.:·•*/_|]+")
_QUALIFIED = re.compile(r"\s*([A-Za-z]{2}(?:-[A-Za-z]{2,3})?)\s*:(.*)\Z", re.DOTALL)
_MAXIMUM_SIGNS = 12
_MINIMUM_SIGNS = 2


def canonicalise_licence_plate(raw: str, hint: str | None) -> Canonical:
    """Country and plate. Raises Rejected.

    Args: `raw` as found, perhaps with the country in front ("DE: B-MW 1234"); `hint` the country ("DE") or, where
    states issue plates, country and state ("US-CA"), by ISO 3166.
    """
    issuer, text = _issuer(plain_characters(raw), hint)
    country = issuer[:2]
    grouped = _SEPARATORS.sub("-", text.strip()).strip("-")
    plate, is_mixed = _capitals(grouped, country)
    _refuse_what_is_none(plate.replace("-", ""))
    if country in DISTRICT_FIRST:
        return _plate(issuer, _district_first(plate, country))
    if country in GROUPS_COUNT:
        return _plate(issuer, _groups(plate))
    value = plate.replace("-", "")
    if country in DROPPED or country in SUBDIVISIONS:
        return _plate(issuer, value, *((LOOK_ALIKE,) if is_mixed else ()))
    return _plate(issuer, value, RULES_UNKNOWN, *look_alike_flags(value))


def _plate(issuer: str, value: str, *flags: str) -> Canonical:
    return Canonical(TYPE, VERSION, f"{issuer}:{value}", flags)


def _issuer(text: str, hint: str | None) -> tuple[str, str]:
    """Country, or country and state, and the plate without it."""
    named = _known_issuer(hint) if hint is not None and hint.strip() else None
    qualified = _QUALIFIED.match(text)
    if qualified is not None and (
        named is None or qualified[1][:2].upper() in phonenumbers.SUPPORTED_REGIONS
    ):
        own = _known_issuer(qualified[1])
        if named not in (None, own):
            raise Rejected(
                "The country given and the letters in front of the colon differ. Write the plate without the country, "
                "and a hyphen where the colon is."
            )
        return own, qualified[2]
    if named is None:
        raise Rejected(
            "The country of the licence plate is not given, and many countries have the same plates. Name it as the "
            "region, such as DE."
        )
    return named, text


def _known_issuer(code: str) -> str:
    issuer = code.strip().upper()
    country, dash, state = issuer.partition("-")
    if country == "UK":
        issuer = country = "GB"
    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise Rejected(
            "The country given for the licence plate is not a two-letter code such as DE or GB; the sign on the car "
            "(D, A) is not one."
        )
    states = SUBDIVISIONS.get(country)
    if states is not None and state not in states:
        raise Rejected(
            "In this country each state issues plates of its own, and two have the same. Name the state with the "
            "country, such as US-CA or AU-NSW."
        )
    if states is None and dash:
        raise Rejected("The plates of this country belong to no state. Name the country alone, such as DE.")
    return issuer


def _capitals(grouped: str, country: str) -> tuple[str, bool]:
    """In capital letters, the country's own letters as Latin ones; and whether two alphabets were mixed."""
    upper = unicodedata.normalize("NFC", grouped) if "ß" in grouped else grouped.upper()
    own = OWN_LETTERS.get(country)
    plate = upper if own is None else upper.translate(own)
    is_mixed = plate != upper and any("A" <= sign <= "Z" for sign in upper)
    has_rules = country in DROPPED or country in SUBDIVISIONS or country in DISTRICT_FIRST
    allowed = r"[A-Z0-9ÄÖÜ-]*" if country == "DE" else r"[A-Z0-9-]*" if has_rules else r"[^\W_]*(?:-[^\W_]+)*"
    if not re.fullmatch(allowed, plate):
        raise Rejected(
            "The licence plate holds a sign that plates of its country do not have, perhaps a letter of another "
            "alphabet that looks the same. Write it as it stands on the car, in Latin letters where it has them."
        )
    return plate, is_mixed


def _refuse_what_is_none(signs: str) -> None:
    if signs in PLACEHOLDERS or (signs and not signs.strip(signs[0]) and signs[0] in "0X"):
        raise Rejected(
            "This says that there is no plate or that nobody saw it: it would match everyone. Leave it out."
        )
    if not _MINIMUM_SIGNS <= len(signs) <= _MAXIMUM_SIGNS:
        raise Rejected(
            "A licence plate has 2 to 12 letters and digits. Give each plate its own row, and whole."
        )


def _district_first(plate: str, country: str) -> str:
    embassy = DIPLOMATIC.get(country)
    if embassy is not None and embassy.fullmatch(plate):
        return plate
    readings = {
        f"{found[1]}-{found[2].replace('-', '')}"
        for pattern in DISTRICT_FIRST[country]
        if (found := pattern.fullmatch(plate)) is not None
    }
    if len(readings) != 1:
        raise Rejected(
            "The licence plate can be read as that of two cars, or is none of this country. Write a hyphen or space "
            "between the district and the rest, as on the car, and leave out seals and months."
        )
    return readings.pop()


def _groups(plate: str) -> str:
    """Code and number joined by a hyphen; a change between letters and digits parts them too."""
    groups = re.findall(r"[A-Z]+|[0-9]+", plate)
    if len(groups) != 2 or not groups[1].isdigit():
        raise Rejected(
            "The licence plate has a code and a number in this country. Write both, with a space between."
        )
    return "-".join(groups)
