"""Somebody on the network who records, replays, changes or redirects calls and answers, below or without TLS."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.protocol.errors import BadInput, NarrowgateError, VerificationFailed
from broker.protocol.messages.base import blob_from_text, blob_to_text
from clients.transport import Answer, RemoteUnauthenticated
from tests.threats import colluding
from tests.world import BROKER, HOLDERS, Call, Passed, World, phone

ASKED = [phone(3), phone(7), phone(500)]
HITS = {phone(3), phone(7)}
UNSIGNED = ("/v1/enrolments", "/v1/prekeys", "/v1/log/", "/checkpoint", "/tile/", "/v1/time", "/healthz")
"""What anybody may call."""


def signed(passed: list[Passed]) -> list[Passed]:
    """The calls that say who makes them."""
    return [each for each in passed if not each.call.path.startswith(UNSIGNED)]


def state(world: World) -> tuple[list[str], dict[int, int]]:
    """What a call can change: the broker's log, and what holders evaluated."""
    return world.log_kinds(), world.evaluations()


def status_and_problem(answer: Answer) -> tuple[int, str]:
    """An error answer in short."""
    return answer.status, json.loads(answer.body)["type"].rpartition(":")[2]


def test_no_recorded_call_counts_a_second_time(fresh_world: World) -> None:
    """Every signed call of a whole story, from the founding to the answer, to broker and holders."""
    world = fresh_world
    assert set(world.ask(ASKED).hits) == HITS
    world.auditor().verify()
    recorded, before = signed(list(world.wire.passed)), state(world)
    assert {each.call.origin for each in recorded} == {BROKER, HOLDERS[1], HOLDERS[2], HOLDERS[3]}
    assert len({each.call.path.split("/")[2] for each in recorded}) >= 6
    for seconds in (0, 59, 61, 86_400):
        world.now += seconds
        for each in recorded:
            answer = world.wire.deliver(each.call)
            assert status_and_problem(answer) == (401, "unauthenticated"), each.call.path
    assert state(world) == before


def _body(call: Call) -> Call:
    return replace(call, body=call.body[:-2] + bytes([call.body[-2] ^ 1]) + call.body[-1:])


def _query(call: Call) -> Call:
    return replace(call, url=call.url + "?more=1")


def _without(name: str) -> Callable[[Call], Call]:
    def stripped(call: Call) -> Call:
        return replace(
            call, headers={key: value for key, value in call.headers.items() if key.lower() != name}
        )

    return stripped


def _idempotency_key(call: Call) -> Call:
    names = {key.lower(): key for key in call.headers}
    return replace(call, headers={**call.headers, names["idempotency-key"]: "another-key-0001"})


def _later(call: Call) -> Call:
    names = {key.lower(): key for key in call.headers}
    name = names["signature-input"]
    text = call.headers[name]
    created = text.partition("created=")[2].partition(";")[0]
    return replace(call, headers={**call.headers, name: text.replace(created, str(int(created) + 1))})


CHANGES: dict[str, Callable[[Call], Call]] = {
    "body": _body,
    "query": _query,
    "content digest": _without("content-digest"),
    "signature": _without("signature"),
    "signature input": _without("signature-input"),
    "idempotency key": _idempotency_key,
    "date": _later,
}


def test_a_call_changed_on_its_way_is_refused_by_broker_and_holders(world: World) -> None:
    prepared = world.prepare(ASKED)
    finding, requester = world.finding(prepared), world.requester()
    steps: list[tuple[str, tuple[str, ...], Callable[[], object]]] = [
        ("/v1/requests", (BROKER,), lambda: requester.file(prepared.request_id, [finding])),
        ("/v1/evaluations", tuple(HOLDERS.values()), lambda: requester.evaluate(prepared.request_id)),
        ("/v1/requests/", (BROKER,), lambda: requester.submit(prepared.request_id)),
    ]
    for path, origins, step in steps:
        before = state(world)
        for change in CHANGES.values():
            with contextlib.ExitStack() as stack:
                met = [stack.enter_context(world.tamper(origin, path, call=change)) for origin in origins]
                with pytest.raises(RemoteUnauthenticated):
                    step()
            assert sum(each.times for each in met) >= 1
            assert state(world) == before
        step()
    assert set(requester.submit(prepared.request_id).hits) == HITS


