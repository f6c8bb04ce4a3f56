"""What is recorded beside each kind of log entry: one typed record a kind.

Rule: a record holds names, digests, rules and law, never an identifier, a token or a payload (AUDIT 1); it is for
auditors, salted in its leaf, and can be erased while the leaf stays. ADMITTED and RELEASE are recorded as
`broker.protocol.messages.requests.AdmissionRecord` and `ReleaseDecided`, since holders open them; RELEASED and FAILED
as `broker.protocol.messages.closings` has them, since their requester opens them. docs/data-model.md lists these
fields.
"""

from typing import Literal

from broker.protocol.messages.base import Bytes32, Count, Id16, KeyIdentifier, Message, Seconds, Slug
from broker.protocol.messages.bundles import BundleActivation
from broker.protocol.messages.consent import ContestState, RetractionDone
from broker.protocol.messages.erasure import RecordErasure
from broker.protocol.messages.log import ClockStep, RecordsReading
from broker.protocol.messages.log_keys import LogKeyRecord
from broker.protocol.messages.vocabulary import Role, Tier


class EnrolmentAccepted(Message):
    """ENROLMENT_ACCEPTED: the operator accepted a party's key."""

    v: Literal[1] = 1
    party_id: Slug
    role: Role
    kid: KeyIdentifier
    document_digest: Bytes32
    operator_kid: KeyIdentifier


class SpaceFounded(Message):
    """SPACE_FOUNDED: a version of a space's document was accepted."""

    v: Literal[1] = 1
    space_id: Id16
    roster_version: Count
    document_digest: Bytes32
    founder: Slug
    bundle_digest: Bytes32


class BundleActivated(BundleActivation):
    """BUNDLE_ACTIVATED: the operator put a bundle of rules in force that two pinned officers approved."""


class LogKeyRotated(LogKeyRecord):
    """LOG_KEY_ROTATED: the log is signed with another key from here on; both keys signed the statement."""


class SeriesOpened(Message):
    """SERIES_OPENED: enough holders accepted their shares."""

    v: Literal[1] = 1
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    identifier_type: Slug
    manifest_digest: Bytes32
    key_digest: Bytes32
    accepted_by: tuple[Slug, ...]


class SeriesWithdrawn(Message):
    """SERIES_WITHDRAWN: a contributor took a series back; its records were deleted in the same transaction."""

    v: Literal[1] = 1
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    withdrawal_digest: Bytes32
    deposits: tuple[Bytes32, ...]
    records_deleted: Count
    notices: Count = 0
    """As in DEPOSIT_WITHDRAWN."""


class SeriesDestroyed(Message):
    """SERIES_DESTROYED: so many holders erased their shares that the rest cannot evaluate."""

    v: Literal[1] = 1
    series_id: Bytes32
    withdrawal_digest: Bytes32
    destroyed_by: tuple[Slug, ...]
    receipt_digests: tuple[Bytes32, ...]


class SeriesExpired(Message):
    """SERIES_EXPIRED: a series' retention is over, and none of its records is left."""

    v: Literal[1] = 1
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    retain_until: Seconds
    deposits: Count


class DepositDecided(Message):
    """DEPOSIT_ADMITTED and DEPOSIT_REFUSED: what the gate decided about a declaration.

    `decision` is the decision's canonical JSON text; it names facts, rules, law and bundle, and can be replayed."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    declaration_digest: Bytes32
    decision: str


class DepositCompleted(Message):
    """DEPOSIT_COMPLETED: all records are stored and give the declared root."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    records: Count
    root: Bytes32


class DepositServing(Message):
    """DEPOSIT_SERVING: the self-test record was found and opened through the whole path."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    self_test_digest: Bytes32
    quorum: tuple[int, ...]


class DepositWithdrawn(Message):
    """DEPOSIT_WITHDRAWN: a contributor took one deposit back; its records were deleted in the same transaction."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    withdrawal_digest: Bytes32
    records_deleted: Count
    notices: Count = 0
    """How many requesters' answers told of them: as many RETRACTION_NOTICED follow."""


class DepositExpired(Message):
    """DEPOSIT_EXPIRED: the retention is over; the deposit's records were deleted in the same transaction."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    retain_until: Seconds
    records_deleted: Count


class RecordsWithdrawn(Message):
    """RECORDS_WITHDRAWN: a contributor took some records back and declared the root over the rest.

    Names no token: which records they were, nobody can tell from the log."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    withdrawal_digest: Bytes32
    number: Count
    records_deleted: Count
    records: Count
    root: Bytes32
    notices: Count = 0
    """How many requesters' answers told of them: as many RETRACTION_NOTICED follow."""


