"""From one tier to the next: what a request selects of an earlier one, who looked at the match, what was released.

Rule (DESIGN 2.7, POLICY L05): a higher tier names the earlier request and indices of its batches, and nothing else; a
person of the requester confirms each match first. A payload leaves as the sealed record, with the proof that its
contributor's signed root holds it; it opens only with what t holders evaluate under the second permit.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Count,
    Document,
    Id16,
    Message,
    Name,
    Seconds,
    Slug,
    Text,
)
from broker.protocol.messages.parties import Contact
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import AgencyKind, Authority, Offence, PayloadCategory, Purpose

MAXIMUM_SELECTED = 500
TOKEN_BYTES = 16

Indices = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=1_000_000)], ...], Field(min_length=1, max_length=MAXIMUM_SELECTED)
]


class Selection(Message):
    """Indices of one batch of an earlier request, increasing."""

    identifier_type: Slug
    indices: Indices

    @model_validator(mode="after")
    def _increase(self) -> "Selection":
        if any(after <= before for before, after in zip(self.indices, self.indices[1:], strict=False)):
            raise ValueError("the indices increase")
        return self


class MatchConfirmation(Message):
    """A person of the requester looked at matches that were disclosed, and takes them for the same (Pruem II)."""

    TYP: ClassVar[str] = "match-confirmation"
    v: Literal[1] = 1
    request_id: Id16
    """The request that was answered."""
    disclosure_digest: Bytes32
    confirmed: Annotated[tuple[Selection, ...], Field(min_length=1, max_length=32)]
    officer: Slug
    confirmed_at: Seconds


class Source(Message):
    """Tier `sources`: who holds some of the requester's identifiers, under what conditions, and how to follow up."""

    series_id: Bytes32
    contributor: Slug
    name: Name
    kind: AgencyKind
    contact: Contact
    conditions: Conditions
    tokens: Blob
    """Those of the submitted tokens that it holds, 16 bytes each, increasing."""


class RecordReference(Message):
    """Tier `payload`: one record that is released, named by what the disclosure binds."""

    deposit_id: Bytes32
    token: Blob
    record_version: Count
    sealed_digest: Bytes32


class ReleasedRecord(Message):
    """A sealed record on its way to the requester, with its place in the contributor's signed root (RFC 9162 2.1.3)."""

    deposit_id: Bytes32
    token: Blob
    record_version: Count
    sealed: Blob
    index: Count
    path: Annotated[tuple[Bytes32, ...], Field(max_length=64)]
    declaration: Document
    change: Document | None
    """The contributor's newest statement that changed the root, None while the declared one stands."""


class ReleaseAsk(Message):
    """What a contributor sees when the release of its own records is asked: the grounds, and which records."""

    permit_id: Id16
    request_digest: Bytes32
    series_id: Bytes32
    deposit_id: Bytes32
    tokens: Blob
    requester: Slug
    purpose: Purpose
    offence: Offence
    instrument: Slug
    issued_by: Authority
    validated_by: Authority
    payload_category: PayloadCategory
    asked_at: Seconds
    until_at: Seconds
    """Silence up to here is a refusal."""
    answered: bool


class ReleaseAsks(Message):
    """The asks to one contributor, those that wait longest first."""

    asks: tuple[ReleaseAsk, ...]


class ContributorRelease(Message):
    """A contributor releases its own records that one permit asks for, or refuses to."""

    TYP: ClassVar[str] = "contributor-release"
    v: Literal[1] = 1
    permit_id: Id16
    request_digest: Bytes32
    series_id: Bytes32
    released: bool
    reason: Text
    answered_at: Seconds


class Waiting(Message):
    """Contributors have not answered yet whether they release their records; ask again until then."""

    contributors: Annotated[int, Field(ge=1)]
    until_at: Seconds
