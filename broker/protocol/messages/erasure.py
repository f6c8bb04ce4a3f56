"""Erasing a log's record: which kinds may be erased and when, and what is recorded of it.

Rule (AUDIT 1): a record is erased with its salt, on somebody's word and never by itself; the leaf stays, so root and
proofs do. The rule of each kind is in `ERASABLE`, for the broker's log and a key holder's; a kind that is not in it is
not erased. Each erasure is an entry of its own, which is never erased: so it names no person and no case.

It erases nothing: see `broker.erasing` and `clients.keyholder.erasing`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import StringConstraints, ValidationError

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Count, Message, explain
from broker.protocol.messages.vocabulary import RecordKind


class ErasureGround(StrEnum):
    """Why a record is erased. There is no word for tidying up."""

    COURT_ORDER = "court_order"
    AUTHORITY_ORDER = "authority_order"
    """Of a data-protection authority."""
    DATA_SUBJECT = "data_subject"
    """The person it is about demanded it, and is right (LED article 16, UK DPA 2018 s47)."""
    RETENTION_OVER = "retention_over"


class Erasable(StrEnum):
    """When a record of a kind may be erased, on one of the grounds."""

    AT_ANY_TIME = "at any time"
    REQUEST_OVER = "once its request is over"
    """It was answered or refused, or its permit's time is over and no release of it is open."""
    NOT_IN_FORCE = "once other rules are in force"
    NEVER = "never"


ERASABLE: Mapping[RecordKind, Erasable] = MappingProxyType(
    {
        RecordKind.ENROLMENT_ACCEPTED: Erasable.AT_ANY_TIME,
        RecordKind.SPACE_FOUNDED: Erasable.AT_ANY_TIME,
        RecordKind.BUNDLE_ACTIVATED: Erasable.NOT_IN_FORCE,
        RecordKind.SERIES_OPENED: Erasable.AT_ANY_TIME,
        RecordKind.SERIES_WITHDRAWN: Erasable.AT_ANY_TIME,
        RecordKind.SERIES_DESTROYED: Erasable.AT_ANY_TIME,
        RecordKind.SERIES_EXPIRED: Erasable.AT_ANY_TIME,
        RecordKind.DEPOSIT_ADMITTED: Erasable.AT_ANY_TIME,
        RecordKind.DEPOSIT_REFUSED: Erasable.AT_ANY_TIME,
        RecordKind.DEPOSIT_COMPLETED: Erasable.AT_ANY_TIME,
        RecordKind.DEPOSIT_SERVING: Erasable.AT_ANY_TIME,
        RecordKind.DEPOSIT_WITHDRAWN: Erasable.AT_ANY_TIME,
        RecordKind.DEPOSIT_EXPIRED: Erasable.AT_ANY_TIME,
        RecordKind.RECORDS_WITHDRAWN: Erasable.AT_ANY_TIME,
        RecordKind.RECORDS_REPLACED: Erasable.AT_ANY_TIME,
        RecordKind.ADMITTED: Erasable.REQUEST_OVER,
        RecordKind.REFUSED: Erasable.AT_ANY_TIME,
        RecordKind.TOKENS: Erasable.REQUEST_OVER,
        RecordKind.RELEASE_ASKED: Erasable.REQUEST_OVER,
        RecordKind.RELEASE_SHOWN: Erasable.AT_ANY_TIME,
        RecordKind.RELEASE_ANSWERED: Erasable.REQUEST_OVER,
        RecordKind.APPROVAL_REFUSED: Erasable.REQUEST_OVER,
        RecordKind.APPROVAL_WITHDRAWN: Erasable.REQUEST_OVER,
        RecordKind.EMERGENCY_REVIEWED: Erasable.REQUEST_OVER,
        RecordKind.RELEASE: Erasable.REQUEST_OVER,
        RecordKind.RELEASED: Erasable.REQUEST_OVER,
        RecordKind.FAILED: Erasable.REQUEST_OVER,
        RecordKind.OUTCOME_REPORTED: Erasable.AT_ANY_TIME,
        RecordKind.CONTEST_STATED: Erasable.AT_ANY_TIME,
        RecordKind.RETRACTION_NOTICED: Erasable.AT_ANY_TIME,
        RecordKind.RETRACTION_SHOWN: Erasable.AT_ANY_TIME,
        RecordKind.RETRACTION_ACKNOWLEDGED: Erasable.AT_ANY_TIME,
        RecordKind.RECORDS_READ: Erasable.AT_ANY_TIME,
        RecordKind.DISCLOSURE_READ: Erasable.AT_ANY_TIME,
        RecordKind.CLOCK_WENT_BACK: Erasable.AT_ANY_TIME,
        RecordKind.RECORD_ERASED: Erasable.NEVER,
        RecordKind.LOG_KEY_ROTATED: Erasable.NEVER,
        RecordKind.SERIES_ACCEPTED: Erasable.AT_ANY_TIME,
        RecordKind.EVALUATED: Erasable.AT_ANY_TIME,
        RecordKind.OPENED: Erasable.AT_ANY_TIME,
        RecordKind.APPROVAL_VOIDED: Erasable.AT_ANY_TIME,
        RecordKind.SHARE_DESTROYED: Erasable.AT_ANY_TIME,
        RecordKind.SHARE_EXPIRED: Erasable.AT_ANY_TIME,
        RecordKind.RESTORE_ACCEPTED: Erasable.NEVER,
    }
)

OrderedBy = Annotated[str, StringConstraints(min_length=3, max_length=200, pattern=r"\S")]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=1000, pattern=r"\S")]


class RecordErasure(Message):
    """What broker and key holders keep of an erasure, each in its own log; part of their records."""

    v: Literal[1] = 1
    leaf_index: Count
    """The entry whose record and salt are gone."""
    erased_kind: RecordKind
    ground: ErasureGround
    ordered_by: OrderedBy
    """The court, authority or office on whose word it was, with the reference of its letter. No person."""
    reason: Reason
    """In a sentence, naming no person and no case."""


def order(
    leaf_index: int, erased_kind: RecordKind, ground: ErasureGround, ordered_by: str, reason: str
) -> RecordErasure:
    """What an operator was ordered, as it typed it. Raises BadInput."""
    try:
        return RecordErasure(
            leaf_index=leaf_index,
            erased_kind=erased_kind,
            ground=ground,
            ordered_by=ordered_by,
            reason=reason,
        )
    except ValidationError as error:
        raise BadInput(explain(error)) from None
