"""Stories of the whole system: what a police unit is told is what a plain comparison of everybody's files gives."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.protocol.errors import Unavailable
from broker.protocol.messages.vocabulary import Offence, Outcome, Purpose, Tier
from clients.remote import RefusedByGate
from tests.world import BROKER, World, email, phone

COMPANY_1 = {*map(phone, range(10)), *map(email, range(6))}
COMPANY_2 = {*map(phone, range(5, 15)), *map(email, range(4, 8))}
NGO_1 = {*map(phone, range(12, 20)), *map(email, range(20, 24))}
EVERYTHING = COMPANY_1 | COMPANY_2 | NGO_1


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three contributors have deposited; tests share it, and each leaves it as it was but for its requests."""
    made = World(tmp_path_factory.mktemp("world"))
    made.deposit("company-1", range(10), range(6))
    made.deposit("company-2", range(5, 15), range(4, 8))
    made.deposit("ngo-1", range(12, 20), range(20, 24))
    yield made
    made.close()


def pairs(asked: set[str]) -> int:
    """Matches as a broker counts them: (identifier, deposit) pairs."""
    return sum(len(asked & held) for held in (COMPANY_1, COMPANY_2, NGO_1))


@pytest.fixture(scope="module")
def day_book() -> set[str]:
    """What company-1 added day by day, kept as a plain set."""
    return set()


@settings(max_examples=5, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    phones=st.sets(st.integers(20, 90), max_size=6),
    emails=st.sets(st.integers(30, 90), max_size=6),
    asked_phones=st.sets(st.integers(0, 90), min_size=1, max_size=5),
    asked_emails=st.sets(st.integers(0, 90), max_size=3),
)
def test_hits_are_plain_set_intersection(
    world: World,
    day_book: set[str],
    phones: set[int],
    emails: set[int],
    asked_phones: set[int],
    asked_emails: set[int],
) -> None:
    world.deposit("company-1", phones, emails, inclusion_criterion="A file of one day")
    day_book |= {*map(phone, phones), *map(email, emails)}
    asked = {*map(phone, asked_phones), *map(email, asked_emails)}
    assert set(world.ask(asked).hits) == asked & (EVERYTHING | day_book)


def test_what_is_withdrawn_is_matched_no_more(world: World) -> None:
    asked = [phone(3), phone(700), email(700)]
    deposits = world.deposit("company-1", [700], [700], inclusion_criterion="A file with a mistake")
    assert set(world.ask(asked).hits) == set(asked)
    for deposit in deposits:
        assert world.contributor("company-1").withdraw(deposit.series_id, "A mistake").complete
    assert world.ask(asked).hits == (phone(3),)


def test_a_count_has_noise_that_asking_again_does_not_take_away(world: World) -> None:
    told, exact = [], []
    for start in range(0, 8, 2):
        # Ten more each, that nobody holds: sets near one another are refused (L15a).
        asked = set(map(phone, (*range(start, start + 11), *range(100 + 5 * start, 110 + 5 * start))))
        answer = world.ask(asked, Tier.COUNT)
        assert (answer.tier, answer.hits, answer.contributors) == (Tier.COUNT, (), 3)
        told.append(answer.noised_count or 0)
        exact.append(pairs(asked))
        assert world.ask(asked, Tier.COUNT).noised_count == answer.noised_count
    # That the noise is zero four times over has odds of about 1 in 280.
    assert told != exact
    # With epsilon 0.5 a deviation of 40 has odds below one in a hundred million.
    assert all(abs(a - b) < 40 for a, b in zip(told, exact, strict=True))


def test_a_count_about_few_identifiers_is_answered_as_hits(world: World) -> None:
    answer = world.ask([phone(3), phone(90)], Tier.COUNT)
    assert (answer.tier, answer.hits, answer.noised_count) == (Tier.HITS, (phone(3),), None)


@pytest.mark.parametrize(
    ("requester", "answers", "rule"),
    [
        ("unit-1", {"purpose": Purpose.IMMIGRATION_ENFORCEMENT}, "L03"),
        ("unit-1", {"offence": Offence.SEX_WORK_ONLY}, "L03"),
        ("unit-1", {"basis_authentic": False}, "L01"),
        ("ngo-1", {}, "LANE"),
    ],
)
def test_a_request_against_the_rules_is_refused_recorded_and_never_put_to_holders(
    world: World, requester: str, answers: dict[str, object], rule: str
) -> None:
    before, kinds = world.evaluations(), world.log_kinds()
    with pytest.raises(RefusedByGate) as refused:
        world.ask([phone(3)], requester=requester, answers=answers)
    assert rule in refused.value.rules
    assert all(refused.value.reasons)
    assert len(refused.value.law) == len(refused.value.rules)
    assert world.log_kinds() == [*kinds, "REFUSED"]
    assert world.evaluations() == before


def test_with_the_broker_down_nothing_is_answered_and_nothing_is_lost(world: World) -> None:
    prepared = world.prepare([phone(3)])
    finding = world.finding(prepared)
    world.take_down(BROKER)
    with pytest.raises(Unavailable):
        world.requester().run(prepared.request_id, [finding])
    world.bring_up()
    assert world.requester().run(prepared.request_id, [finding]).hits == (phone(3),)


def test_the_auditor_verifies_the_log_and_every_decision_replays(world: World) -> None:
    world.ask([phone(3)])
    with pytest.raises(RefusedByGate):
        world.ask([phone(3)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    report = world.auditor().verify()
    assert (report.verified, report.fork, report.first_bad_index) == (True, False, None)
    kinds = world.log_kinds()
    assert dict(report.kinds) == {kind: kinds[: report.size].count(kind) for kind in report.kinds}
    decided = sum(
        kinds.count(kind)
        for kind in ("ADMITTED", "REFUSED", "RELEASE", "DEPOSIT_ADMITTED", "DEPOSIT_REFUSED")
    )
    replayed = world.replay()
    assert (replayed.decisions, replayed.same, replayed.different) == (decided, decided, ())
    outcomes = {text.partition('"outcome":"')[2].partition('"')[0] for _, text in world.auditor().decisions()}
    assert outcomes == {Outcome.ALLOW, Outcome.DENY}
