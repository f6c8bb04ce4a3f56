"""Order links nothing: neither rows to records, nor one deposit to another, nor a request's list to its tokens.

Two deposits hold the same identifiers in the same rows; a broker that could match their order would know which records
are of one person. Order is told from chance by Spearman's rank correlation: for n independent ranks its deviation is
1/sqrt(n-1), and 5/sqrt(n) is met by chance with odds below one in a million. Seeds are fixed.
"""

import random
from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path

import pytest

from broker.protocol import documents, tokens
from broker.protocol.messages.base import read
from broker.protocol.messages.deposits import DepositDeclaration, decode_batch
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.requests import TokenSubmission
from broker.protocol.messages.vocabulary import Tier
from clients.depositing.series_folder import SeriesFolder
from tests.world import BROKER, POLICE, World, email

pytestmark = pytest.mark.all_only

ROWS = 2_000
ASKED = 400


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """company-1 deposits its rows, then all but the last again under the same keys; company-2 deposits them too."""
    made = World(tmp_path_factory.mktemp("world"))
    made.deposit("company-1", emails=range(ROWS))
    made.deposit("company-1", emails=range(ROWS - 1))
    made.deposit("company-2", emails=range(ROWS))
    made.deposit("ngo-1", emails=range(5_000, 5_010))
    yield made
    made.close()


def spearman(first: Sequence[int], second: Sequence[int]) -> float:
    """Rank correlation of two orders without ties: each lists the ranks of the same things."""
    n = len(first)
    squares = sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
    return 1 - 6 * squares / (n * (n * n - 1))


def linked(first: Sequence[int], second: Sequence[int]) -> bool:
    """Whether one order tells of the other more than chance would."""
    return abs(spearman(first, second)) >= 5 / sqrt(len(first))


def ranks(values: Sequence[int]) -> list[int]:
    """The rank of each value among them."""
    order = {value: rank for rank, value in enumerate(sorted(values))}
    return [order[value] for value in values]


def uploaded(world: World, name: str) -> dict[bytes, list[bytes]]:
    """The tokens a contributor sent, by deposit, in the order of its batches."""
    key, found = documents.public_bytes(world.homes[name].signing_key), {}
    for passed in world.wire.seen(BROKER, "/v1/deposits"):
        if passed.call.path == "/v1/deposits":
            document = read(DocumentMessage, passed.call.body).document
            if documents.unverified_kid(document) == documents.key_identifier(key):
                declared = documents.verify(DepositDeclaration, document, key).payload
                found[declared.deposit_id] = list[bytes]()
        parts = passed.call.path.split("/")
        if "batches" in parts and bytes.fromhex(parts[3]) in found:
            batch = [record.token for record in decode_batch(passed.call.body, 512)]
            found[bytes.fromhex(parts[3])] += batch
    return found


def places(world: World, name: str) -> list[list[int]]:
    """For each of a contributor's deposits: the place of each row's record among those that were sent."""
    (series,) = [
        SeriesFolder(world.homes[name], bytes.fromhex(each))
        for each in world.homes[name].vault.names("series")
    ]
    keys, salt = series.keys(), world.homes[name].salt(world.space)
    masked = [
        tokens.mask(keys.k_match, None, tokens.salted_hash(salt, email(row))).y_match for row in range(ROWS)
    ]
    found = []
    for deposit_id, sent in uploaded(world, name).items():
        place = {token: number for number, token in enumerate(sent)}
        derived = [tokens.derive(y, series.series_id, world.space.space_id, deposit_id) for y in masked]
        found.append([place[token] for token in derived if token in place])
    return found


def test_the_measure_finds_an_order_that_is_there() -> None:
    rows = list(range(ROWS))
    nearly = [row ^ 1 for row in rows]
    assert linked(rows, rows)
    assert linked(rows, nearly)
    assert linked(rows, rows[::-1])
    shuffled = random.Random(5).sample(rows, ROWS)
    assert not linked(rows, shuffled)


def test_records_of_two_deposits_are_not_linked_by_their_order(world: World) -> None:
    first, again = (ranks(each) for each in places(world, "company-1"))
    (other,) = (ranks(each) for each in places(world, "company-2"))
    assert (len(first), len(again), len(other)) == (ROWS, ROWS - 1, ROWS)
    rows = list(range(ROWS))
    for order in (first, again, other):
        assert not linked(rows[: len(order)], order), "the order of rows shows"
    assert not linked(first, other), "two contributors' deposits are linked"
    assert not linked(ranks(first[:-1]), again), "two deposits of one series are linked"


def test_the_same_identifier_has_another_token_in_each_deposit(world: World) -> None:
    sent = [set(each) for name in ("company-1", "company-2") for each in uploaded(world, name).values()]
    assert [len(each) for each in sent] == [ROWS + 1, ROWS, ROWS + 1]
    assert len(set.union(*sent)) == sum(len(each) for each in sent)


def test_a_requests_lists_are_not_linked_by_their_order(world: World) -> None:
    """The broker sees one list of tokens a deposit. Its order tells neither of the rows nor of the other lists."""
    asked = [email(row) for row in random.Random(7).sample(range(ROWS), ASKED)]
    assert world.ask(asked, Tier.COUNT).noised_count is not None
    sent = read(TokenSubmission, world.wire.seen(BROKER, "/v1/requests/")[-1].call.body)
    by_deposit = {item.deposit_id: _split(item.tokens) for item in sent.lists}
    assert all(list(found) == sorted(found) for found in by_deposit.values())
    orders = []
    for name in ("company-1", "company-2"):
        home = world.homes[name]
        (series,) = [SeriesFolder(home, bytes.fromhex(each)) for each in home.vault.names("series")]
        salt, key = world.homes[POLICE].salt(world.space), series.keys().k_match
        masked = [tokens.mask(key, None, tokens.salted_hash(salt, text)).y_match for text in asked]
        for deposit_id in uploaded(world, name):
            place = {token: number for number, token in enumerate(by_deposit[deposit_id])}
            orders.append(
                [place[tokens.derive(y, series.series_id, world.space.space_id, deposit_id)] for y in masked]
            )
    assert len(orders) == 3
    for number, order in enumerate(orders):
        assert not linked(list(range(ASKED)), order)
        for other in orders[number + 1 :]:
            assert not linked(order, other)


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + 16] for at in range(0, len(data), 16)]


def test_what_is_uploaded_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    """The same world twice, seeds and all: only the order of rows differs, and the nonces fall to other records."""
    sent = []
    for number, rows in enumerate((range(300), random.Random(3).sample(range(300), 300))):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(folder)
        try:
            world.deposit("company-1", emails=rows)
            ((deposit_id, found),) = uploaded(world, "company-1").items()
            bodies = [
                len(each.call.body) for each in world.wire.seen(BROKER, f"/v1/deposits/{deposit_id.hex()}")
            ]
            sent.append((deposit_id, found, bodies))
        finally:
            world.close()
    assert list(range(300)) != random.Random(3).sample(range(300), 300)
    assert len(sent[0][1]) == 301
    assert sent[0] == sent[1]
