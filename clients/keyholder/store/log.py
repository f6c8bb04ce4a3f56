"""The holder's own log in its database: `translog`'s storage over SQL, and the records beside the leaves.

Rule: everything runs in the caller's transaction, so that an entry and what it records are durable together. It
computes no hash and signs nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, func, insert, select, update

from broker.protocol.errors import Conflict
from broker.protocol.messages.log import LoggedRecord
from broker.translog.storage import EMPTY_HEAD, Head, LogRow
from clients.keyholder.store.tables import log_head, log_leaves, log_records

_LEAVES_PER_QUERY = 500


class SqlLogStorage:
    """Implements `broker.translog.storage.LogStorage` on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> Head:
        """See `LogStorage.head`."""
        row = self._connection.execute(select(log_head).where(log_head.c.only == 1)).one_or_none()
        return EMPTY_HEAD if row is None else Head(row.size, row.root)

    def grow(self, old: Head, new: Head, rows: Sequence[LogRow]) -> None:
        """See `LogStorage.grow`."""
        if self.head() != old:
            raise Conflict("The log grew meanwhile: read its head again and repeat the step.")
        last = self._connection.execute(select(func.max(log_leaves.c.leaf_index))).scalar_one()
        if old.size != (0 if last is None else last + 1):
            raise Conflict("Leaves are stored one after the other, without a gap.")
        values = {"size": new.size, "root": new.root}
        changed = self._connection.execute(update(log_head).where(log_head.c.only == 1).values(values))
        if changed.rowcount == 0:
            self._connection.execute(insert(log_head).values(only=1, **values))
        added = [{"leaf_index": row.leaf_index, "leaf": row.leaf, "hashes": row.hashes} for row in rows]
        self._connection.execute(insert(log_leaves), added)

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.leaves`."""
        query = (
            select(log_leaves.c.leaf)
            .where(log_leaves.c.leaf_index >= start, log_leaves.c.leaf_index < end)
            .order_by(log_leaves.c.leaf_index)
        )
        return self._connection.execute(query).scalars().all()

    def rows(self, start: int, end: int) -> Iterable[LogRow]:
        """See `LogStorage.rows`."""
        query = (
            select(log_leaves)
            .where(log_leaves.c.leaf_index >= start, log_leaves.c.leaf_index < end)
            .order_by(log_leaves.c.leaf_index)
        )
        return [LogRow(row.leaf_index, row.leaf, row.hashes) for row in self._connection.execute(query)]

    def hashes_at(self, indexes: Sequence[int]) -> Mapping[int, bytes]:
        """See `LogStorage.hashes_at`."""
        found: dict[int, bytes] = {}
        for at in range(0, len(indexes), _LEAVES_PER_QUERY):
            wanted = log_leaves.c.leaf_index.in_(indexes[at : at + _LEAVES_PER_QUERY])
            query = select(log_leaves.c.leaf_index, log_leaves.c.hashes).where(wanted)
            found.update((row.leaf_index, row.hashes) for row in self._connection.execute(query))
        return found


def store_record(connection: Connection, index: int, record: bytes, salt: bytes) -> None:
    """Lay a record beside its leaf."""
    connection.execute(insert(log_records).values(leaf_index=index, record=record, salt=salt))


def records_between(connection: Connection, start: int, end: int) -> tuple[LoggedRecord, ...]:
    """The records `start` up to, not including, `end`, in order; record and salt are None once erased."""
    query = (
        select(log_records)
        .where(log_records.c.leaf_index >= start, log_records.c.leaf_index < end)
        .order_by(log_records.c.leaf_index)
    )
    rows = connection.execute(query)
    return tuple(LoggedRecord(index=row.leaf_index, record=row.record, salt=row.salt) for row in rows)


def record_at(connection: Connection, index: int) -> tuple[bytes, bytes] | None:
    """A record and its salt, or None if there is none, or it was erased."""
    row = connection.execute(select(log_records).where(log_records.c.leaf_index == index)).one_or_none()
    return None if row is None or row.record is None or row.salt is None else (row.record, row.salt)


def of_kind(connection: Connection, kind: str) -> tuple[int, ...]:
    """Indices of the leaves of a kind, in order; every leaf is looked at, so it is for starts alone."""
    # A leaf is canonical JSON, and a kind is a word of it between quotes, so nothing else in it can look like that.
    wanted = func.instr(log_leaves.c.leaf, f'"kind":"{kind}"'.encode()) > 0
    query = select(log_leaves.c.leaf_index).where(wanted).order_by(log_leaves.c.leaf_index)
    return tuple(connection.execute(query).scalars())


def erase_record_at(connection: Connection, index: int) -> None:
    """Set a record and its salt to NULL; `secure_delete` overwrites them. Empty the write-ahead log after."""
    connection.execute(
        update(log_records).where(log_records.c.leaf_index == index).values(record=None, salt=None)
    )
