"""Which records an answer told of: written with the answer, gone with the record, enough to find whom to notify."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from broker import retention
from broker.gate.bundle import load
from broker.protocol.documents import verify
from broker.protocol.messages.consent import RetractionNotice
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import Tier
from broker.store import tables, told
from broker.store.matches import Match
from tests.exchange_story import COMPANIES, Story, token
from tests.messages_examples import CONDITIONS
from tests.races import POLICIES
from tests.taken_back import DEPOSIT, RECORDS, WAYS, taking_back

Rows = set[tuple[bytes, int, bytes]]


@pytest.fixture
def story(tmp_path: Path, database_url: str) -> Iterator[Story]:
    """company-1 holds tokens 10 to 19, company-2 20 to 29, company-3 30 to 39: deposits 1 to 3."""
    story = Story(tmp_path, load(POLICIES), database_url=database_url)
    for number, company in enumerate(COMPANIES[:3], 1):
        story.deposit(company, [token(10 * number + index) for index in range(10)])
    yield story
    story.stop()


def deposit_id(story: Story, number: int) -> bytes:
    with story.broker.database.read() as connection:
        query = select(tables.deposits.c.deposit_id).where(tables.deposits.c.deposit_number == number)
        return bytes(connection.execute(query).scalar_one())


def ask(story: Story, numbers: list[int], tier: Tier = Tier.HITS) -> Disclosure:
    request = story.request(max(20, len(numbers)), tier)
    return story.answer(request, story.tokens(story.file(request), [token(each) for each in numbers]))


def rows(story: Story) -> Rows:
    with story.broker.database.read() as connection:
        return {
            (bytes(row.permit_id), row.deposit_number, bytes(row.token_digest))
            for row in connection.execute(select(tables.told_records))
        }


def row(disclosure: Disclosure, number: int) -> tuple[bytes, int, bytes]:
    return (disclosure.permit_id, number // 10, told.token_digest(token(number)))


def notices(story: Story) -> list[tuple[bytes, set[int]]]:
    """Requests, and the places that their notices tell of."""
    with story.broker.database.read() as connection:
        documents = connection.execute(select(tables.retraction_notices.c.document)).scalars().all()
    said = [verify(RetractionNotice, each, story.broker.keys.signing_public).payload for each in documents]
    return [(each.request_id, set(each.places)) for each in said]


def places(disclosure: Disclosure, *numbers: int) -> tuple[bytes, set[int]]:
    return disclosure.request_id, {disclosure.matched.index(token(each)) for each in numbers}


def test_an_answer_leaves_a_row_for_each_record_it_told_of_and_a_count_none(story: Story) -> None:
    first = ask(story, [11, 12, 21, 99])
    ask(story, [98])
    assert ask(story, list(range(10, 60)), Tier.COUNT).noised_count is not None
    assert rows(story) == {row(first, 11), row(first, 12), row(first, 21)}


def test_a_row_goes_with_its_record_and_no_other_does(story: Story) -> None:
    first, second = ask(story, [11, 12, 21]), ask(story, [11])
    taking_back(story, RECORDS, deposit_id(story, 1), [token(11)]).take(story.broker)
    assert rows(story) == {row(first, 12), row(first, 21)}
    assert sorted(notices(story)) == sorted([places(first, 11), places(second, 11)])


@pytest.mark.parametrize("way", WAYS[1:])
def test_rows_go_with_their_deposit(way: str, story: Story) -> None:
    first, second = ask(story, [11, 12, 21]), ask(story, [21])
    taking_back(story, way, deposit_id(story, 1), []).take(story.broker)
    assert rows(story) == {row(first, 21), row(second, 21)}
    assert notices(story) == [places(first, 11, 12)]


def test_rows_go_when_the_retention_of_their_series_is_over(story: Story) -> None:
    first = ask(story, [11])
    assert rows(story) == {row(first, 11)}
    story.now = CONDITIONS.retain_until
    retention.purge(story.broker)
    assert rows(story) == set()


def test_rows_stay_when_matches_had_their_time_since_the_answer_stays(story: Story) -> None:
    first = ask(story, [11])
    story.now += 40 * 86_400
    assert retention.purge(story.broker).matches == 1
    assert rows(story) == {row(first, 11)}
    taking_back(story, RECORDS, deposit_id(story, 1), [token(11)]).take(story.broker)
    assert notices(story) == [places(first, 11)]


@pytest.mark.parametrize("way", WAYS)
def test_a_withdrawal_reads_the_answers_that_told_of_it_and_no_other(way: str, story: Story) -> None:
    """The others are damaged: whoever read them would fail."""
    wanted, others = ask(story, [11]), [ask(story, [21]), ask(story, [31])]
    with story.broker.database.write() as connection:
        permit_ids = [each.permit_id for each in others]
        damage = update(tables.permits).where(tables.permits.c.permit_id.in_(permit_ids))
        connection.execute(damage.values(disclosure=b"damaged"))
    taking_back(story, way, deposit_id(story, 1), [token(11)]).take(story.broker)
    assert notices(story) == [places(wanted, 11)]


def test_a_row_alone_notifies_nobody_since_the_answer_says_what_was_told(story: Story) -> None:
    first, other = ask(story, [11]), ask(story, [21])
    with story.broker.database.write() as connection:
        planted = dict(zip(tables.told_records.c.keys(), row(first, 11), strict=True))
        connection.execute(insert(tables.told_records).values(planted | {"permit_id": other.permit_id}))
    taking_back(story, DEPOSIT, deposit_id(story, 1), []).take(story.broker)
    assert notices(story) == [places(first, 11)]


def test_more_answers_and_records_than_are_asked_for_at_once_are_all_found(story: Story) -> None:
    """Rows of 250 permits, and 1,201 tokens asked about; each answer is the same one, for speed."""
    first = ask(story, [11])
    permit_ids = [number.to_bytes(16, "big") for number in range(250)]
    with story.broker.database.write() as connection:
        stored = connection.execute(select(tables.permits)).one()._asdict()
        request = connection.execute(select(tables.requests)).one()._asdict()
        requests = [request | {"request_id": each} for each in permit_ids]
        connection.execute(insert(tables.requests), requests)
        permits = [stored | {"permit_id": each, "request_id": each} for each in permit_ids]
        connection.execute(insert(tables.permits), permits)
        for each in permit_ids:
            told.keep(connection, each, [Match(1, token(11)), Match(1, token(12))])
    wanted = [token(number) for number in (*range(1000, 2200), 11)]
    with story.broker.database.read() as connection:
        some, every = list(told.answers(connection, 1, wanted)), list(told.answers(connection, 1, None))
    assert [each.request_id for each in some] == [each.request_id for each in every]
    assert {each.request_id for each in some} == {*permit_ids, first.request_id}
    assert len(some) == 251
