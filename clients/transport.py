"""The one module of the clients that opens sockets: signed calls out, typed answers or typed errors back.

Rule: every call is signed (RFC 9421, `broker.protocol.calls`), but for reading what is public, which any cache may
answer and which tells nobody who reads; a retry is a new nonce with the same Idempotency-Key; a problem document
(RFC 9457) becomes an error of the same name (DESIGN 5, `clients.remote`). Nothing here prints, logs or repeats a body,
and a redirect is never followed: the signature names the address it was made for.

It trusts no answer: signed documents in one are verified by those who asked, under keys pinned from files.
"""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import calls
from broker.protocol.errors import BadInput, Unavailable, VerificationFailed
from broker.protocol.messages.base import Message, MessageT, RandomBytes, blob_to_text, encode, read
from clients.remote import (
    Answer,
    ConsistencyNeeded,
    Interrupted,
    RefusedByGate,
    RemoteBadInput,
    RemoteConflict,
    RemoteExpired,
    RemoteNotFound,
    RemoteNotPermitted,
    RemoteProblem,
    RemoteUnauthenticated,
    RemoteUnavailable,
    RemoteVerificationFailed,
    Unreachable,
    problem_of,
)

__all__ = [
    "Answer",
    "Awaited",
    "Awaiting",
    "Caller",
    "Clock",
    "ConsistencyNeeded",
    "HttpTransport",
    "Interrupted",
    "RefusedByGate",
    "RemoteBadInput",
    "RemoteConflict",
    "RemoteExpired",
    "RemoteNotFound",
    "RemoteNotPermitted",
    "RemoteProblem",
    "RemoteUnauthenticated",
    "RemoteUnavailable",
    "RemoteVerificationFailed",
    "Transport",
    "Unreachable",
    "problem_of",
]

MAXIMUM_ANSWER_BYTES = 64 * 1024 * 1024
ATTEMPTS = 3
"""How often a service that cannot be reached, or says "not now", is asked before a call is given up."""
CUT_ATTEMPTS = 10
"""How often a call is made that the network cuts in the middle: there is a network, and a bad one."""
_LONGEST_BACK_OFF_SECONDS = 20.0
MAXIMUM_PAUSE_SECONDS = 60.0
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")

Clock = Callable[[], int]
"""Unix seconds, UTC: `time.time` in a program, a fixed one in a test."""


class Awaited(Unavailable):
    """The call is written down, to be carried as a file; its answer comes with a later bundle (`clients.carry`)."""


class Awaiting:
    """Goes on past calls whose answers come later, so that one bundle carries all that needs no answer first.

    `with awaiting:` around each step, then `check`."""

    def __init__(self) -> None:
        self._awaited: Awaited | None = None

    def __enter__(self) -> "Awaiting":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Awaited):
            self._awaited = error
        return isinstance(error, Awaited)

    def check(self) -> None:
        """Raises Awaited if any step awaits its answer."""
        if self._awaited is not None:
            raise self._awaited


class Transport(Protocol):
    """What carries one call: HTTP in a program, files on a stick, the service itself in a test."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one call. Raises Unreachable when no answer came."""


