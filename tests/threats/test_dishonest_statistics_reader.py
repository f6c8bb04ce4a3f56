"""A contributor that watches its statistics to learn who asked, how often exactly, or when."""

import itertools
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from broker import statistics
from broker.months import end_of, month_of
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import Tier
from tests import exchange_story
from tests.exchange_story import COMPANIES, Story, token
from tests.messages_examples import NOW
from tests.world import policies

pytestmark = pytest.mark.all_only

UNITS = ("unit-1", "unit-2", "unit-3", "unit-4", "unit-5")
DAY_SECONDS = 86_400
PUBLISHED_AT = end_of(month_of(NOW)) + 7 * DAY_SECONDS

Read = Callable[[Sequence[str]], bytes]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """What company-1 reads of a month in which these units filed one request each, in this order: bytes.

    All else is the same each time, down to keys and randomness."""
    monkeypatch.setattr(exchange_story, "POLICE", UNITS)

    def page(requesters: Sequence[str]) -> bytes:
        folder = tmp_path / "broker"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        story = Story(folder, policies())
        for company in COMPANIES[:3]:
            story.deposit(company, [token(index) for index in range(5)])
        for number, requester in enumerate(requesters):
            story.now = NOW + number * 3600
            story.file(story.request(identifiers=10, requester=requester))
        story.now = PUBLISHED_AT
        told = encode(statistics.statistics_for(story.broker, story.caller("company-1")))
        story.stop()
        return told

    return page


def test_a_contributor_cannot_tell_whether_a_given_agency_asked(read: Read) -> None:
    """The same number of requests on the same grounds, with unit-5 among them and without: byte for byte the same."""
    with_unit_5 = read(["unit-1", "unit-2", "unit-3", "unit-5"] * 3)
    assert b'"asked":' in with_unit_5
    assert b'"asked":null' not in with_unit_5
    assert read(["unit-1", "unit-2", "unit-3", "unit-4"] * 3) == with_unit_5
    assert read(["unit-5"] * 7 + ["unit-1"] * 3 + ["unit-2", "unit-3"]) == with_unit_5
    assert not any(unit.encode() in with_unit_5 for unit in UNITS)


def test_a_contributor_cannot_tell_an_agency_that_asked_alone_from_silence(read: Read) -> None:
    silence = read([])
    assert read(["unit-1"] * 12) == silence
    assert read(["unit-1"] * 11 + ["unit-2"]) == silence
    assert read(["unit-1", "unit-2", "unit-3", "unit-4"]) == silence


def test_a_contributor_cannot_tell_when_within_the_month(read: Read) -> None:
    assert read([*UNITS, *UNITS, "unit-1"]) == read(["unit-1", *reversed(UNITS), *UNITS])


def test_an_agency_that_subtracts_its_own_requests_is_left_with_about_so_many(read: Read) -> None:
    """One request more moves a number by one step of five or not at all, so what is left is never exact."""
    pages = [read([UNITS[at % 5] for at in range(number)]) for number in range(14, 20)]
    numbers = [[int(text) for text in re.findall(rb'"(?:requests|asked)":([0-9]+)', page)] for page in pages]
    for before, after in itertools.pairwise(numbers):
        assert all(more - fewer in (0, 5) for fewer, more in zip(before, after, strict=True))
    assert all(number % 5 == 0 for page in numbers for number in page)


def test_watching_day_by_day_shows_nothing_until_the_month_is_published_and_no_change_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_story, "POLICE", UNITS)
    story = Story(tmp_path, policies())
    for company in COMPANIES[:3]:
        story.deposit(company, [token(1)])
    seen: dict[str, set[bytes]] = {}
    for day in range(0, 60, 2):
        story.now = NOW + day * DAY_SECONDS
        if day < 20:
            story.file(story.request(requester=UNITS[day // 2 % 5], tier=Tier.HITS))
        told = statistics.statistics_for(story.broker, story.caller("company-1"))
        assert all(end_of(each.month) + 7 * DAY_SECONDS <= story.now for each in told.months)
        for each in told.months:
            seen.setdefault(each.month, set()).add(encode(each))
    assert list(seen) == ["2026-09", "2026-10"]
    assert all(len(versions) == 1 for versions in seen.values())
    # Other settings tried on what is published find the rows gone.
    settings = story.broker.settings.model_copy(update={"statistics_agencies": 2})
    story.broker = replace(story.broker, settings=settings)
    told = statistics.statistics_for(story.broker, story.caller("company-1"))
    assert {encode(each) for each in told.months} == {version for each in seen.values() for version in each}
    story.stop()
