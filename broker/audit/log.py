"""The broker's audit log: appends an entry in the caller's transaction and gives back the proof of it.

Rule (AUDIT 1 and 3): a leaf is canonical JSON of version, kind, time and a salted digest; the record lies beside it
for auditors. Any failure to append raises Unavailable, so that the transaction rolls back and nothing is disclosed.
At start the root is derived again from leaves and nodes, and each record that was not erased must be its leaf's; a
damaged log refuses to serve. Without witnesses every receipt says `trial`. What may be disclosed on a receipt is
decided elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.records import ClockWentBack
from broker.protocol import checkpoint, leaves
from broker.protocol.errors import BadInput, NarrowgateError, Unavailable, VerificationFailed
from broker.protocol.messages.base import Message, RandomBytes, encode
from broker.protocol.messages.log import (
    ConsistencyPath,
    LeafPage,
    LoggedRecord,
    LogProof,
    OpenedEntry,
    ReceiptMessage,
    RecordPage,
)
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import Tile
from broker.store.database import Connection
from broker.store.log import SqlLogStorage, read_records
from broker.translog import log as translog
from broker.translog.clock import NewestTime
from broker.translog.cosigning import SignedHead, Witnessed
from broker.translog.log import Appended
from broker.translog.storage import Head
from broker.translog.tiles import read_tile
from broker.translog.verify import rederive

PAGE_ENTRIES = 1000
MAXIMUM_INDEX = 1_000_000_000
_OPEN_TO_REQUESTER = frozenset({RecordKind.RELEASED, RecordKind.FAILED})
"""Their records name nothing that the requester was not told (`broker.protocol.messages.closings`)."""
_DAMAGED = (
    "The stored log is damaged, so nothing is served. Keep the database as evidence, see what is wrong with "
    "`narrowgate broker fsck`, and restore the newest backup."
)


@dataclass(frozen=True)
class Receipt:
    """Evidence that an entry was appended; it holds once the transaction it came from is durable.

    `record` and `salt` open the leaf's digest: for holders and auditors, and see `opened` for whom else."""

    kind: RecordKind
    recorded_at: int
    proof: LogProof
    trial: bool
    record: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    def message(self) -> ReceiptMessage:
        """The receipt as it goes over the wire."""
        return ReceiptMessage(proof=self.proof, trial=self.trial)

    def opened(self) -> OpenedEntry:
        """The entry with what opens it, for the requester whose answer it records.

        Raises Unavailable for any other kind: its record says what the requester may not see."""
        if self.kind not in _OPEN_TO_REQUESTER:
            raise Unavailable(
                "An entry of this kind is not for its requester to open. Nothing was disclosed."
            )
        return OpenedEntry(proof=self.proof, record=self.record, salt=self.salt)


