"""The problem types of RFC 9457 that may cross the wire, by slug.

Rule: a problem tells the caller what to do and never what it submitted. `type` is a URN, so that no host has to exist
for a problem to have a name. This module knows no HTTP status codes: each service maps a slug to one in one place.
"""

from dataclasses import dataclass

URN_PREFIX = "urn:narrowgate:problem:"


@dataclass(frozen=True)
class Problem:
    """One kind of problem: its slug, its title, and what the person at the other end can do about it."""

    slug: str
    title: str
    what_to_do: str

    @property
    def type(self) -> str:
        """The `type` member of RFC 9457 section 3.1.1."""
        return URN_PREFIX + self.slug


PROBLEMS: dict[str, Problem] = {
    problem.slug: problem
    for problem in (
        Problem("bad-input", "What was sent is malformed", "Correct the named field and send it again."),
        Problem(
            "unauthenticated",
            "The call is not signed by a key this service accepts",
            "Check the key, the clock (the server's time is in the answer) and that the agency is enrolled.",
        ),
        Problem(
            "not-permitted",
            "This step is not yours to take",
            "Check the role of the key that signed, and the permit it acts under.",
        ),
        Problem("not-found", "Nothing is known here under that name", "Check the name and the space."),
        Problem(
            "conflict",
            "It was sent before with other content, or a step is out of order",
            "Ask for the current state and go on from there.",
        ),
        Problem("expired", "Its time is over, or has not begun", "Ask for a new one."),
        Problem(
            "verification-failed",
            "A signature, proof or digest does not verify",
            "Do not use what came with it. Tell the operator; keep the document as evidence.",
        ),
        Problem(
            "refused",
            "The rules refuse this",
            "Read the rules and reasons given; each names its law and what would have been needed.",
        ),
        Problem(
            "consistency-needed",
            "The holder has seen a different log size",
            "Fetch a consistency proof from the size named in the answer and send it along.",
        ),
        Problem(
            "unavailable",
            "The step cannot be recorded now, so it was not taken",
            "Nothing was disclosed. Try again later.",
        ),
        Problem(
            "too-large", "What was sent is larger than this service takes", "Send it in smaller batches."
        ),
        Problem("too-many-calls", "Too many calls in a short time", "Wait as long as the answer says."),
        Problem(
            "fault", "The service failed", "Nothing was disclosed. Tell the operator the time it happened."
        ),
    )
}
