"""The operator's part of a change of the key of the holder's own log: the folder's files and the log, step after step.

Rule: each step is durable before the next begins, and finds what an earlier, cut short try of it left; so the same
command goes on from wherever it stopped (`broker.translog.key_change` lists the steps). It serves nothing.

No space waits for it: the document of a space names the holder's signing key, which stays.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from broker.protocol.errors import Conflict, Unavailable
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.log_keys import LogKeyChain
from broker.translog import key_change
from broker.translog.cosigning import Ask
from broker.translog.key_change import LostKey
from clients.keyholder.context import Clock, KeyHolder, open_key_holder
from clients.keyholder.keys import draw_next_log_key, drop_old_log_key
from clients.keyholder.log_keys import rotation
from clients.keyholder.log_keys.chain_file import keep_link, read_kept
from clients.keyholder.own_log import OwnLog
from clients.keyholder.witness_choice import read_choice
from clients.keyholder.witnesses import witnesses_of


@dataclass(frozen=True)
class StoppedHolder:
    """A key holder's folder whose service is stopped, and what opens it: as `context.open_key_holder` is given."""

    directory: Path
    clock: Clock = field(repr=False)
    random_bytes: RandomBytes = field(default=os.urandom, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    high_water: Path | None = None
    ask: Ask | None = field(default=None, repr=False)


def change(stopped: StoppedHolder, reason: str, lost: LostKey | None = None) -> LogKeyChain:
    """Change the log's key, and prove it in the file of log keys.

    Raises as `open_key_holder`, `rotation.announce` and `rotation.prove`. Where the old key is lost, Unavailable tells
    the new one, for the witnesses."""
    keys = draw_next_log_key(stopped.directory, stopped.random_bytes, stopped.passphrase)
    holder = _opened(stopped, lost)
    try:
        index = rotation.announce(holder.database, holder.log, keys, reason, holder.clock(), lost)
    finally:
        holder.close()
    # Anew: which keys sign is read from the log.
    holder = _opened(stopped, lost)
    try:
        link = rotation.prove(holder.database, holder.log, holder.witnesses, index, lost)
    except Unavailable as error:
        if lost is None or keys.next_log_key is None:
            raise
        raise key_change.told_lost(error, keys.log_origin, keys.next_log_key) from error
    finally:
        holder.close()
    chain = keep_link(stopped.directory, keys.log_origin, link)
    if lost is not None:
        # There is no old key that could sign beside the new one.
        drop_old_log_key(stopped.directory, stopped.random_bytes, stopped.passphrase)
    return chain


def finish(stopped: StoppedHolder) -> None:
    """Drop the old key, once enough witnesses have the new one. Raises Conflict: it is still needed."""
    if read_kept(stopped.directory) is None:
        raise Conflict("The log's key was not changed yet, or its proof is missing: rotate it first.")
    holder = _opened(stopped)
    try:
        keys, database = holder.keys, holder.database
        if keys.next_log_key is None or len(holder.log.public_keys) < 2:
            raise Conflict("The log's key is not being changed, so there is no old one to drop.")
        alone = OwnLog(keys.log_origin, keys.next_log_key, keys.signing_key, stopped.random_bytes)
        witnesses = witnesses_of(database, alone, read_choice(stopped.directory), stopped.ask)
        try:
            key_change.check_followed(witnesses)
        finally:
            witnesses.close()
    finally:
        holder.close()
    drop_old_log_key(stopped.directory, stopped.random_bytes, stopped.passphrase)


def _opened(stopped: StoppedHolder, lost: LostKey | None = None) -> KeyHolder:
    return open_key_holder(
        stopped.directory,
        stopped.clock,
        stopped.random_bytes,
        stopped.passphrase,
        stopped.high_water,
        stopped.ask,
        lost,
    )
