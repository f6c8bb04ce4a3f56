"""The transparency report as JSON members, Markdown and CSV.

Rule: the three say the same, in the words of `words_of`; a number that is withheld is said to be, and is never a blank
or a nought. What is told is `clients.auditing.report`'s to say.
"""

import datetime
import math
import re
from collections.abc import Iterator
from typing import Any

from clients.auditing.report import DELAY_DAYS, MEDIAN_OF, QUARTILES_OF, Listing, Report
from clients.auditing.report_words import LEADS, date_in_words, period_in_words
from clients.auditing.small_cells import LEAST
from clients.remote import readable
from clients.writers.csv_text import CsvCell, csv_text

WITHHELD = "withheld"
NOT_FOR_PUBLICATION = (
    "NOT FOR PUBLICATION: beside a published report about some of the same days it shows what that one "
    "withholds. "
)
_MARKUP = re.compile(r"[\\`*\[\]!|<>&]")
"""What Markdown gives a meaning, an image to be fetched from elsewhere among it."""


def day(seconds: int) -> str:
    """The day of a time, UTC, as 2027-01-31."""
    return f"{datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC):%Y-%m-%d}"


def words_of(report: Report) -> list[str]:
    """What a reader should know before the numbers, a paragraph each."""
    cut = report.until < report.asked_until
    asked = f" It was asked for up to {date_in_words(report.asked_until - 1)}." if cut else ""
    private = "" if report.for_publication else NOT_FOR_PUBLICATION
    return [
        f"{private}From {period_in_words(report)}, both days included (UTC).{asked} The last {DELAY_DAYS} days before "
        "the log was copied are left out, so that no report betrays a case under way.",
        _exact() if report.epsilon_millis is None else _noised(report.epsilon_millis),
        f"Counted from the {report.log_size:,} entries of the log {report.log_origin}, by an auditor who checked that "
        f"they are whole and in order. Who has the log can check it too: its signed root is {report.log_root.hex()}.",
    ]


def _exact() -> str:
    return (
        f"Numbers below {LEAST} are withheld, because who knows of two or three cases by another way would learn the "
        "rest; and some larger ones, where a withheld one could be worked out from a sum. What is withheld is not "
        'named and stands as "others". No day is told in two published reports: their difference would be a third.'
    )


def _noised(epsilon_millis: int) -> str:
    epsilon = epsilon_millis / 1000
    return (
        f"The numbers have chance added to them (differential privacy, epsilon {epsilon:g}): with any one request, "
        f"deposit or act of taking back left out of the log, this same report would be at most {math.exp(epsilon):.1f} "
        "times as likely, or as unlikely. That bounds what it gives away of any one of them, whatever else a reader "
        "knows; the nearer to 1, the less. It hides one request, not how much an agency asks over all. Small numbers "
        "are therefore not withheld, and a number smaller than its list's margin says little. The chance was drawn "
        "once for these months; the exact numbers of the same months must not be published beside it."
    )


def hours_of(report: Report) -> list[tuple[str, str]]:
    """The lines on the time from filing to answer: name, and hours or why there are none."""
    if report.epsilon_millis is not None:
        return [("time to answer", "not told in a report with noise")]
    hours = report.hours
    return [
        ("a quarter was answered within", _told(hours.lower_quartile, QUARTILES_OF)),
        ("half was answered within", _told(hours.median, MEDIAN_OF)),
        ("three quarters were answered within", _told(hours.upper_quartile, QUARTILES_OF)),
    ]


def total_of(listing: Listing) -> str | None:
    """The sum of a list in words, None where its lines have none."""
    if listing.note:
        return None
    return WITHHELD if listing.total is None else str(listing.total)


def members(report: Report) -> dict[str, Any]:
    """The report as JSON members."""
    return {
        "space": report.space,
        "log_origin": report.log_origin,
        "log_size": report.log_size,
        "log_root": report.log_root.hex(),
        "since": day(report.since),
        "until": day(report.until),
        "asked_until": day(report.asked_until),
        "delay_days": DELAY_DAYS,
        "least": LEAST if report.epsilon_millis is None else None,
        "epsilon_millis": report.epsilon_millis,
        "for_publication": report.for_publication,
        "lists": {
            each.key: {
                "title": each.title,
                "rows": [
                    {"name": row.name, "number": row.number, "explanation": row.explanation}
                    for row in each.rows
                ],
                "withheld": each.withheld,
                "total": each.total,
                "note": each.note,
            }
            for each in report.listings
        },
        "hours_to_answer": {
            "lower_quartile": report.hours.lower_quartile,
            "median": report.hours.median,
            "upper_quartile": report.hours.upper_quartile,
        },
    }


def markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [f"# Transparency report: {_cell(report.space)}", ""]
    for words in words_of(report):
        lines += [words, ""]
    for listing in report.listings:
        lines += [f"## {listing.title}", ""]
        lines += [LEADS[listing.key], ""] if listing.key in LEADS else []
        lines += ["| | number | |", "|---|---:|---|"]
        lines += [f"| {_cell(row.name)} | {row.number} | {_cell(row.explanation)} |" for row in listing.rows]
        if listing.withheld:
            lines.append(f"| others | {WITHHELD} | |")
        summed = total_of(listing)
        lines += ["" if summed is None else f"| all | {summed} | |"]
        lines += [listing.note, ""] if listing.note else [""]
    lines += ["## Hours from filing to answer", "", "| | hours |", "|---|---:|"]
    lines += [f"| {name} | {told} |" for name, told in hours_of(report)]
    return "\n".join(lines) + "\n"


def comma_separated(report: Report) -> str:
    """The report as CSV (RFC 4180): list, name, number, explanation; a withheld number is the word."""
    return csv_text(("list", "name", "number", "explanation"), *_rows(report))


def _rows(report: Report) -> Iterator[tuple[CsvCell, ...]]:
    for number, words in enumerate(words_of(report), start=1):
        yield ("about", number, "", words)
    for listing in report.listings:
        for row in listing.rows:
            yield (listing.key, readable(row.name), row.number, readable(row.explanation))
        if listing.withheld:
            yield (listing.key, "others", WITHHELD, "")
        if listing.note:
            yield (listing.key, "note", "", listing.note)
        else:
            yield (listing.key, "all", WITHHELD if listing.total is None else listing.total, "")
    for name, told in hours_of(report):
        yield ("hours_to_answer", name, told, "")


def _told(hours: float | None, least: int) -> str:
    return f"{WITHHELD}: fewer than {least} answers" if hours is None else f"{hours:.1f}"


def _cell(text: str) -> str:
    """Names, reasons and law are the record's, so the broker's or a requester's words, and not this report's."""
    return _MARKUP.sub(lambda each: f"&#{ord(each[0])};", readable(text))
