"""What is published is about whole calendar periods, and no day is told twice: reports would be subtracted."""

import dataclasses
import datetime
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, Conflict
from broker.protocol.messages.vocabulary import Role
from clients.auditing.report import Hours, Report
from clients.auditing.report_text import words_of
from clients.home import Home, Persona
from clients.published import Published, check_over, check_period

SPACE = bytes(16)


def seconds(day: str) -> int:
    return int(datetime.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())


def report(
    since: str, until: str, told_until: str | None = None, epsilon_millis: int | None = None
) -> Report:
    return Report(
        space="Example space",
        log_origin="broker.example.org/log",
        since=seconds(since),
        until=seconds(told_until or until),
        asked_until=seconds(until),
        log_size=7,
        log_root=bytes(32),
        listings=(),
        hours=Hours(None, None, None),
        epsilon_millis=epsilon_millis,
    )


@pytest.fixture
def published(tmp_path: Path) -> Published:
    persona = Persona("auditor-1", "Auditor 1", Role.AUDITOR, "NL")
    home = Home.create(tmp_path / "auditor-1", persona, now=seconds("2026-11-18"), random_bytes=bytes)
    return Published(home, SPACE)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-01", "2026-12-01"),
        ("2026-12-01", "2027-01-01"),
        ("2028-02-01", "2028-03-01"),
        ("2026-10-01", "2027-01-01"),
        ("2026-01-01", "2026-04-01"),
        ("2026-01-01", "2027-01-01"),
    ],
)
def test_a_calendar_month_quarter_or_year_may_be_published(since: str, until: str) -> None:
    assert check_period(seconds(since), seconds(until)) == (seconds(since), seconds(until))


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-01", "2026-11-30"),
        ("2026-11-02", "2026-12-02"),
        ("2026-11-01", "2027-01-01"),
        ("2026-11-01", "2027-02-01"),
        ("2026-04-01", "2027-04-01"),
        ("2026-01-01", "2028-01-01"),
        ("2026-11-01", "2026-11-01"),
        ("2026-12-01", "2026-11-01"),
    ],
)
def test_other_days_may_not(since: str, until: str) -> None:
    with pytest.raises(BadInput, match="--not-for-publication"):
        check_period(seconds(since), seconds(until))


def test_a_period_that_is_not_over_is_told_later_and_whole() -> None:
    whole = report("2026-11-01", "2026-12-01")
    assert check_over(whole) == whole
    with pytest.raises(BadInput, match="not over"):
        check_over(report("2026-11-01", "2026-12-01", told_until="2026-11-28"))


@pytest.mark.parametrize(
    ("since", "until", "epsilon_millis"),
    [
        ("2026-11-01", "2026-12-01", 1000),
        ("2026-10-01", "2027-01-01", None),
        ("2026-01-01", "2027-01-01", None),
        ("2026-01-01", "2027-01-01", 1000),
    ],
)
def test_what_was_told_exactly_is_told_again_as_it_was_and_in_no_other_report(
    published: Published, since: str, until: str, epsilon_millis: int | None
) -> None:
    november = report("2026-11-01", "2026-12-01")
    published.keep(november)
    assert published.find(november.since, november.until, None) == november
    with pytest.raises(Conflict, match="no day is told twice"):
        published.find(seconds(since), seconds(until), epsilon_millis)


def test_the_next_month_is_told(published: Published) -> None:
    published.keep(report("2026-11-01", "2026-12-01"))
    assert published.find(seconds("2026-12-01"), seconds("2027-01-01"), None) is None
    assert published.find(seconds("2026-10-01"), seconds("2026-11-01"), 1000) is None


def test_what_is_not_for_publication_says_so_first() -> None:
    private = dataclasses.replace(report("2026-11-01", "2026-12-01"), for_publication=False)
    assert words_of(private)[0].startswith("NOT FOR PUBLICATION")
    assert "PUBLICATION" not in words_of(report("2026-11-01", "2026-12-01"))[0]
