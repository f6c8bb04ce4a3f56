"""The door: signed calls in, canonical answers out, and no error or log line that repeats what was sent."""

import asyncio
import json
import logging
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest

from broker.protocol import checkpoint, merkle
from broker.protocol.calls import sign_call
from broker.protocol.documents import verify
from broker.protocol.messages.base import Message, MessageT, encode, read
from broker.protocol.messages.envelopes import DocumentMessage, SeenCheckpoint
from broker.protocol.messages.evaluation import EvaluationAnswer, SelfTestAnswer, SelfTestCall
from broker.protocol.messages.series import Acceptance, DestructionReceipt, PrekeyPack
from broker.protocol.problems import PROBLEMS
from broker.protocol.tiles import leaves_in
from clients.keyholder.api.app import MAXIMUM_BODY_BYTES, create_app
from clients.keyholder.api.problems import STATUS
from tests import tlog_reader
from tests.keyholder_world import COMPANIES, POLICE, World

CANARY = "+447700900123"


@dataclass(frozen=True)
class Answered:
    """One HTTP answer."""

    status: int
    kind: str
    body: bytes

    def problem(self) -> dict[str, Any]:
        assert self.kind == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        assert found["type"].startswith("urn:narrowgate:problem:")
        assert found["what_to_do"]
        return found

    def message(self, kind: type[MessageT]) -> MessageT:
        assert (self.status, self.kind) == (200, "application/json"), self.body
        return read(kind, self.body)


class Door:
    """Calls one key holder's application in memory, as its members would over HTTP."""

    def __init__(self, world: World) -> None:
        self.world, self.app = world, create_app(world.holder)
        self.origin = world.holder.keys.origin

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered:
        return asyncio.run(self._send(method, path, headers or {}, body))

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answered:
        plain, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": plain,
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, keep)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answered(sent[0]["status"], told["content-type"].split(";")[0], content)

    def sign(self, caller: str, path: str, body: bytes, key: str | None = None) -> dict[str, str]:
        return sign_call(
            self.world.keys[caller],
            method="POST",
            url=self.origin + path,
            headers={"content-type": "application/json", "idempotency-key": key or os.urandom(8).hex()},
            body=body,
            now=self.world.clock(),
            random_bytes=os.urandom,
        )

    def post(self, caller: str, path: str, message: Message | bytes, key: str | None = None) -> Answered:
        body = message if isinstance(message, bytes) else encode(message)
        return self.send("POST", path, self.sign(caller, path, body, key), body)


@pytest.fixture
def door(world: World) -> Door:
    return Door(world)


def test_a_series_lives_and_ends_over_http(world: World, door: Door) -> None:
    public = world.holder.keys.signing_public
    verify(PrekeyPack, door.send("GET", "/v1/prekeys").message(DocumentMessage).document, public)
    deals = tuple(world.deal(name) for name in COMPANIES)
    for deal in deals:
        answer = door.post(deal.manifest.contributor, "/v1/series", world.delivery(world.holder, deal))
        acceptance = verify(Acceptance, answer.message(DocumentMessage).document, public).payload
        assert acceptance.series_id == deal.series_id
    path = f"/v1/series/{deals[0].series_id.hex()}"
    door.post(COMPANIES[0], f"{path}/self-test", SelfTestCall(quorum=(1, 2))).message(SelfTestAnswer)
    filed = world.admit(deals)
    call = filed.call(world.holder, deals[0])
    assert door.send("GET", "/v1/log/seen").message(SeenCheckpoint).size == 0
    answered = door.post(POLICE, "/v1/evaluations", call).message(EvaluationAnswer)
    assert len(answered.chunks) == 1
    seen = door.send("GET", "/v1/log/seen").message(SeenCheckpoint)
    assert (seen.size, seen.root) == (1, world.log.storage.head().root)
    by_space = door.send("GET", f"/v1/log/seen?space_id={world.space.payload.space_id.hex()}")
    assert by_space.message(SeenCheckpoint) == seen
    withdrawal = DocumentMessage(document=world.withdrawal(deals[0]))
    receipt = door.post(COMPANIES[0], f"{path}/destroy", withdrawal).message(DocumentMessage)
    verify(DestructionReceipt, receipt.document, public)
    assert door.post(POLICE, "/v1/evaluations", call).problem()["status"] == 409


def test_the_holders_log_can_be_mirrored_and_checked(world: World, door: Door) -> None:
    world.deal_all()
    found_leaves = leaves_in(door.send("GET", "/tile/entries/000.p/4").body)
    note = door.send("GET", "/checkpoint")
    key = checkpoint.VerifierKey(
        world.holder.log.origin, checkpoint.ED25519, world.holder.keys.signing_public
    )
    found = checkpoint.parse_and_verify(note.body, world.holder.log.origin, key)
    assert found.root == merkle.root_of(merkle.leaf_hash(leaf) for leaf in found_leaves)


def test_the_holders_log_is_read_from_its_tiles(world: World, door: Door) -> None:
    world.deal_all()
    key = checkpoint.verifier_key(world.holder.log.origin, world.holder.keys.signing_public)
    read = tlog_reader.read_log(lambda path: door.send("GET", f"/{path}").body, key)
    with world.holder.database.read() as connection:
        assert read.size == world.holder.log.size(connection) > 0
    assert door.send("GET", "/tile/0/007").status == 404


