"""What is taken back while somebody is just being told of it: who is told has a notice, and who is not has none.

On SQLite steps follow one another; on PostgreSQL a second broker takes it back while the first is answering.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from broker import exchange, startup, witnessed_answers
from broker.context import Broker
from broker.gate.bundle import load
from broker.protocol.documents import unverified_payload, verify
from broker.protocol.errors import Conflict
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.consent import RetractionNotice
from broker.protocol.messages.requests import Disclosure, TokensAnswered, TokenSubmission
from broker.store import tables, told
from broker.store.log import SqlLogStorage
from tests.exchange_story import COMPANIES, Story, open_broker, token
from tests.races import POLICIES, Call, SendTokens, by_processes, by_threads
from tests.taken_back import SERIES, WAYS, TakeBack, taking_back

RACERS = 4
MINE = [token(77), token(78)]
"""What company-4 alone holds."""
_PATIENCE_SECONDS = 60.0


@pytest.fixture
def story(tmp_path: Path, database_url: str) -> Iterator[Story]:
    """Three companies hold tokens 0 to 4 each, and company-4 two that nobody else does."""
    story = Story(tmp_path, load(POLICIES), database_url=database_url)
    for company in COMPANIES[:3]:
        story.deposit(company, [token(index) for index in range(5)])
    yield story
    story.stop()


@pytest.fixture
def mine(story: Story) -> bytes:
    """The deposit of company-4."""
    return story.deposit(COMPANIES[3], [*MINE, token(79)])


@pytest.fixture
def second(story: Story) -> Iterator[Broker]:
    """Another broker on the same database, where there may be one."""
    if story.broker.database.is_sqlite:
        yield story.broker
        return
    broker = open_broker(story.database_url, story.bundle, lambda: story.now, story.randomness)
    yield broker
    startup.stop(broker)


def sending(story: Story, asked: Sequence[bytes] = MINE) -> SendTokens:
    """A request is filed; the call with its tokens."""
    request = story.request()
    body = encode(story.tokens(story.file(request), asked))
    return SendTokens(story.caller("unit-1"), request.payload.request_id, body)


def kinds(story: Story) -> list[str]:
    with story.broker.database.read() as connection:
        size = story.broker.audit.size(connection)
        return [parse_leaf(leaf).kind for leaf in SqlLogStorage(connection).leaves(0, size)]


def noticed(story: Story) -> dict[bytes, tuple[int, ...]]:
    """The places that notices tell of, by request."""
    with story.broker.database.read() as connection:
        documents = connection.execute(select(tables.retraction_notices.c.document)).scalars().all()
    said = [verify(RetractionNotice, each, story.broker.keys.signing_public).payload for each in documents]
    assert len({each.request_id for each in said}) == len(said)
    return {each.request_id: each.places for each in said}


def answered(story: Story) -> dict[bytes, tuple[bytes, ...]]:
    """The tokens that each answer tells of, by request."""
    with story.broker.database.read() as connection:
        query = select(tables.permits.c.request_id, tables.permits.c.disclosure)
        rows = connection.execute(query.where(tables.permits.c.disclosure.is_not(None))).all()
    documents = {bytes(row.request_id): decode(TokensAnswered, row.disclosure).document or "" for row in rows}
    return {name: unverified_payload(Disclosure, each).matched for name, each in documents.items()}


def is_waited_for(story: Story, second: Broker) -> bool:
    """Whether somebody waits for the step that is under way."""
    steps = story.broker.database._steps
    if steps is not None:
        return bool(steps._queue)
    with second.database.read() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return int(connection.execute(text(query)).scalar_one()) > 0


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_is_being_recorded_is_found_by_the_withdrawal_that_waits_for_it(
    way: str, story: Story, mine: bytes, second: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is written and not committed when something is taken back; the withdrawal is committed after it."""
    call, withdrawal = sending(story), taking_back(story, way, mine, MINE)
    kept, go_on, keep = threading.Event(), threading.Event(), told.keep

    def keep_and_wait(*arguments: Any) -> None:
        keep(*arguments)
        kept.set()
        assert go_on.wait(_PATIENCE_SECONDS)

    monkeypatch.setattr(told, "keep", keep_and_wait)
    with ThreadPoolExecutor(2) as pool:
        answering = pool.submit(call.take, story.broker)
        assert kept.wait(_PATIENCE_SECONDS)
        withdrawing = pool.submit(withdrawal.take, second)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_waited_for(story, second):
            assert time.monotonic() < deadline
            assert not withdrawing.done(), "it did not wait"
            time.sleep(0.01)
        go_on.set()
        withdrawing.result(_PATIENCE_SECONDS)
        stopped = answering.exception(_PATIENCE_SECONDS)
    assert stopped is None or isinstance(stopped, Conflict)
    assert noticed(story) == {call.request_id: (0, 1)}
    order = [
        each for each in kinds(story) if each in ("RELEASED", "RETRACTION_NOTICED") or "WITHDRAWN" in each
    ]
    assert (order[0], order[-1], len(order)) == ("RELEASED", "RETRACTION_NOTICED", 3)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_does_not_leave_once_its_records_were_taken_back_while_witnesses_cosigned(
    way: str, story: Story, mine: bytes, second: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, other = sending(story), sending(story, [token(1)])
    cosign = witnessed_answers.with_entry
    withdrawals = [taking_back(story, way, mine, MINE)]

    def cosign_meanwhile(broker: Broker, request_id: bytes, answer: TokensAnswered) -> TokensAnswered:
        while withdrawals:
            withdrawals.pop().take(second)
        return cosign(broker, request_id, answer)

    monkeypatch.setattr(witnessed_answers, "with_entry", cosign_meanwhile)
    with pytest.raises(Conflict, match="taken back"):
        call.take(story.broker)
    assert noticed(story) == {call.request_id: (0, 1)}
    with pytest.raises(Conflict, match="taken back"):
        call.take(story.broker)
    assert "DISCLOSURE_READ" not in kinds(story)
    assert other.take(story.broker), "who was told of nothing of it is answered"


def test_an_answer_that_is_given_again_does_not_leave_either_and_is_no_reading(
    story: Story, mine: bytes, second: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = sending(story)
    assert call.take(story.broker)
    cosign, withdrawal = witnessed_answers.with_entry, taking_back(story, SERIES, mine, MINE)

    def cosign_meanwhile(broker: Broker, request_id: bytes, answer: TokensAnswered) -> TokensAnswered:
        withdrawal.take(second)
        return cosign(broker, request_id, answer)

    monkeypatch.setattr(witnessed_answers, "with_entry", cosign_meanwhile)
    with pytest.raises(Conflict, match="taken back"):
        call.take(story.broker)
    assert "DISCLOSURE_READ" not in kinds(story)
    assert noticed(story) == {call.request_id: (0, 1)}


def test_what_is_taken_back_between_decision_and_answer_is_not_in_the_answer(
    story: Story, mine: bytes, second: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELEASE counted it; the disclosure is assembled after."""
    call, withdrawal = sending(story, [token(1), *MINE]), taking_back(story, "records", mine, MINE[:1])
    cosign = witnessed_answers.cosign_release

    def cosign_meanwhile(broker: Broker, request_id: bytes) -> Any:
        withdrawal.take(second)
        return cosign(broker, request_id)

    monkeypatch.setattr(witnessed_answers, "cosign_release", cosign_meanwhile)
    answer = exchange.answer_tokens(
        story.broker, call.caller, call.request_id, decode(TokenSubmission, call.body)
    )
    disclosed = verify(Disclosure, answer.document or "", story.broker.keys.signing_public).payload
    assert set(disclosed.matched) == {token(1), MINE[1]}
    assert noticed(story) == {}


Race = Callable[[Story, Broker, Sequence[Call]], list[str]]


def _threads(story: Story, second: Broker, calls: Sequence[Call]) -> list[str]:
    return by_threads([story.broker] if second is story.broker else [story.broker, second], calls)


def _processes(story: Story, _second: Broker, calls: Sequence[Call]) -> list[str]:
    return by_processes(story.database_url, story.now, calls)


@pytest.fixture(
    params=["threads", pytest.param("processes", marks=[pytest.mark.all_only, pytest.mark.postgresql_only])]
)
def race(request: pytest.FixtureRequest) -> Race:
    """Runs calls at the same moment and tells what came of each."""
    return _processes if request.param == "processes" else _threads


@pytest.mark.parametrize("way", WAYS)
def test_of_answers_and_a_withdrawal_at_once_exactly_those_are_noticed_that_told_of_it(
    way: str, story: Story, mine: bytes, second: Broker, race: Race
) -> None:
    sent = [sending(story, [token(number), *MINE]) for number in range(RACERS)]
    withdrawal: TakeBack = taking_back(story, way, mine, MINE)
    outcomes = race(story, second, [*sent[:2], withdrawal, *sent[2:]])
    assert outcomes.pop(2).startswith("answered")
    assert {each.split()[0] for each in outcomes} <= {"answered", "conflict"}
    told_of = {
        request_id: tuple(place for place, each in enumerate(matched) if each in MINE)
        for request_id, matched in answered(story).items()
    }
    assert len(told_of) == RACERS
    assert noticed(story) == {request_id: places for request_id, places in told_of.items() if places}
    assert kinds(story).count("RETRACTION_NOTICED") == sum(bool(each) for each in told_of.values())
    with story.broker.database.read() as connection:
        left = connection.execute(select(tables.told_records.c.token_digest)).scalars().all()
    assert {bytes(each) for each in left}.isdisjoint(map(told.token_digest, MINE))
