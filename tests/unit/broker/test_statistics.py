"""Contributors read how often they were asked and on what grounds: whole months, about, and never who asked."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from broker import askings, exchange, retention, statistics
from broker.gate.bundle import Bundle
from broker.gate.decide import decide_deposit
from broker.months import end_of, month_of
from broker.protocol.errors import NotPermitted, Unavailable
from broker.protocol.messages.outcomes import Cell, SeriesMonth, Statistics
from broker.protocol.messages.vocabulary import AgencyKind, Offence, Purpose, Role, Tier
from broker.refusals import GateRefusal
from broker.store import statistics as rows
from broker.store import tables
from tests import exchange_story
from tests.exchange_story import COMPANIES, Story, token
from tests.gate_world import deposit_facts
from tests.messages_examples import CONDITIONS, NOW
from tests.world import policies

pytestmark = pytest.mark.all_only

UNITS = ("unit-1", "unit-2", "unit-3", "unit-4")
MONTH = month_of(NOW)
DAY_SECONDS = 86_400
PUBLISHED_AT = end_of(MONTH) + 7 * DAY_SECONDS
ALMOST_EXACT = 10_000
"""Thousandths of epsilon: noise other than 0 comes once in ten thousand draws, so that tests read plain numbers."""

Made = Callable[..., Story]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Makes a broker with three companies that deposited and four police units that may ask."""
    monkeypatch.setattr(exchange_story, "POLICE", UNITS)
    made: list[Story] = []

    def story(*, bundle: Bundle | None = None, **changed: Any) -> Story:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        story = Story(folder, bundle or policies())
        for company in COMPANIES[:3]:
            story.deposit(company, [token(index) for index in range(5)])
        made.append(story)
        set_up(story, **({"statistics_epsilon_millis": ALMOST_EXACT} | changed))
        return story

    yield story
    for each in made:
        each.stop()


def set_up(story: Story, **changed: Any) -> None:
    """Change settings of the running broker."""
    settings = story.broker.settings.model_copy(update=changed)
    story.broker = replace(story.broker, settings=settings)


def ask(story: Story, *requesters: str, times: int = 1, **changes: Any) -> None:
    """Each of them files so many requests; refusals are answers, too."""
    for requester in requesters * times:
        try:
            story.file(story.request(requester=requester, **changes))
        except GateRefusal:
            continue


def told(story: Story, who: str = "company-1", now: int = PUBLISHED_AT) -> Statistics:
    """What a contributor reads at a time; the clock stays where it is."""
    before, story.now = story.now, now
    try:
        return statistics.statistics_for(story.broker, story.caller(who))
    finally:
        story.now = before


def only(page: Statistics) -> SeriesMonth:
    (month,) = page.months
    return month


def numbers(cells: tuple[Cell, ...]) -> dict[str, int]:
    return {cell.name: cell.requests for cell in cells}


def count(story: Story, table: str) -> int:
    with story.broker.database.read() as connection:
        return int(
            connection.execute(select(func.count()).select_from(tables.METADATA.tables[table])).scalar_one()
        )


def test_a_contributor_reads_about_how_often_it_was_asked_and_on_what_grounds(make: Made) -> None:
    story = make()
    ask(story, *UNITS, times=3)
    month = only(told(story))
    assert (month.month, month.asked) == (MONTH, 10)  # 12, rounded down
    assert numbers(month.verdicts) == {"admitted": 10}
    assert numbers(month.tiers) == {"hits": 10}
    assert numbers(month.instruments) == {story.claims.basis.instrument: 10}
    assert numbers(month.purposes) == {Purpose.INVESTIGATE_TRAFFICKER: 10}
    assert numbers(month.offences) == {Offence.TRAFFICKING_ADULT: 10}
    (rule,) = month.rules
    assert rule.law == policies().rules[rule.name].law
    assert month.outcomes == ()


def test_a_refusal_of_the_whole_request_is_told_from_one_by_the_series_own_conditions(make: Made) -> None:
    story = make()
    story.deposit("company-4", [token(1)], permitted_purposes=(Purpose.IDENTIFY_VICTIM,))
    ask(story, *UNITS, times=2)
    ask(story, *UNITS, times=2, offence=Offence.SEX_WORK_ONLY)
    assert numbers(only(told(story)).verdicts) == {"admitted": 5, "refused": 5}
    assert numbers(only(told(story, "company-4")).verdicts) == {"left_out": 5, "refused": 5}
    # Sixteen times the purpose was not among company-4's; eight times the others' rules refused it, too.
    assert numbers(only(told(story, "company-4")).rules)["L02"] == 15
    assert numbers(only(told(story)).rules)["L02"] == 5


def test_fewer_than_five_are_told_as_none_at_all(make: Made) -> None:
    story = make()
    blank = SeriesMonth(series_id=only(told(story)).series_id, month=MONTH)
    assert only(told(story)) == blank
    story = make()
    ask(story, *UNITS)
    assert only(told(story)) == blank
    story = make()
    ask(story, *UNITS)
    ask(story, "unit-1", tier=Tier.COUNT)
    month = only(told(story))
    assert (month.asked, numbers(month.verdicts)) == (5, {"admitted": 5})
    assert month.tiers == ()  # four and one


