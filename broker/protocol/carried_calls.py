"""Give carried calls to a service's own application, one after another, as if they had come over HTTP.

Rule: the same application, routes and steps; only who signed is known already, from the bundle's header, and is handed
on in the ASGI scope under `EVIDENCE`, which a server never fills from the network. Calls go in their order, each is
answered for itself, and what fails tells no more than its status and problem document.

It opens no bundle and no socket. See `broker.protocol.carried`.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from broker.protocol.carried import CarriedAnswer, CarriedBy, CarriedCall

EVIDENCE = "narrowgate.carried"
Event = MutableMapping[str, Any]
Application = Callable[
    [Event, Callable[[], Awaitable[Event]], Callable[[Event], Awaitable[None]]], Awaitable[None]
]


def evidence(scope: Event) -> CarriedBy | None:
    """Whose bundle the call of this scope came in; None if it came over the network."""
    found = scope.get(EVIDENCE)
    return found if isinstance(found, CarriedBy) else None


async def answer_all(
    application: Application, calls: Sequence[CarriedCall], bodies: Sequence[bytes], carried: CarriedBy
) -> tuple[tuple[CarriedAnswer, ...], list[bytes]]:
    """The answers to all calls, and their bodies."""
    answers, answered = [], []
    for call, body in zip(calls, bodies, strict=True):
        status, data = await _answer(application, _scope(call, carried), body)
        answers.append(CarriedAnswer(status=status, size=len(data)))
        answered.append(data)
    return tuple(answers), answered


async def _answer(application: Application, scope: Event, body: bytes) -> tuple[int, bytes]:
    to_come: list[Event] = [{"type": "http.request", "body": body, "more_body": False}]
    status, parts = 500, []

    async def receive() -> Event:
        return to_come.pop() if to_come else {"type": "http.disconnect"}

    async def send(message: Event) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            parts.append(bytes(message.get("body", b"")))

    await application(scope, receive, send)
    return status, b"".join(parts)


def _scope(call: CarriedCall, carried: CarriedBy) -> Event:
    path, _, query = call.target.partition("?")
    headers = [(b"accept", b"application/json")]
    if call.content_type is not None:
        headers.append((b"content-type", call.content_type.encode("ascii")))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [*headers, (b"content-length", str(call.size).encode("ascii"))],
        "client": None,
        "server": None,
        EVIDENCE: replace(carried, idempotency_key=call.idempotency_key),
    }
