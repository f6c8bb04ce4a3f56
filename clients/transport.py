"""The one module of the clients that opens sockets: signed calls out, typed answers or typed errors back.

Rule: every call is signed (RFC 9421, `broker.protocol.calls`); a retry is a new nonce with the same Idempotency-Key;
a problem document (RFC 9457) becomes an error of the same name (DESIGN 5). Nothing here prints, logs or repeats a
body, and a redirect is never followed: the signature names the address it was made for.

It trusts no answer: signed documents in one are verified by those who asked, under keys pinned from files.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import calls, problems
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NarrowgateError,
    NotFound,
    NotPermitted,
    Refused,
    Unavailable,
    VerificationFailed,
)
from broker.protocol.messages.base import Message, MessageT, RandomBytes, blob_to_text, encode, read

MAXIMUM_ANSWER_BYTES = 64 * 1024 * 1024
ATTEMPTS = 3
MAXIMUM_PAUSE_SECONDS = 60.0
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Clock = Callable[[], int]
"""Unix seconds, UTC: `time.time` in a program, a fixed one in a test."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came. The body has no repr: it may hold what is not for a log."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Transport(Protocol):
    """What carries one call: HTTP in a program, the service itself in a test."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one call. Raises Unreachable when no answer came."""


class RemoteProblem(NarrowgateError):
    """A service answered with a problem document. `problem` is its slug, `status` the HTTP status.

    `extensions` are the document's other members, such as `seen_size` or `server_time`."""

    def __init__(
        self,
        slug: str,
        detail: str,
        extensions: Mapping[str, Any] | None = None,
        *,
        status: int = 0,
        what_to_do: str = "",
    ) -> None:
        super().__init__(detail)
        self.problem = slug
        self.status = status
        self.what_to_do = what_to_do
        self.extensions: Mapping[str, Any] = MappingProxyType(dict(extensions or {}))


class RemoteBadInput(RemoteProblem, BadInput):
    """The service finds what was sent malformed, too large or not canonical."""


class RemoteUnauthenticated(RemoteProblem):
    """The service does not accept the call's signature: the key, or this computer's clock."""


class RemoteNotPermitted(RemoteProblem, NotPermitted):
    """The service knows the caller, and the step is not the caller's."""


class RemoteNotFound(RemoteProblem, NotFound):
    """The service knows nothing under that name."""


class RemoteConflict(RemoteProblem, Conflict):
    """The same name was used before with other bytes, or a step came out of order."""


class RemoteExpired(RemoteProblem, Expired):
    """What was sent is out of date."""


class RemoteVerificationFailed(RemoteProblem, VerificationFailed):
    """The service could not verify a document that was sent."""


