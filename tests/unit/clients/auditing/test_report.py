"""The report counts what the log holds, withholds small numbers, ends 30 days early, and names no case or person."""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from broker.protocol.errors import BadInput
from broker.protocol.messages.requests import AdmissionRecord
from broker.protocol.messages.vocabulary import Purpose
from clients.auditing.report import Hours, Listing, Report, Row, hours_taken, make
from clients.auditing.report_page import page
from clients.auditing.report_text import comma_separated, markdown, members
from clients.auditing.report_words import LEADS, date_in_words, headline
from clients.auditing.small_cells import suppress
from clients.remote import RefusedByGate
from tests import auditing_case as case
from tests import gate_world
from tests.auditing_case import DAY_SECONDS, Story
from tests.world import CONTRIBUTORS, POLICE, World, phone

HOUR = 3600
LEDGER = {
    "identifiers_30d": 0,
    "queries_90d": 0,
    "hits_90d": 0,
    "overdue_reviews": 0,
    "count_budget_left_millis": 5000,
    "count_cost_millis": 500,
    "prior_tier": None,
    "prior_decided_at": None,
    "confirmed": False,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Twenty-one answered requests, seven refused, two of a second unit that is small, and 40 quiet days after them."""
    world = World(tmp_path_factory.mktemp("reported"))
    for name in CONTRIBUTORS:
        world.deposit(name, range(3))
    world.ask([phone(1)])
    begun = world.now
    for number in range(20):
        world.now = begun + number * HOUR
        story = Story(world, POLICE, number)
        story.admitted(derived=LEDGER, claims=_claims(world))
        story.tokens()
        release = story.release()
        world.now += HOUR * (number + 1) // 2
        story.released(release)
    for _ in range(7):
        with pytest.raises(RefusedByGate):
            world.ask([phone(3)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    for number in range(2):
        Story(world, "unit-small", number).admitted(derived=LEDGER)
    world.now = begun + 40 * DAY_SECONDS
    Story(world, "unit-new").refused(rules=["L06"])
    world.auditor().verify()
    yield world
    world.close()


def _claims(world: World) -> dict[str, object]:
    index = next(each.index for each in case.entries(world) if each.kind == "ADMITTED")
    decision = case.record_at(world, AdmissionRecord, index).decision
    claims: dict[str, object] = json.loads(decision)["facts"]["claims"]
    return claims | {"case_reference": "CANARY-CASE", "officer": "canary-officer"}


def report(world: World, since: int | None = None, until: int | None = None) -> Report:
    """The report of everything, or of a period."""
    log = case.mirror(world)
    begin = world.space.founded_at - DAY_SECONDS if since is None else since
    end = world.now + DAY_SECONDS if until is None else until
    return make(log.entries(), world.space, log.checkpoint.size, log.checkpoint.root, begin, end, world.now)


def numbers(made: Report, key: str) -> dict[str, int]:
    """What one list tells."""
    listing = next(each for each in made.listings if each.key == key)
    return {row.name: row.number for row in listing.rows}


def test_the_numbers_are_those_of_the_log(world: World) -> None:
    made = report(world)
    assert numbers(made, "outcomes") == {"admitted": 23, "refused": 7}
    assert numbers(made, "instruments") == {"eevidence_epoc": 30}
    assert numbers(made, "tiers") == {"hits": 30}
    assert numbers(made, "agency_kinds") == {"police": 30}
    assert numbers(made, "gateways") == {"G2": 23}
    refusals = {row.name: row for row in next(each for each in made.listings if each.key == "refusals").rows}
    assert refusals["L13"].number == 7
    assert world.bundle.rules["L13"].reason in refusals["L13"].explanation


def test_a_small_agency_cannot_be_had_by_subtraction(world: World) -> None:
    made = report(world)
    listing = next(each for each in made.listings if each.key == "agencies")
    assert (listing.rows, listing.withheld, listing.total) == ((), True, 30)
    answers = next(each for each in made.listings if each.key == "answers")
    assert (answers.rows, answers.withheld, answers.total) == ((), True, 23)


def test_few_deposits_are_withheld_with_their_sum(world: World) -> None:
    listing = next(each for each in report(world).listings if each.key == "deposits")
    assert (listing.rows, listing.withheld, listing.total) == ((), True, None)


def test_the_time_to_answer(world: World) -> None:
    hours = report(world).hours
    # One answered at once, and twenty after half an hour to ten hours.
    assert (hours.lower_quartile, hours.median, hours.upper_quartile) == (2.5, 5.0, 7.5)


def test_of_few_answers_no_time_is_told() -> None:
    nine, ten, nineteen, twenty = (hours_taken([float(each) for each in range(n)]) for n in (9, 10, 19, 20))
    assert nine == Hours(None, None, None)
    assert ten == Hours(None, 4.5, None)
    assert nineteen == Hours(None, 9.0, None)
    assert twenty == Hours(4.8, 9.5, 14.2)


def test_the_last_thirty_days_are_not_told_and_it_is_said(world: World) -> None:
    made = report(world)
    assert made.until == (world.now - 30 * DAY_SECONDS) // DAY_SECONDS * DAY_SECONDS
    for text in (markdown(made), page(made), comma_separated(made)):
        assert f"to {date_in_words(made.until - 1)}, both days included" in text
        assert f"asked for up to {date_in_words(made.asked_until - 1)}." in text
    assert "unit-new" not in markdown(made)
    assert "L06" not in numbers(made, "refusals")
    with pytest.raises(BadInput, match="30 days"):
        report(world, since=world.now - 30 * DAY_SECONDS)
    with pytest.raises(BadInput, match="empty"):
        report(world, since=world.now, until=world.now)


def test_a_broker_that_dates_an_entry_ahead_does_not_end_the_delay(world: World) -> None:
    log = case.mirror(world)
    ahead = replace(case.entries(world)[-1], recorded_at=world.now + 400 * DAY_SECONDS)
    entries = itertools.chain(log.entries(), [ahead])
    since = world.space.founded_at - DAY_SECONDS
    made = make(entries, world.space, log.checkpoint.size, log.checkpoint.root, since, world.now, world.now)
    assert made.until == (world.now - 30 * DAY_SECONDS) // DAY_SECONDS * DAY_SECONDS
    assert "L06" not in numbers(made, "refusals")


@pytest.mark.parametrize(
    "words",
    [
        "![](https://example.org/who-reads-this)",
        "[here](https://example.org)",
        "<img src=x>",
        "a\\|b | 99 |",
        "`|`\n\n# Another report",
        "\x1b]0;title\x07\u202e",
    ],
)
def test_what_a_record_says_is_no_markup_in_the_report(world: World, words: str) -> None:
    made = report(world)
    first = made.listings[0]
    told = replace(made, listings=(replace(first, rows=(Row(words, 770_077, words),)), *made.listings[1:]))
    (row,) = (line for line in markdown(told).splitlines() if "| 770077 |" in line)
    assert row.count("|") == 4
    assert not set(row) & set("[]<!`\\\x1b\x07\u202e")
    assert len(markdown(told).splitlines()) == len(markdown(made).splitlines()) - len(first.rows) + 1


@pytest.mark.parametrize("words", ["=1+1", "+1", "-1", "@A1", "\t=1", " =1", "\n=1", "\r=1", "\uff1d1"])
def test_what_a_record_says_is_no_formula_in_the_report(world: World, words: str) -> None:
    made = report(world)
    told = replace(made, listings=(replace(made.listings[0], rows=(Row(words, 770_077, words),)),))
    row = next(
        each for each in csv.DictReader(io.StringIO(comma_separated(told))) if each["number"] == "770077"
    )
    assert row["name"].startswith("'")
    assert row["explanation"].startswith("'")


def test_no_format_names_a_case_an_officer_a_request_or_an_identifier(world: World) -> None:
    made = report(world)
    entries = case.entries(world)
    secrets = {"CANARY", "canary", "CASE-1", "officer-1", "447700900", "unit-small"}
    for each in entries:
        if each.record is not None:
            named = (each.record.request_id, each.record.permit_id, each.record.request_digest)
            secrets |= {name for name in named if name is not None}
    for text in (markdown(made), comma_separated(made), page(made), json.dumps(members(made))):
        assert not [secret for secret in secrets if secret in text]


def test_every_format_says_the_same_numbers(world: World) -> None:
    made = report(world)
    rows = list(csv.DictReader(io.StringIO(comma_separated(made))))
    told = {(row["list"], row["name"]): row["number"] for row in rows}
    for listing in made.listings:
        for row in listing.rows:
            assert told[listing.key, row.name] == str(row.number)
            assert f"| {row.name} | {row.number} |" in markdown(made)
            assert row.name in page(made)
        assert ((listing.key, "others") in told) is listing.withheld
    assert told["deposits", "all"] == "withheld"
    assert members(made)["lists"]["outcomes"]["total"] == 30


class Balance(HTMLParser):
    """Which elements are open; fails on one that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_says_what_it_is_before_the_first_number(world: World) -> None:
    text = page(report(world))
    period = "17 November 2026 to 27 November 2026"
    assert f"<title>Transparency report: Example space, {period}</title>" in text
    opening = text[: text.index("<table>")]
    for words in (
        period,
        "30 requests were decided: 23 were admitted and 7 were refused.",
        "below 5 are withheld",
    ):
        assert words in opening
    # The digest that only who checks the log needs comes last.
    assert "signed root" not in opening
    assert text.index("How this can be checked") < text.index("signed root")


def test_every_list_of_the_page_has_a_sentence_on_what_it_is_and_heads_for_who_has_it_read_aloud(
    world: World,
) -> None:
    made = report(world)
    text = page(made)
    assert {each.key for each in made.listings} == set(LEADS)
    assert text.count('<p class="lead">') == text.count("<table>") == len(made.listings) + 1
    assert text.count('<tr class="hidden"><th scope="col">') == text.count("<table>")
    # A bar says nothing that its number does not: it is passed over.
    assert text.count('class="bar" aria-hidden="true"') == sum(len(each.rows) for each in made.listings)
    assert "each below 5, or needed to hide one that is" in text


@pytest.mark.parametrize(
    ("counts", "epsilon_millis", "words"),
    [
        (
            {"admitted": 20, "refused": 9},
            None,
            "29 requests were decided: 20 were admitted and 9 were refused.",
        ),
        (
            {"admitted": 20, "refused": 2},
            None,
            "22 requests were decided: how many were refused is withheld.",
        ),
        ({"admitted": 3}, None, "Fewer than 5 requests were decided."),
        ({}, None, "No request was decided."),
        (
            {"admitted": 20, "refused": 9},
            1000,
            "About 20 requests were admitted and 9 were refused, with chance",
        ),
    ],
)
def test_the_headline_tells_no_more_than_the_first_list(
    world: World, counts: dict[str, int], epsilon_millis: int | None, words: str
) -> None:
    told = suppress(counts)
    rows = tuple(Row(name, number) for name, number in told.cells.items())
    outcomes = Listing("outcomes", "Requests decided", rows, told.withheld, told.total)
    made = replace(report(world), listings=(outcomes,), epsilon_millis=epsilon_millis)
    assert headline(made).startswith(words)
    assert words in page(made)


def test_the_page_is_well_formed(world: World) -> None:
    balance = Balance()
    balance.feed(page(report(world)))
    balance.close()
    assert balance.open == []


def test_an_instrument_that_the_rules_do_not_know_is_counted_and_not_named(world: World) -> None:
    basis = gate_world.basis(instrument="canary_instrument")
    before = numbers(report(world), "instruments")
    begun, last = world.now, case.entries(world)[-1].recorded_at
    try:
        world.now = world.space.founded_at
        for _ in range(9):
            with pytest.raises(RefusedByGate):
                world.ask([phone(3)], basis=basis)
    finally:
        world.now = max(begun, last)
    # The clock was put back for them, so an entry of now comes last again.
    Story(world, "unit-new", 2).refused(rules=["L06"])
    made = report(world)
    assert numbers(made, "instruments") == before | {"others, under which nothing was admitted": 9}
    assert "canary" not in markdown(made)


def test_the_page_needs_no_script_and_no_other_file_and_escapes_what_it_is_told(world: World) -> None:
    named = world.space.model_copy(update={"name": "<script>alert(1)</script>|=1"})
    log = case.mirror(world)
    made = make(
        log.entries(),
        named,
        log.checkpoint.size,
        log.checkpoint.root,
        world.space.founded_at - DAY_SECONDS,
        world.now,
        world.now,
    )
    text = page(made)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert re.findall(r"(?:src|href|url)\s*[=(]", text) == []
    assert 'style="width:100.0%"' in text
    assert "<script" not in markdown(made)
