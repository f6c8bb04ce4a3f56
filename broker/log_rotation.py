"""Change the key that signs the broker's log: the entry in its database, and its proof (decision 0018).

Rule: the steps and their order are `broker.translog.key_change`'s, which key holders' logs share; key file and file of
log keys are `broker.folder`'s. That spaces name the newest key before the old one is dropped is the broker's alone.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.log import AuditLog
from broker.audit.records import LogKeyRotated
from broker.keys import BrokerKeys
from broker.protocol import documents
from broker.protocol.errors import Conflict, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.log_keys import LogKeyLink
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import log as rows
from broker.store import parties
from broker.store.database import Connection, Database
from broker.translog import key_change
from broker.translog.cosigning import Witnesses
from broker.translog.key_change import ChangingKeys, LostKey


def signing_keys(connection: Connection, keys: BrokerKeys) -> tuple[Ed25519PrivateKey, ...]:
    """The keys that sign the log now, the newest first. Raises Unavailable as `key_change.signing_keys`."""
    return key_change.signing_keys(_newest(connection), _changing(keys))


def announce(
    database: Database, audit: AuditLog, keys: BrokerKeys, reason: str, now: int, lost: LostKey | None = None
) -> int:
    """Append the entry that changes the key to `keys.next_log_key`, unless it is there. Returns its index.

    Raises BadInput (a reason that no statement may bear), Conflict, VerificationFailed (what is said of a lost key is
    not so) or Unavailable."""
    with database.write() as connection:
        rotated, changing = _newest(connection), _changing(keys)
        announced = key_change.announced_at(rotated, changing)
        if announced is not None:
            return announced
        if lost is not None:
            key_change.check_lost(rows.SqlLogStorage(connection), audit.origin, lost)
        size = audit.size(connection)
        record = key_change.announcement(
            LogKeyRotated, rotated, changing, audit.origin, size, reason, now, lost
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
        found = rows.read_records(connection, index, index + 1)[0]
        stored = None if found.record is None or found.salt is None else (found.record, found.salt)
        return key_change.proven(
            audit.origin,
            stored,
            audit.under(connection, index, witnessed),
            witnesses,
            lambda old, new: audit.consistency(connection, old, new).path,
            lost,
        )


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


def _changing(keys: BrokerKeys) -> ChangingKeys:
    return ChangingKeys(keys.log_key, keys.next_log_key)


def _newest(connection: Connection) -> LogKeyRotated | None:
    indices = rows.of_kind(connection, RecordKind.LOG_KEY_ROTATED)
    if not indices:
        return None
    stored = rows.read_records(connection, indices[-1], indices[-1] + 1)[0]
    if stored.record is None:
        raise Unavailable(key_change.ERASED)
    return decode(LogKeyRotated, stored.record)
