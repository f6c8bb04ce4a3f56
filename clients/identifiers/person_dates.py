"""Birth dates as people write them, to one calendar day.

Rule: year, month and day must all be there, the year in full, in the Gregorian calendar. Which of 03/04/1990 is the day
is never guessed: the hint says it, or the row is refused. 1 January is flagged, since registries write it for people
whose birthday nobody knows.

It has no clock: a date of the next years is taken. Those after, in which nobody is born yet, are refused, since they
are of another calendar (a Nepali year is 57 more); but the years from 2050 on are for examples, and flagged. A year of
that calendar before 2036 looks like any other.
"""

import datetime
import re
from collections.abc import Callable, Mapping

from clients.identifiers.person_letters import transliterated
from clients.identifiers.types import Rejected

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
DEFAULT_DATE = "default-date"
FOR_EXAMPLES = "for-examples"
FIRST_YEAR, LAST_BIRTH_YEAR, FIRST_EXAMPLE_YEAR, LAST_YEAR = 1900, 2035, 2050, 2099

_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?Z?\Z")
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_EIGHT_DIGITS = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)")
_YEAR_LAST = re.compile(r"(\d{1,2})(?:[-/]|\. ?| )(\d{1,2})(?:[-/]|\. ?| )(\d{4})")
_DAY_WORD = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|er|º)?[-. ]+(?:(?:of|de) )?([^\W\d_]{3,12})[-.,/ ]+(?:de )?(\d{4})", re.I
)
_WORD_DAY = re.compile(r"([^\W\d_]{3,12})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})", re.I)
_SHORT_YEAR = re.compile(r"\d{1,2}[-/. ]+(?:\d{1,2}|[^\W\d_]+)[-/. ]+\d{2}")
_NO_DAY = re.compile(r"(?:\d{1,2}[-/.])?\d{4}|\d{4}[-/.]\d{1,2}|[^\W\d_]+ \d{4}")

# The months' whole names, transliterated: English, German, French, Spanish, Italian, Portuguese, Dutch, Romanian,
# Turkish, and Russian in both cases that dates have.
_MONTHS: Mapping[int, str] = {
    1: "JANUARY JANUAR JANNER JAENNER JANVIER ENERO GENNAIO JANEIRO JANUARI IANUARIE OCAK IANVAR IANVARIA",
    2: "FEBRUARY FEBRUAR FEBER FEVRIER FEBRERO FEBBRAIO FEVEREIRO FEBRUARI FEBRUARIE SUBAT FEVRAL FEVRALIA",
    3: "MARCH MARZ MAERZ MRZ MARS MARZO MARCO MAART MRT MARTIE MART MARTA",
    4: "APRIL AVRIL ABRIL APRILE APRILIE NISAN APREL APRELIA",
    5: "MAY MAI MAYO MAGGIO MAIO MEI MAYIS MAIA",
    6: "JUNE JUNI JUIN JUNIO GIUGNO JUNHO IUNIE HAZIRAN IIUN IIUNIA",
    7: "JULY JULI JUILLET JULIO LUGLIO JULHO IULIE TEMMUZ IIUL IIULIA",
    8: "AUGUST AOUT AGOSTO AUGUSTUS AGUSTOS AVGUST AVGUSTA",
    9: "SEPTEMBER SEPTEMBRE SEPTIEMBRE SETIEMBRE SETTEMBRE SETEMBRO SEPTEMBRIE EYLUL SENTIABR SENTIABRIA",
    10: "OCTOBER OKTOBER OCTOBRE OCTUBRE OTTOBRE OUTUBRO OCTOMBRIE EKIM OKTIABR OKTIABRIA",
    11: "NOVEMBER NOVEMBRE NOVIEMBRE NOVEMBRO NOIEMBRIE KASIM NOIABR NOIABRIA",
    12: "DECEMBER DEZEMBER DECEMBRE DICIEMBRE DICEMBRE DEZEMBRO DECEMBRIE ARALIK DEKABR DEKABRIA",
}  # fmt: skip
_SHORTEST_ABBREVIATION = 3


def birth_date(text: str, hint: str | None) -> datetime.date:
    """The day of birth.

    Args:
        text: the date alone, with ASCII digits and without spaces at its ends.
        hint: "day-first" or "month-first", for dates such as 03/04/1990; others say nothing here.

    Raises: Rejected, saying what is missing.
    """
    text = _MIDNIGHT.sub("", text)
    year, month, day = _read(text, hint)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Rejected(
            "The year of birth is before 1900 or after 2099. A date of another calendar must be converted first."
        )
    if LAST_BIRTH_YEAR < year < FIRST_EXAMPLE_YEAR:
        raise Rejected(
            "Nobody is born in this year yet. A date of another calendar, such as the Nepali one, must be converted "
            "first."
        )
    try:
        return datetime.date(year, month, day)
    except ValueError:
        raise Rejected("There is no such day in the calendar. Look at the birth date again.") from None


def date_flags(born: datetime.date) -> tuple[str, ...]:
    """What a person should see before believing the date. Raises Rejected for a date that stands for "unknown"."""
    if (born.year, born.month, born.day) == (FIRST_YEAR, 1, 1):
        raise Rejected(
            "1 January 1900 is what programs write for an unknown birth date: many would share it."
        )
    flags = (DEFAULT_DATE,) if (born.month, born.day) == (1, 1) else ()
    return (*flags, FOR_EXAMPLES) if born.year >= FIRST_EXAMPLE_YEAR else flags


def _read(text: str, hint: str | None) -> tuple[int, int, int]:
    for form, read in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return read(found)
    found = _YEAR_LAST.fullmatch(text)
    if found is not None:
        return (int(found[3]), *_month_and_day(int(found[1]), int(found[2]), hint))
    if _SHORT_YEAR.fullmatch(text):
        raise Rejected("The year of birth has two digits: write all four.")
    if _NO_DAY.fullmatch(text):
        raise Rejected(
            "The birth date lacks its day or month. A name and a year fit too many people: leave the row out, or find "
            "the whole date."
        )
    raise Rejected("The birth date cannot be read. Write it as year-month-day, such as 2050-12-31.")


def _month_and_day(first: int, second: int, hint: str | None) -> tuple[int, int]:
    if hint == DAY_FIRST:
        return second, first
    if hint == MONTH_FIRST:
        return first, second
    if first > 12 or first == second:
        return second, first
    if second > 12:
        return first, second
    raise Rejected(
        "Which number is the day and which the month? Write year-month-day, or say day-first or month-first as the "
        "hint (in a mapping: person:day-first, or birth-date:day-first for a column of its own)."
    )


def _month(word: str) -> int:
    """Of a whole name, or of a beginning that no other month shares. Another language's word may begin like one of
    these and be another month, so what is longer than a name is not known."""
    plain = transliterated(word)
    if len(plain) >= _SHORTEST_ABBREVIATION:
        found = {
            number
            for number, names in _MONTHS.items()
            if any(name.startswith(plain) for name in names.split())
        }
        if len(found) == 1:
            return found.pop()
    raise Rejected("The month of the birth date is not known. Write the date as year-month-day.")


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[int, int, int]]], ...] = (
    (_YEAR_FIRST, lambda found: (int(found[1]), int(found[3]), int(found[4]))),
    (_EIGHT_DIGITS, lambda found: (int(found[1]), int(found[2]), int(found[3]))),
    (_DAY_WORD, lambda found: (int(found[3]), _month(found[2]), int(found[1]))),
    (_WORD_DAY, lambda found: (int(found[3]), _month(found[1]), int(found[2]))),
)
