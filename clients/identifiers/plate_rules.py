"""What counts on a licence plate, by the country that issues it.

Rule: where a country's plates have one reading without spaces and hyphens, these are dropped; where two cars would
become one, the separator that tells them apart is kept. A country that is not in these tables loses its separators too,
and its plates are flagged, since nobody here looked. A changed table is a new version of the type.

It holds facts only: see `clients.identifiers.vehicle` for what is done with them.
"""

import re

_DROPPED = """
    AL AR BA BE BG BR BY CH CL CO CY CZ DK EE ES FI FR GB GR HR HU IE IS IT KE LT LU LV ME MK MT MX NG NL NO PE PL
    PT RO RS RU SE SI SK TR UA XK ZA
"""
DROPPED = frozenset(_DROPPED.split())
"""Groups have fixed sizes, or letters and digits alternate, so that a plate has one reading without separators."""

# District, letters, number: B-MW 1234 and BM-W 1234 are two cars, as are W-LAB 1 and WL-AB 1 (own-choice plates in
# Austria). The letter groups are kept apart by one hyphen; a plate whose letters are followed by digits at once has
# one reading in Austria, and in Germany only with a separator (authorities: BYL-4).
DISTRICT_FIRST = {
    "AT": (
        re.compile(r"([A-Z]{1,2})-?([0-9][0-9-]*(?:-?[A-Z]{1,3})?)"),
        re.compile(r"([A-Z]{1,2})-([A-Z]{1,5}-?[0-9]{1,5})"),
    ),
    "DE": (
        re.compile(r"([A-ZÄÖÜ]{1,3})-([A-Z]{1,2}-?[1-9][0-9]{0,3}-?[EH]?)"),
        re.compile(r"([A-ZÄÖÜ]{1,3})-([0-9](?:-?[0-9]){0,5})"),
    ),
}
"""Patterns of (district)-(rest), separators written as one hyphen; hyphens within the rest do not count."""

DIPLOMATIC = {"DE": re.compile(r"0-[0-9]{1,3}-[0-9]{1,3}[A-Z]?")}
"""Plates of embassies, whose groups of digits all count."""

_SUBDIVISIONS = {
    "AE": "AJ AZ DU FU RK SH UQ",
    "AU": "ACT NSW NT QLD SA TAS VIC WA",
    "CA": "AB BC MB NB NL NS NT NU ON PE QC SK YT",
    "US": """
        AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO MP MS MT NC ND NE NH NJ NM NV
        NY OH OK OR PA PR RI SC SD TN TX UT VA VI VT WA WI WV WY
    """,
}
SUBDIVISIONS = {country: frozenset(states.split()) for country, states in _SUBDIVISIONS.items()}
"""Countries whose states issue plates: two states give one number to two cars (ISO 3166-2 codes)."""

GROUPS_COUNT = frozenset({"AE"})
"""Code and number are both digits in some emirates: 5 12345 and 51 2345 are two cars."""

_CYRILLIC = str.maketrans("АВЕКМНОРСТУХІ", "ABEKMHOPCTYXI")
_GREEK = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX")
OWN_LETTERS = {
    **dict.fromkeys(("BG", "BY", "RU", "UA"), _CYRILLIC),
    **dict.fromkeys(("CY", "GR"), _GREEK),
    "TR": str.maketrans("İı", "II"),
}
"""Letters of the country's alphabet that its plates take, as the Latin letter that is the same plate.

These countries take only letters that both alphabets have, so that a plate has one reading abroad (Vienna Convention on
Road Traffic, annex 2; GOST R 50577). Elsewhere no other alphabet is read as Latin."""

_PLACEHOLDERS = """
    NOPLATE NOPLATES NONE NULL UNKNOWN UNKN UNK NA NIL NOTAG NOTAGS MISSING TEMP TEST XXX XXXX SAMPLE
    KEINE KEINS OHNE UNBEKANNT SANSPLAQUE INCONNU SINPLACA SINMATRICULA DESCONOCIDO GEEN ONBEKEND PLAKASIZ
"""
PLACEHOLDERS = frozenset(_PLACEHOLDERS.split())
"""What people type when a car has no plate or nobody saw it."""
