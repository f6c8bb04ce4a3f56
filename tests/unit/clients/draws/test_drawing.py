"""An order to open: random indices are uniform and without repeats, and what the log does not name cannot be drawn."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import encode
from broker.protocol.messages.draws import MAXIMUM_DRAWN
from broker.protocol.messages.requests import AdmissionRecord
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditor import Auditor
from clients.draws.drawing import Drawing
from clients.draws.logged_requests import LoggedRequest, find_by_digest
from clients.mirrors.mirror import Mirror
from clients.mirrors.watched_log import broker_log
from tests.messages_examples import BATCH, TERMS
from tests.requester_world import RequesterWorld

LOGGED = LoggedRequest(
    index=0,
    terms=TERMS.model_copy(
        update={
            "batches": (
                BATCH.model_copy(update={"identifier_type": "email", "points": 3, "identifiers": 3}),
                BATCH.model_copy(update={"points": 2}),
            )
        }
    ),
    retention_days=180,
    tokens=None,
)


@pytest.fixture
def world(tmp_path: Path) -> RequesterWorld:
    return RequesterWorld(tmp_path)


def _drawing(world: RequesterWorld, name: str = "auditor-1") -> Drawing:
    return Drawing(world.homes[name], world.space, world.clock, world.random_bytes)


def test_every_index_of_every_type_is_as_likely(world: RequesterWorld) -> None:
    drawing, seen, times = _drawing(world), Counter[tuple[str, int]](), 2000
    for _ in range(times):
        drawn = drawing.draw(LOGGED, 2)
        places = [(name, index) for name, indices in drawn.items() for index in indices]
        assert len(set(places)) == 2
        seen.update(places)
    assert len(seen) == 5
    # 2 of 5 in each draw: 800 expected; four standard deviations are 88.
    assert all(abs(number - 800) < 100 for number in seen.values())


def test_what_does_not_fit_evenly_is_drawn_again(world: RequesterWorld) -> None:
    draws = iter([b"\xff" * 8, (7).to_bytes(8, "big")])
    drawing = Drawing(world.homes["auditor-1"], world.space, world.clock, lambda size: next(draws))
    assert drawing.draw(LOGGED, 1) == {"email": [2]}  # 2^64 - 1 is left over by 5; 7 is 2 of 5


def test_all_can_be_drawn_and_no_more(world: RequesterWorld) -> None:
    drawn = _drawing(world).draw(LOGGED, 5)
    assert {name: sorted(indices) for name, indices in drawn.items()} == {"email": [0, 1, 2], "phone": [0, 1]}
    for number in (0, 6):
        with pytest.raises(BadInput, match="5 identifiers"):
            _drawing(world).draw(LOGGED, number)


def test_an_order_names_at_most_a_thousand_indices(world: RequesterWorld) -> None:
    many = BATCH.model_copy(update={"identifiers": 5000, "points": 5000})
    logged = LoggedRequest(0, TERMS.model_copy(update={"batches": (many,)}), 180, None)
    with pytest.raises(BadInput, match="1000"):
        _drawing(world).order(bytes(16), logged, {"phone": range(MAXIMUM_DRAWN + 1)})
    order = _drawing(world).order(bytes(16), logged, {"phone": range(MAXIMUM_DRAWN)}).payload
    assert world.homes["auditor-1"].vault.exists(f"draws/{order.draw_id.hex()}.jws")


def test_nobody_but_an_auditor_of_the_space_draws(world: RequesterWorld) -> None:
    for name in ("desk-1", "unit-1"):
        with pytest.raises(NotPermitted):
            _drawing(world, name)


def test_a_request_that_the_log_does_not_have_cannot_be_drawn(world: RequesterWorld) -> None:
    world.log.append(RecordKind.SPACE_FOUNDED, b'{"v":1}')
    home = world.homes["auditor-1"]
    Auditor(home.vault, broker_log(world.space), world.caller(home), world.clock).verify()
    with pytest.raises(NotFound, match="audit verify"):
        _drawing(world).find(bytes(16))


def test_a_decision_without_a_retention_is_the_brokers_fault_and_told_so(world: RequesterWorld) -> None:
    terms = TERMS.model_copy(update={"decision_digest": hashlib.sha256(b"{}").digest()})
    world.log.append(RecordKind.ADMITTED, encode(AdmissionRecord(terms=terms, decision="{}")))
    home = world.homes["auditor-1"]
    Auditor(home.vault, broker_log(world.space), world.caller(home), world.clock).verify()
    with pytest.raises(VerificationFailed, match="operator"):
        find_by_digest(Mirror(home.vault, broker_log(world.space).folder), terms.request_digest)
