"""Carry a call to a witness over HTTP: bounded in time and size, redirects not followed, no proxy of the environment.

Rule: a witness that answers slowly, at length or not at all costs one timeout and no more. It reads no answer.
"""

import time

import httpx

from broker.audit.witnesses import Answer, Ask
from broker.protocol.errors import Unavailable

MAXIMUM_ANSWER_BYTES = 64 * 1024
_UNREACHED = "could not be reached in time"


def over_http(timeout_seconds: int) -> Ask:
    """A function that POSTs a body; connections are kept open between calls."""
    client = httpx.Client(timeout=timeout_seconds, follow_redirects=False, trust_env=False)

    def ask(url: str, body: bytes) -> Answer:
        deadline = time.monotonic() + timeout_seconds
        read = b""
        try:
            with client.stream("POST", url, content=body) as response:
                for chunk in response.iter_bytes():
                    read += chunk
                    if len(read) > MAXIMUM_ANSWER_BYTES or time.monotonic() > deadline:
                        raise Unavailable(_UNREACHED)
                return Answer(response.status_code, response.headers.get("content-type", ""), read)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(_UNREACHED) from error

    return ask
