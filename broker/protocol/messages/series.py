"""Key series: conditions, manifest, shares on their way to holders, acceptances, closing, withdrawal.

Rule: `series_id` is SHA-256 of the manifest payload's exact bytes (RFC 8785), so that whoever has the manifest can
check every name that follows from it (DESIGN 2.2). All facts that the gate reads about a deposit are conditions of
its series: a holder, which has the manifest, needs nobody's word for them.
"""

import hashlib
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Document,
    Id16,
    Jurisdiction,
    Message,
    Name,
    Seconds,
    Slug,
    Text,
)
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Collection,
    Consent,
    Offence,
    PayloadCategory,
    Purpose,
    Subject,
    Tier,
)

Abscissa = Annotated[int, Field(ge=1, le=64)]


class Conditions(Message):
    """Under what the contributor shares: the facts about a deposit that the gate reads (POLICY 1)."""

    contributor_kind: AgencyKind
    established_in: Jurisdiction
    lawful_ground: Slug
    collection: Collection
    inclusion_criterion: Annotated[str, Field(min_length=1, max_length=500)]
    reviewed_by_person: bool
    subject: Subject
    consent: Consent
    special_category: bool
    payload_category: PayloadCategory
    confidence_percent: Annotated[int, Field(ge=0, le=100)]
    permitted_readers: Annotated[tuple[AgencyKind, ...], Field(min_length=1, max_length=6)]
    permitted_purposes: Annotated[tuple[Purpose, ...], Field(min_length=1, max_length=16)]
    permitted_jurisdictions: Annotated[tuple[Jurisdiction, ...], Field(min_length=1, max_length=250)]
    permitted_offences: Annotated[tuple[Offence, ...], Field(min_length=1, max_length=16)]
    highest_tier: Tier
    transfer_ground: Slug
    retain_until: Seconds
    notice_duty: bool
    releases_each_payload: bool


class SeriesManifest(Message):
    """A contributor's keys for one identifier type under one set of conditions; signed by the contributor."""

    TYP: ClassVar[str] = "series-manifest"
    v: Literal[1] = 1
    space_id: Id16
    roster_version: Annotated[int, Field(ge=1)]
    contributor: Slug
    identifier_type: Slug
    salt_id: Bytes32
    conditions: Conditions
    threshold: Annotated[int, Field(ge=2, le=64)]
    holders: Annotated[tuple[Slug, ...], Field(min_length=2, max_length=64)]
    """holder_ids in roster order: the holder at place i (from 0) has abscissa i + 1."""
    commitments_match: Annotated[tuple[Bytes32, ...], Field(min_length=2, max_length=64)]
    commitments_open: Annotated[tuple[Bytes32, ...], Field(min_length=2, max_length=64)]
    nonce: Id16


def key_digest(
    series_id: bytes,
    threshold: int,
    holders: int,
    commitments_match: tuple[bytes, ...],
    commitments_open: tuple[bytes, ...],
) -> bytes:
    """What an acceptance binds besides `series_id`: the keys alone, so that a requester below the tier `sources`
    can check commitments against acceptances without learning whose series it is. 32 bytes."""
    head = bytes([threshold, holders, len(commitments_match), len(commitments_open)])
    data = b"".join((*commitments_match, *commitments_open))
    return hashlib.sha256(b"narrowgate/v1/series-key\x00" + series_id + head + data).digest()


class Prekey(Message):
    """A one-time public key to which one share may be wrapped."""

    prekey_id: Id16
    public_key: Blob


class PrekeyPack(Message):
    """A holder's one-time keys; each is destroyed when the share wrapped to it was accepted."""

    TYP: ClassVar[str] = "prekey-pack"
    v: Literal[1] = 1
    holder_id: Slug
    prekeys: Annotated[tuple[Prekey, ...], Field(max_length=64)]
    issued_at: Seconds
    expires_at: Seconds


class ShareDelivery(Message):
    """A contributor's call to one holder. `wrapped` holds the share of k_match, then that of k_open: 64 bytes."""

    manifest: Document
    prekey_id: Id16
    wrapped: Blob


class Acceptance(Message):
    """A holder's word that its shares fit the series' commitments. Names no contributor."""

    TYP: ClassVar[str] = "acceptance"
    v: Literal[1] = 1
    series_id: Bytes32
    holder_id: Slug
    x: Abscissa
    key_digest: Bytes32
    accepted_at: Seconds


class SeriesOpening(Message):
    """A contributor's call to the broker: the manifest and the acceptances of t+1 (or all n) holders."""

    manifest: Document
    acceptances: Annotated[tuple[Document, ...], Field(min_length=2, max_length=64)]


class SeriesClosing(Message):
    """The contributor will mask no more under this series and has erased k."""

    TYP: ClassVar[str] = "series-closing"
    v: Literal[1] = 1
    series_id: Bytes32
    closed_at: Seconds


class Withdrawal(Message):
    """The contributor takes a whole series back: no new evaluation, records deleted, shares destroyed."""

    TYP: ClassVar[str] = "withdrawal"
    v: Literal[1] = 1
    series_id: Bytes32
    reason: Text
    withdrawn_at: Seconds


class DestructionReceipt(Message):
    """A holder's word that it erased its shares of a series."""

    TYP: ClassVar[str] = "destruction-receipt"
    v: Literal[1] = 1
    series_id: Bytes32
    holder_id: Slug
    x: Abscissa
    withdrawal_digest: Bytes32
    destroyed_at: Seconds


class SeriesSheet(Message):
    """What a requester needs to check and use the answers for one series; below `sources` it names nobody."""

    handle: Id16
    series_id: Bytes32
    identifier_type: Slug
    threshold: Annotated[int, Field(ge=2, le=64)]
    holders: Annotated[int, Field(ge=2, le=64)]
    commitments_match: Annotated[tuple[Bytes32, ...], Field(min_length=2, max_length=64)]
    commitments_open: Annotated[tuple[Bytes32, ...], Field(min_length=2, max_length=64)]
    acceptances: Annotated[tuple[Document, ...], Field(min_length=2, max_length=64)]
    deposits: Annotated[tuple[Bytes32, ...], Field(max_length=1000)]
    contributor: Name | None = None
