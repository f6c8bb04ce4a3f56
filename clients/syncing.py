"""Make what is deposited what a nightly file says: add what is new, take back what is gone, replace what changed.

Rule (decision 0036): the file is whole, so an identifier that is not in it any more is taken back. Only what differs is
masked; what differs is found by `clients.index_comparison`. The work is in proportion to the change, but for one
reading of the file and of the index. A file that would change much at once is refused unless that is said to be meant:
half an export must not take back the other half. Each step is one that a crash cannot halve, and is found done by the
next run: taking back, replacing, adding.

It reads no file of signals. What the broker learns of it is in docs/threat-model.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.parties import Space
from broker.protocol.messages.roots import MAXIMUM_WITHDRAWN
from broker.protocol.messages.vocabulary import PayloadCategory
from clients import deposit_index
from clients.contested_records import without_held
from clients.contributor import Contributor, DepositResult
from clients.deposit_folder import DepositFolder, all_deposits
from clients.home import Home
from clients.index_comparison import compare
from clients.masked_deposit import Row
from clients.replacing import Place, Replacing
from clients.root_changes import RootChanges
from clients.series_folder import SeriesFolder
from clients.taking_back import TakingBack
from clients.transport import Caller, Clock
from clients.upload import Progress

LARGE_SHARE = 10
"""One in so many changed is a large change, and not meant unless it is said."""
_SMALL = 100
"""So few are never a large change."""


@dataclass(frozen=True)
class Changes:
    """How many identifiers are new, gone, of other content, and as they were."""

    new: int
    gone: int
    replaced: int
    unchanged: int


@dataclass(frozen=True)
class SyncResult:
    """What was done under one series. `added` is None where nothing was new."""

    series_id: bytes
    changes: Changes
    added: DepositResult | None


@dataclass
class _Found:
    """What differs: hashes of new rows, tokens gone by deposit, changed rows by deposit."""

    new: set[bytes] = field(default_factory=set)
    gone: dict[bytes, list[bytes]] = field(default_factory=dict)
    replaced: dict[bytes, list[Row]] = field(default_factory=dict)

    def changes(self, deposited: int) -> Changes:
        gone, replaced = (sum(map(len, each.values())) for each in (self.gone, self.replaced))
        return Changes(len(self.new), gone, replaced, deposited - gone - replaced)


class Syncing:
    """The nightly act of one contributor. `contributor` deposits, `caller` signs with the home's key."""

    def __init__(
        self, home: Home, contributor: Contributor, caller: Caller, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._home = home
        self._contributor = contributor
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes

    def sync(
        self,
        space: Space,
        series_id: bytes,
        rows: Callable[[], Iterator[Row]],
        reason: str,
        *,
        large_change: bool = False,
        progress: Progress | None = None,
    ) -> SyncResult:
        """Make the serving deposits of an open series, together, hold exactly these rows.

        Args:
            rows: as `Contributor.deposit_rows` takes them.
            large_change: whether more than a tenth may be taken back or replaced.

        The same rows again change nothing. Memory is in proportion to the change. Raises BadInput (a large change that
        is not said to be meant), NotFound (a deposit without an index), or what the broker refuses with.
        """
        series = SeriesFolder(self._home, series_id)
        deposits = self._deposits(space, series)
        with_payload = series.manifest.payload.conditions.payload_category is not PayloadCategory.NONE
        deposited = sum(each.entry.identifiers for each in deposits)
        limit = None if large_change else max(_SMALL, deposited // LARGE_SHARE)
        rows = without_held(self._home, rows)
        found = self._compared(deposits, rows, with_payload, limit)
        changes = found.changes(deposited)
        # 1. What is gone, first: who takes data out of a file expects it to be gone before anything else happens.
        for deposit in deposits:
            gone = sorted(found.gone.get(deposit.deposit_id, ()))
            acts = self._root_changes(space, deposit)
            for at in range(0, len(gone), MAXIMUM_WITHDRAWN):
                acts.withdraw(gone[at : at + MAXIMUM_WITHDRAWN], reason)
            if not deposit.entry.identifiers:
                # Night by night they would become many, and each request's tokens are derived for every one.
                TakingBack(self._home, self._caller, self._clock, self._random_bytes).withdraw_deposit(
                    deposit.deposit_id, reason
                )
        # 2. What has other content.
        replacing = Replacing(self._home, self._caller, self._clock, self._random_bytes)
        for deposit in deposits:
            if changed := found.replaced.get(deposit.deposit_id):
                replacing.replace_rows(Place(deposit, series, space), changed, reason)
        # 3. What is new, as a deposit of its own: a deposit never grows.
        added = None
        if found.new:
            added = self._contributor.deposit_rows(
                series_id,
                lambda: (row for row in rows() if row.salted_hash in found.new),
                progress,
                anew=True,
            )
        return SyncResult(series_id, changes, added)

    def _deposits(self, space: Space, series: SeriesFolder) -> list[DepositFolder]:
        """The serving deposits of the series, each with nothing pending; one that broke off is finished."""
        serving = []
        for deposit in all_deposits(self._home, series.series_id):
            if deposit.entry.stage == "masked":
                self._contributor.resume(deposit.deposit_id)
            if deposit.entry.stage == "serving":
                self._root_changes(space, deposit).finish()
                serving.append(deposit)
        return serving

    def _compared(
        self,
        deposits: list[DepositFolder],
        rows: Callable[[], Iterator[Row]],
        with_payload: bool,
        limit: int | None,
    ) -> _Found:
        found = _Found()
        vault = self._home.vault
        indexes = [(each.deposit_id, deposit_index.rows(vault, each.deposit_id)) for each in deposits]
        changed = 0
        for each in compare(rows(), indexes, with_payload=with_payload):
            if each.place is None:
                if each.row is not None:
                    found.new.add(each.row.salted_hash)
                continue
            if each.row is None:
                found.gone.setdefault(each.place.deposit_id, []).append(each.place.token)
            else:
                found.replaced.setdefault(each.place.deposit_id, []).append(each.row)
            changed += 1
            if limit is not None and changed > limit:
                raise BadInput(
                    f"More than {limit:,} of the identifiers deposited are not in this file, or have other content in "
                    "it, so nothing was changed. If the export is whole and this is meant, add --large-change. Content "
                    "that names the file changes with the file's name: then give --source each night."
                )
        return found

    def _root_changes(self, space: Space, deposit: DepositFolder) -> RootChanges:
        return RootChanges(self._home, space, deposit, self._caller, self._clock, self._random_bytes)
