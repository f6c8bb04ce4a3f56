"""A log kept in memory: for tests, for the whole system in one process, and for a mirror that checks and
forgets.

It keeps the rules of `LogStorage` exactly. It has no transactions: `broker.translog.log.append` meets the one
refusal it can, a moved head, before it writes anything.
"""

from collections.abc import Iterable, Mapping, Sequence

from broker.protocol.errors import Conflict
from broker.translog.storage import EMPTY_HEAD, Head, LogRow


class MemoryStorage:
    """Implements `LogStorage` with a list of rows."""

    def __init__(self) -> None:
        self._head = EMPTY_HEAD
        self._rows: list[LogRow] = []

    def head(self) -> Head:
        """See `LogStorage.head`."""
        return self._head

    def grow(self, old: Head, new: Head, rows: Sequence[LogRow]) -> None:
        """See `LogStorage.grow`."""
        if self._head != old:
            raise Conflict("The log grew meanwhile: read its head again and repeat the step.")
        if len(self._rows) != old.size:
            raise Conflict("Leaves are stored one after the other, without a gap.")
        self._head = new
        self._rows.extend(rows)

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.leaves`."""
        return (row.leaf for row in self._rows[start:end])

    def rows(self, start: int, end: int) -> Iterable[LogRow]:
        """See `LogStorage.rows`."""
        return iter(self._rows[start:end])

    def hashes_at(self, indexes: Sequence[int]) -> Mapping[int, bytes]:
        """See `LogStorage.hashes_at`."""
        return {index: self._rows[index].hashes for index in indexes if index < len(self._rows)}
