"""The log in the broker's database: `translog`'s storage over SQL, and the records beside the leaves.

Rule: everything runs in the caller's transaction, so that an entry and what it records are durable together. It
computes no hash and signs nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from sqlalchemy import Connection, TextClause, bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from broker.protocol.errors import Conflict
from broker.store import locks
from broker.store.tables import log_head, log_leaves, log_nodes, log_records
from broker.translog.storage import EMPTY_HEAD, Head, StoredLeaf

_RUNS_PER_QUERY = 80


@dataclass(frozen=True)
class StoredRecord:
    """A record beside its leaf; `record` and `salt` are None once erased."""

    index: int
    record: bytes | None = field(repr=False)
    salt: bytes | None = field(repr=False)


# Built once: composing a statement costs more than running it, and an entry is appended to each step of each party.
_HEAD = select(log_head.c.size, log_head.c.root).where(log_head.c.only == 1)
_LOCKED_HEAD = _HEAD.with_for_update()
_MOVE_HEAD = (
    update(log_head)
    .where(
        log_head.c.only == 1,
        log_head.c.size == bindparam("expected_size"),
        log_head.c.root == bindparam("expected_root"),
    )
    .values(size=bindparam("new_size"), root=bindparam("new_root"))
)
_LAST_LEAF = select(log_leaves.c.leaf_index).order_by(log_leaves.c.leaf_index.desc()).limit(1)
_LEAVES = (
    select(log_leaves.c.leaf)
    .where(log_leaves.c.leaf_index >= bindparam("start"), log_leaves.c.leaf_index < bindparam("end"))
    .order_by(log_leaves.c.leaf_index)
)
_ADD_LEAF, _ADD_NODE, _ADD_RECORD = insert(log_leaves), insert(log_nodes), insert(log_records)


class SqlLogStorage:
    """Implements `broker.translog.storage.LogStorage` on one connection.

    With `lock` the head's row is locked until the transaction ends, where the database knows row locks."""

    def __init__(self, connection: Connection, lock: bool = False) -> None:
        self._connection = connection
        self._head = _LOCKED_HEAD if lock else _HEAD

    def head(self) -> Head:
        """See `LogStorage.head`."""
        row = self._connection.execute(self._head).one_or_none()
        if row is None and self._head is _LOCKED_HEAD:
            # There is no row to lock before the first entry.
            locks.lock(self._connection, "first entry")
            row = self._connection.execute(self._head).one_or_none()
        return EMPTY_HEAD if row is None else Head(row.size, row.root)

    def set_head(self, expected: Head, new: Head) -> None:
        """See `LogStorage.set_head`."""
        moved = {
            "expected_size": expected.size,
            "expected_root": expected.root,
            "new_size": new.size,
            "new_root": new.root,
        }
        if self._connection.execute(_MOVE_HEAD, moved).rowcount == 1:
            return
        if expected != EMPTY_HEAD or self.head() != EMPTY_HEAD:
            raise Conflict("The log grew meanwhile: read its head again and repeat the step.")
        self._connection.execute(insert(log_head).values(only=1, size=new.size, root=new.root))

    def append_leaves(self, start_index: int, leaves: Sequence[StoredLeaf]) -> None:
        """See `LogStorage.append_leaves`."""
        last = self._connection.execute(_LAST_LEAF).scalar_one_or_none()
        if start_index != (0 if last is None else last + 1):
            raise Conflict("Leaves are stored one after the other, without a gap.")
        rows = [
            {"leaf_index": index, "leaf": stored.leaf} for index, stored in enumerate(leaves, start_index)
        ]
        self._connection.execute(_ADD_LEAF, rows)

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.leaves`."""
        return self._connection.execute(_LEAVES, {"start": start, "end": end}).scalars().all()

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """See `LogStorage.put_nodes`."""
        rows = [{"level": level, "node_index": index, "hash": each} for level, index, each in nodes]
        try:
            self._connection.execute(_ADD_NODE, rows)
        except IntegrityError as error:
            raise Conflict("A subtree's hash is stored once and never changed.") from error

    def get_nodes(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """See `LogStorage.get_nodes`."""
        # Rows are clustered by (level, node_index), so neighbours are read as one range.
        found: dict[tuple[int, int], bytes] = {}
        runs = _runs(keys)
        for at in range(0, len(runs), _RUNS_PER_QUERY):
            part = runs[at : at + _RUNS_PER_QUERY]
            values = {
                f"{name}{number}": value
                for number, run in enumerate(part)
                for name, value in zip(("level", "first", "last"), run, strict=True)
            }
            for level, index, node in self._connection.execute(_nodes_query(len(part)), values):
                found[(level, index)] = node
        return found


@cache
def _nodes_query(runs: int) -> TextClause:
    """The nodes of so many runs, each bound as :levelN, :firstN and :lastN."""
    wanted = " OR ".join(
        f"(level = :level{number} AND node_index BETWEEN :first{number} AND :last{number})"
        for number in range(runs)
    )
    return text(f"SELECT level, node_index, hash FROM log_nodes WHERE {wanted}")  # noqa: S608 - numbers only


def _runs(keys: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(level, first, last) of neighbouring keys."""
    runs: list[tuple[int, int, int]] = []
    for level, index in sorted(set(keys)):
        if runs and runs[-1][0] == level and runs[-1][2] == index - 1:
            runs[-1] = (level, runs[-1][1], index)
        else:
            runs.append((level, index, index))
    return runs


def store_record(connection: Connection, index: int, record: bytes, salt: bytes) -> None:
    """Lay a record beside its leaf."""
    connection.execute(_ADD_RECORD, {"leaf_index": index, "record": record, "salt": salt})


def read_records(connection: Connection, start: int, end: int) -> tuple[StoredRecord, ...]:
    """Records `start` up to, not including, `end`, in order; fewer if fewer are stored."""
    query = (
        select(log_records)
        .where(log_records.c.leaf_index >= start, log_records.c.leaf_index < end)
        .order_by(log_records.c.leaf_index)
    )
    return tuple(StoredRecord(row.leaf_index, row.record, row.salt) for row in connection.execute(query))
