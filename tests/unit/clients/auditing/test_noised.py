"""The noise of a report: as much as OpenDP's own map asks for, on lines that are known before, drawn once for a period.

The law of the noise is two-sided geometric: P(k) is proportional to exp(-|k| / scale). What OpenDP's maps say of it is
compared with that law in closed form; draws are only looked at to see that they are of it.
"""

import builtins
import math
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.protocol.errors import BadInput, Conflict, VerificationFailed
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, Tier
from clients.auditing import noised
from clients.auditing.noised import RULES_OF_A_REQUEST, KnownRules, Noise, listings, mechanism
from clients.auditing.report import ANSWERS, DECIDED, TAKEN_BACK, Report, kept_of, make
from clients.auditing.report_page import page
from clients.auditing.report_text import comma_separated, markdown, members
from clients.cli import run
from clients.cli.audit_reading import _known
from clients.cli.main import app
from clients.published import Published
from clients.remote import RefusedByGate
from tests import auditing_case as case
from tests.auditing_case import DAY_SECONDS, Story
from tests.world import CONTRIBUTORS, POLICIES, World, phone

pytestmark = pytest.mark.all_only

SINCE, UNTIL = "2026-11-01", "2026-12-01"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One request admitted, two refused, and a mirror of 60 days later."""
    made = World(tmp_path_factory.mktemp("noised"))
    for name in CONTRIBUTORS:
        made.deposit(name, range(3))
    made.ask([phone(1), phone(500)])
    for _ in range(2):
        with pytest.raises(RefusedByGate):
            made.ask([phone(1)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    made.now += 60 * DAY_SECONDS
    Story(made, "unit-9").refused(rules=["L06"])
    made.auditor().verify()
    yield made
    made.close()


def reported(world: World, epsilon_millis: int = 1000, known: KnownRules | None = None) -> Report:
    """A report with noise about everything but the last days."""
    log, noise = case.mirror(world), Noise(epsilon_millis, known)
    since, until = world.space.founded_at - DAY_SECONDS, world.now
    return make(
        log.entries(),
        world.space,
        log.checkpoint.size,
        log.checkpoint.root,
        since,
        until,
        world.now,
        noised=(epsilon_millis, lambda inside: listings(inside, world.space, noise)),
    )


# --- how much noise ---


@pytest.mark.parametrize("bound", [1, RULES_OF_A_REQUEST])
@pytest.mark.parametrize("epsilon_millis", [10, 142, 1000, 10_000])
def test_the_noise_is_as_private_as_asked_and_no_more_than_needed(bound: int, epsilon_millis: int) -> None:
    made, epsilon = mechanism(7, bound, epsilon_millis), epsilon_millis / 1000
    assert made.measurement.map(bound) <= epsilon
    assert made.epsilon == pytest.approx(epsilon)
    # The map is linear in the change, as the law's: a neighbour k away costs k / scale.
    scale = bound / made.epsilon
    assert made.measurement.map(5 * bound) == pytest.approx(5 * bound / scale)


@pytest.mark.parametrize("epsilon_millis", [142, 1000, 5000])
def test_the_margin_is_that_of_the_law_in_closed_form(epsilon_millis: int) -> None:
    made = mechanism(1, 1, epsilon_millis)
    ratio = math.exp(-epsilon_millis / 1000)

    def at_least(away: int) -> float:
        """P(|noise| >= away) = 2 ratio^away / (1 + ratio)."""
        return 2 * ratio**away / (1 + ratio)

    assert at_least(made.margin) <= 0.05 + 1e-9
    assert made.margin == 1 or at_least(made.margin - 1) > 0.05


def test_draws_are_of_that_law_and_never_the_same() -> None:
    made = mechanism(4000, 1, 1000)
    first, second = made.measurement([100] * 4000), made.measurement([100] * 4000)
    assert first != second
    noise = [each - 100 for each in (*first, *second)]
    ratio = math.exp(-1)
    for value in (0, 1, -1, 2):
        share = sum(each == value for each in noise) / len(noise)
        expected = (1 - ratio) / (1 + ratio) * ratio ** abs(value)
        # 8,000 draws: five standard deviations are under 0.03.
        assert abs(share - expected) < 0.03


def test_the_parts_of_a_report_cost_no_more_than_epsilon_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[tuple[int, int, float]] = []
    real = mechanism

    def counted(cells: int, bound: int, epsilon_millis: int) -> noised.Mechanism:
        made = real(cells, bound, epsilon_millis)
        spent.append((cells, bound, made.measurement.map(bound)))
        return made

    monkeypatch.setattr(noised, "mechanism", counted)
    for known, requests in ((None, 5), (_known(POLICIES), 7)):
        spent.clear()
        reported(world, 1000, known)
        *of_requests, deposits, acts = spent
        assert len(of_requests) == requests
        assert sum(cost for _, _, cost in of_requests) <= 1.0
        assert deposits[2] <= 1.0
        assert acts[2] <= 1.0
        assert [bound for _, bound, _ in spent].count(RULES_OF_A_REQUEST) == (known is not None)


def test_one_request_changes_each_question_by_no_more_than_its_bound(world: World) -> None:
    entries = [kept_of(each) for each in case.entries(world)]
    known = _known(POLICIES)
    digests = {each.about.request_digest for each in entries if each.about is not None}
    assert len(digests) == 4
    whole = noised._requests(entries, world.space, known)
    for digest in digests:
        others = [each for each in entries if each.about is None or each.about.request_digest != digest]
        for before, after in zip(whole, noised._requests(others, world.space, known), strict=True):
            changed = sum(
                abs(number - other.cells[name])
                for one, other in zip(before.lists, after.lists, strict=True)
                for name, number in one.cells.items()
            )
            assert changed <= before.bound


def test_the_lines_are_the_same_whatever_is_in_the_log(world: World) -> None:
    """A line that is there only when somebody asked would tell that somebody did."""
    known, noise = _known(POLICIES), Noise(1000, _known(POLICIES))
    full, empty = (
        listings(each, world.space, noise) for each in ([kept_of(each) for each in case.entries(world)], ())
    )
    lines = [(each.key, [row.name for row in each.rows]) for each in full]
    assert lines == [(each.key, [row.name for row in each.rows]) for each in empty]
    told = dict(lines)
    assert told["outcomes"] == list(DECIDED.values())
    assert told["answers"] == list(ANSWERS)
    assert told["tiers"] == list(Tier)
    assert told["deposits"] == list(AgencyKind)
    assert told["withdrawals"] == list(TAKEN_BACK.values())
    assert set(told["agencies"]) == {*(each.agency_id for each in world.space.members), "others"}
    assert {"G2", "others"} < set(told["gateways"])
    assert {"L06", "L13"} < set(told["refusals"])
    assert not {"D1", "L16"} & set(told["refusals"])
    assert set(known.instruments) < set(told["instruments"])


# --- what is told ---


def test_nothing_is_withheld_negative_or_added_up_and_every_format_says_how_far_off(world: World) -> None:
    made = reported(world, 1000, _known(POLICIES))
    for listing in made.listings:
        assert (listing.withheld, listing.total) == (False, None)
        assert all(row.number >= 0 for row in listing.rows)
        assert "away from the true one, in 95 of 100 draws" in listing.note
    for text in (markdown(made), page(made), comma_separated(made)):
        assert "epsilon 1)" in text
        assert "2.7 times as likely" in text
        assert "withheld and" not in text
        assert "not told in a report with noise" in text
    assert (members(made)["epsilon_millis"], members(made)["least"]) == (1000, None)


def test_with_much_epsilon_the_numbers_are_those_of_the_log(world: World) -> None:
    made = reported(world, 10_000)
    numbers = {row.name: row.number for row in made.listings[0].rows}
    # 2 a list: within three with odds of one in 200.
    assert abs(numbers["admitted"] - 1) < 8
    assert abs(numbers["refused"] - 2) < 8


@pytest.mark.parametrize("epsilon_millis", [0, -5, 10_001, 3])
def test_an_epsilon_that_hides_nobody_or_is_no_number_is_refused(world: World, epsilon_millis: int) -> None:
    with pytest.raises(BadInput, match="--epsilon"):
        listings((), world.space, Noise(epsilon_millis))


def test_without_the_library_it_is_said_which_extra_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("opendp"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadInput, match=r"narrowgate\[audit\]"):
        listings((), world.space, Noise(1000))


# --- once ---


def test_a_report_that_was_drawn_is_the_same_ever_after_and_its_days_are_not_told_again(world: World) -> None:
    published = Published(world.homes["auditor-1"], world.space.space_id)
    made = reported(world)
    published.keep(made)
    period = (made.since, made.asked_until)
    assert published.find(*period, 1000) == made
    with pytest.raises(Conflict, match="no day is told twice"):
        published.find(*period, 500)
    with pytest.raises(Conflict, match="no day is told twice"):
        published.find(made.until - DAY_SECONDS, made.until + DAY_SECONDS, 1000)
    assert published.find(made.until, made.until + 30 * DAY_SECONDS, 1000) is None
    vault = world.homes["auditor-1"].vault
    (name,) = vault.names(f"reports/{world.space.space_id.hex()}")
    path = vault.path(f"reports/{world.space.space_id.hex()}/{name}")
    kept = path.read_bytes()
    vault.write_text(f"reports/{world.space.space_id.hex()}/{name}", "{}")
    with pytest.raises(VerificationFailed, match="changed"):
        published.find(*period, 1000)
    path.unlink()
    assert kept


def test_the_command_writes_the_same_report_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "clock", world.clock)

    def called(*words: str) -> tuple[int, str]:
        home = str(world.folder / "auditor-1")
        done = CliRunner().invoke(app, ["audit", "report", home, "--since", SINCE, "--until", UNTIL, *words])
        return done.exit_code, done.stdout

    rules = ("--bundle", str(POLICIES))
    first = called("--epsilon", "2", *rules)
    assert first[0] == 0
    assert "## Refused, by rule" in first[1]
    assert called("--epsilon", "2", *rules) == first
    assert called("--epsilon", "2", "--format", "html")[0] == 0
    assert called("--epsilon", "1")[0] == 6
    assert called("--epsilon", "0")[0] == 6
    assert called(*rules)[0] == 6
    # Exact numbers of the same days would take the noise off, and so are not for publication.
    assert called()[0] == 6
    assert "NOT FOR PUBLICATION" in called("--not-for-publication")[1]
