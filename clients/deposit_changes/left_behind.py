"""What goes on serving in series of earlier quarters though the whole file of tonight has it no more.

Rule (decision 0036): each quarter has keys of its own, so a file begins anew in its first night, and nothing in an
earlier series is taken back unasked. That it is there is counted, so that nobody takes "0 taken back" for the whole
truth. Counted by the indexes: of what has none, such as a closed series, it says nothing.

It changes nothing.
"""

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from broker.protocol.messages.parties import Space
from clients.deposit_changes.index_comparison import compare
from clients.depositing import deposit_index
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.masked_deposit import Row
from clients.depositing.series_folder import SeriesFolder, SeriesState, all_series, quarter_of
from clients.home import Home


@dataclass(frozen=True)
class LeftBehind:
    """A series of an earlier quarter, and how many of its records are in the file no more; at least one."""

    series_id: bytes
    quarter: str
    identifier_type: str
    records: int


def left_behind(
    home: Home,
    space: Space,
    rows: Mapping[str, Sequence[Callable[[], Iterator[Row]]]],
    now: int,
    untouched: Collection[bytes] = frozenset(),
) -> tuple[LeftBehind, ...]:
    """The open series of earlier quarters with records that are gone from a file.

    Args:
        rows: all of the file by identifier type, as `Contributor.deposit_rows` takes them; of several classes, each. A
            type that is not in it at all is not looked for.
        untouched: as of `clients.deposit_changes.syncing`.

    Raises VerificationFailed (a damaged index)."""
    found = []
    for series in all_series(home):
        manifest = series.manifest.payload
        here = (manifest.space_id, manifest.salt_id) == (space.space_id, space.salt_id)
        earlier = series.state is SeriesState.OPEN and series.quarter != quarter_of(now)
        if here and earlier and (of_type := rows.get(manifest.identifier_type)):
            gone = _gone(home, series, of_type, untouched)
            if gone:
                found.append(LeftBehind(series.series_id, series.quarter, manifest.identifier_type, gone))
    return tuple(found)


def _gone(
    home: Home,
    series: SeriesFolder,
    rows: Sequence[Callable[[], Iterator[Row]]],
    untouched: Collection[bytes],
) -> int:
    indexes = [
        (deposit.deposit_id, deposit_index.rows(home.vault, deposit.deposit_id))
        for deposit in all_deposits(home, series.series_id)
        if deposit.entry.stage == "serving"
        and home.vault.exists(deposit_index.index_name(deposit.deposit_id))
    ]
    whole = heapq.merge(*(each() for each in rows), key=lambda row: row.salted_hash)
    return sum(
        each.row is None and each.place is not None and each.place.key not in untouched
        for each in compare(whole, indexes, with_payload=False)
    )
