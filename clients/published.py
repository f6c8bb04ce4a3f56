"""The reports for publication that an auditor made: one for a period, and the same page ever after.

Rule (decision 0019): the mean of several draws of noise shows the number, and of two exact reports that share days the
difference is a report too, about days few enough to show what each withheld. So a report is kept in the home before it
is shown; asked for again it is read from there, and another about any of the same days is refused, with noise or
without. Periods are whole calendar months, quarters or years that are over: what began as months goes on in months.
Reports about other days are for the auditor's own eyes, say so, and are not kept.
"""

import dataclasses
import datetime
import json
from collections.abc import Iterator

from pydantic import TypeAdapter

from broker.protocol.errors import BadInput, Conflict, VerificationFailed
from clients.auditing.report import DELAY_DAYS, Report
from clients.auditing.report_text import day
from clients.home import Home

_REPORT = TypeAdapter(Report)
_MONTHS = (1, 3, 12)
"""Of a calendar month, quarter and year."""


def check_period(since: int, until: int) -> tuple[int, int]:
    """Returns the period, once it is one calendar month, quarter or year of UTC. Times are Unix seconds.

    Raises BadInput."""
    first, end = (datetime.datetime.fromtimestamp(each, tz=datetime.UTC) for each in (since, until))
    months = (end.year - first.year) * 12 + end.month - first.month
    begins_at_one = months in _MONTHS and (first.month - 1) % months == 0
    if not (first.day, end.day) == (1, 1) or not begins_at_one:
        raise BadInput(
            "What is published is about one calendar month, quarter or year, so that no two reports can be subtracted: "
            "from its first day up to, not including, the first day after. For other days add --not-for-publication."
        )
    return since, until


def check_over(report: Report) -> Report:
    """Returns the report, once all of its period is told: a part now and the whole later would show the rest.

    Raises BadInput."""
    if report.until < report.asked_until:
        raise BadInput(
            f"The period is not over by {DELAY_DAYS} days, in the mirror and by this computer's clock. Publish it "
            "later, after verifying the log again; for a look of your own add --not-for-publication."
        )
    return report


class Published:
    """The reports for publication about one space in a home folder."""

    def __init__(self, home: Home, space_id: bytes) -> None:
        self._vault = home.vault
        self._folder = f"reports/{space_id.hex()}"

    def find(self, since: int, until: int, epsilon_millis: int | None) -> Report | None:
        """The report that was made of exactly this; None if no day of the period was told yet.

        Raises Conflict when some of its days were told, and VerificationFailed for a file that was changed."""
        for kept in self._all():
            if (kept.since, kept.asked_until, kept.epsilon_millis) == (since, until, epsilon_millis):
                return kept
            if since < kept.until and kept.since < until:
                raise Conflict(
                    f"A report told the days from {day(kept.since)} up to {day(kept.until)} already, and no day "
                    "is told twice: two reports side by side would show what each hides. Choose another period, or "
                    "ask for that report again as it was."
                )
        return None

    def keep(self, report: Report) -> None:
        """Keep a report; call it before anybody sees it."""
        name = f"{self._folder}/{day(report.since)}-to-{day(report.asked_until)}.json"
        members = dataclasses.asdict(report) | {"log_root": report.log_root.hex()}
        self._vault.write_text(name, json.dumps(members, indent=2, sort_keys=True) + "\n")

    def _all(self) -> Iterator[Report]:
        for name in self._vault.names(self._folder):
            try:
                members = json.loads(self._vault.read_text(f"{self._folder}/{name}"))
                members["log_root"] = bytes.fromhex(members["log_root"])
                yield _REPORT.validate_python(members)
            except (ValueError, KeyError, TypeError):
                raise VerificationFailed(
                    "A report that is kept in this home was changed. Put it back from a backup: without it, its months "
                    "could be told again."
                ) from None
