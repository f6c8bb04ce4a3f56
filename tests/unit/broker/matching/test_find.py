"""Tokens meet records: exactly the intersection, in the permitted deposits, and nothing kept of the rest."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, delete, insert, update

from broker.matching.evidence import Admitted, Matches, Recorded, TokenSet
from broker.matching.find import find
from broker.protocol.errors import BadInput, NotPermitted, Unavailable
from broker.protocol.messages.requests import TokenList, TokenSubmission
from broker.store import tables
from broker.store.database import Database
from tests.databases import Databases
from tests.messages_examples import NOW, PROOF, TERMS


class Shelf(Protocol):
    """See conftest."""

    database: Database

    def put(
        self, word: str, tokens: Iterable[bytes], contributor: str = ..., self_test: bytes = ...
    ) -> bytes: ...
    def admit(self, deposit_ids: Iterable[bytes], identifiers: int = ...) -> Admitted: ...
    def record(self, tokens: TokenSet) -> Recorded: ...


Submit = Callable[[Mapping[bytes, Iterable[bytes]]], TokenSubmission]
# A small alphabet, so that sets meet often.
TOKENS = st.sets(st.binary(min_size=1, max_size=1).map(lambda byte: byte * 16), max_size=40)


def _ask(shelf: Shelf, submission: TokenSubmission, deposits: Iterable[bytes]) -> Matches:
    recorded = shelf.record(TokenSet.within(shelf.admit(deposits), submission))
    with shelf.database.read() as connection:
        return find(connection, recorded, NOW)


@given(held=st.lists(TOKENS, min_size=1, max_size=3), asked=st.lists(TOKENS, min_size=3, max_size=3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_find_is_plain_set_intersection(
    shelf: Shelf, submit: Submit, held: list[set[bytes]], asked: list[set[bytes]]
) -> None:
    with shelf.database.write() as connection:
        for table in (tables.records, tables.deposits, tables.series):
            connection.execute(delete(table))
    names = [shelf.put(f"deposit {index}", tokens, f"c-{index}") for index, tokens in enumerate(held)]
    found = _ask(shelf, submit(dict(zip(names, asked, strict=False))), names)
    number_of = {deposit.deposit_number: deposit.deposit_id for deposit in found.deposits}
    expected = {
        (each, token)
        for each, mine, theirs in zip(names, held, asked, strict=False)
        for token in mine & theirs
    }
    assert {(number_of[match.deposit_number], match.token) for match in found.pairs} == expected
    assert found.contributors == len(held)


def test_more_tokens_than_one_query_takes_are_all_found(shelf: Shelf, submit: Submit) -> None:
    tokens = [index.to_bytes(16, "big") for index in range(1, 1201)]
    deposit = shelf.put("large", tokens[::2])
    recorded = shelf.record(TokenSet.within(shelf.admit([deposit], 1200), submit({deposit: tokens})))
    with shelf.database.read() as connection:
        assert [match.token for match in find(connection, recorded, NOW).pairs] == tokens[::2]


def test_a_deposit_outside_the_permit_is_never_searched(shelf: Shelf, submit: Submit) -> None:
    token = b"t" * 16
    inside, _outside = shelf.put("inside", []), shelf.put("outside", [token])
    assert _ask(shelf, submit({inside: [token]}), [inside]).pairs == ()


def test_the_self_test_record_never_counts(shelf: Shelf, submit: Submit) -> None:
    token = b"t" * 16
    deposit = shelf.put("deposit", [], self_test=token)
    assert _ask(shelf, submit({deposit: [token]}), [deposit]).pairs == ()


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (tables.deposits, {"state": "withdrawn"}),
        (tables.series, {"state": "withdrawn"}),
        (tables.series, {"retain_until": NOW}),
    ],
)
def test_a_deposit_that_stopped_serving_since_is_left_out(
    shelf: Shelf, submit: Submit, table: Table, values: dict[str, object]
) -> None:
    deposit = shelf.put("deposit", [b"t" * 16])
    with shelf.database.write() as connection:
        connection.execute(update(table).values(**values))
    found = _ask(shelf, submit({deposit: [b"t" * 16]}), [deposit])
    assert (found.pairs, found.contributors) == ((), 0)


def test_unmatched_tokens_are_in_no_byte_of_the_files(
    shelf: Shelf, submit: Submit, databases: Databases, database_url: str
) -> None:
    matched = b"matched token 16"
    canaries = [f"canary {index:09d}".encode() for index in range(800)]
    deposit = shelf.put("deposit", [matched])
    assert len(_ask(shelf, submit({deposit: [matched, *canaries]}), [deposit]).pairs) == 1
    stored = b"".join(databases.everything(database_url))
    assert matched in stored
    assert b"canary" not in stored


def test_a_submission_covers_the_permits_deposits_exactly(shelf: Shelf, submit: Submit) -> None:
    one, two = shelf.put("one", []), shelf.put("two", [])
    admitted = shelf.admit([one, two])
    assert TokenSet.within(admitted, submit({one: [], two: []})).root
    other = b"x" * 32
    wrong: list[dict[bytes, list[bytes]]] = [{one: []}, {one: [], two: [], other: []}, {one: [], other: []}]
    for lists in wrong:
        with pytest.raises(NotPermitted):
            TokenSet.within(admitted, submit(lists))
    twice = submit({one: [], two: []})
    twice = twice.model_copy(update={"lists": (*twice.lists, twice.lists[0])})
    with pytest.raises(NotPermitted):
        TokenSet.within(admitted, twice)
    swapped = TokenList(handle=two[:16], deposit_id=one, tokens=b"")
    with pytest.raises(NotPermitted):
        TokenSet.within(admitted, twice.model_copy(update={"lists": (swapped, twice.lists[1])}))


def test_tokens_beyond_the_permits_identifiers_are_refused(shelf: Shelf, submit: Submit) -> None:
    deposit = shelf.put("deposit", [])
    admitted = shelf.admit([deposit], identifiers=2)
    tokens = [bytes([index]) * 16 for index in range(1, 4)]
    assert TokenSet.within(admitted, submit({deposit: tokens[:2]})).root
    with pytest.raises(NotPermitted, match="more tokens than the permit has identifiers"):
        TokenSet.within(admitted, submit({deposit: tokens}))


@pytest.mark.parametrize("tokens", [b"t" * 15, b"t" * 32, b"b" * 16 + b"a" * 16])
def test_tokens_cut_short_repeated_or_unsorted_are_refused(
    shelf: Shelf, submit: Submit, tokens: bytes
) -> None:
    deposit = shelf.put("deposit", [])
    lists = (TokenList(handle=deposit[:16], deposit_id=deposit, tokens=tokens),)
    with pytest.raises(BadInput):
        TokenSet.within(shelf.admit([deposit]), submit({deposit: []}).model_copy(update={"lists": lists}))


def test_a_permit_whose_entry_is_about_other_terms_admits_nothing(shelf: Shelf) -> None:
    admitted = shelf.admit([b"d" * 32])
    with pytest.raises(Unavailable):
        Admitted.by(TERMS, admitted.receipt)
    assert admitted.receipt.proof != PROOF


def test_a_hundred_times_the_records_take_a_thousand_tokens_no_ten_times_as_long(
    shelf: Shelf, submit: Submit
) -> None:
    """Records are looked up, not gone through: that would take a hundred times as long."""
    best = []
    for number, records in enumerate((1_000, 100_000), start=1):
        deposit = shelf.put(f"deposit {number}", [])
        _fill(shelf, number, records)
        step = records // 1_000
        tokens = [(index * step * 7919).to_bytes(16, "big") for index in range(1, 1001)]
        recorded = shelf.record(TokenSet.within(shelf.admit([deposit]), submit({deposit: tokens})))
        with shelf.database.read() as connection:
            took = []
            for _ in range(7):
                begun = time.perf_counter()
                found = find(connection, recorded, NOW)
                took.append(time.perf_counter() - begun)
        assert len(found.pairs) == 1000
        best.append(min(took))
    assert best[1] < 10 * best[0]


def _fill(shelf: Shelf, number: int, records: int) -> None:
    rows = [
        {
            "deposit_number": number,
            "token": (index * 7919).to_bytes(16, "big"),
            "record_version": 1,
            "sealed": b"s" * 540,
        }
        for index in range(1, records + 1)
    ]
    with shelf.database.write() as connection:
        connection.execute(insert(tables.records), rows)
