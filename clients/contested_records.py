"""What somebody says is wrong or not theirs, as its contributor keeps it, and what is held back from deposits for it.

Rule: while a submission is contested, and once it is withdrawn after that, no deposit of this home puts it in again,
whatever file it stands in: a row is held back when all its references are of such submissions, or when its identifier
was in one. Identifiers are known by the beginnings of their salted hashes, so only under the salt of that time; under
a later one the reference tells. What was upheld is held back no longer, and is forgotten a year later.

It sends nothing: see `clients.contesting`.

    contested/SUBMISSION                                                sealed: a ContestedSubmission
"""

from collections.abc import Callable, Iterator
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
from clients import deposit_index, local_references
from clients.home import Home
from clients.masked_deposit import Row

KEPT_AFTER_UPHELD_SECONDS = 365 * 86_400
Rows = Callable[[], Iterator[Row]]


class HeldKey(Message):
    """An identifier of a contested record, as `clients.deposit_index` knows it."""

    space_id: Id16
    salt_id: Bytes32
    key: Annotated[Id16, Field(repr=False)]


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
    keys: tuple[HeldKey, ...] = ()
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


def held(home: Home) -> tuple[ContestedSubmission, ...]:
    """The submissions whose rows are held back."""
    return tuple(each for each in every(home) if each.state is not ContestState.UPHELD)


def without_held(home: Home, rows: Rows) -> Rows:
    """The rows without those that are held back, in the same order; the very same where nothing is."""
    submissions = held(home)
    if not submissions:
        return rows
    references = frozenset(each.reference for each in submissions)
    keys = frozenset(key.key for each in submissions for key in each.keys)

    def goes_in(row: Row) -> bool:
        own = local_references.parts(row.reference or "")
        by_reference = bool(own) and own <= references
        return not by_reference and row.salted_hash[: deposit_index.KEY_BYTES] not in keys

    return lambda: (row for row in rows() if goes_in(row))
