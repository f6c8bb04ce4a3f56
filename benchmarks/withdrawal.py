"""Finding whom to notify of a withdrawal: by the rows that answers left, against looking through every answer.

Run: python -m benchmarks.withdrawal [ANSWERS]

Each answer tells of 20 records, of 2,000 in one deposit; one in a hundred of 20 in another deposit instead. The answers
are signed as the broker signs them and stored past the exchange, whose time is told beside. What was done before is
done here as it was (decision 49 says why it went). Figures of one run are comparable with one another only; the last
column is the ratio of the two. PostgreSQL runs with its defaults.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from alembic import command
from sqlalchemy import func, insert, select, text

from broker import retractions
from broker.gate.bundle import load
from broker.protocol.documents import sign, verify
from broker.protocol.messages.base import blob_from_text, blob_to_text, encode, read
from broker.protocol.messages.requests import Disclosure, TokensAnswered
from broker.retractions import Recipient
from broker.store import deposits, matches, migrate, tables, told
from broker.store.database import Connection
from broker.store.matches import Match
from tests.databases import Databases, Server, SqliteFiles
from tests.exchange_story import COMPANIES, Story, token
from tests.races import POLICIES

RECORDS, TOLD_OF = 2_000, 20
ONE_IN = 100
_AT_ONCE = 100
_REAL_ANSWERS = 10
Tokens = Sequence[bytes] | None
Search = Callable[[Story, Connection, deposits.StoredDeposit, Tokens], Sequence[Recipient]]


@dataclass(frozen=True)
class Filled:
    """A broker with its answers. `asked` are records that some, and that no answers told of; `few` is the deposit that
    one answer in a hundred told of, `all` the other."""

    story: Story
    told: bytes
    untold: bytes
    few: bytes
    all: bytes


def main(answers: int) -> None:
    """Print the figures for each database."""
    with tempfile.TemporaryDirectory() as folder:
        _measure(SqliteFiles(), Path(folder), answers)
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _measure(server, Path(folder), answers)
    finally:
        server.stop()


def _measure(databases: Databases, folder: Path, answers: int) -> None:
    print(f"{databases.name}, {answers:,} answers that tell of {TOLD_OF} records each:")
    filled = _fill(Story(folder, load(POLICIES), database_url=databases.new(folder)), answers)
    for name, deposit_id, tokens in (
        ("a record that one answer in a hundred told of", filled.all, [filled.told]),
        ("a record that no answer told of", filled.all, [filled.untold]),
        ("a deposit that one answer in a hundred told of", filled.few, None),
        ("a deposit that all other answers told of", filled.all, None),
    ):
        seconds, found = _time(filled.story, _by_rows, deposit_id, tokens)
        before, expected = _time(filled.story, _through_every_answer, deposit_id, tokens)
        if {(each.request_id, each.places) for each in found} != {
            (each.request_id, each.places) for each in expected
        }:
            raise SystemExit("The two searches find other recipients.")
        what = f"{name} ({len(found):,})"
        print(f"  {what:<58} {before:9.4f} s before {seconds:9.4f} s {before / seconds:9.1f}")
    _upgrade(filled.story)
    filled.story.stop()


def _upgrade(story: Story) -> None:
    """How long a database of before, with these answers, takes to be brought to this schema."""
    config = migrate._config()
    with story.broker.database.write() as connection:
        rows = connection.execute(select(func.count()).select_from(tables.told_records)).scalar_one()
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
    started = time.perf_counter()
    migrate.upgrade(story.broker.database)
    seconds = time.perf_counter() - started
    with story.broker.database.read() as connection:
        if connection.execute(select(func.count()).select_from(tables.told_records)).scalar_one() != rows:
            raise SystemExit("The upgrade makes other rows than the answers left.")
    print(f"  the upgrade of a database without the rows {seconds:.1f} s")


# --- the two searches ---


def _by_rows(
    story: Story, connection: Connection, deposit: deposits.StoredDeposit, tokens: Tokens
) -> Sequence[Recipient]:
    return retractions.recipients(story.broker, connection, deposit, tokens)


def _through_every_answer(
    story: Story, connection: Connection, deposit: deposits.StoredDeposit, tokens: Tokens
) -> Sequence[Recipient]:
    """What is named by any answer of the space is read off it unverified; who named something of it is verified."""
    wanted, found = None if tokens is None else frozenset(map(blob_to_text, tokens)), []
    every = _answered(connection, deposit.space_id)
    while answers := tuple(islice(every, _AT_ONCE)):
        named = [_tokens_in(answer) for _, _, answer in answers]
        asked = frozenset[str]().union(*named)
        gone = _held(connection, deposit, asked) if wanted is None else asked & wanted
        for (request_id, requester, answer), tokens_in in zip(answers, named, strict=True):
            if gone.isdisjoint(tokens_in):
                continue
            document = read(TokensAnswered, answer).document or ""
            said = verify(Disclosure, document, story.broker.keys.signing_public)
            places = tuple(
                place for place, each in enumerate(said.payload.matched) if blob_to_text(each) in gone
            )
            found.append(Recipient(request_id, requester, said.digest, places))
    return found


def _answered(connection: Connection, space_id: bytes) -> Iterator[tuple[bytes, str, bytes]]:
    requests, permits = tables.requests, tables.permits
    query = (
        select(requests.c.request_id, requests.c.requester, permits.c.disclosure)
        .join(permits, permits.c.request_id == requests.c.request_id)
        .where(requests.c.space_id == space_id, requests.c.state == "released")
        .order_by(requests.c.request_id)
    )
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield bytes(row.request_id), row.requester, bytes(row.disclosure)


def _tokens_in(answer: bytes) -> frozenset[str]:
    document = json.loads(answer)["document"]
    return frozenset(json.loads(blob_from_text(document.split(".")[1]))["matched"])


def _held(connection: Connection, deposit: deposits.StoredDeposit, asked: frozenset[str]) -> frozenset[str]:
    tokens = sorted(map(blob_from_text, asked))
    found = matches.held(connection, {deposit.deposit_number: tokens}) if tokens else ()
    return frozenset(blob_to_text(match.token) for match in found)


def _time(
    story: Story, search: Search, deposit_id: bytes, tokens: Tokens
) -> tuple[float, Sequence[Recipient]]:
    best, found = float("inf"), tuple[Recipient, ...]()
    for _ in range(2):
        with story.broker.database.read() as connection:
            deposit = deposits.find(connection, deposit_id)
            if deposit is None:
                raise SystemExit("The deposit was not stored.")
            started = time.perf_counter()
            found = tuple(search(story, connection, deposit, tokens))
            best = min(best, time.perf_counter() - started)
    return best, found


# --- filling ---


def _fill(story: Story, answers: int) -> Filled:
    drawn = random.Random(answers)
    first, second = list(range(RECORDS)), list(range(RECORDS, RECORDS + TOLD_OF))
    all_of_it = story.deposit(COMPANIES[0], [token(each) for each in first])
    few = story.deposit(COMPANIES[1], [token(each) for each in second])
    story.deposit(COMPANIES[2], [token(RECORDS * 2)])
    example = _real_answers(story)
    with story.broker.database.write() as connection:
        known = example.permit_id, example.request_id
        permit = _row(connection, "permits", "permit_id", known[0])
        request = _row(connection, "requests", "request_id", known[1])
        numbers = {
            deposit: getattr(deposits.find(connection, deposit), "deposit_number", 0)
            for deposit in (all_of_it, few)
        }
    told_of = [
        (few, second)
        if number % ONE_IN == 0
        # The last of the records is told of by nobody, and the first by one in a hundred.
        else (all_of_it, [*drawn.sample(first[1:-1], TOLD_OF - 1), 0 if number % ONE_IN == 1 else 1])
        for number in range(answers)
    ]
    rows: list[tuple[bytes, list[Match]]] = []
    for at in range(0, answers, 1_000):
        requests, permits = [], []
        for number, (deposit, indices) in enumerate(told_of[at : at + 1_000], at):
            name, matched = number.to_bytes(16, "big"), sorted({token(each) for each in indices})
            said = example.model_copy(
                update={"request_id": name, "permit_id": name, "matched": tuple(matched)}
            )
            answer = TokensAnswered(document=sign(said, story.broker.keys.signing_key).document)
            requests.append(request | {"request_id": name})
            permits.append(permit | {"permit_id": name, "request_id": name, "disclosure": encode(answer)})
            rows.append((name, [Match(numbers[deposit], each) for each in matched]))
        with story.broker.database.write() as connection:
            connection.execute(insert(tables.requests), requests)
            connection.execute(insert(tables.permits), permits)
    _keep_rows(story, rows)
    return Filled(story, token(0), token(RECORDS - 1), few, all_of_it)


def _real_answers(story: Story) -> Disclosure:
    """How long the exchange takes for one answer, and the rows of it. Returns an answer."""
    spent, of_rows, keep = 0.0, [], told.keep

    def timed(connection: Connection, permit_id: bytes, pairs: Sequence[Match]) -> None:
        started = time.perf_counter()
        keep(connection, permit_id, pairs)
        of_rows.append(time.perf_counter() - started)

    told.keep = timed  # type: ignore[assignment]
    try:
        for number in range(_REAL_ANSWERS):
            request = story.request()
            asked = [token(TOLD_OF * number + each) for each in range(TOLD_OF)]
            started = time.perf_counter()
            answer = story.answer(request, story.tokens(story.file(request), asked))
            spent += time.perf_counter() - started
    finally:
        told.keep = keep
    share = sum(of_rows) / spent
    each = f"{spent / _REAL_ANSWERS * 1e3:.1f} ms an exchange"
    print(f"  {each}, {sum(of_rows) / len(of_rows) * 1e3:.2f} ms of it for these rows: {share:.3f}")
    return answer


def _keep_rows(story: Story, rows: list[tuple[bytes, list[Match]]]) -> None:
    before, started = _bytes(story), time.perf_counter()
    for at in range(0, len(rows), 1_000):
        with story.broker.database.write() as connection:
            for name, pairs in rows[at : at + 1_000]:
                told.keep(connection, name, pairs)
    seconds, number = time.perf_counter() - started, sum(len(pairs) for _, pairs in rows)
    grown = (_bytes(story) - before) / number
    print(f"  {number:,} rows: {number / seconds:,.0f} a second, {grown:.0f} bytes each")


def _bytes(story: Story) -> int:
    story.broker.database.empty_wal()
    sqlite = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    query = sqlite if story.broker.database.is_sqlite else "SELECT pg_total_relation_size('told_records')"
    with story.broker.database.read() as connection:
        return int(connection.execute(text(query)).scalar_one())


def _row(connection: Connection, table: str, key: str, name: bytes) -> dict[str, object]:
    found = tables.METADATA.tables[table]
    return dict(connection.execute(select(found).where(found.c[key] == name)).one()._mapping)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16_000)
