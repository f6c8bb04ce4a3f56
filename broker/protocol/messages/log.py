"""What parties see of the audit log: proofs with checkpoints, pages of leaves, and records for auditors.

Rule: leaves may be public, records are for auditors only and lie beside the log (AUDIT 1).
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from broker.protocol.messages.base import Blob, Bytes32, Count, KeyIdentifier, Message, Seconds, Slug


class LogProof(Message):
    """A leaf, its place, and the path to a signed checkpoint (RFC 9162 2.1.3): enough to check offline."""

    index: Count
    leaf: Blob
    path: Annotated[tuple[Bytes32, ...], Field(max_length=64)]
    checkpoint: Annotated[str, Field(max_length=131_072)]
    """The signed note (C2SP tlog-checkpoint) whose tree the path leads to; an ML-DSA-44 cosignature has 3,244 letters,
    and 20 witnesses may cosign."""


class OpenedEntry(Message):
    """An entry with the record and salt that open its leaf (`leaves.verify_record`)."""

    proof: LogProof
    record: Blob
    salt: Bytes32


class ReceiptMessage(Message):
    """The answer to a step whose only result is that it was recorded."""

    proof: LogProof
    trial: bool


class LeafPage(Message):
    """Consecutive leaves from `start`."""

    start: Count
    leaves: tuple[Blob, ...]


class LoggedRecord(Message):
    """A record beside the log with the salt that opens its leaf's digest; both gone once erased."""

    index: Count
    record: Blob | None
    salt: Bytes32 | None


class RecordPage(Message):
    """Consecutive records from `start`; reading them is itself an entry."""

    start: Count
    records: tuple[LoggedRecord, ...]


class RecordsReading(Message):
    """Base of RECORDS_READ in the broker's log and in a holder's: an auditor read records from `start` up to, not
    including, `end`."""

    v: Literal[1] = 1
    auditor: Slug
    kid: KeyIdentifier
    start: Count
    end: Count
    read_at: Seconds


class ConsistencyPath(Message):
    """RFC 9162 2.1.4 proof between two sizes."""

    old_size: Count
    new_size: Count
    path: tuple[Bytes32, ...]


class ClockStep(Message):
    """An entry whose time is well before that of the one before it, in the log of a broker or a key holder.

    Kept right behind that entry: the order is the index's all the same."""

    v: Literal[1] = 1
    index: Count
    """The earlier entry's index."""
    from_at: Seconds
    """The time of the entry before it."""
    to_at: Seconds
    """Its own time."""


class RestoreAccepted(Message):
    """A key holder's operator knows that entries of its own log are lost, and goes on from an older copy."""

    TYP: ClassVar[str] = "restore-accepted"
    v: Literal[1] = 1
    holder_id: Slug
    marked_size: Count | None
    """How many entries the log had, by the mark outside the folder; None when the mark was lost as well."""
    marked_root: Bytes32 | None
    restored_size: Count
    restored_root: Bytes32
    reason: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    accepted_at: Seconds
