"""Matching requests: claims, findings, permits, tokens and disclosures.

Rule: what the requester types is a *claim*; only a legal desk's signed `Finding` over the digest of the request
document makes a fact *verified* (POLICY 1). Nothing here says what is allowed: that is the gate's.
"""

import struct
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from broker.protocol import merkle
from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Count,
    Document,
    Id16,
    Jurisdiction,
    Message,
    Name,
    Seconds,
    Slug,
    Text,
)
from broker.protocol.messages.ladder import RecordReference, ReleasedRecord, Selection, Source, Waiting
from broker.protocol.messages.log import LogProof, OpenedEntry
from broker.protocol.messages.series import SeriesSheet
from broker.protocol.messages.vocabulary import Authority, Offence, Outcome, Purpose, Subject, Tier, Urgency

MAXIMUM_POINTS = 20_000


class LegalBasis(Message):
    """The instrument a request stands on."""

    instrument: Slug
    article: Name
    reference: Name
    issued_by: Authority
    issuing_authority: Name
    validated_by: Authority
    jurisdiction: Jurisdiction
    valid_from: Seconds
    valid_until: Seconds
    document_digest: Bytes32
    """SHA-256 of the instrument as the legal desk saw it."""


class Claims(Message):
    """What the requester states. The gate loosens nothing on a claim alone."""

    case_reference: Annotated[str, Field(max_length=200)]
    officer: Slug
    basis: LegalBasis
    offence: Offence
    maximum_penalty_months: Annotated[int, Field(ge=0, le=1200)]
    place: Jurisdiction
    purpose: Purpose
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=7)]
    necessity: Text
    less_intrusive_means: Text
    urgency: Urgency
    retention_days: Annotated[int, Field(ge=0, le=36_500)]
    onward_transfer: bool


class Batch(Message):
    """The points of one identifier type; `batch_root` binds them, see `batch_root()`."""

    identifier_type: Slug
    identifiers: Annotated[int, Field(ge=1, le=MAXIMUM_POINTS)]
    points: Annotated[int, Field(ge=1, le=MAXIMUM_POINTS)]
    batch_root: Bytes32


class Request(Message):
    """A matching request; signed by the requester. Carries no identifier and no point."""

    TYP: ClassVar[str] = "request"
    v: Literal[1] = 1
    request_id: Id16
    space_id: Id16
    roster_version: Annotated[int, Field(ge=1)]
    requester: Slug
    tier: Tier
    batches: Annotated[tuple[Batch, ...], Field(min_length=1, max_length=32)]
    claims: Claims
    earlier_request: Id16 | None = None
    selected: Annotated[tuple[Selection, ...], Field(max_length=32)] = ()
    """One for each batch: its points are the earlier request's points of these indices. Only for a higher tier."""
    created_at: Seconds

    @model_validator(mode="after")
    def _one_batch_a_type(self) -> "Request":
        types = [batch.identifier_type for batch in self.batches]
        if len(set(types)) != len(types):
            raise ValueError("one batch for each identifier type")
        if not self.selected:
            return self
        if self.earlier_request is None or self.tier not in (Tier.SOURCES, Tier.PAYLOAD):
            raise ValueError(
                "only a request for sources or payload selects from an earlier one, which it names"
            )
        chosen = [(each.identifier_type, len(each.indices), len(each.indices)) for each in self.selected]
        if chosen != [(batch.identifier_type, batch.identifiers, batch.points) for batch in self.batches]:
            raise ValueError("a batch is not of the size of what was selected for it")
        return self


class Finding(Message):
    """What a legal desk verified, over the digest of exactly one request document."""

    TYP: ClassVar[str] = "finding"
    v: Literal[1] = 1
    finding_id: Id16
    space_id: Id16
    request_digest: Bytes32
    desk: Slug
    basis: LegalBasis
    basis_authentic: bool
    offence: Offence
    maximum_penalty_months: Annotated[int, Field(ge=0, le=1200)]
    purpose: Purpose
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=7)]
    dual_criminality: bool
    threat_to_life: bool
    necessity_shown: bool
    less_intrusive_means_considered: bool
    found_at: Seconds
    expires_at: Seconds


class RequestSubmission(Message):
    """The call that files a request: the document, the findings about it, and people's approvals.

    A request for a higher tier has the requester's confirmation of the matches it goes on from."""

    request: Document
    findings: Annotated[tuple[Document, ...], Field(max_length=8)]
    approvals: Annotated[tuple[Document, ...], Field(max_length=16)] = ()
    confirmation: Document | None = None


class PermitSeries(Message):
    """One series a permit opens. `handle` is fresh for this request; `deposits` are those serving at admission."""

    handle: Id16
    series_id: Bytes32
    identifier_type: Slug
    key_digest: Bytes32
    deposits: Annotated[tuple[Bytes32, ...], Field(min_length=1, max_length=1000)]


class PermitTerms(Message):
    """What a permit allows. The log's ADMITTED record holds these same terms."""

    permit_id: Id16
    space_id: Id16
    roster_version: Annotated[int, Field(ge=1)]
    requester: Slug
    request_digest: Bytes32
    tier: Tier
    batches: Annotated[tuple[Batch, ...], Field(min_length=1, max_length=32)]
    series: Annotated[tuple[PermitSeries, ...], Field(min_length=1, max_length=1000)]
    decision_digest: Bytes32
    bundle_digest: Bytes32
    not_before_at: Seconds
    expires_at: Seconds
    trial: bool


