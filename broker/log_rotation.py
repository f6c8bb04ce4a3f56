"""Change the key that signs the broker's log, through the log itself (decision 0018).

    1 the new key is drawn and lies durably beside the old one                    `broker.folder`
    2 the entry LOG_KEY_ROTATED is appended, signed with both keys                `announce`
    3 witnesses cosign a checkpoint with it, that both keys signed                `prove`
    4 the file of log keys has the proof, and is handed out                       `broker.folder`
    5 both keys sign while everybody follows
    6 the old key is dropped, once the witnesses cosign without it                `broker.folder`, `check_followed`

Rule: which keys sign is read from the log and from no flag beside it, so that each step may be cut short and the same
command goes on: with the entry both keys sign, without it the old one alone. A key file that has not the key the log
names serves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.log import AuditLog
from broker.audit.records import LogKeyRotated
from broker.keys import BrokerKeys
from broker.protocol import checkpoint as notes
from broker.protocol import documents, log_keys
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, Unavailable, VerificationFailed
from broker.protocol.log_keys import WitnessQuorum
from broker.protocol.messages.base import decode
from broker.protocol.messages.log_keys import LogKeyLink, LogKeyRotation
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import log as rows
from broker.store import parties
from broker.store.database import Connection, Database
from broker.translog.cosigning import Witnesses


@dataclass(frozen=True)
class LostKey:
    """What takes the place of the old key's signature when that key is lost: its public part, and the newest
    checkpoint that it signed and witnesses cosigned, as an auditor has it."""

    old_key: bytes
    last_checkpoint: str


def signing_keys(connection: Connection, keys: BrokerKeys) -> tuple[Ed25519PrivateKey, ...]:
    """The keys that sign the log now, the newest first.

    Raises Unavailable when the key file has not the key that the log was changed to: it is an old copy."""
    rotated = _newest(connection)
    if rotated is None or rotated.new_key == keys.log_public:
        return (keys.log_key,)
    if keys.next_log_key is None or public_bytes(keys.next_log_key) != rotated.new_key:
        raise Unavailable(
            "The log's key was changed, and this folder's keys.json has another one: it is an older copy. Put back the "
            "newest keys.json. Nothing is served."
        )
    return (keys.next_log_key,) if rotated.by_old_key is None else (keys.next_log_key, keys.log_key)


def announce(
    database: Database, audit: AuditLog, keys: BrokerKeys, reason: str, now: int, lost: LostKey | None = None
) -> int:
    """Append the entry that changes the key to `keys.next_log_key`, unless it is there. Returns its index.

    Raises BadInput (a reason that no statement may bear), Conflict or Unavailable."""
    if keys.next_log_key is None:
        raise Conflict("No new key of the log was drawn yet.")
    with database.write() as connection:
        rotated = _newest(connection)
        if rotated is not None and rotated.new_key == public_bytes(keys.next_log_key):
            return rotated.from_size - 1
        old_key = keys.log_public if lost is None else lost.old_key
        if rotated is not None and rotated.new_key != old_key:
            raise Conflict("The log has another key by now than the one that is said to be lost.")
        size = audit.size(connection)
        if not 1 <= len(reason) <= 1000:
            raise BadInput("Say why the key is changed, in a sentence of at most 1,000 letters.")
        statement = LogKeyRotation(
            log_origin=audit.origin,
            old_key=old_key,
            new_key=public_bytes(keys.next_log_key),
            from_size=size + 1,
            reason=reason,
            rotated_at=now,
        )
        by_old = None if lost is not None else documents.sign(statement, keys.log_key).document
        record = LogKeyRotated(
            old_key=statement.old_key,
            new_key=statement.new_key,
            from_size=statement.from_size,
            reason=reason,
            by_old_key=by_old,
            by_new_key=documents.sign(statement, keys.next_log_key).document,
        )
        index = audit.append(connection, RecordKind.LOG_KEY_ROTATED, record, now).proof.index
        if index != size:
            raise Conflict(
                "The log grew meanwhile: stop every broker on this database, and repeat the command."
            )
        return index


def prove(
    database: Database, audit: AuditLog, witnesses: Witnesses, index: int, lost: LostKey | None = None
) -> LogKeyLink:
    """The link of the file of log keys for the entry `index`, cosigned; `audit` signs with the present keys.

    Raises Unavailable (too few witnesses in time: repeat) or VerificationFailed (the link would convince nobody)."""
    witnesses.start()
    witnessed = witnesses.cosign(index)
    with database.read() as connection:
        stored = rows.read_records(connection, index, index + 1)[0]
        proof = audit.under(connection, index, witnessed)
        if stored.record is None or stored.salt is None:
            raise Unavailable("The record of the change of the log's key was erased, so it cannot be proved.")
        link = LogKeyLink(record=stored.record, salt=stored.salt, proof=proof)
        if lost is not None:
            last, _ = notes.read_unverified(lost.last_checkpoint.encode())
            if last > index:
                raise VerificationFailed("The last checkpoint is of a longer log than this database has.")
            path = audit.consistency(connection, last, witnessed.size).path
            link = link.model_copy(update={"last_checkpoint": lost.last_checkpoint, "consistency": path})
    log_keys.check_link(link, audit.origin, (WitnessQuorum(*_asked(witnesses)),))
    return link


def check_followed(witnesses: Witnesses) -> None:
    """That enough witnesses cosign what the new key signs alone. Raises Conflict: the old key is still needed."""
    try:
        witnesses.start()
    except Unavailable as error:
        raise Conflict(
            "Too few witnesses cosign the log under its new key alone. Hand each the file of log keys, to be followed "
            "with: narrowgate witness follow-log. Until then the old key is kept."
        ) from error


def check_spaces(connection: Connection, newest_key: bytes) -> None:
    """That no space's newest roster names another key. Raises Conflict: its members could verify nothing any more."""
    behind = [
        space
        for stored in parties.newest_spaces(connection)
        if (space := documents.unverified_payload(Space, stored.document)).log_key != newest_key
    ]
    if behind:
        raise Conflict(
            f"{len(behind)} spaces still name the old key in their rosters. Their founders change that first: "
            "narrowgate space change-log-key. Until then the old key is kept."
        )


def _newest(connection: Connection) -> LogKeyRotated | None:
    indices: Sequence[int] = rows.of_kind(connection, RecordKind.LOG_KEY_ROTATED)
    if not indices:
        return None
    stored = rows.read_records(connection, indices[-1], indices[-1] + 1)[0]
    if stored.record is None:
        raise Unavailable(
            "The record of the last change of the log's key was erased, so its key is not known."
        )
    return decode(LogKeyRotated, stored.record)


def _asked(witnesses: Witnesses) -> tuple[tuple[notes.VerifierKey, ...], int]:
    keys, quorum = witnesses.asked
    return tuple(keys), quorum
