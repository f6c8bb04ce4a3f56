"""Type `person`: a name and a birth date. Only spaces that name the type compare it.

Rule: names in A to Z by ICAO Doc 9303 (`clients.identifiers.person_letters`), each name a word of its own, words
sorted: files disagree on which name comes first, and on which is the family's. Particles (al, van, de, bin), titles and
initials are left out where two names remain. Behind them the birth date: `AMINA KARIMOVA;2050-12-31`. One canonical
form per person; other spellings are asked for, never deposited (`clients.spellings.person_spellings`).

It does not prove that two records are of one person: names and birth dates are shared, and spellings differ. What it
leaks is in docs/threat-model.md.
"""

import re

from clients.identifiers.person_dates import birth_date, date_flags
from clients.identifiers.person_letters import scripts_of, transliterated
from clients.identifiers.plain_text import plain_characters
from clients.identifiers.scripts import LOOK_ALIKE
from clients.identifiers.types import Canonical, Rejected

TYPE = "person"
VERSION = 1
MAXIMUM_NAMES = 10

_SEPARATOR = re.compile("[;|]")
_BETWEEN = re.compile("[-\\s,.<،]+")
_INSIDE = str.maketrans("", "", "'’‘ʼʻʿʾ`´·")
_LEFT_OUT_WORDS = """
    AL EL AD AN AR AS AZ UL BIN BEN IBN BINT BNT BN VAN VON DER DEN DE DI DA DO DOS DAS DEL DELLA LA LE LOS LAS
    DU TER TEN TE ZU ZUM ZUR VOM AF AV Y E I UND ET MR MRS MS MISS DR PROF SIR HERR FRAU MME MLLE M SR SRA SRTA
    JR II III IV HAJI HADJI SHEIKH SHEIK
"""
_LEFT_OUT = frozenset(_LEFT_OUT_WORDS.split())
_NO_NAMES_WORDS = """
    UNKNOWN UNNAMED UNBEKANNT INCONNU INCONNUE DESCONOCIDO DESCONOCIDA SCONOSCIUTO NECUNOSCUT BILINMIYOR
    NEIZVESTNO NN NULL NONE TEST FNU LNU XX XXX XXXX
"""
_NO_NAMES = frozenset(_NO_NAMES_WORDS.split())
_LABELS_WORDS = """
    BORN GEB GEBOREN DOB NEE AKA ALIAS GENANNT DIT DITE NACIDO NACIDA
"""
_LABELS = frozenset(_LABELS_WORDS.split())


def canonicalise_person(raw: str, hint: str | None) -> Canonical:
    """Name and birth date of a person.

    Args:
        raw: the name, a semicolon and the birth date ("Karimova, Amina; 31.12.2050"); without a semicolon the date
            begins at the first digit.
        hint: "day-first" or "month-first" for dates such as 03/04/1990; anything else, such as a country, is not used.

    Raises Rejected.
    """
    # NFKC composes letters with their marks; what marks remain after it no table of ours has.
    name, date = _parts(plain_characters(raw))
    words = _BETWEEN.split(name.translate(_INSIDE))
    names = _names([word for word in words if word])
    born = birth_date(date, hint)
    flags = (LOOK_ALIKE,) if any(len(scripts_of(word)) > 1 for word in words) else ()
    return Canonical(TYPE, VERSION, f"{' '.join(names)};{born.isoformat()}", (*flags, *date_flags(born)))


def _parts(text: str) -> tuple[str, str]:
    parts = _SEPARATOR.split(text)
    if len(parts) > 2:
        raise Rejected("A person is written as name; birth date, with one semicolon.")
    if len(parts) == 1:
        digit = re.search("[0-9]", text)
        at = len(text) if digit is None else digit.start()
        parts = [text[:at], text[at:]]
    name, date = parts[0].strip(" ,*("), parts[1].strip(" ,*()")
    if not date:
        raise Rejected(
            "The birth date is missing. A name alone fits too many people. Write name; year-month-day."
        )
    if not name:
        raise Rejected("The name is missing. Write name; year-month-day.")
    return name, date


def _names(words: list[str]) -> list[str]:
    """The names that count, in A to Z, sorted."""
    if not all(letter.isalpha() for word in words for letter in word):
        raise Rejected(
            "The name holds a sign that names do not have, such as a digit, a bracket or a question mark. Take it out; "
            "a second name that a person goes by is a row of its own."
        )
    plain = [name for name in map(transliterated, words) if name]
    if _LABELS.intersection(plain):
        raise Rejected(
            "The name holds a word such as born or alias. Write one name a row, then a semicolon and the birth date."
        )
    if _NO_NAMES.intersection(plain):
        raise Rejected("The name holds a word that stands for an unknown name, which many records share.")
    names = [name for name in plain if len(name) > 1 and name not in _LEFT_OUT]
    if len(names) < 2:
        names = [name for name in plain if len(name) > 1]
    if len(names) < 2:
        raise Rejected(
            "A person needs two names at least: one name and a birth date fit too many people. An initial is no name."
        )
    if len(names) > MAXIMUM_NAMES:
        raise Rejected(f"There are more than {MAXIMUM_NAMES} names: the row may hold more than one person.")
    return sorted(names)