def test_it_answers_that_it_is_well(door: Door) -> None:
    assert json.loads(door.send("GET", "/healthz").body) == {"status": "ok"}


def test_a_call_without_a_members_signature_is_told_the_time(world: World, door: Door) -> None:
    delivery = encode(world.delivery(world.holder, world.deal()))
    assert door.send("POST", "/v1/series", {}, delivery).status == 401
    assert door.post("desk-1", "/v1/series", delivery).problem()["server_time"] == world.clock()
    for shift in (-61, 61):
        headers = door.sign(COMPANIES[0], "/v1/series", delivery)
        world.clock.now += shift
        assert door.send("POST", "/v1/series", headers, delivery).status == 401
        world.clock.now -= shift


def test_a_replayed_call_is_refused_and_a_retry_with_a_new_nonce_is_answered(
    world: World, door: Door
) -> None:
    deal = world.deal()
    body = encode(world.delivery(world.holder, deal))
    headers = door.sign(COMPANIES[0], "/v1/series", body, "one-key-for-both")
    first = door.send("POST", "/v1/series", headers, body)
    assert first.status == 200
    assert door.send("POST", "/v1/series", headers, body).problem()["status"] == 401
    again = door.post(COMPANIES[0], "/v1/series", body, "one-key-for-both")
    assert (again.status, again.body) == (200, first.body)


def test_an_idempotency_key_is_for_one_call(world: World, door: Door) -> None:
    first = encode(world.delivery(world.holder, world.deal()))
    second = encode(world.delivery(world.holder, world.deal()))
    assert door.post(COMPANIES[0], "/v1/series", first, "one-key-for-both").status == 200
    assert door.post(COMPANIES[0], "/v1/series", second, "one-key-for-both").problem()["status"] == 409


def test_a_signature_for_another_address_or_body_is_refused(world: World, door: Door) -> None:
    body = encode(world.delivery(world.holder, world.deal()))
    headers = door.sign(COMPANIES[0], "/v1/evaluations", body)
    assert door.send("POST", "/v1/series", headers, body).status == 401
    headers = door.sign(COMPANIES[0], "/v1/series", body)
    assert door.send("POST", "/v1/series", headers, body + b" ").status == 401


def test_who_needs_a_consistency_proof_is_told_from_which_size(world: World, door: Door) -> None:
    deals = world.deal_all()
    first, second = world.admit(deals), world.admit(deals)
    door.post(POLICE, "/v1/evaluations", first.call(world.holder, deals[0])).message(EvaluationAnswer)
    told = door.post(POLICE, "/v1/evaluations", second.call(world.holder, deals[0])).problem()
    assert (told["status"], told["type"], told["seen_size"]) == (
        409,
        "urn:narrowgate:problem:consistency-needed",
        1,
    )
    proof = world.log.consistency(1, 2)
    call = second.call(world.holder, deals[0], consistency=proof)
    door.post(POLICE, "/v1/evaluations", call).message(EvaluationAnswer)


def test_no_error_repeats_what_was_sent(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bodies = (
        json.dumps({CANARY: 1}).encode(),
        json.dumps({"quorum": CANARY}).encode(),
        CANARY.encode(),
        json.dumps({"quorum": [1, 2], "manifest": CANARY, "document": CANARY}).encode(),
    )
    paths = (
        "/v1/series",
        "/v1/evaluations",
        f"/v1/series/{'00' * 32}/self-test",
        f"/v1/series/{'00' * 32}/destroy",
    )
    answers = [door.post(POLICE, path, body) for path in paths for body in bodies]
    answers += [door.post(POLICE, f"/v1/series/{CANARY}/destroy", DocumentMessage(document="a.b.c"))]
    answers += [
        door.send("GET", f"/tile/{CANARY}"),
        door.send("GET", f"/v1/log/seen?space_id={CANARY}"),
        door.send("GET", f"/v1/{CANARY}"),
        door.send("DELETE", f"/v1/series?{CANARY}"),
        door.send("POST", "/v1/evaluations", {"signature": CANARY, "signature-input": CANARY}, bodies[0]),
    ]
    for answer in answers:
        assert 400 <= answer.status < 500
        assert CANARY not in json.dumps(answer.problem())
    assert "narrowgate.keyholder" in {record.name for record in caplog.records}
    assert CANARY not in caplog.text


def test_a_fault_tells_the_outside_nothing(
    world: World, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    deal = world.deal()
    body = encode(world.delivery(world.holder, deal))

    def broken(size: int) -> bytes:
        raise RuntimeError(CANARY)

    world.random_bytes = broken
    answer = door.post(COMPANIES[0], "/v1/series", body)
    assert answer.status == 500
    assert answer.problem()["detail"] == "The key holder failed. Nothing was evaluated."
    assert CANARY not in answer.body.decode() + caplog.text
    assert "RuntimeError" in caplog.text
    world.random_bytes = os.urandom
    assert door.post(COMPANIES[0], "/v1/series", body).status == 200


def test_a_body_too_large_is_refused_before_it_is_read_whole(door: Door) -> None:
    assert door.send("POST", "/v1/series", {}, b"x" * (MAXIMUM_BODY_BYTES + 1)).problem()["status"] == 413


def test_every_problem_type_has_a_status() -> None:
    assert set(STATUS) == set(PROBLEMS)