class ConsistencyNeeded(RemoteProblem):
    """A key holder saw another size of the log and asks for a proof that one continues the other."""

    @property
    def seen_size(self) -> int:
        """The largest size that holder saw. Raises VerificationFailed when the answer does not say."""
        size = self.extensions.get("seen_size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise VerificationFailed("The key holder asks for a proof without saying from which size.")
        return size


class RefusedByGate(RemoteProblem, Refused):
    """The written rules refuse. The members say which, in words, under what law, and what would be needed."""

    def _words(self, name: str) -> tuple[str, ...]:
        values = self.extensions.get(name, ())
        return tuple(readable(str(value)) for value in values) if isinstance(values, list | tuple) else ()

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the deciding rules, such as L03."""
        return self._words("rules")

    @property
    def reasons(self) -> tuple[str, ...]:
        """One reason a rule, in plain words."""
        return self._words("reasons")

    @property
    def law(self) -> tuple[str, ...]:
        """The law each rule stands on."""
        return self._words("law")

    @property
    def missed(self) -> tuple[str, ...]:
        """The clauses that were not met."""
        return self._words("missed")

    @property
    def notes(self) -> tuple[str, ...]:
        """What else the gate says."""
        return self._words("notes")


class RemoteUnavailable(RemoteProblem, Unavailable):
    """The service cannot take the step now; nothing was disclosed."""


class Unreachable(Unavailable):
    """No answer came from the service: its address, the network, or the service is at fault."""

    problem = "unavailable"


_BY_SLUG: Mapping[str, type[RemoteProblem]] = MappingProxyType(
    {
        "bad-input": RemoteBadInput,
        "too-large": RemoteBadInput,
        "unauthenticated": RemoteUnauthenticated,
        "not-permitted": RemoteNotPermitted,
        "not-found": RemoteNotFound,
        "conflict": RemoteConflict,
        "expired": RemoteExpired,
        "verification-failed": RemoteVerificationFailed,
        "consistency-needed": ConsistencyNeeded,
        "refused": RefusedByGate,
        "unavailable": RemoteUnavailable,
        "too-many-calls": RemoteUnavailable,
    }
)


class HttpTransport:
    """`Transport` over HTTP/1.1 with one pool of connections. Close it, or use it in a `with`."""

    def __init__(self, timeout_seconds: float = 30.0) -> None:
        # A proxy named in the environment serves the outside only: a service on this very machine is called directly.
        direct = dict.fromkeys(_LOOPBACK)
        self._client = httpx.Client(timeout=timeout_seconds, follow_redirects=False, mounts=direct)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one call. Raises Unreachable when no whole answer came, BadInput for an impossible address."""
        try:
            with self._client.stream(method, url, headers=dict(headers), content=body) as response:
                chunks, size = [], 0
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if size > MAXIMUM_ANSWER_BYTES:
                        raise VerificationFailed("The service's answer is larger than any it should give.")
                    chunks.append(chunk)
                lines = tuple((name, value) for name, value in response.headers.multi_items())
                return Answer(response.status_code, lines, b"".join(chunks))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadInput("The service's address is not a web address (http:// or https://).") from error
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

    def get_text(self, url: str) -> str:
        """GET a text, such as a checkpoint's note. Errors as `post`."""
        answer = self._attempt("GET", url, {"accept": "text/plain"}, b"")
        try:
            return answer.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise VerificationFailed("The service's answer is not text.") from error

    def _attempt(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        for attempt in range(1, ATTEMPTS + 1):
            signed = calls.sign_call(
                self._signing_key,
                method=method,
                url=url,
                headers=headers,
                body=body,
                now=self._clock(),
                random_bytes=self._random_bytes,
            )
            wait = 0.2 * 2**attempt
            try:
                answer = self._transport.send(method, url, signed, body)
            except Unreachable:
                if attempt == ATTEMPTS:
                    raise
            else:
                if answer.status not in (429, 503) or attempt == ATTEMPTS:
                    return self._accepted(answer)
                wait = _retry_after(answer, wait)
            self._pause(wait)
        raise AssertionError("the last attempt returns or raises")

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


def problem_of(answer: Answer, now: int) -> RemoteProblem:
    """The error that an answer other than 2xx stands for. `now` tells how wrong this computer's clock is.

    An answer that is no problem document (a proxy's page) is named by its status alone.
    """
    members = _members(answer)
    slug = str(members.pop("type", "")).removeprefix(problems.URN_PREFIX)
    known = problems.PROBLEMS.get(slug)
    if known is None:
        detail = f"The service answered with HTTP status {answer.status} and no explanation."
        if answer.status in (429, 502, 503, 504):
            return RemoteUnavailable("unavailable", detail, status=answer.status, what_to_do="Try again later.")
        return RemoteProblem("fault", detail, status=answer.status, what_to_do="Check the address.")
    detail = readable(str(members.pop("detail", "") or known.title))
    what_to_do = readable(str(members.pop("what_to_do", "") or known.what_to_do))
    for name in ("title", "status", "instance"):
        members.pop(name, None)
    if slug == "unauthenticated":
        what_to_do = _clock_advice(members.get("server_time"), now) or what_to_do
    kind = _BY_SLUG.get(slug, RemoteProblem)
    return kind(slug, detail, members, status=answer.status, what_to_do=what_to_do)


def readable(text: str, longest: int = 4000) -> str:
    """Text from elsewhere made safe for a terminal: no control or direction characters, bounded length."""
    return _UNPRINTABLE.sub(" ", text)[:longest]


def _members(answer: Answer) -> dict[str, Any]:
    try:
        members = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def _clock_advice(server_time: object, now: int) -> str | None:
    if not isinstance(server_time, int) or isinstance(server_time, bool):
        return None
    behind = server_time - now
    if abs(behind) <= calls.WINDOW_SECONDS // 2:
        return None
    direction = "behind" if behind > 0 else "ahead of"
    return (
        f"This computer's clock is {abs(behind)} seconds {direction} the service's. Set your clock (switch on automatic "
        "time) and try again."
    )


def _retry_after(answer: Answer, default: float) -> float:
    text = answer.header("retry-after") or ""
    return min(float(text), MAXIMUM_PAUSE_SECONDS) if text.isascii() and text.isdigit() else default
