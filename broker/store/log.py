"""The log in the broker's database: `translog`'s storage over SQL, and the records beside the leaves.

Rule: everything runs in the caller's transaction, so that an entry and what it records are durable together. It
computes no hash and signs nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, tuple_, update

from broker.protocol.errors import Conflict
from broker.store.tables import log_head, log_leaves, log_nodes, log_records
from broker.translog.storage import EMPTY_HEAD, Head, StoredLeaf

_KEYS_PER_QUERY = 500


@dataclass(frozen=True)
class StoredRecord:
    """A record beside its leaf; `record` and `salt` are None once erased."""

    index: int
    record: bytes | None = field(repr=False)
    salt: bytes | None = field(repr=False)


class SqlLogStorage:
    """Implements `broker.translog.storage.LogStorage` on one connection.

    With `lock` the head's row is locked until the transaction ends, where the database knows row locks."""

    def __init__(self, connection: Connection, lock: bool = False) -> None:
        self._connection = connection
        self._lock = lock

    def head(self) -> Head:
        """See `LogStorage.head`."""
        query = select(log_head.c.size, log_head.c.root).where(log_head.c.only == 1)
        row = self._connection.execute(query.with_for_update() if self._lock else query).one_or_none()
        return EMPTY_HEAD if row is None else Head(row.size, row.root)

    def set_head(self, expected: Head, new: Head) -> None:
        """See `LogStorage.set_head`."""
        values = {"size": new.size, "root": new.root}
        changed = self._connection.execute(
            update(log_head)
            .where(log_head.c.only == 1, log_head.c.size == expected.size, log_head.c.root == expected.root)
            .values(values)
        ).rowcount
        if changed == 1:
            return
        if expected != EMPTY_HEAD or self.head() != EMPTY_HEAD:
            raise Conflict("The log grew meanwhile: read its head again and repeat the step.")
        self._connection.execute(insert(log_head).values(only=1, **values))

    def append_leaves(self, start_index: int, leaves: Sequence[StoredLeaf]) -> None:
        """See `LogStorage.append_leaves`."""
        query = select(log_leaves.c.leaf_index).order_by(log_leaves.c.leaf_index.desc()).limit(1)
        last = self._connection.execute(query).scalar_one_or_none()
        if start_index != (0 if last is None else last + 1):
            raise Conflict("Leaves are stored one after the other, without a gap.")
        rows = [
            {"leaf_index": index, "leaf": stored.leaf} for index, stored in enumerate(leaves, start_index)
        ]
        self._connection.execute(insert(log_leaves), rows)

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.leaves`."""
        query = (
            select(log_leaves.c.leaf)
            .where(log_leaves.c.leaf_index >= start, log_leaves.c.leaf_index < end)
            .order_by(log_leaves.c.leaf_index)
        )
        return self._connection.execute(query).scalars().all()

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """See `LogStorage.put_nodes`."""
        if self.get_nodes([(level, index) for level, index, _ in nodes]):
            raise Conflict("A subtree's hash is stored once and never changed.")
        rows = [{"level": level, "node_index": index, "hash": each} for level, index, each in nodes]
        self._connection.execute(insert(log_nodes), rows)

    def get_nodes(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """See `LogStorage.get_nodes`."""
        found: dict[tuple[int, int], bytes] = {}
        for at in range(0, len(keys), _KEYS_PER_QUERY):
            query = select(log_nodes.c.level, log_nodes.c.node_index, log_nodes.c.hash).where(
                tuple_(log_nodes.c.level, log_nodes.c.node_index).in_(keys[at : at + _KEYS_PER_QUERY])
            )
            found.update({(row.level, row.node_index): row.hash for row in self._connection.execute(query)})
        return found


def store_record(connection: Connection, index: int, record: bytes, salt: bytes) -> None:
    """Lay a record beside its leaf."""
    connection.execute(insert(log_records).values(leaf_index=index, record=record, salt=salt))


def read_records(connection: Connection, start: int, end: int) -> tuple[StoredRecord, ...]:
    """Records `start` up to, not including, `end`, in order; fewer if fewer are stored."""
    query = (
        select(log_records)
        .where(log_records.c.leaf_index >= start, log_records.c.leaf_index < end)
        .order_by(log_records.c.leaf_index)
    )
    return tuple(StoredRecord(row.leaf_index, row.record, row.salt) for row in connection.execute(query))
