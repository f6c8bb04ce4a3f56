"""The reports with noise that an auditor made: drawn once for a period, and the same page ever after.

Rule (decision 0019): noise is hidden by nothing but its being unknown, and the mean of several draws shows the number.
So a report with noise is kept in the home before it is shown; asked for again it is read from there, and another about
any of the same days is refused. Reports with exact numbers are not kept: withholding is their protection.
"""

import dataclasses
import json
from collections.abc import Iterator

from pydantic import TypeAdapter

from broker.protocol.errors import Conflict, VerificationFailed
from clients.auditing.report import Report
from clients.auditing.report_text import day
from clients.home import Home

_REPORT = TypeAdapter(Report)


class Published:
    """The reports with noise about one space in a home folder."""

    def __init__(self, home: Home, space_id: bytes) -> None:
        self._vault = home.vault
        self._folder = f"reports/{space_id.hex()}"

    def find(self, since: int, until: int, epsilon_millis: int) -> Report | None:
        """The report that was made of exactly this; None if no day of the period was told with noise yet.

        Raises Conflict when some of its days were told, and VerificationFailed for a file that was changed."""
        for kept in self._all():
            if (kept.since, kept.asked_until, kept.epsilon_millis) == (since, until, epsilon_millis):
                return kept
            if since < kept.until and kept.since < until:
                raise Conflict(
                    f"A report with noise told the days from {day(kept.since)} up to {day(kept.until)} already, and no "
                    "day is told twice: several draws side by side would show the true numbers. Choose another period, "
                    "or ask for that report again as it was."
                )
        return None

    def keep(self, report: Report) -> None:
        """Keep a report that was drawn; call it before anybody sees it."""
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
                    "would be drawn again."
                ) from None
