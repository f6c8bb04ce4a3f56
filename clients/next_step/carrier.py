"""What the catalogue says of an instrument that carries a form, as far as a document tells it.

Rule: deadlines are the pack's; the day they end is counted from receipt, which nobody knows yet, and is told as such.
It knows neither case nor form.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Carrier:
    """One instrument for one pair of jurisdictions. Days and hours are None where its law names none."""

    name: str
    title: str
    law: str
    articles: tuple[str, ...]
    answer_days: int | None
    emergency_hours: int | None
    preserve_days: int | None
    extension_days: int | None
    notify_person: str
    review: bool
    doubt: str | None


def deadlines(carrier: Carrier, now: int) -> tuple[str, ...]:
    """The law's times, each with the day it would end if the paper were received at `now` (Unix seconds, UTC)."""
    return tuple(f"{carrier.title}: {line}" for line in _lines(carrier, now))


def _lines(carrier: Carrier, now: int) -> Iterator[str]:
    if carrier.answer_days is not None:
        by = _day(carrier.answer_days, now)
        yield f"an answer within {carrier.answer_days} days of receipt; received today: by {by}"
    if carrier.emergency_hours is not None:
        yield f"in an emergency within {carrier.emergency_hours} hours of receipt"
    if carrier.preserve_days is not None:
        yield f"preserved for {carrier.preserve_days} days; received today: until {_day(carrier.preserve_days, now)}"
    if carrier.extension_days is not None:
        yield f"extended on request by {carrier.extension_days} days"


def _day(days: int, now: int) -> str:
    day = datetime.datetime.fromtimestamp(now, datetime.UTC).date() + datetime.timedelta(days=days)
    return day.isoformat()
