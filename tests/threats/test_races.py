"""A requester, or two of its programs, tries to win by being in two places at once.

Each race is run by threads on both databases, on PostgreSQL over two brokers, and there by processes too. Afterwards
the log is derived anew, without a gap or a double index.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from broker import startup
from broker.context import Broker
from broker.gate.bundle import load
from broker.protocol.errors import Unavailable
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import Tier
from broker.store import tables
from broker.store.log import SqlLogStorage
from broker.translog.verify import rederive
from tests import rules
from tests.exchange_story import COMPANIES, Story, named, open_broker, token
from tests.races import POLICIES, Call, FileRequest, SendTokens, by_processes, by_threads

Race = Callable[[Story, Sequence[Call]], list[str]]
RACERS = 4


@pytest.fixture
def story(tmp_path: Path, database_url: str) -> Iterator[Story]:
    """Three companies hold tokens 0 to 4 each."""
    story = Story(tmp_path, load(POLICIES), database_url=database_url)
    for company in COMPANIES[:3]:
        story.deposit(company, [token(index) for index in range(5)])
    yield story
    story.stop()


def _threads(story: Story, calls: Sequence[Call]) -> list[str]:
    if story.broker.database.is_sqlite:
        return by_threads([story.broker], calls)
    second = _second(story)
    try:
        return by_threads([story.broker, second], calls)
    finally:
        startup.stop(second)


def _second(story: Story) -> Broker:
    return open_broker(story.database_url, story.bundle, lambda: story.now, story.randomness)


def _processes(story: Story, calls: Sequence[Call]) -> list[str]:
    return by_processes(story.database_url, story.now, calls)


@pytest.fixture(
    params=["threads", pytest.param("processes", marks=[pytest.mark.all_only, pytest.mark.postgresql_only])]
)
def race(request: pytest.FixtureRequest) -> Race:
    """Runs calls at the same moment and tells what came of each."""
    return _processes if request.param == "processes" else _threads


def _filing(story: Story, identifiers: int = 20) -> FileRequest:
    request = story.request(identifiers)
    return FileRequest(story.caller("unit-1"), encode(story.submission(request)))


def _kinds(story: Story) -> list[str]:
    """The kinds of all entries, after the log was derived anew: every index is there once, and gives the root."""
    with story.broker.database.read() as connection:
        size = rederive(SqlLogStorage(connection)).size
        query = select(tables.log_leaves.c.leaf_index).order_by(tables.log_leaves.c.leaf_index)
        assert list(connection.execute(query).scalars()) == list(range(size))
        return [parse_leaf(leaf).kind for leaf in SqlLogStorage(connection).leaves(0, size)]


def test_two_requests_never_share_the_last_unit_of_a_budget(story: Story, race: Race) -> None:
    limit = story.broker.bundle.limits.identifiers_30d
    with story.broker.database.write() as connection:
        connection.execute(
            insert(tables.ledger).values(
                space_id=story.space.space_id,
                requester="unit-1",
                request_id=named("long ago", 16),
                charged_at=story.now - 86_400,
                identifiers=limit - 20,
                hits=limit,
                epsilon_millis=0,
            )
        )
    outcomes = race(story, [_filing(story) for _ in range(RACERS)])
    assert sorted(each.split()[0] for each in outcomes) == ["answered"] + ["refused"] * (RACERS - 1)
    assert outcomes.count("refused L10") == RACERS - 1
    kinds = _kinds(story)
    assert (kinds.count("ADMITTED"), kinds.count("REFUSED")) == (1, RACERS - 1)
    with story.broker.database.read() as connection:
        asked = list(connection.execute(select(tables.ledger.c.identifiers)).scalars())
    assert sum(asked) == limit


def test_one_permit_is_used_by_one_of_several_sets_of_tokens(story: Story, race: Race) -> None:
    request = story.request()
    admission = story.file(request)
    calls = [
        SendTokens(
            story.caller("unit-1"),
            request.payload.request_id,
            encode(story.tokens(admission, [token(number)])),
        )
        for number in range(RACERS)
    ]
    outcomes = race(story, calls)
    assert sorted(each.split()[0] for each in outcomes) == ["answered"] + ["conflict"] * (RACERS - 1)
    assert _kinds(story)[-4:] == ["ADMITTED", "TOKENS", "RELEASE", "RELEASED"]


def test_one_request_filed_by_several_at_once_is_admitted_and_charged_once(story: Story, race: Race) -> None:
    outcomes = race(story, [_filing(story)] * RACERS)
    assert len(set(outcomes)) == 1
    assert outcomes[0].startswith("answered")
    assert _kinds(story).count("ADMITTED") == 1
    with story.broker.database.read() as connection:
        assert len(connection.execute(select(tables.ledger)).all()) == 1


def test_one_set_of_tokens_sent_by_several_at_once_is_answered_once_and_alike(
    story: Story, race: Race
) -> None:
    request = story.request()
    tokens = story.tokens(story.file(request), [token(1), token(77)])
    call = SendTokens(story.caller("unit-1"), request.payload.request_id, encode(tokens))
    outcomes = race(story, [call] * RACERS)
    assert len(set(outcomes)) == 1
    assert outcomes[0].startswith("answered")
    kinds = _kinds(story)
    assert [kinds.count(kind) for kind in ("TOKENS", "RELEASE", "RELEASED")] == [1, 1, 1]


def test_of_several_counts_near_one_another_at_once_one_is_told(story: Story, race: Race) -> None:
    calls = []
    for number in range(RACERS):
        request = story.request(50, Tier.COUNT)
        tokens = story.tokens(story.file(request), [token(each) for each in range(number, 50)])
        calls.append(SendTokens(story.caller("unit-1"), request.payload.request_id, encode(tokens)))
    outcomes = race(story, calls)
    assert sorted(each.split()[0] for each in outcomes) == ["answered"] + ["refused"] * (RACERS - 1)
    assert outcomes.count("refused L15a") == RACERS - 1
    kinds = _kinds(story)
    assert [kinds.count(kind) for kind in ("TOKENS", "RELEASED", "FAILED")] == [RACERS, 1, RACERS - 1]
    with story.broker.database.read() as connection:
        assert sum(connection.execute(select(tables.ledger.c.epsilon_millis)).scalars()) == 500


def test_of_several_asks_about_one_target_at_once_no_more_find_it_than_may(story: Story, race: Race) -> None:
    most = story.broker.bundle.limits.target_asks
    calls = []
    for _ in range(most + 1):
        request = story.request()
        tokens = story.tokens(story.file(request), [token(1)])
        calls.append(SendTokens(story.caller("unit-1"), request.payload.request_id, encode(tokens)))
    outcomes = race(story, calls)
    assert outcomes.count("refused L10a") == 1
    assert sum(each.startswith("answered") for each in outcomes) == most


def test_two_requests_never_share_the_last_unit_of_the_budget_for_counts(story: Story, race: Race) -> None:
    with story.broker.database.write() as connection:
        connection.execute(
            insert(tables.ledger).values(
                space_id=story.space.space_id,
                requester="unit-1",
                request_id=named("long ago", 16),
                charged_at=story.now - 86_400,
                identifiers=1,
                hits=1,
                epsilon_millis=story.count_budget_millis - 500,
            )
        )
    requests = [story.request(50, Tier.COUNT) for _ in range(RACERS)]
    calls = [FileRequest(story.caller("unit-1"), encode(story.submission(each))) for each in requests]
    assert all(each.startswith("answered") for each in race(story, calls))
    # The one that had the last unit is a count; the others were decided as hits.
    with story.broker.database.read() as connection:
        spent = list(connection.execute(select(tables.ledger.c.epsilon_millis)).scalars())
    assert sum(spent) == story.count_budget_millis
    assert spent.count(500) == 1


def test_no_decision_under_old_rules_stands_in_the_log_after_their_successor(
    story: Story, tmp_path: Path
) -> None:
    source = rules.changed_rules(tmp_path / "newer", lambda text: text + "# newer\n")
    rules.sign_rules(source, story.now - 60, story.bundle.digest)
    calls = [_filing(story) for _ in range(RACERS + 1)]

    def decide(call: FileRequest) -> str:
        try:
            return "answered" if call.take(story.broker) else ""
        except Unavailable:
            return "unavailable"

    with ThreadPoolExecutor(RACERS + 1) as pool:
        deciding = [pool.submit(decide, call) for call in calls[:-1]]
        activating = pool.submit(rules.activate_at_broker, story.broker, source)
        said = [each.result() for each in deciding]
        activating.result()
    kinds = _kinds(story)
    activated = len(kinds) - 1 - kinds[::-1].index("BUNDLE_ACTIVATED")
    assert "ADMITTED" not in kinds[activated:]
    assert said.count("answered") == kinds.count("ADMITTED")
    assert set(said) <= {"answered", "unavailable"}
    assert decide(calls[-1]) == "unavailable"