def test_a_month_in_which_few_agencies_asked_is_told_as_one_in_which_nobody_did(make: Made) -> None:
    story = make()
    ask(story, "unit-1", "unit-2", times=10)
    assert count(story, "askings") == 60
    month = only(told(story))
    assert month == SeriesMonth(series_id=month.series_id, month=MONTH)


def test_where_no_more_agencies_could_ask_than_must_have_asked_nothing_is_told(make: Made) -> None:
    """Else a month that is told would say of each of them that it asked."""
    for least, asked in ((3, 10), (4, None)):
        story = make(statistics_agencies=least)
        ask(story, *UNITS, times=3)
        assert only(told(story)).asked == asked


def test_nothing_is_told_of_a_month_before_it_is_over_and_its_delay_too(make: Made) -> None:
    story = make()
    ask(story, *UNITS, times=3)
    for now in (NOW, end_of(MONTH) - 1, end_of(MONTH), PUBLISHED_AT - 1):
        assert told(story, now=now).months == ()
        assert count(story, "askings") == 36
    assert only(told(story, now=PUBLISHED_AT)).asked == 10


def test_a_month_is_published_once_and_the_rows_it_came_from_are_gone(make: Made) -> None:
    story = make()
    ask(story, *UNITS, times=3)
    story.now = PUBLISHED_AT
    retention.purge(story.broker)
    assert (count(story, "askings"), count(story, "statistics")) == (0, 3)
    first = only(told(story))
    # Neither another setting nor a row that comes late, with a clock set back, tells a second version of it.
    set_up(story, statistics_least=6, statistics_epsilon_millis=1)
    story.now = NOW
    ask(story, *UNITS, times=3)
    assert only(told(story)) == first
    assert count(story, "askings") == 0


def test_months_without_an_asking_are_listed_like_those_with_few(make: Made) -> None:
    story = make()
    ask(story, *UNITS, times=3)
    months = told(story, now=PUBLISHED_AT + 62 * DAY_SECONDS).months
    assert [(each.month, each.asked) for each in months] == [
        ("2026-09", 10),
        ("2026-10", None),
        ("2026-11", None),
    ]


def test_what_was_published_goes_after_its_time(make: Made) -> None:
    story = make(statistics_months=2)
    ask(story, *UNITS, times=3)
    assert only(told(story)).asked == 10
    story.now = PUBLISHED_AT + 62 * DAY_SECONDS
    retention.purge(story.broker)
    assert count(story, "statistics") == 0
    assert MONTH not in {each.month for each in told(story, now=story.now).months}


def test_each_reads_of_its_own_series_and_who_deposited_nothing_of_none(make: Made) -> None:
    story = make()
    ask(story, *UNITS, times=3)
    ids = {only(told(story, company)).series_id for company in COMPANIES[:3]}
    assert len(ids) == 3
    assert told(story, "unit-1").months == ()
    for role in (Role.AUDITOR, None):
        with pytest.raises(NotPermitted):
            statistics.statistics_for(story.broker, replace(story.caller("company-1"), role=role))


def test_what_is_kept_until_then_names_no_request_case_officer_or_finer_time(make: Made) -> None:
    story = make()
    ask(story, "unit-1")
    columns = {column.name for column in tables.askings.columns}
    assert columns == {
        "entry", "month", "series_id", "requester", "verdict", "tier", "rules", "instrument", "purpose", "offence",
    }  # fmt: skip
    with story.broker.database.read() as connection:
        kept = repr([tuple(row) for row in connection.execute(select(tables.askings))])
    for private in (
        story.claims.case_reference,
        story.claims.officer,
        story.claims.basis.reference,
        str(NOW),
    ):
        assert private not in kept


def test_what_was_only_claimed_is_no_ground(make: Made) -> None:
    story = make()
    for unit in UNITS * 2:
        request = story.request(requester=unit)
        submission = story.submission(request).model_copy(update={"findings": ()})
        with pytest.raises(GateRefusal):
            exchange.file_request(story.broker, story.caller(unit), submission)
    month = only(told(story))
    assert (month.asked, numbers(month.verdicts)) == (5, {"refused": 5})
    assert (month.purposes, month.offences, month.instruments) == ((), (), ())


def test_that_a_series_was_asked_is_noted_with_the_decision_or_not_at_all(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = make()

    def fails(*_: object) -> None:
        raise Unavailable("The step could not be recorded, so it was not taken.")

    request = story.request()
    with monkeypatch.context() as cut:
        cut.setattr(rows, "add_askings", fails)
        with pytest.raises(Unavailable):
            story.file(request)
    assert (count(story, "requests"), count(story, "askings")) == (0, 0)
    story.file(request)
    story.file(request)  # the same again is no second asking
    assert (count(story, "requests"), count(story, "askings")) == (1, 3)


def test_a_decision_about_a_deposit_is_not_an_asking(make: Made) -> None:
    story = make()
    with story.broker.database.write() as connection, pytest.raises(ValueError, match="request"):
        askings.note(connection, decide_deposit(policies(), deposit_facts()))


def test_agencies_that_the_conditions_never_let_ask_do_not_hide_those_that_may(make: Made) -> None:
    """Companies are members, too, but no readers of these series."""
    story = make(statistics_agencies=4)
    assert len(story.space.members) == 8
    assert AgencyKind.COMPANY not in CONDITIONS.permitted_readers
    ask(story, *UNITS, times=3)
    assert only(told(story)).asked is None
