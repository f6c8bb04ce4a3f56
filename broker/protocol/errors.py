"""The one tree of errors of the protocol, shared by every party.

Rule: an error's text is plain English that says what went wrong and what to do, and never repeats a submitted value
(DESIGN 5). Each class carries the slug of the problem type (RFC 9457) under which it may cross the wire; the mapping
from slug to HTTP status lives in the services, not here.
"""


class NarrowgateError(Exception):
    """Base of every error the project raises on purpose. `problem` is a slug of `broker.protocol.problems`."""

    problem: str = "fault"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadInput(NarrowgateError):
    """Something submitted is malformed: fix it and send it again."""

    problem = "bad-input"


class VerificationFailed(NarrowgateError):
    """A signature, proof, digest or commitment does not verify. Nothing of what it came with may be used."""

    problem = "verification-failed"


class Refused(NarrowgateError):
    """The rules refuse. Carries no verdict of its own; the decision record names rule, reason and law."""

    problem = "refused"


class NotPermitted(NarrowgateError):
    """The caller is known, but this step is not the caller's to take, or not under this permit."""

    problem = "not-permitted"


class Conflict(NarrowgateError):
    """The same name was used before with other bytes, or a step came out of order."""

    problem = "conflict"


class NotFound(NarrowgateError):
    """Nothing is stored under this name, or it is not the caller's to see: the two are told apart to nobody."""

    problem = "not-found"


class Expired(NarrowgateError):
    """The document's time is over or has not begun."""

    problem = "expired"


class Unavailable(NarrowgateError):
    """A step cannot be recorded or reached now. Nothing was disclosed; try again later."""

    problem = "unavailable"
