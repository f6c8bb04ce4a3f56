"""The holder's own log: what it activates, accepts, evaluates and destroys, in the transaction that makes it so.

Rule (AUDIT 1): a leaf is canonical JSON of version, kind, time and a salted digest; the record lies beside it. A
checkpoint bears two signatures, of the log key and of the signing key: who pinned a space document has the second,
so a holder's log can be checked against the broker's (`audit reconcile`) without any further key. Witnesses pin the
first, and cosign beside these two (`clients.keyholder.witnesses`). While the log key is changed, the old one signs too.

It records no point and no identifier, and decides nothing.
"""

from collections.abc import Sequence
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint, leaves
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, NarrowgateError, Unavailable, VerificationFailed
from broker.protocol.messages.base import Bytes32, Count, Id16, Message, RandomBytes, Seconds, Slug, encode
from broker.protocol.messages.bundles import BundleActivation
from broker.protocol.messages.erasure import RecordErasure
from broker.protocol.messages.evaluation import Quorum
from broker.protocol.messages.log import ClockStep, LeafPage, LogProof, RecordPage, RecordsReading
from broker.protocol.messages.log_keys import LogKeyRecord
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import Tile
from broker.translog import log as translog
from broker.translog.clock import NewestTime
from broker.translog.cosigning import SignedHead, Witnessed
from broker.translog.log import Appended
from broker.translog.storage import Head
from broker.translog.tiles import read_tile
from broker.translog.verify import rederive
from clients.keyholder.store.database import Connection
from clients.keyholder.store.log import SqlLogStorage, records_between, store_record

PAGE_ENTRIES = 1000
MAXIMUM_INDEX = 1_000_000_000


class BundleActivated(BundleActivation):
    """BUNDLE_ACTIVATED: this holder's operator put a bundle of rules in force that two pinned officers approved."""


class SeriesAccepted(Message):
    """SERIES_ACCEPTED: this holder keeps shares of a series."""

    v: Literal[1] = 1
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    x: Count
    manifest_digest: Bytes32
    key_digest: Bytes32


class Evaluated(Message):
    """EVALUATED and OPENED: this holder decided again and answered, under k_match or k_open; written before the answer
    was computed.

    `admitted_index` and `checkpoint_size` say where in the broker's log the admission, or the release, stands."""

    v: Literal[1] = 1
    permit_id: Id16
    space_id: Id16
    requester: Slug
    request_digest: Bytes32
    series_id: Bytes32
    quorum: Quorum
    batch_root: Bytes32
    points: Count
    decision_digest: Bytes32
    bundle_digest: Bytes32
    admitted_index: Count
    checkpoint_size: Count


class ApprovalVoided(Message):
    """APPROVAL_VOIDED: a person told this holder that it refuses a request, or takes its approval back."""

    v: Literal[1] = 1
    space_id: Id16
    request_digest: Bytes32
    person: Slug
    document_digest: Bytes32


class ShareDestroyed(Message):
    """SHARE_DESTROYED: this holder erased its shares of a series."""

    v: Literal[1] = 1
    series_id: Bytes32
    x: Count
    withdrawal_digest: Bytes32


class ShareExpired(Message):
    """SHARE_EXPIRED: the series' retention is over, and this holder erased its shares."""

    v: Literal[1] = 1
    series_id: Bytes32
    x: Count
    retain_until: Seconds


class LogRestored(Message):
    """RESTORE_ACCEPTED: the operator went on from an older copy; the signed statement says what is missing.

    `marked_size` is how many entries the log had, None when the mark outside the folder was lost too."""

    v: Literal[1] = 1
    marked_size: Count | None
    restored_size: Count
    document_digest: Bytes32


class RecordsRead(RecordsReading):
    """RECORDS_READ: an auditor read this holder's records `start` up to, not including, `end`."""


class ClockWentBack(ClockStep):
    """CLOCK_WENT_BACK: an entry's time is well before that of the entry before it."""


class RecordErased(RecordErasure):
    """RECORD_ERASED: this holder's operator erased a record with its salt, on somebody's order; the leaf stays."""


class LogKeyRotated(LogKeyRecord):
    """LOG_KEY_ROTATED: this holder's log is signed with another log key from here on; both signed the statement."""