class AuditLog:
    """The log of one broker."""

    def __init__(
        self,
        origin: str,
        log_key: Ed25519PrivateKey,
        random_bytes: RandomBytes,
        trial: bool,
        earlier_keys: Sequence[Ed25519PrivateKey] = (),
    ) -> None:
        """`earlier_keys` sign too while the log's key is changed (`broker.translog.key_change`)."""
        self.origin = origin
        self.trial = trial
        self._keys = (log_key, *earlier_keys)
        self._random_bytes = random_bytes
        self._checked = False
        self._newest = NewestTime()
        self._kept = translog.KeptEdge()
        self._refused: str | None = None

    def refuse(self, why: str) -> None:
        """Append nothing from now on, whatever happens: the log is not the one it was. `why` is told to callers."""
        self._refused = why

    @property
    def verifier_key(self) -> checkpoint.VerifierKey:
        """The log's public key, under the log's name."""
        return checkpoint.VerifierKey(self.origin, checkpoint.ED25519, self.public_keys[0])

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """The raw public keys that every checkpoint is signed with, the newest first."""
        return tuple(key.public_key().public_bytes_raw() for key in self._keys)

    def check_not_refused(self) -> None:
        """Raises Unavailable once `refuse` was called."""
        if self._refused is not None:
            raise Unavailable(self._refused)

    def start(self, connection: Connection) -> Head:
        """Derive the whole log again (AUDIT 3, promise 4). Returns its head.

        Raises Unavailable when leaves, nodes, records and head do not fit: the broker must not serve."""
        try:
            head = rederive(SqlLogStorage(connection))
            _check_records(connection, head.size)
        except VerificationFailed as error:
            self.refuse(_DAMAGED)
            raise Unavailable(_DAMAGED) from error
        self._checked = True
        return head

    def append(self, connection: Connection, kind: RecordKind, record: Message, now: int) -> Receipt:
        """Append one entry in the caller's write transaction; another behind it, if its time is well before that of
        the entry before it (AUDIT 3, promise 6).

        Args:
            record: a type of `broker.audit.records`, or `AdmissionRecord`.
            now: Unix seconds; data only, the order of the log is its index.

        Raises Unavailable whatever fails, so that the caller's transaction rolls back."""
        self.check_not_refused()
        if not self._checked:
            self.start(connection)
        try:
            leaf, appended = self._append(connection, kind, record, now)
            index = appended.first_index
            # Proved to the head that ends with this entry. Whoever is given the proof has it after the commit: an entry
            # that comes after it in the same commit does not change it, and if the commit fails nobody has it.
            proof = LogProof(
                index=index,
                leaf=leaf.leaf,
                path=appended.before.path_of_next,
                checkpoint=self._note(appended.head),
            )
            storage = SqlLogStorage(connection)
            was = self._newest.put_back(storage, appended.before.head, appended.head, now)
            if was is not None:
                step = ClockWentBack(index=index, from_at=was, to_at=now)
                self._append(connection, RecordKind.CLOCK_WENT_BACK, step, now)
        except VerificationFailed as error:
            # What is stored does not give the head (AUDIT 3, promise 3): the health check says so from now on.
            self.refuse(_DAMAGED)
            raise Unavailable(_DAMAGED) from error
        except NarrowgateError as error:
            # Whatever did not fit may have been read wrongly: derive the log anew before the next entry.
            self._checked = False
            raise Unavailable("The step could not be recorded, so it was not taken.") from error
        return Receipt(kind, now, proof, self.trial, leaf.record, leaf.salt)

    def _append(
        self, connection: Connection, kind: RecordKind, record: Message, now: int
    ) -> tuple[leaves.Leaf, Appended]:
        leaf = leaves.compose(kind.value, now, encode(record), self._random_bytes(leaves.SALT_BYTES))
        storage = SqlLogStorage(connection, lock=True, beside=[(leaf.record, leaf.salt)])
        return leaf, translog.append(storage, [leaf.leaf], self._kept)

    def receipt(self, connection: Connection, index: int) -> Receipt:
        """The receipt of an earlier entry, proved to the present head: what a retried step is answered.

        Raises Unavailable when the entry or its record is not stored any more, or the record is not its leaf's."""
        storage = SqlLogStorage(connection)
        leaf = next(iter(storage.leaves(index, index + 1)), None)
        stored = read_records(connection, index, index + 1)
        if leaf is None or not stored or stored[0].record is None or stored[0].salt is None:
            raise Unavailable("The record of this step was erased, so its receipt cannot be given again.")
        try:
            leaves.verify_record(leaf, stored[0].record, stored[0].salt)
        except VerificationFailed as error:
            raise Unavailable(
                "The record of this step is not the one that was logged, so nothing rests on it. Tell the operator."
            ) from error
        content = leaves.parse_leaf(leaf)
        proof = self._proof(storage, index, leaf, storage.head())
        kind = RecordKind(content.kind)
        return Receipt(kind, content.recorded_at, proof, self.trial, stored[0].record, stored[0].salt)

    def checkpoint(self, connection: Connection) -> SignedHead:
        """The signed note of the present head (C2SP tlog-checkpoint)."""
        head = SqlLogStorage(connection).head()
        return SignedHead(head.size, self._note(head))

    def under(self, connection: Connection, index: int, witnessed: Witnessed) -> LogProof:
        """The proof of one leaf under a cosigned checkpoint. Raises BadInput when its tree is too small."""
        proof = self.inclusion(connection, index, witnessed.size)
        return proof.model_copy(update={"checkpoint": witnessed.note})

    def consistency(self, connection: Connection, old_size: int, new_size: int) -> ConsistencyPath:
        """The proof that the log of `new_size` continues that of `old_size`. Raises BadInput for other sizes."""
        path = translog.consistency_proof(SqlLogStorage(connection), old_size, new_size)
        return ConsistencyPath(old_size=old_size, new_size=new_size, path=path)

    def inclusion(self, connection: Connection, index: int, size: int) -> LogProof:
        """The proof of one leaf in the log of `size` leaves, with a checkpoint of that size. Raises BadInput."""
        storage = SqlLogStorage(connection)
        path = translog.inclusion_proof(storage, index, size)
        leaf = next(iter(storage.leaves(index, index + 1)))
        note = self._note(Head(size, translog.root_at(storage, size)))
        return LogProof(index=index, leaf=leaf, path=path, checkpoint=note)

    def leaf_page(self, connection: Connection, start: int, end: int) -> LeafPage:
        """Leaves `start` up to, not including, `end`; fewer if fewer are stored. Raises BadInput over 1,000."""
        _check_page(start, end)
        return LeafPage(start=start, leaves=tuple(SqlLogStorage(connection).leaves(start, end)))

    def tile(self, connection: Connection, wanted: Tile) -> bytes:
        """A tile of hashes or an entry bundle. Raises NotFound, or VerificationFailed for a damaged store."""
        return read_tile(SqlLogStorage(connection), wanted)

    def record_page(self, connection: Connection, start: int, end: int) -> RecordPage:
        """Records with their salts, for an auditor; the caller appends RECORDS_READ in the same transaction."""
        _check_page(start, end)
        rows = read_records(connection, start, end)
        records = tuple(LoggedRecord(index=row.index, record=row.record, salt=row.salt) for row in rows)
        return RecordPage(start=start, records=records)

    def size(self, connection: Connection) -> int:
        """The number of entries."""
        return SqlLogStorage(connection).head().size

    def _proof(self, storage: SqlLogStorage, index: int, leaf: bytes, head: Head) -> LogProof:
        path = translog.inclusion_proof(storage, index, head.size)
        return LogProof(index=index, leaf=leaf, path=path, checkpoint=self._note(head))

    def _note(self, head: Head) -> str:
        return checkpoint.sign(self.origin, head.size, head.root, self._keys, self.origin).decode()


def _check_records(connection: Connection, size: int) -> None:
    for start in range(0, size, PAGE_ENTRIES):
        end = min(start + PAGE_ENTRIES, size)
        stored = {row.index: row for row in read_records(connection, start, end)}
        for index, leaf in enumerate(SqlLogStorage(connection).leaves(start, end), start):
            row = stored.get(index)
            if row is None or (row.record is None) != (row.salt is None):
                raise VerificationFailed(f"The log is damaged: the record of leaf {index} is missing.")
            if row.record is not None and row.salt is not None:
                leaves.verify_digest(leaf, row.record, row.salt)


def _check_page(start: int, end: int) -> None:
    if not 0 <= start < end <= min(start + PAGE_ENTRIES, MAXIMUM_INDEX):
        raise BadInput("A page runs from start up to, not including, end, and holds at most 1,000 entries.")
