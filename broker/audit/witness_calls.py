"""Carry a call to a witness over HTTP: bounded in time and size, redirects not followed, no proxy of the environment.

Rule: a witness that answers slowly, at length or not at all costs its own call and no other's: how many are under way
to one at a time is bounded by who calls (`broker.translog.lines`), below the number of connections here. It reads no
answer.
"""

import time

import httpx

from broker.protocol.errors import Unavailable
from broker.translog.cosigning import Answer

MAXIMUM_ANSWER_BYTES = 64 * 1024
_UNREACHED = "could not be reached in time"


class HttpCalls:
    """POSTs bodies; connections are kept open between calls, until `close`."""

    def __init__(self, timeout_seconds: int) -> None:
        self._timeout_seconds = timeout_seconds
        self._client = httpx.Client(timeout=timeout_seconds, follow_redirects=False, trust_env=False)

    def __call__(self, url: str, body: bytes) -> Answer:
        """One call. Raises Unavailable when no whole answer came in time."""
        deadline = time.monotonic() + self._timeout_seconds
        read = b""
        try:
            with self._client.stream("POST", url, content=body) as response:
                for chunk in response.iter_bytes():
                    read += chunk
                    if len(read) > MAXIMUM_ANSWER_BYTES or time.monotonic() > deadline:
                        raise Unavailable(_UNREACHED)
                return Answer(response.status_code, response.headers.get("content-type", ""), read)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(_UNREACHED) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