class OwnLog:
    """The log of one key holder."""

    def __init__(
        self,
        origin: str,
        log_key: Ed25519PrivateKey,
        signing_key: Ed25519PrivateKey,
        random_bytes: RandomBytes,
        earlier_keys: Sequence[Ed25519PrivateKey] = (),
    ) -> None:
        """`earlier_keys` sign too while the log's key is changed (`clients.keyholder.log_keys`)."""
        self.origin = origin
        self._log_keys = (log_key, *earlier_keys)
        self._signing_key = signing_key
        self._random_bytes = random_bytes
        self._newest = NewestTime()
        self._refused: str | None = None

    @property
    def verifier_key(self) -> checkpoint.VerifierKey:
        """The log's public key, under the log's name: what witnesses pin."""
        return checkpoint.VerifierKey(self.origin, checkpoint.ED25519, self.public_keys[0])

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """The raw public log keys that every checkpoint is signed with, the newest first."""
        return tuple(map(public_bytes, self._log_keys))

    def refuse(self, why: str) -> None:
        """Append nothing from now on, whatever happens: the log is not the one it was. `why` is told to callers."""
        self._refused = why

    def check_not_refused(self) -> None:
        """Raises Unavailable once `refuse` was called."""
        if self._refused is not None:
            raise Unavailable(self._refused)

    def start(self, connection: Connection) -> Head:
        """Derive the whole log again. Raises Unavailable if it is damaged: the holder must not serve."""
        try:
            return rederive(SqlLogStorage(connection))
        except VerificationFailed as error:
            raise Unavailable(
                "The key holder's own log is damaged, so nothing is served. Keep the folder as evidence, and put the "
                "newest backup back."
            ) from error

    def append(self, connection: Connection, kind: RecordKind, record: Message, now: int) -> int:
        """Append one entry in the caller's transaction and return its index; another behind it, if its time is well
        before that of the entry before it (AUDIT 3, promise 6).

        Raises Unavailable whatever fails, so that the transaction rolls back."""
        self.check_not_refused()
        storage = SqlLogStorage(connection)
        try:
            appended = self._append(connection, storage, kind, record, now)
            was = self._newest.put_back(storage, appended.before.head, appended.head, now)
            if was is not None:
                step = ClockWentBack(index=appended.first_index, from_at=was, to_at=now)
                self._append(connection, storage, RecordKind.CLOCK_WENT_BACK, step, now)
        except NarrowgateError as error:
            raise Unavailable("The step could not be recorded, so it was not taken.") from error
        return appended.first_index

    def _append(
        self, connection: Connection, storage: SqlLogStorage, kind: RecordKind, record: Message, now: int
    ) -> Appended:
        leaf = leaves.compose(kind.value, now, encode(record), self._random_bytes(leaves.SALT_BYTES))
        appended = translog.append(storage, [leaf.leaf])
        store_record(connection, appended.first_index, leaf.record, leaf.salt)
        return appended

    def checkpoint(self, connection: Connection) -> SignedHead:
        """The signed note of the present head (C2SP tlog-checkpoint), with all signatures."""
        head = SqlLogStorage(connection).head()
        keys = (*self._log_keys, self._signing_key)
        return SignedHead(
            head.size, checkpoint.sign(self.origin, head.size, head.root, keys, self.origin).decode()
        )

    def under(self, connection: Connection, index: int, witnessed: Witnessed) -> LogProof:
        """The proof of one leaf under a cosigned checkpoint. Raises BadInput when its tree is too small."""
        storage = SqlLogStorage(connection)
        path = translog.inclusion_proof(storage, index, witnessed.size)
        leaf = next(iter(storage.leaves(index, index + 1)))
        return LogProof(index=index, leaf=leaf, path=path, checkpoint=witnessed.note)

    def consistency(self, connection: Connection, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the log of `new_size` continues that of `old_size`. Raises BadInput for other sizes."""
        return translog.consistency_proof(SqlLogStorage(connection), old_size, new_size)

    def leaf_page(self, connection: Connection, start: int, end: int) -> LeafPage:
        """Leaves `start` up to, not including, `end`; fewer if fewer are stored. Raises BadInput over 1,000."""
        _check_page(start, end)
        return LeafPage(start=start, leaves=tuple(SqlLogStorage(connection).leaves(start, end)))

    def record_page(self, connection: Connection, start: int, end: int) -> RecordPage:
        """Records with their salts, for an auditor; the caller appends RECORDS_READ in the same transaction."""
        _check_page(start, end)
        return RecordPage(start=start, records=records_between(connection, start, end))

    def tile(self, connection: Connection, wanted: Tile) -> bytes:
        """A tile of hashes or an entry bundle. Raises NotFound, or VerificationFailed for a damaged store."""
        return read_tile(SqlLogStorage(connection), wanted)

    def size(self, connection: Connection) -> int:
        """The number of entries."""
        return SqlLogStorage(connection).head().size


def _check_page(start: int, end: int) -> None:
    if not 0 <= start < end <= min(start + PAGE_ENTRIES, MAXIMUM_INDEX):
        raise BadInput("A page runs from start up to, not including, end, and holds at most 1,000 entries.")