class HttpTransport:
    """`Transport` over HTTP/1.1 with one pool of connections. Close it, or use it in a `with`.

    Args:
        timeout_seconds: how long each part of an answer may take.
        whole_seconds: how long all of it may; None for no bound but the parts'.
        maximum_bytes: larger answers are refused.
    """

    def __init__(
        self,
        timeout_seconds: float = 30.0,
        whole_seconds: float | None = None,
        maximum_bytes: int = MAXIMUM_ANSWER_BYTES,
    ) -> None:
        # Imported where sockets are opened: it takes longer than everything else, and many commands send nothing.
        import httpx

        # A proxy named in the environment serves the outside only: a service on this very machine is called directly.
        direct = dict.fromkeys(_LOOPBACK)
        self._client = httpx.Client(timeout=timeout_seconds, follow_redirects=False, mounts=direct)
        self._whole_seconds = whole_seconds
        self._maximum_bytes = maximum_bytes

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one call. Raises Unreachable when no whole answer came, BadInput for an impossible address."""
        import httpx

        whole = self._whole_seconds
        deadline = None if whole is None else time.monotonic() + whole
        try:
            with self._client.stream(method, url, headers=dict(headers), content=body) as response:
                chunks, size = [], 0
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if size > self._maximum_bytes:
                        raise VerificationFailed("The service's answer is larger than any it should give.")
                    if deadline is not None and time.monotonic() > deadline:
                        raise Unreachable("The service did not answer in time.")
                    chunks.append(chunk)
                lines = tuple((name, value) for name, value in response.headers.multi_items())
                return Answer(response.status_code, lines, b"".join(chunks))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadInput("The service's address is not a web address (http:// or https://).") from error
        except _cuts() as error:
            raise Interrupted(
                "The connection broke off again and again in the middle of a call. Nothing is lost or done twice: "
                "run the command again when the network is better."
            ) from error
        except httpx.HTTPError as error:
            raise Unreachable(
                "The service did not answer. Check its address, this computer's network and that it is running."
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> "HttpTransport":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _cuts() -> tuple[type[Exception], ...]:
    """What it looks like when a connection that stood breaks off, or falls silent."""
    import httpx

    return (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError, httpx.ReadTimeout)


class Caller:
    """Signs calls with one party's key, sends them, and reads the answers.

    Args:
        transport: what carries the calls.
        signing_key: the party's Ed25519 key.
        clock: Unix seconds; a service refuses a call signed more than 60 seconds from its own time.
        random_bytes: for nonces and Idempotency-Keys.
        pause: waits that many seconds between attempts.
    """

    def __init__(
        self,
        transport: Transport,
        signing_key: Ed25519PrivateKey,
        clock: Clock,
        random_bytes: RandomBytes,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = transport
        self._signing_key = signing_key
        self._clock = clock
        self._random_bytes = random_bytes
        self._pause = pause

    @property
    def answers_later(self) -> bool:
        """Whether calls are carried as files: then a step asks all it can before it reads an answer."""
        return bool(getattr(self._transport, "answers_later", False))

    def within(self, space_id: bytes) -> "Caller":
        """The same caller for calls of one space: carried, they go to whom that space names, and no other space."""
        narrowed = getattr(self._transport, "within", None)
        if narrowed is None:
            return self
        transport = narrowed(space_id)
        return Caller(transport, self._signing_key, self._clock, self._random_bytes, pause=self._pause)

    def ask_anew(self, url: str, message: Message) -> None:
        """What a POST was answered tells of a moment: carried, the next such call asks again instead of reading it."""
        forget = getattr(self._transport, "forget", None)
        if forget is not None:
            forget("POST", url, encode(message))

    def post(
        self,
        url: str,
        message: Message | bytes,
        expect: type[MessageT],
        idempotency_key: str | None = None,
    ) -> MessageT:
        """POST canonical JSON, or raw bytes as application/octet-stream, and read the answer as `expect`.

        A fresh Idempotency-Key is drawn unless one is given; all attempts bear the same. Raises RemoteProblem (its
        subclass for the slug), Unreachable, or VerificationFailed when the answer is not what it should be.
        """
        body = message if isinstance(message, bytes) else encode(message)
        kind = "application/octet-stream" if isinstance(message, bytes) else "application/json"
        key = idempotency_key or blob_to_text(self._random_bytes(16))
        headers = {"accept": "application/json", "content-type": kind, "idempotency-key": key}
        return self._read(self._attempt("POST", url, headers, body), expect)

    def get(self, url: str, expect: type[MessageT]) -> MessageT:
        """GET and read the answer as `expect`. Errors as `post`."""
        return self._read(self._attempt("GET", url, {"accept": "application/json"}, b""), expect)

    def get_public(self, url: str) -> bytes:
        """GET what anybody may read, such as a tile of a log, unsigned. Errors as `post`."""
        return self._attempt("GET", url, {"accept": "*/*"}, b"", sign=False).body

    def _attempt(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, sign: bool = True
    ) -> Answer:
        failed = cut = 0
        while True:
            signed = self._signed(method, url, headers, body) if sign else headers
            wait = min(0.2 * 2 ** (failed + cut + 1), _LONGEST_BACK_OFF_SECONDS)
            try:
                answer = self._transport.send(method, url, signed, body)
            except Interrupted:
                cut += 1
                if cut == CUT_ATTEMPTS:
                    raise
            except Unreachable:
                failed += 1
                if failed == ATTEMPTS:
                    raise
            else:
                failed += 1
                if answer.status not in (429, 503) or failed == ATTEMPTS:
                    return self._accepted(answer)
                wait = _retry_after(answer, wait)
            self._pause(wait)

    def _signed(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return calls.sign_call(
            self._signing_key,
            method=method,
            url=url,
            headers=headers,
            body=body,
            now=self._clock(),
            random_bytes=self._random_bytes,
        )

    def _accepted(self, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        raise problem_of(answer, self._clock())

    def _read(self, answer: Answer, expect: type[MessageT]) -> MessageT:
        try:
            return read(expect, answer.body)
        except BadInput as error:
            # What is wrong with an answer is not the caller's bad input.
            raise VerificationFailed(
                f"The service's answer is not a {expect.__name__}. Check that the address is the right one and that "
                "both run the same version."
            ) from error


def _retry_after(answer: Answer, default: float) -> float:
    text = answer.header("retry-after") or ""
    return min(float(text), MAXIMUM_PAUSE_SECONDS) if text.isascii() and text.isdigit() else default
