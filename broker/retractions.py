"""Who was told of records that are taken back is told so: notice, showing, acknowledgement (GDPR article 19).

Rule: every requester that was disclosed one of them, at hits or above, gets a notice, in the transaction that deletes
them: rows that last as long as the record lead to its answers (`broker.store.told`), and the answer as it was given
says what it told. A notice stays until the requester signs what it did, however long it is offline; that it was shown,
and the acknowledgement, are entries, and each notice is one, so that an auditor sees what was never shown or never
answered. A count names nothing and needs no notice. An answer that has a notice is given nobody, though it be the first
time: whoever lost it would be told what was taken back, perhaps after it signed that it is erased. How a contest ended
(`broker.contests`) is told by another notice of the same places. It erases nothing at the requester.
"""

import hashlib
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from broker.audit.log import Receipt
from broker.audit.records import RetractionAcknowledged, RetractionNoticed, RetractionShown
from broker.context import Broker
from broker.protocol.documents import Signed, sign, verify
from broker.protocol.errors import BadInput, Conflict, NotFound
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.consent import (
    ANSWERS,
    MAXIMUM_PLACES,
    ConsentRevocation,
    RetractionAcknowledgement,
    RetractionDone,
    RetractionGround,
    RetractionNotice,
    RetractionNotices,
)
from broker.protocol.messages.requests import Disclosure, TokensAnswered
from broker.protocol.messages.series import SeriesManifest
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import Caller
from broker.store import matches, told
from broker.store import retractions as rows
from broker.store import series as series_rows
from broker.store.database import Connection
from broker.store.deposits import StoredDeposit
from broker.store.requests import StoredRequest

NOTICE_DAYS = 14
DAY_SECONDS = 86_400
MAXIMUM_SHOWN = 1000
_AT_ONCE = 100
"""Answers looked through side by side."""


@dataclass(frozen=True)
class Recipient:
    """One answered request that told of some of the records, by their places in its disclosure."""

    request_id: bytes
    requester: str
    disclosure_digest: bytes
    places: tuple[int, ...]


@dataclass(frozen=True)
class Cause:
    """Why notices go out. `statement_digest` is of the signed statement that they follow; `contest_digest` names the
    contest that they tell the beginning of."""

    ground: RetractionGround
    statement_digest: bytes
    revocation_digest: bytes | None = None
    contest_digest: bytes | None = None


def recipients(
    broker: Broker, connection: Connection, deposit: StoredDeposit, tokens: Collection[bytes] | None
) -> tuple[Recipient, ...]:
    """Whom records were disclosed to. Call it before they are deleted, with the deposit locked: whoever is just being
    answered keeps it until the answer is committed, and is found after the wait.

    Reads and verifies the answers that told of them, and no other.

    Args:
        tokens: of the records; None for all of the deposit."""
    wanted, found = None if tokens is None else frozenset(tokens), []
    every = told.answers(connection, deposit.deposit_number, wanted)
    while answers := tuple(islice(every, _AT_ONCE)):
        disclosures = [
            verify(Disclosure, read(TokensAnswered, each.answer).document or "", broker.keys.signing_public)
            for each in answers
        ]
        named = frozenset(token for each in disclosures for token in each.payload.matched)
        gone = _held(connection, deposit, named) if wanted is None else wanted
        for each, disclosure in zip(answers, disclosures, strict=True):
            places = tuple(place for place, token in enumerate(disclosure.payload.matched) if token in gone)
            if places:
                found.append(
                    Recipient(each.request_id, each.requester, disclosure.digest, places[:MAXIMUM_PLACES])
                )
    return tuple(found)


def check_revocation(
    connection: Connection, caller: Caller, deposit: StoredDeposit, document: str
) -> Signed[ConsentRevocation]:
    """That a revocation is the caller's, and about this deposit and its conditions. Raises VerificationFailed or
    BadInput."""
    revocation = verify(ConsentRevocation, document, caller.signing_key)
    series = series_rows.find(connection, deposit.series_id)
    if series is None:
        raise NotFound("The series of this deposit is not known here.")
    conditions = verify(SeriesManifest, series.manifest, caller.signing_key).payload.conditions
    named = (deposit.contributor, deposit.deposit_id, hashlib.sha256(encode(conditions)).digest())
    said = revocation.payload
    if (said.contributor, said.deposit_id, said.conditions_digest) != named:
        raise BadInput("The revocation is of a consent to another deposit, or to other conditions.")
    return revocation