def test_a_call_brought_to_another_service_or_address_is_refused(world: World) -> None:
    papers = colluding.admitted(world, ASKED)

    def to_another_holder(call: Call) -> Call:
        return replace(call, url=call.url.replace("holder-1", "holder-2"))

    def to_another_route(call: Call) -> Call:
        return replace(call, url=call.url.replace("/v1/evaluations", "/v1/series"))

    before = state(world)
    for change in (to_another_holder, to_another_route):
        with world.tamper(HOLDERS[1], "/", call=change), pytest.raises(RemoteUnauthenticated):
            colluding.ask(world, papers, 1)
    assert state(world) == before
    assert colluding.ask(world, papers, 1)


# --- documents inside a call that is itself signed ---


def flipped(document: str, part: int) -> str:
    """A signed document with one bit of its header, payload or signature changed."""
    parts = document.split(".")
    data = bytearray(blob_from_text(parts[part]))
    data[len(data) // 2] ^= 1
    parts[part] = blob_to_text(bytes(data))
    return ".".join(parts)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("name", ["permit", "request", "finding"])
def test_a_document_with_one_bit_changed_is_refused_by_every_holder(
    world: World, name: str, part: int
) -> None:
    papers, before = colluding.admitted(world, ASKED), world.evaluations()
    every: dict[str, dict[str, Any]] = {
        "permit": {"permit": flipped(papers.admission.permit, part)},
        "request": {"request": flipped(papers.request.document, part)},
        "finding": {"findings": (flipped(papers.findings[0], part),)},
    }
    for x, outcome in colluding.ask_all(world, papers, **every[name]).items():
        assert isinstance(outcome, BadInput | VerificationFailed), f"holder {x}: {outcome!r}"
    assert world.evaluations() == before


def test_a_sealed_record_of_another_permit_or_holder_or_changed_does_not_open(world: World) -> None:
    papers, others = colluding.admitted(world, ASKED), colluding.admitted(world, ASKED)
    own = {each.holder_id: each.wrapped for each in papers.admission.sealed_records}
    foreign = {each.holder_id: each.wrapped for each in others.admission.sealed_records}
    before = world.evaluations()
    for sealed in (
        foreign["holder-1"],
        own["holder-2"],
        own["holder-1"][:-1],
        own["holder-1"][:-1] + bytes([own["holder-1"][-1] ^ 1]),
    ):
        with pytest.raises(NarrowgateError):
            colluding.ask(world, papers, 1, sealed_record=sealed)
    assert world.evaluations() == before
    assert colluding.ask(world, papers, 1, sealed_record=own["holder-1"])


# --- answers changed on their way back ---


def altered(*members: str, part: int = 1) -> Callable[[Answer], Answer]:
    """Flip a bit of the document at that place of a JSON answer."""

    def change(answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        body = json.loads(answer.body)
        inner = body
        for name in members[:-1]:
            inner = inner[int(name)] if name.isdigit() else inner[name]
        last: Any = int(members[-1]) if members[-1].isdigit() else members[-1]
        inner[last] = flipped(inner[last], part)
        return Answer(answer.status, answer.headers, json.dumps(body).encode())

    return change


def test_an_answer_of_the_broker_changed_on_its_way_is_not_believed(world: World) -> None:
    prepared = world.prepare(ASKED)
    finding = world.finding(prepared)
    changes: list[tuple[str, Callable[[Answer], Answer]]] = [
        ("/v1/requests", altered("permit")),
        ("/v1/requests", altered("permit", part=2)),
        ("/v1/requests", altered("series", "0", "acceptances", "0")),
        ("/v1/requests", lambda answer: Answer(200, answer.headers, answer.body[:-1])),
        ("/v1/requests/", altered("document")),
        ("/v1/requests/", altered("document", part=2)),
        ("/v1/requests/", lambda answer: Answer(200, answer.headers, b"{}")),
    ]
    for path, change in changes:
        with (
            world.tamper(BROKER, path, answer=change) as met,
            pytest.raises((VerificationFailed, BadInput)),
        ):
            world.requester().run(prepared.request_id, [finding])
        assert met.times == 1
    assert set(world.requester().run(prepared.request_id, [finding]).hits) == HITS


def test_an_answer_of_a_holder_changed_on_its_way_costs_that_holder_alone(world: World) -> None:
    with world.tamper(HOLDERS[1], "/v1/evaluations", answer=altered("statement")) as met:
        assert set(world.ask(ASKED).hits) == HITS
    assert met.times >= 1
