"""The series a key holder accepted, held against its own log: their rows, first commitments and sealed shares.

Rule (DESIGN 2.2): an accepted series keeps its row and its C_0 for good; its shares are there, and open under the
storage key for this series and abscissa, until an entry says that they were destroyed or expired. Then they are not.

It opens each share and keeps none of it. Ids of series are all that is held in memory.
"""

from collections.abc import Iterator

from broker.protocol.errors import VerificationFailed
from broker.translog.stored import Entry, Finding, Progress, entry_name
from clients.keyholder.explained import named
from clients.keyholder.held import stored_manifest
from clients.keyholder.keys import HolderKeys
from clients.keyholder.own_log import SeriesAccepted, ShareDestroyed, ShareExpired
from clients.keyholder.store import series as rows
from clients.keyholder.store import whole
from clients.keyholder.store.database import Connection

_SAME = ("space_id", "contributor", "x", "key_digest")
_FIRST_COMMITMENTS = 2
"""Of a series: C_0 of the key that matches, and of the one that opens."""


class SeriesKept:
    """Takes what the log says of series, entry by entry; then `finish` compares it with the tables."""

    def __init__(self, connection: Connection, keys: HolderKeys) -> None:
        self._connection = connection
        self._keys = keys
        self._accepted: dict[bytes, tuple[int, SeriesAccepted]] = {}
        self._gone: dict[bytes, int] = {}
        """Series whose shares were erased, and the entry that says so."""
        self._erased = False

    def see(self, entry: Entry) -> None:
        """The next entry of the log."""
        if isinstance(entry.record, SeriesAccepted):
            self._accepted[entry.record.series_id] = (entry.index, entry.record)
        elif isinstance(entry.record, ShareDestroyed | ShareExpired):
            self._gone[entry.record.series_id] = entry.index
        # Of an erased record nobody knows which series it was about.
        self._erased = self._erased or entry.record is None

    def finish(self, progress: Progress) -> Iterator[Finding]:
        """What does not fit."""
        for index, said in self._accepted.values():
            if rows.find(self._connection, said.series_id) is None:
                where = entry_name(index, "SERIES_ACCEPTED")
                yield Finding(where, "table series has no row that it explains.")
        total = whole.number(self._connection, "series")
        for place, row in enumerate(whole.rows(self._connection, "series", "series_id")):
            progress("series", place, total)
            yield from self._check(rows.StoredSeries(**row))

    def _check(self, stored: rows.StoredSeries) -> Iterator[Finding]:
        where = named("series", "series_id", stored.series_id)
        told = self._accepted.get(stored.series_id)
        if told is not None:
            differing = [name for name in _SAME if getattr(stored, name) != getattr(told[1], name)]
            if differing:
                yield Finding(where, f"{', '.join(differing)} differ from what log entry {told[0]} says.")
        elif not self._erased:
            yield Finding(where, "no entry of the log says that it was accepted.")
        try:
            stored_manifest(stored)
        except VerificationFailed as error:
            yield Finding(where, error.detail)
        kept = whole.number(self._connection, "first_commitments", series_id=stored.series_id)
        if kept != _FIRST_COMMITMENTS:
            what = f"table first_commitments has {kept} of its {_FIRST_COMMITMENTS} rows: its keys could come again."
            yield Finding(where, what)
        yield from self._check_shares(stored, where)

    def _check_shares(self, stored: rows.StoredSeries, where: str) -> Iterator[Finding]:
        sealed = rows.sealed_shares(self._connection, stored.series_id)
        gone = self._gone.get(stored.series_id)
        if sealed is None:
            if gone is None and not self._erased:
                yield Finding(where, "its shares are gone, and no entry of the log says so.")
            return
        if gone is not None:
            yield Finding(
                where, f"its shares are still there, and log entry {gone} says that they were erased."
            )
        try:
            self._keys.storage_key.open_shares(sealed, stored.series_id, self._keys.holder_id, stored.x)
        except VerificationFailed as error:
            yield Finding(where, f"its shares do not open. {error.detail}")
