"""Consent, its revocation, and the notice that goes to whoever was told of what is taken back.

Rule: a consent names a random subject, never a person, and stays in the contributor's home; its revocation names it by
a digest, another one for each deposit, and the deposit it is about. A notice names matches by their places in the
disclosure that its recipient has, so that no token is told anew, and no contributor: below `sources` the recipient does
not know whose records they were.
What somebody says is wrong or not theirs is taken back as contested and is named by that withdrawal until its
contributor decides (decision 0041); which person it was, and what they said, is in no message.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from broker.protocol.messages.base import Bytes32, Document, Id16, Message, Name, Seconds, Slug
from broker.protocol.messages.roots import RecordWithdrawalSubmission
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, Tier

MAXIMUM_PLACES = 20_000


class RetractionGround(StrEnum):
    """Why a notice goes out."""

    CONSENT_REVOKED = "consent_revoked"
    WITHDRAWN = "withdrawn"
    CONTESTED = "contested"
    """Somebody says that it is wrong or not theirs; another notice tells how that ended."""
    STANDS_AGAIN = "stands_again"
    """It was contested, and is right."""


class RetractionDone(StrEnum):
    """What a recipient did once it was told."""

    ERASED = "erased"
    KEPT = "kept"
    """On a lawful ground, which it names."""
    RESTRICTED = "restricted"
    """Set aside and not used until the next notice."""
    NOTED = "noted"


ANSWERS: Mapping[RetractionGround, tuple[RetractionDone, ...]] = MappingProxyType(
    {
        RetractionGround.CONSENT_REVOKED: (RetractionDone.ERASED, RetractionDone.KEPT),
        RetractionGround.WITHDRAWN: (RetractionDone.ERASED, RetractionDone.KEPT),
        RetractionGround.CONTESTED: (RetractionDone.RESTRICTED, RetractionDone.ERASED, RetractionDone.KEPT),
        RetractionGround.STANDS_AGAIN: (RetractionDone.NOTED,),
    }
)
"""What may be said to a notice of each ground."""


class ContestState(StrEnum):
    """How it stands with records that somebody says are wrong or not theirs."""

    CONTESTED = "contested"
    UPHELD = "upheld"
    """What was held is right: it may be deposited again."""
    WITHDRAWN = "withdrawn"
    """It stays out."""


class ConsentTerms(Message):
    """How far a person consents, as whoever took it writes it down. Names nobody."""

    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1, max_length=16)]
    readers: Annotated[tuple[AgencyKind, ...], Field(min_length=1, max_length=6)]
    highest_tier: Tier
    words_shown: Annotated[str, Field(min_length=10, max_length=4000)]
    how_given: Name
    taken_by: Name
    """The office or role that took it."""
    given_at: Seconds
    until_at: Seconds


class PersonConsent(ConsentTerms):
    """A person consents that a contributor shares what they gave, so far and no further. Signed by the contributor."""

    TYP: ClassVar[str] = "person-consent"
    v: Literal[1] = 1
    consent_id: Id16
    contributor: Slug
    subject: Id16
    """Random; which person it is, the contributor's own file knows."""
    conditions_digest: Bytes32
    """SHA-256 of the conditions it was shared under, in canonical form."""


class ConsentRevocation(Message):
    """The person revoked it, as the contributor signs; goes with the withdrawal of the records it covers."""

    TYP: ClassVar[str] = "consent-revocation"
    v: Literal[1, 2] = 2
    contributor: Slug
    consent_digest: Bytes32
    """SHA-256 of b"narrowgate/v1/revoked-consents", a zero byte, the deposit and the digests of the signed
    `PersonConsent`s that are revoked, increasing; in version 1 that of the one consent alone, alike for every
    deposit."""
    conditions_digest: Bytes32
    deposit_id: Bytes32
    revoked_at: Seconds


class ContestStatement(Message):
    """Records that a withdrawal takes back are contested; or how that ended, as the contributor decided and signs."""

    TYP: ClassVar[str] = "contest-statement"
    v: Literal[1] = 1
    contributor: Slug
    deposit_id: Bytes32
    withdrawal_digest: Bytes32
    """SHA-256 of the signed `RecordWithdrawal` that took them back: it names the contest from then on."""
    state: ContestState
    reason: Annotated[str, Field(max_length=500)]
    """Of a decision; empty while contested."""
    stated_at: Seconds


class ContestSubmission(Message):
    """The call that takes contested records back."""

    withdrawal: RecordWithdrawalSubmission
    statement: Document


class RetractionNotice(Message):
    """The broker tells a requester that matches it was told of are taken back, contested, or stand again; signed by
    the broker."""

    TYP: ClassVar[str] = "retraction-notice"
    v: Literal[1] = 1
    notice_id: Id16
    space_id: Id16
    requester: Slug
    request_id: Id16
    disclosure_digest: Bytes32
    places: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=1_000_000)], ...],
        Field(min_length=1, max_length=MAXIMUM_PLACES),
    ]
    """Places in the disclosure's `matched`, from 0, increasing."""
    ground: RetractionGround
    noticed_at: Seconds
    due_at: Seconds
    """Until when it is to be acknowledged."""


class RetractionNotices(Message):
    """A requester's notices that it has not acknowledged, the oldest first."""

    notices: Annotated[tuple[Document, ...], Field(max_length=1000)]


class RetractionAcknowledgement(Message):
    """What the requester did, one of `ANSWERS`; who keeps it names on which lawful ground."""

    TYP: ClassVar[str] = "retraction-acknowledgement"
    v: Literal[1] = 1
    notice_id: Id16
    notice_digest: Bytes32
    """SHA-256 of the signed notice: it answers this one and no other."""
    requester: Slug
    done: RetractionDone
    lawful_ground: Annotated[str, Field(max_length=500)]
    """Empty unless it is kept."""
    officer: Slug
    acknowledged_at: Seconds
