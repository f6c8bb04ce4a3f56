"""What every step of the key holder is given: keys, database, log, rules, clock and randomness, in one frozen value.

Rule: no module below reads a clock, a file or a global of its own. It holds no state of a call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import RandomBytes
from broker.translog.cosigning import Ask, Witnesses
from broker.translog.key_change import LostKey
from clients.keyholder.high_water import HighWater, beside
from clients.keyholder.keys import HolderKeys, open_keys
from clients.keyholder.log_keys import rotation
from clients.keyholder.log_keys.chain_file import read_kept
from clients.keyholder.own_log import OwnLog
from clients.keyholder.store.database import Database
from clients.keyholder.store.log import SqlLogStorage
from clients.keyholder.witness_choice import read_choice
from clients.keyholder.witnesses import witnesses_of

DATABASE_FILE = "keyholder.sqlite"

Clock = Callable[[], int]
"""Unix seconds, UTC."""


class ConsistencyNeeded(NarrowgateError):
    """The broker's log has to be connected with the size this holder saw; `seen_size` says which."""

    problem = "consistency-needed"

    def __init__(self, seen_size: int) -> None:
        super().__init__(
            "This key holder has seen another size of the broker's log. Send a consistency proof."
        )
        self.seen_size = seen_size


class TooLarge(NarrowgateError):
    """The body is larger than any this service takes."""

    problem = "too-large"


@dataclass(frozen=True)
class Caller:
    """Who signed a call, by key: a party of a pinned space, or the contributor of a series accepted here.

    What it may do, each step checks."""

    kid: str
    signing_key: bytes


@dataclass(frozen=True)
class KeyHolder:
    """One running key holder."""

    keys: HolderKeys
    database: Database
    log: OwnLog
    high_water: HighWater = field(repr=False)
    witnesses: Witnesses = field(repr=False)
    """Who cosigns the log. Nothing is served before their `start`."""
    shelf: BundleShelf = field(repr=False)
    officers: PinnedOfficers = field(repr=False)
    clock: Clock = field(repr=False)
    random_bytes: RandomBytes = field(repr=False)

    def close(self) -> None:
        """Give the folder up, after calls to witnesses that are on their way."""
        self.witnesses.close()
        self.database.close()


def open_key_holder(
    directory: Path,
    clock: Clock,
    random_bytes: RandomBytes,
    passphrase: str | None = None,
    high_water: Path | None = None,
    ask: Ask | None = None,
    lost: LostKey | None = None,
) -> KeyHolder:
    """Open a key holder's folder, check its own log from the first leaf on, and that it is no older than its mark.

    Args:
        high_water: the file of the mark; None for the one beside the folder.
        ask: carries calls to witnesses, over HTTP unless it is given. Nobody is asked before `witnesses.start`, which
            is a service's first step: other commands leave what they record to be shown then.
        lost: a key of the log that is lost and being replaced (`clients.keyholder.log_keys.change`).

    Raises NotFound, BadInput or VerificationFailed as `keys.open_keys`, Conflict if it runs already, Unavailable if
    its log is damaged or its key file has another key than the log names, VerificationFailed if the folder is an old
    copy."""
    holder = open_unmarked(directory, clock, random_bytes, passphrase, high_water, ask, lost)
    try:
        with holder.database.read() as connection:
            holder.high_water.check(SqlLogStorage(connection))
    except BaseException:
        holder.close()
        raise
    return holder


def open_unmarked(
    directory: Path,
    clock: Clock,
    random_bytes: RandomBytes,
    passphrase: str | None = None,
    high_water: Path | None = None,
    ask: Ask | None = None,
    lost: LostKey | None = None,
) -> KeyHolder:
    """As `open_key_holder`, the mark not looked at: only to accept a restore."""
    keys, chosen = open_keys(directory, passphrase), read_choice(directory)
    chain = read_kept(directory)
    mark = HighWater(high_water or beside(directory), keys.log_origin)
    database = Database(directory / DATABASE_FILE, mark.rise)
    try:
        with database.read() as connection:
            newest, *earlier = rotation.signing_keys(connection, keys, chain, lost)
            log = OwnLog(keys.log_origin, newest, keys.signing_key, random_bytes, earlier)
            log.start(connection)
    except BaseException:
        database.close()
        raise
    witnesses = witnesses_of(database, log, chosen, ask)
    shelf, officers = BundleShelf(directory), PinnedOfficers(directory)
    return KeyHolder(keys, database, log, mark, witnesses, shelf, officers, clock, random_bytes)
