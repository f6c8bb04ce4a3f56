"""Signed calls to a service over a real socket, and threads that make them side by side.

Rule: each attempt is signed anew, and a repeated call bears its first Idempotency-Key, as clients do. An answer that
did not come whole is none. It reads no answer.
"""

import hashlib
import http.client
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import calls

THREADS = 4
GIVE_UP = 3
"""Answers that were none, one after the other, after which a thread stops calling."""
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Calling:
    """Who calls a service that is known under `origin`, wherever it listens."""

    origin: str
    key: Ed25519PrivateKey
    now: Callable[[], int]


class Line:
    """One connection; after a broken call the next one opens it anew."""

    def __init__(self, port: int, calling: Calling) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._calling = calling

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, name: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        """Status and body; None when no whole answer came. `name` is that of the step, for its Idempotency-Key."""
        headers = calls.sign_call(
            self._calling.key,
            method="POST",
            url=self._calling.origin + path,
            headers={
                "content-type": "application/json",
                "idempotency-key": hashlib.sha256(name.encode()).hexdigest()[:24],
            },
            body=body,
            now=self._calling.now(),
            random_bytes=os.urandom,
        )
        try:
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None


def side_by_side(work: list[tuple[Callable[..., None], object]]) -> None:
    """Run each step with its argument in a thread. Raises what one of them raised."""
    failed: list[BaseException] = []

    def run(step: Callable[..., None], argument: object) -> None:
        try:
            step(argument)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
