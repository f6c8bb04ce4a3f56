"""What a service answered instead of what was asked: problem documents (RFC 9457) as errors.

Rule: one class for each slug of `broker.protocol.problems` that a caller can act on, below the local error of the same
name, so that a refusal is a `Refused` wherever it was made. Text from a service is made safe for a terminal here.

It opens no socket: see `clients.transport`, which raises these.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.protocol import problems
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

_TOLERATED_CLOCK_SECONDS = 30
"""Half the window of a signed call: beyond this the clock is the likely fault."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came. The body has no repr: it may hold what is not for a log."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


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


class Interrupted(Unreachable):
    """The connection stood and broke off: the call may have arrived, or half of it, or the answer was cut."""


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
            return RemoteUnavailable(
                "unavailable", detail, status=answer.status, what_to_do="Try again later."
            )
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


def visible(text: str) -> str:
    """The same text, whole, with its control and direction characters written out as JSON does (`\\u001b`), so that
    they move no cursor and hide nothing. Newlines and tabs stay."""
    return _UNPRINTABLE.sub(lambda each: each[0] if each[0] in "\n\t" else f"\\u{ord(each[0]):04x}", text)


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
    if abs(behind) <= _TOLERATED_CLOCK_SECONDS:
        return None
    direction = "behind" if behind > 0 else "ahead of"
    return (
        f"This computer's clock is {abs(behind)} seconds {direction} the service's. Set your clock (switch on "
        "automatic time) and try again."
    )
