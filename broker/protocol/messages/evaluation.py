"""The requester's call to a key holder, and the holder's signed answer (DESIGN 2.5).

Rule: the statement binds permit, series, quorum, holder, batch and the exact answer; answers of two quorums cannot be
mixed, since each proof is under the key folded for its own quorum.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from broker.protocol.messages.base import Blob, Bytes32, Count, Document, Id16, Message, Seconds, Slug
from broker.protocol.messages.series import Abscissa

Quorum = Annotated[tuple[Abscissa, ...], Field(min_length=2, max_length=64)]


class Consistency(Message):
    """Proof that of the log the permit stands in and the one this holder saw the larger continues the smaller.

    Both sizes are named, so that a proof for a log that the holder saw before is not taken for a wrong one."""

    old_size: Count
    new_size: Count
    path: tuple[Bytes32, ...]


class EvaluationCall(Message):
    """Everything a holder needs to decide again and evaluate: it asks the broker nothing."""

    permit: Document
    request: Document
    findings: Annotated[tuple[Document, ...], Field(max_length=8)]
    approvals: Annotated[tuple[Document, ...], Field(max_length=16)] = ()
    sealed_record: Blob
    handle: Id16
    quorum: Quorum
    points: Blob
    """The blinded elements of the series' identifier type, 32 bytes each, in index order."""
    consistency: Consistency | None = None


class LadderStep(Message):
    """An earlier step of the same case: what was asked, what was told, and who confirmed it."""

    request: Document
    disclosure: Document
    confirmation: Document


class EarlierRelease(Message):
    """What the disclosure of sources rests on: its RELEASE record, sealed to the holder for the second permit (info:
    `wrapping.facts_info`), and the findings and approvals that stood behind it."""

    sealed_record: Blob
    findings: Annotated[tuple[Document, ...], Field(max_length=8)]
    approvals: Annotated[tuple[Document, ...], Field(max_length=16)]


class OpeningCall(Message):
    """Ask a holder to evaluate k_open at selected points of an earlier request, under a second permit."""

    permit: Document
    request: Document
    findings: Annotated[tuple[Document, ...], Field(max_length=8)]
    approvals: Annotated[tuple[Document, ...], Field(max_length=16)]
    releases: Annotated[tuple[Document, ...], Field(max_length=1000)]
    earlier: Annotated[tuple[LadderStep, ...], Field(min_length=1, max_length=2)]
    """The step before, then the one before that."""
    earlier_release: EarlierRelease
    """Of the step before: how its sources came to be disclosed."""
    paths: Annotated[tuple[tuple[tuple[Bytes32, ...], ...], ...], Field(min_length=1, max_length=2)]
    """For each earlier step, of each point its inclusion path in that request's batch (RFC 9162 2.1.3)."""
    sealed_record: Blob
    handle: Id16
    quorum: Quorum
    points: Blob
    consistency: Consistency | None = None


class Chunk(Message):
    """At most 4,096 evaluated elements with their proof (c || s, 64 bytes)."""

    elements: Blob
    proof: Blob


class EvaluationStatement(Message):
    """The holder's signed word for one answer."""

    TYP: ClassVar[str] = "evaluation"
    v: Literal[1] = 1
    key: Literal["match", "open"] = "match"
    permit_id: Id16
    series_id: Bytes32
    quorum: Quorum
    holder_id: Slug
    x: Abscissa
    batch_root: Bytes32
    answer_digest: Bytes32
    evaluated_at: Seconds


class EvaluationAnswer(Message):
    """A holder's answer to an `EvaluationCall`."""

    statement: Document
    chunks: Annotated[tuple[Chunk, ...], Field(min_length=1, max_length=64)]


class SelfTestCall(Message):
    """Ask for the evaluation of the series' public self-test element under both keys; needs no permit."""

    quorum: Quorum


class SelfTestAnswer(Message):
    """The self-test element evaluated under the folded shares of k_match and k_open."""

    match: Chunk
    open: Chunk


def answer_digest(chunks: Sequence[Chunk]) -> bytes:
    """SHA-256 over `u32 length || elements || proof` of each chunk. 32 bytes."""
    digest = hashlib.sha256(b"narrowgate/v1/answer\x00")
    for chunk in chunks:
        digest.update(struct.pack(">I", len(chunk.elements)) + chunk.elements + chunk.proof)
    return digest.digest()
