"""Draws: an auditor orders indices of an admitted request, and the requester opens them (DESIGN 2.8).

Rule: the order is signed before anything is shown, so the requester cannot choose what is looked at. What is secret in
an opening (identifiers, blinds, the space's salt) is wrapped to the key that the order itself names; everything else
proves itself: points by the signed batch root, evaluated elements by their proofs, tokens by the root in the log. The
requester's signature binds both parts, so that a false opening is evidence against it.

It opens and checks nothing: see `clients.draws.draw_opening` and `clients.draws.draw_check`.
"""

import hashlib
import itertools
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Document,
    Id16,
    Message,
    Seconds,
    Slug,
    encode,
)
from broker.protocol.messages.evaluation import Chunk, Quorum
from broker.protocol.messages.requests import MAXIMUM_POINTS, Admission, TokenSubmission
from broker.protocol.messages.series import Abscissa

MAXIMUM_DRAWN = 1000
"""Indices of one order, over all types: an opening of so many still fits a signed document."""
Index = Annotated[int, Field(ge=0, lt=MAXIMUM_POINTS)]


class DrawnIndices(Message):
    """Places in the batch of one identifier type, from 0, strictly increasing."""

    identifier_type: Slug
    indices: Annotated[tuple[Index, ...], Field(min_length=1, max_length=MAXIMUM_DRAWN)]

    @model_validator(mode="after")
    def _increasing(self) -> "DrawnIndices":
        if any(after <= before for before, after in itertools.pairwise(self.indices)):
            raise ValueError("indices strictly increase: sort them, and draw each once")
        return self


class DrawOrder(Message):
    """An auditor's order to open these indices of this request; signed by the auditor."""

    TYP: ClassVar[str] = "draw-order"
    v: Literal[1] = 1
    draw_id: Id16
    space_id: Id16
    request_id: Id16
    request_digest: Bytes32
    drawn: Annotated[tuple[DrawnIndices, ...], Field(min_length=1, max_length=32)]
    auditor: Slug
    wrapping_key: Blob
    """The auditor's own public key, to which the opening's secret part is wrapped."""
    ordered_at: Seconds
    expires_at: Seconds

    @model_validator(mode="after")
    def _types_once(self) -> "DrawOrder":
        types = [drawn.identifier_type for drawn in self.drawn]
        if len(set(types)) != len(types):
            raise ValueError("one list of indices for each identifier type")
        if sum(len(drawn.indices) for drawn in self.drawn) > MAXIMUM_DRAWN:
            raise ValueError(f"at most {MAXIMUM_DRAWN} indices in one order")
        return self


class OpenedIndex(Message):
    """One drawn index, opened: point = blind * HashToGroup(salted_hash), salted_hash = HMAC(salt, identifier)."""

    identifier_type: Slug
    index: Index
    identifier: Annotated[str, Field(max_length=4000, repr=False)]
    salted_hash: Annotated[Blob, Field(repr=False)]
    blind: Annotated[Bytes32, Field(repr=False)]
    point: Bytes32


class DrawSecrets(Message):
    """What is wrapped to the auditor alone. The nonce keeps `secrets_digest` from being a test for guesses."""

    v: Literal[1] = 1
    nonce: Bytes32
    salt: Annotated[Bytes32, Field(repr=False)]
    opened: Annotated[tuple[OpenedIndex, ...], Field(min_length=1, max_length=MAXIMUM_DRAWN)]


class BatchPoints(Message):
    """All blinded elements of one identifier type, 32 bytes each, in index order."""

    identifier_type: Slug
    points: Blob


class HolderElements(Message):
    """One holder's evaluated elements of a whole batch with their proofs, as it answered."""

    x: Abscissa
    chunks: Annotated[tuple[Chunk, ...], Field(min_length=1, max_length=64)]


class EvaluatedSeries(Message):
    """The answers of one quorum for one series of the permit."""

    handle: Id16
    quorum: Quorum
    answers: Annotated[tuple[HolderElements, ...], Field(min_length=2, max_length=64)]


class DrawEvidence(Message):
    """What an opening stands on and needs no secrecy beyond that of tokens; proves itself part by part."""

    request: Document
    admission: Admission
    points: Annotated[tuple[BatchPoints, ...], Field(min_length=1, max_length=32)]
    evaluated: Annotated[tuple[EvaluatedSeries, ...], Field(max_length=1000)]
    """Every series of a drawn type; empty where no token was made."""
    submission: Annotated[TokenSubmission | None, Field(repr=False)]


class DrawOpening(Message):
    """The requester's signed answer to an order; binds the wrapped part and the evidence beside it."""

    TYP: ClassVar[str] = "draw-opening"
    v: Literal[1] = 1
    draw_id: Id16
    order_digest: Bytes32
    space_id: Id16
    request_id: Id16
    requester: Slug
    wrapped: Blob
    """`DrawSecrets`, wrapped to the order's key (info: `wrapping.draw_info`)."""
    secrets_digest: Bytes32
    """SHA-256 of the canonical `DrawSecrets`, so that the auditor can show them to somebody else."""
    evidence_digest: Bytes32
    opened_at: Seconds


class OpenedDraw(Message):
    """The file a requester hands to the auditor."""

    opening: Document
    evidence: DrawEvidence


def evidence_digest(evidence: DrawEvidence) -> bytes:
    """SHA-256 over the canonical evidence. 32 bytes."""
    return hashlib.sha256(encode(evidence)).digest()
