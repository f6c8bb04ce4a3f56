"""How it stands with what somebody says is wrong or not theirs, as its contributor keeps it.

Rule (decision 0041): a submission is named by the agency's own reference. Its identifiers are known by the marks that
keep them out of deposits meanwhile (`clients.deposit_changes.kept_out`), which nobody without this home can test. What
was upheld is forgotten a year later; what was withdrawn stays, so that a request of access can be answered.

It sends nothing: see `clients.persons.contesting`.

    contested/SUBMISSION                                                sealed: a ContestedSubmission
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from broker.protocol.messages.base import (
    Bytes32,
    Document,
    Id16,
    Message,
    Name,
    Seconds,
    encode,
    read,
)
from broker.protocol.messages.consent import ContestState
from clients.home import Home

KEPT_AFTER_UPHELD_SECONDS = 365 * 86_400


class KeptMark(Message):
    """An identifier of a contested record: its mark in `deposit_changes.kept_out`, and the salt it was made with."""

    space_id: Id16
    salt_id: Bytes32
    mark: Annotated[Bytes32, Field(repr=False)]


class ContestedPart(Message):
    """One withdrawal that took contested records back, and the signed decision about it."""

    deposit_id: Bytes32
    withdrawal_digest: Bytes32
    decision: Document | None = None
    sent: bool = False


class ContestedSubmission(Message):
    """How it stands with one submission, by the agency's own reference. `said` is what the person says of it."""

    v: Literal[1] = 1
    submission_id: Id16
    reference: Name
    said: Annotated[str, Field(max_length=500)]
    contested_at: Seconds
    state: ContestState = ContestState.CONTESTED
    reason: Annotated[str, Field(max_length=500)] = ""
    """Of the decision."""
    decided_at: Seconds | None = None
    marks: tuple[KeptMark, ...] = ()
    parts: tuple[ContestedPart, ...] = ()

    @property
    def unsent(self) -> bool:
        """Whether a decision was taken that the broker has not heard of."""
        return any(each.decision is not None and not each.sent for each in self.parts)


def every(home: Home) -> Iterator[ContestedSubmission]:
    """Every contested submission of a home, however it ended. Raises VerificationFailed when a file is damaged."""
    for name in home.vault.names("contested"):
        yield read(ContestedSubmission, home.vault.read_secret(f"contested/{name}"))


def find(home: Home, reference: str) -> ContestedSubmission | None:
    """The one of a reference. Errors as `every`."""
    return next((each for each in every(home) if each.reference == reference), None)


def keep(home: Home, submission: ContestedSubmission) -> None:
    """Keep how it stands, in the place of what was kept before."""
    home.vault.write_secret(f"contested/{submission.submission_id.hex()}", encode(submission))


def forget_upheld(home: Home, now: int) -> None:
    """Erase what was upheld a year ago."""
    for each in list(every(home)):
        over = each.decided_at is not None and each.decided_at + KEPT_AFTER_UPHELD_SECONDS <= now
        if each.state is ContestState.UPHELD and over and not each.unsent:
            home.vault.erase(f"contested/{each.submission_id.hex()}")