class Permit(Message):
    """The broker's signed permit, with the proof that its decision stands in the log."""

    TYP: ClassVar[str] = "permit"
    v: Literal[1] = 1
    terms: PermitTerms
    proof: LogProof


class AdmissionRecord(Message):
    """The record beside an ADMITTED entry: what a holder opens, and an auditor replays."""

    v: Literal[1] = 1
    terms: PermitTerms
    decision: str
    """The gate's decision as canonical JSON text; SHA-256 of it is `terms.decision_digest`."""


class ReleaseDecided(Message):
    """The record beside a RELEASE entry: the gate decided on the result; durable before anything is assembled.

    `opening` are the terms of the second permit, under which key holders open released payloads."""

    v: Literal[1] = 1
    permit_id: Id16
    request_id: Id16
    requester: Slug
    token_root: Bytes32
    decision: str
    """Under the rules in force."""
    earlier_decision: str | None = None
    """Under the rules of the admission, where those are others: only what both let leave leaves."""
    opening: PermitTerms | None = None


class SealedRecord(Message):
    """The ADMITTED or RELEASE record with its salt, wrapped to one holder (info: `wrapping.facts_info`)."""

    holder_id: Slug
    wrapped: Blob


class OpenedRecord(Message):
    """The plaintext of a `SealedRecord`."""

    record: Blob
    salt: Bytes32


class Admission(Message):
    """The broker's answer to an admitted request."""

    permit: Document
    series: tuple[SeriesSheet, ...]
    sealed_records: tuple[SealedRecord, ...]
    notes: tuple[Text, ...] = ()


class TokenList(Message):
    """Tokens for one deposit: 16 bytes each, strictly increasing, concatenated."""

    handle: Id16
    deposit_id: Bytes32
    tokens: Blob


class TokenSubmission(Message):
    """The call that sends tokens, once for each permit."""

    permit_id: Id16
    nonce: Bytes32
    lists: Annotated[tuple[TokenList, ...], Field(min_length=1, max_length=1000)]


class Disclosure(Message):
    """What leaves the broker; signed by it, and bound to the RELEASE entry that was durable before."""

    TYP: ClassVar[str] = "disclosure"
    v: Literal[1] = 1
    request_id: Id16
    permit_id: Id16
    requester: Slug
    asked_tier: Tier
    tier: Tier
    token_root: Bytes32
    matched: tuple[Blob, ...] = ()
    """Tier `hits` and above: those of the submitted tokens that a deposit holds, sorted. Empty below."""
    sources: tuple[Source, ...] = ()
    """Tier `sources` and above: who holds them, by series_id. Empty below."""
    records: tuple[RecordReference, ...] = ()
    """Tier `payload`: the records that are released."""
    noised_count: int | None = None
    """Tier `count`: number of matches with noise; may be negative, and is never exact."""
    count_epsilon_millis: Count | None = None
    contributors: Annotated[int, Field(ge=0)] | None = None
    outcome: Outcome
    rules: tuple[Name, ...]
    reasons: tuple[Text, ...]
    law: tuple[Text, ...]
    decision_digest: Bytes32
    released_at: Seconds
    trial: bool
    proof: LogProof


class Opening(Message):
    """What opens released records: the second permit, and all that its holders and its requester need."""

    permit: Document
    series: tuple[SeriesSheet, ...]
    sealed_records: tuple[SealedRecord, ...]
    """The RELEASE record, which holds the permit's terms, sealed to each holder."""
    earlier_records: tuple[SealedRecord, ...]
    """The RELEASE record of the sources that the request goes on from, sealed to each holder for the same permit."""
    records: tuple[ReleasedRecord, ...]
    releases: tuple[Document, ...]
    """The contributors' own releases, where they were asked."""


class TokensAnswered(Message):
    """The answer to tokens: a disclosure, or who has to be waited for. `opening` comes with the tier `payload`.

    `recorded` is the RELEASED entry, opened: that the log records this very disclosure of this very request."""

    document: Document | None = None
    recorded: OpenedEntry | None = None
    opening: Opening | None = None
    waiting: Waiting | None = None


def batch_root(points: Sequence[bytes]) -> bytes:
    """RFC 6962 root over `u32 index || point` in index order (CRYPTO: batch_root leaves)."""
    return merkle.root_of(merkle.leaf_hash(batch_leaf(index, point)) for index, point in enumerate(points))


def batch_leaf(index: int, point: bytes) -> bytes:
    """The bytes of one leaf of a batch: u32 index || point; 36 bytes."""
    return struct.pack(">I", index) + point


def token_set_root(nonce: bytes, lists: Sequence[TokenList]) -> bytes:
    """RFC 6962 root over `nonce`, then `deposit_id || token` list by list: what the log keeps of a submission.

    The nonce (32 random bytes) keeps the root from being a test for guessed tokens."""

    def leaves() -> "list[bytes]":
        rows = [nonce]
        for item in lists:
            rows += [item.deposit_id + item.tokens[i : i + 16] for i in range(0, len(item.tokens), 16)]
        return rows

    return merkle.root_of(merkle.leaf_hash(row) for row in leaves())