def notify(
    broker: Broker,
    connection: Connection,
    deposit: StoredDeposit,
    found: Collection[Recipient],
    cause: Cause,
    now: int,
) -> None:
    """Keep a notice for each recipient of records of a deposit, and log it."""
    for each in found:
        notice = RetractionNotice(
            notice_id=broker.random_bytes(16),
            space_id=deposit.space_id,
            requester=each.requester,
            request_id=each.request_id,
            disclosure_digest=each.disclosure_digest,
            places=each.places,
            ground=cause.ground,
            noticed_at=now,
            due_at=now + NOTICE_DAYS * DAY_SECONDS,
        )
        signed = sign(notice, broker.keys.signing_key)
        record = RetractionNoticed(
            notice_id=notice.notice_id,
            space_id=deposit.space_id,
            request_id=each.request_id,
            requester=each.requester,
            deposit_id=deposit.deposit_id,
            withdrawal_digest=cause.statement_digest,
            revocation_digest=cause.revocation_digest,
            notice_digest=signed.digest,
            due_at=notice.due_at,
        )
        receipt = broker.audit.append(connection, RecordKind.RETRACTION_NOTICED, record, now)
        stored = rows.StoredNotice(
            notice_id=notice.notice_id,
            requester=each.requester,
            document=signed.document,
            due_at=notice.due_at,
            noticed_index=receipt.proof.index,
            contest_digest=cause.contest_digest,
        )
        rows.add(connection, stored)


def told_of_contest(
    broker: Broker, connection: Connection, withdrawal_digest: bytes
) -> tuple[Recipient, ...]:
    """Who was told that the records of a withdrawal are contested, by the notices that said so."""
    notices = (
        verify(RetractionNotice, document, broker.keys.signing_public).payload
        for document in rows.of_contest(connection, withdrawal_digest)
    )
    return tuple(
        Recipient(each.request_id, each.requester, each.disclosure_digest, each.places) for each in notices
    )


def check_stands(broker: Broker, connection: Connection, request: StoredRequest) -> None:
    """That nothing of a kept answer was taken back since it was made. Raises Conflict."""
    with closing(rows.noticed_since(connection, request.requester, request.log_index)) as documents:
        for document in documents:
            notice = verify(RetractionNotice, document, broker.keys.signing_public).payload
            if notice.request_id == request.request_id:
                raise Conflict(
                    "Something of this answer was taken back since it was made, so it is given no more. Go on with "
                    "what you have of it, or file a new request."
                )


def show(broker: Broker, caller: Caller) -> RetractionNotices:
    """The caller's notices that it has not acknowledged; that it was shown some for the first time is an entry."""
    caller.check_reads()
    now = broker.clock()
    with broker.database.write() as connection:
        found = rows.unacknowledged(connection, caller.party_id, MAXIMUM_SHOWN)
        fresh = [each for each in found if each.shown_index is None]
        if fresh:
            record = RetractionShown(
                requester=caller.party_id,
                kid=caller.kid,
                notice_ids=tuple(each.notice_id for each in fresh),
                read_at=now,
            )
            receipt = broker.audit.append(connection, RecordKind.RETRACTION_SHOWN, record, now)
            for each in fresh:
                rows.note_shown(connection, each.notice_id, receipt.proof.index)
    return RetractionNotices(notices=tuple(each.document for each in found))


def acknowledge(broker: Broker, caller: Caller, notice_id: bytes, document: str) -> Receipt:
    """Keep what a requester signs that it did. The same document again is answered again.

    Raises NotFound (another's notice as none), VerificationFailed, BadInput (of another notice, or without a ground) or
    Conflict (acknowledged otherwise before)."""
    signed = verify(RetractionAcknowledgement, document, caller.signing_key)
    said, now = signed.payload, broker.clock()
    with broker.database.write() as connection:
        stored = rows.find(connection, notice_id)
        if stored is None or stored.requester != caller.party_id:
            raise NotFound("No such notice was sent to you.")
        digest = hashlib.sha256(stored.document.encode("ascii")).digest()
        if (said.notice_id, said.notice_digest, said.requester) != (notice_id, digest, caller.party_id):
            raise BadInput("The acknowledgement is of another notice than the address names.")
        if (said.done is RetractionDone.KEPT) != bool(said.lawful_ground.strip()):
            raise BadInput("Who keeps it names the lawful ground, and nobody else names one.")
        ground = verify(RetractionNotice, stored.document, broker.keys.signing_public).payload.ground
        if said.done not in ANSWERS[ground]:
            may = " or ".join(each.value for each in ANSWERS[ground])
            raise BadInput(f"A notice of this ground is acknowledged as {may}.")
        if stored.acknowledgement is not None and stored.acknowledged_index is not None:
            if stored.acknowledgement != document:
                raise Conflict("You acknowledged this notice before, otherwise. The first word stands.")
            return broker.audit.receipt(connection, stored.acknowledged_index)
        record = RetractionAcknowledged(
            notice_id=notice_id,
            requester=caller.party_id,
            done=said.done,
            document_digest=signed.digest,
        )
        receipt = broker.audit.append(connection, RecordKind.RETRACTION_ACKNOWLEDGED, record, now)
        rows.acknowledge(connection, notice_id, document, receipt.proof.index)
        return receipt


def _held(connection: Connection, deposit: StoredDeposit, tokens: Collection[bytes]) -> frozenset[bytes]:
    """Which of the tokens the deposit holds."""
    held = matches.held(connection, {deposit.deposit_number: sorted(tokens)}) if tokens else ()
    return frozenset(match.token for match in held)