class RecordsReplaced(Message):
    """RECORDS_REPLACED: a contributor put new versions in the place of some records and declared the root over all.

    Names no token, as RECORDS_WITHDRAWN; both kinds of change of a deposit share one sequence of `number`."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    replacement_digest: Bytes32
    number: Count
    records_replaced: Count
    records: Count
    root: Bytes32


class RequestRefused(Message):
    """REFUSED: the gate refused a matching request before any evaluation."""

    v: Literal[1] = 1
    request_id: Id16
    space_id: Id16
    requester: Slug
    request_digest: Bytes32
    finding_digests: tuple[Bytes32, ...]
    decision: str


class TokensOfSeries(Message):
    """How many tokens were sent for one deposit of one series."""

    handle: Id16
    deposit_id: Bytes32
    tokens: Count


class TokensReceived(Message):
    """TOKENS: the one submission under a permit, as a root that no guessed token can be tested against."""

    v: Literal[1] = 1
    permit_id: Id16
    request_id: Id16
    requester: Slug
    token_root: Bytes32
    nonce_digest: Bytes32
    lists: tuple[TokensOfSeries, ...]


class ReleaseAsked(Message):
    """RELEASE_ASKED: a contributor is asked whether its own records may be opened; silence up to `until_at` refuses."""

    v: Literal[1] = 1
    permit_id: Id16
    request_id: Id16
    series_id: Bytes32
    contributor: Slug
    records: Count
    until_at: Seconds


class ReleaseShown(Message):
    """RELEASE_SHOWN: a contributor read which of its own records it is asked about."""

    v: Literal[1] = 1
    contributor: Slug
    kid: KeyIdentifier
    permits: tuple[Id16, ...]
    read_at: Seconds


class ReleaseAnswered(Message):
    """RELEASE_ANSWERED: a contributor released its own records, or refused to."""

    v: Literal[1] = 1
    permit_id: Id16
    series_id: Bytes32
    contributor: Slug
    released: bool
    document_digest: Bytes32


class ApproverStated(Message):
    """APPROVAL_REFUSED, APPROVAL_WITHDRAWN and EMERGENCY_REVIEWED: a person told the broker so about a request.

    `justified` is the finding of a review, and None for the others."""

    v: Literal[1] = 1
    space_id: Id16
    request_digest: Bytes32
    person: Slug
    document_digest: Bytes32
    justified: bool | None = None


class OutcomeReported(Message):
    """OUTCOME_REPORTED: a requester told what became of its matches. Numbers of matches, never which."""

    v: Literal[1] = 1
    request_id: Id16
    space_id: Id16
    requester: Slug
    number: Count
    report_digest: Bytes32
    useful: Count
    false_match: Count
    victim_identified: Count
    not_yet_known: Count


class ContestStated(Message):
    """CONTEST_STATED: records that were taken back are contested, or it was decided how that ended."""

    v: Literal[1] = 1
    withdrawal_digest: Bytes32
    deposit_id: Bytes32
    space_id: Id16
    contributor: Slug
    state: ContestState
    document_digest: Bytes32
    notices: Count
    """How many RETRACTION_NOTICED follow a decision. 0 while contested: there the withdrawal's entry says it."""


class RetractionNoticed(Message):
    """RETRACTION_NOTICED: a requester that was told of records is to be told that they are taken back or contested,
    or stand again; `withdrawal_digest` is that of the statement it follows."""

    v: Literal[1] = 1
    notice_id: Id16
    space_id: Id16
    request_id: Id16
    requester: Slug
    deposit_id: Bytes32
    withdrawal_digest: Bytes32
    revocation_digest: Bytes32 | None
    notice_digest: Bytes32
    due_at: Seconds


class RetractionShown(Message):
    """RETRACTION_SHOWN: a requester was answered notices for the first time."""

    v: Literal[1] = 1
    requester: Slug
    kid: KeyIdentifier
    notice_ids: tuple[Id16, ...]
    read_at: Seconds


class RetractionAcknowledged(Message):
    """RETRACTION_ACKNOWLEDGED: a requester signed what it did on a notice."""

    v: Literal[1] = 1
    notice_id: Id16
    requester: Slug
    done: RetractionDone
    document_digest: Bytes32


class RecordsRead(RecordsReading):
    """RECORDS_READ: an auditor read records `start` up to, not including, `end`."""


class DisclosureRead(Message):
    """DISCLOSURE_READ: a requester was answered a disclosure again. The first answer is RELEASED's."""

    v: Literal[1] = 1
    permit_id: Id16
    request_id: Id16
    requester: Slug
    kid: KeyIdentifier
    tier: Tier
    disclosure_digest: Bytes32
    read_at: Seconds


class ClockWentBack(ClockStep):
    """CLOCK_WENT_BACK: an entry's time is well before that of the entry before it."""


class RecordErased(RecordErasure):
    """RECORD_ERASED: the operator erased a record with its salt, on somebody's order; the leaf stays."""
