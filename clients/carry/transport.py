"""Carries no call: writes it down for the next bundle, or gives the answer that came back on a stick.

Rule: it opens no socket. The same call again is answered from what is kept; without an answer it raises `Awaited`, and
the command that made it is run again once the answers are here. A call of one space has an answer of its own. An answer
that tells of a moment counts for one run: a reading without a query, such as one-time keys, and "not now" (429, 503).
"""

import copy
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from broker.protocol.carried import CarriedCall, step_of
from broker.protocol.errors import BadInput
from clients.carry.outbox import Outbox, digest_of
from clients.remote import Answer
from clients.transport import Awaited

_NOT_NOW = (429, 503)


class CarryingTransport:
    """`clients.transport.Transport` over files. Several threads may send."""

    answers_later = True

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._lock = threading.Lock()
        self._of_this_run: dict[bytes, Answer] = {}
        self._space_id: bytes | None = None

    def within(self, space_id: bytes) -> "CarryingTransport":
        """The same transport for calls of one space."""
        narrowed = copy.copy(self)
        narrowed._space_id = space_id
        return narrowed

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer that came back. Raises Awaited (it is written down), NotPermitted for a step no stick carries."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        step_of(method, target)
        digest = digest_of(method, url, body, self._space_id)
        with self._lock:
            answer = self._outbox.answer(digest)
            if answer is not None:
                if answer.status in _NOT_NOW or (method == "GET" and not parts.query):
                    self._outbox.forget_answer(digest)
                    self._of_this_run[digest] = answer
                return answer
            if digest in self._of_this_run:
                return self._of_this_run[digest]
            origin, call = f"{parts.scheme}://{parts.netloc}", _call(method, target, headers, body)
            self._outbox.add(origin, call, body, digest, self._space_id)
        raise Awaited(
            "Written down to be carried. Put what waits on a stick (narrowgate bundle export), bring it to its "
            "receivers, read in what comes back (narrowgate bundle import), and run this command again."
        )

    def forget(self, method: str, url: str, body: bytes) -> None:
        """The answer to a call is read, and was of its moment: the same call waits anew."""
        self._outbox.forget_answer(digest_of(method, url, body, self._space_id))


def _call(method: str, target: str, headers: Mapping[str, str], body: bytes) -> CarriedCall:
    named = {name.lower(): value for name, value in headers.items()}
    try:
        return CarriedCall.model_validate(
            {
                "method": method,
                "target": target,
                "content_type": named.get("content-type"),
                "idempotency_key": named.get("idempotency-key"),
                "size": len(body),
            }
        )
    except ValueError as error:
        raise BadInput("This step cannot be carried on a stick. Take it over the network.") from error
