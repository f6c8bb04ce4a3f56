"""A change of the key of the holder's own log, in the log: which keys sign, the entry, and its proof.

Rule: the steps and their order are `broker.translog.key_change`'s, which the broker's log shares. A log key changes and
nothing else does: the signing key, which the space document pins, signs every checkpoint before, between and after. Key
file, file of log keys and database have to be of one state, or nothing is served.

It draws and drops no key: see `clients.keyholder.log_keys.change`.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import leaves
from broker.protocol.errors import NarrowgateError, Unavailable
from broker.protocol.log_keys import check_record
from broker.protocol.messages.base import decode
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog import key_change
from broker.translog.cosigning import Witnesses
from broker.translog.key_change import ChangingKeys, LostKey
from clients.keyholder.keys import HolderKeys
from clients.keyholder.own_log import LogKeyRotated, OwnLog
from clients.keyholder.store.database import Connection, Database
from clients.keyholder.store.log import SqlLogStorage, of_kind, record_at


def signing_keys(
    connection: Connection, keys: HolderKeys, chain: LogKeyChain | None, lost: LostKey | None = None
) -> tuple[Ed25519PrivateKey, ...]:
    """The log keys that sign now, the newest first.

    Args:
        chain: the file of log keys in the folder.
        lost: the key that is being replaced because it is lost: that the folder has not got it is then no fault.

    Raises Unavailable: keys, file and database are not of one state."""
    check_holds(connection, chain)
    rotated = newest_change(connection, keys.log_origin)
    if lost is not None and rotated is not None and rotated.new_key == lost.old_key and keys.next_log_key:
        return (keys.next_log_key,)
    return key_change.signing_keys(rotated, changing(keys))


def check_holds(connection: Connection, chain: LogKeyChain | None) -> None:
    """That the log has the change that the file of log keys ends with. Raises Unavailable."""
    if chain is None:
        return
    proof = chain.links[-1].proof
    if list(SqlLogStorage(connection).leaves(proof.index, proof.index + 1)) != [proof.leaf]:
        raise Unavailable(
            "The log's key was changed, as log-keys.json proves, and the log in this folder does not say so: its "
            "database is an older copy than the files beside it. Put database, keys.json and log-keys.json of one "
            "backup back, the newest. Nothing is served."
        )


def newest_change(connection: Connection, origin: str) -> LogKeyRotated | None:
    """The log's last entry about its key; None while it has its first.

    Raises Unavailable: its record is erased, or is not the one that was logged."""
    indices = of_kind(connection, RecordKind.LOG_KEY_ROTATED)
    if not indices:
        return None
    index = indices[-1]
    stored = record_at(connection, index)
    if stored is None:
        raise Unavailable(key_change.ERASED)
    try:
        leaves.verify_record(next(iter(SqlLogStorage(connection).leaves(index, index + 1))), *stored)
        check_record(stored[0], origin, index)
    except NarrowgateError as error:
        raise Unavailable(
            "The record of the last change of the log's key is not the one that was logged, so its key is not known. "
            "Keep the folder as evidence, and put the newest backup back."
        ) from error
    return decode(LogKeyRotated, stored[0])


def announce(
    database: Database, log: OwnLog, keys: HolderKeys, reason: str, now: int, lost: LostKey | None = None
) -> int:
    """Append the entry that changes the key to `keys.next_log_key`, unless it is there. Returns its index.

    Raises BadInput (a reason that no statement may bear), Conflict, VerificationFailed (what is said of a lost key is
    not so) or Unavailable."""
    with database.write() as connection:
        rotated = newest_change(connection, log.origin)
        announced = key_change.announced_at(rotated, changing(keys))
        if announced is not None:
            return announced
        if lost is not None:
            key_change.check_lost(SqlLogStorage(connection), log.origin, lost)
        size = log.size(connection)
        record = key_change.announcement(
            LogKeyRotated, rotated, changing(keys), log.origin, size, reason, now, lost
        )
        return log.append(connection, RecordKind.LOG_KEY_ROTATED, record, now)


def prove(
    database: Database, log: OwnLog, witnesses: Witnesses, index: int, lost: LostKey | None = None
) -> LogKeyLink:
    """The link of the file of log keys for the entry `index`, cosigned; `log` signs with the present keys.

    Raises Unavailable (too few witnesses in time: repeat) or VerificationFailed (the link would convince nobody)."""
    witnesses.start()
    witnessed = witnesses.cosign(index)
    with database.read() as connection:
        return key_change.proven(
            log.origin,
            record_at(connection, index),
            log.under(connection, index, witnessed),
            witnesses,
            lambda old, new: log.consistency(connection, old, new),
            lost,
        )


def changing(keys: HolderKeys) -> ChangingKeys:
    """The log keys in the folder."""
    return ChangingKeys(keys.log_key, keys.next_log_key)
