"""How a log comes to another key: the statement that both keys sign, its entry's record, and the file that proves it.

Rule: a log's key changes by an entry of the log itself. Nothing here is believed before `broker.protocol.log_keys` has
verified it from a key that somebody pinned.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from broker.protocol.messages.base import Blob, Bytes32, Count, Document, Message, Name, Seconds
from broker.protocol.messages.log import LogProof

Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
MAXIMUM_LINKS = 100


class LogKeyRotation(Message):
    """The log of this origin is signed with the new key from `from_size` entries on.

    The old key signs it, so that nobody else ends the old key; the new one too, so that nobody is given a key that is
    somebody else's."""

    TYP: ClassVar[str] = "log-key-rotation"
    v: Literal[1] = 1
    log_origin: Name
    old_key: Bytes32
    new_key: Bytes32
    from_size: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """How many entries the log has with this statement's own."""
    reason: Reason
    rotated_at: Seconds

    @model_validator(mode="after")
    def _two_keys(self) -> "LogKeyRotation":
        if self.old_key == self.new_key:
            raise ValueError("the new key is another than the old one")
        return self


class LogKeyRecord(Message):
    """The record beside the entry that changes the log's key; both documents have the same statement."""

    v: Literal[1] = 1
    old_key: Bytes32
    new_key: Bytes32
    from_size: Count
    reason: Reason
    by_old_key: Document | None
    """None where the old key was lost: then people have to say that they accept it."""
    by_new_key: Document


class LogKeyLink(Message):
    """One change of key: the entry's record, which opens its leaf, and the entry's proof.

    The proof's checkpoint is signed with both keys and cosigned by the witnesses. Where the old key was lost it is
    signed with the new one alone, and `last_checkpoint` is the newest that the old key signed and witnesses cosigned,
    with the proof that the log goes on from there."""

    record: Blob
    salt: Bytes32
    proof: LogProof
    last_checkpoint: Annotated[str, StringConstraints(max_length=131_072)] | None = None
    consistency: Annotated[tuple[Bytes32, ...], Field(max_length=64)] = ()


class LogKeyChain(Message):
    """Every change of a log's key, the oldest first: the file of log keys, which the log's operator hands out."""

    v: Literal[1] = 1
    log_origin: Name
    links: Annotated[tuple[LogKeyLink, ...], Field(min_length=1, max_length=MAXIMUM_LINKS)]
