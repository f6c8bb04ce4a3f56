"""Make what is deposited what a nightly file says: add what is new, take back what is gone, replace what changed.

Rule (decision 0036): the file is whole, so an identifier that is not in it any more is taken back. Only what differs is
masked; what differs, and whether that is too much to be meant, `clients.deposit_changes.file_changes` finds before
anything is changed. The work is in proportion to the change, but for one reading of the file and of the index. Each
step is one that a crash cannot halve, and is found done by the next run: taking back, replacing, adding. Where answers
come later (`clients.carry`), what does not wait for another answer goes with the same files, and what was on its way is
finished before anything is compared again.

It reads no file of signals. What the broker learns of it is in docs/threat-model.md.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

from broker.protocol.messages.base import Count, Message, RandomBytes
from broker.protocol.messages.parties import Space
from broker.protocol.messages.roots import MAXIMUM_WITHDRAWN
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.contributor import Contributor, DepositResult
from clients.deposit_changes import file_changes
from clients.deposit_changes.file_changes import Found, Limits
from clients.deposit_changes.replacing import Place, Replacing
from clients.deposit_changes.root_changes import RootChanges
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing import reference_changes
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.depositing.masked_deposit import Row
from clients.depositing.series_folder import SeriesFolder
from clients.depositing.upload import Progress
from clients.home import Home
from clients.persons.consent_record import covering
from clients.transport import Awaiting, Caller, Clock


@dataclass(frozen=True)
class Changes:
    """How many identifiers are new, gone, of other content, and as they were."""

    new: int
    gone: int
    replaced: int
    unchanged: int


@dataclass(frozen=True)
class SyncResult:
    """What was done under one series, by all the calls that it took. `added` is None where nothing was new."""

    series_id: bytes
    changes: Changes
    added: DepositResult | None


class SyncingNote(Message):
    """What of a file took effect while answers to the rest were on their way, so that the last call tells of all."""

    v: Literal[1] = 1
    new: Count = 0
    gone: Count = 0
    replaced: Count = 0


@dataclass
class _Begun:
    """The serving deposits, and what of earlier calls took effect."""

    new: int
    gone: int
    replaced: int
    serving: list[DepositFolder] = field(default_factory=list)
    added: DepositResult | None = None

    @property
    def deposited(self) -> int:
        return sum(each.entry.identifiers for each in self.serving)


@dataclass(frozen=True)
class Compared:
    """What differs between a series' deposits and the rows of a file: evidence of `Syncing.compare`."""

    space: Space
    series: SeriesFolder
    rows: Callable[[], Iterator[Row]] = field(repr=False)
    begun: _Begun = field(repr=False)
    found: Found = field(repr=False)


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
        untouched: Collection[bytes] = frozenset(),
        progress: Progress | None = None,
    ) -> SyncResult:
        """Make the serving deposits of an open series, together, hold exactly these rows: `compare`, then `change`."""
        compared = self.compare(space, series_id, rows, large_change=large_change, untouched=untouched)
        return self.change(compared, reason, progress)

    def compare(
        self,
        space: Space,
        series_id: bytes,
        rows: Callable[[], Iterator[Row]],
        *,
        large_change: bool = False,
        untouched: Collection[bytes] = frozenset(),
        leaving: Collection[bytes] = frozenset(),
    ) -> Compared:
        """Find what differs between the serving deposits of an open series and these rows. It changes nothing, but that
        what broke off before is finished.

        A file of several parts is compared whole before any part of it is changed.

        Args:
            rows: as `Contributor.deposit_rows` takes them.
            large_change: whether more than a tenth may be taken back or replaced, or more than half of a short list
                taken back.
            untouched: beginnings of salted hashes that were left out of the rows though they may serve
                (`clients.deposit_changes.sieve`), and are then left as they are.
            leaving: beginnings of salted hashes that were left out of the rows since they are meant to go.

        Memory is in proportion to the change. Raises BadInput (a large change that is not said to be meant, a row
        whose person agreed to less), NotFound (a deposit without an index), Awaited (answers come later: call it again
        with the same rows), or what the broker refuses with.
        """
        series = SeriesFolder(self._home, series_id)
        begun = self._deposits(space, series)
        conditions = series.manifest.payload.conditions
        limits = None if large_change else Limits(begun.deposited)
        # A consent that reaches less far is found here, before anything of the file was taken back.
        check = covering(self._home, conditions, self._clock())
        with_payload = conditions.payload_category is not PayloadCategory.NONE
        found = file_changes.find(
            self._home.vault,
            [each.deposit_id for each in begun.serving],
            rows(),
            with_payload=with_payload,
            limits=limits,
            untouched=untouched,
            leaving=leaving,
            check=check,
        )
        return Compared(space, series, rows, begun, found)

    def change(self, compared: Compared, reason: str, progress: Progress | None = None) -> SyncResult:
        """Take back, replace and add what was found to differ. The same rows again change nothing.

        Raises Awaited (answers come later: compare again and call it again), or what the broker refuses with."""
        space, series, rows = compared.space, compared.series, compared.rows
        begun, found = compared.begun, compared.found
        series_id, deposits = series.series_id, begun.serving
        changes, awaiting = _changes(begun, found), Awaiting()
        if found.renamed:
            ids = [each.deposit_id for each in deposits]
            reference_changes.take_over(self._home.vault, ids, rows())
        # 1. What is gone, first: who takes data out of a file expects it to be gone before anything else happens.
        for deposit in deposits:
            gone = sorted(found.gone.get(deposit.deposit_id, ()))
            acts = self._root_changes(space, deposit)
            with awaiting:
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
                with awaiting:
                    replacing.replace_rows(Place(deposit, series, space), changed, reason)
        # 3. What is new, as a deposit of its own: a deposit never grows.
        added = begun.added
        if found.new:
            with awaiting:
                added = self._contributor.deposit_rows(
                    series_id,
                    lambda: (row for row in rows() if row.salted_hash in found.new),
                    progress,
                    anew=True,
                )
        awaiting.check()
        self._home.vault.remove(f"series/{series_id.hex()}/syncing.json")
        return SyncResult(series_id, changes, added)

    def _deposits(self, space: Space, series: SeriesFolder) -> _Begun:
        """The serving deposits of the series, each with nothing pending; what broke off is finished."""
        before, name = SyncingNote(), f"series/{series.series_id.hex()}/syncing.json"
        if self._home.vault.exists(name):
            before = self._home.vault.read_message(SyncingNote, name)
        begun, awaiting = _Begun(before.new, before.gone, before.replaced), Awaiting()
        for deposit in all_deposits(self._home, series.series_id):
            with awaiting:
                if deposit.entry.stage == "masked":
                    begun.added = self._contributor.resume(deposit.deposit_id)
                    begun.new += begun.added.identifiers
                if deposit.entry.stage == "serving":
                    finished = self._root_changes(space, deposit).finish()
                    begun.gone += finished.withdrawn
                    begun.replaced += finished.replaced
                    begun.serving.append(deposit)
        note = SyncingNote(new=begun.new, gone=begun.gone, replaced=begun.replaced)
        if note != before:
            self._home.vault.write_message(f"series/{series.series_id.hex()}/syncing.json", note)
        awaiting.check()
        return begun

    def _root_changes(self, space: Space, deposit: DepositFolder) -> RootChanges:
        return RootChanges(self._home, space, deposit, self._caller, self._clock, self._random_bytes)


def _changes(begun: _Begun, found: Found) -> Changes:
    gone, replaced = (sum(map(len, each.values())) for each in (found.gone, found.replaced))
    unchanged = begun.deposited - gone - replaced - begun.replaced - begun.new
    # Below 0 only where another file came before the first was done: its numbers are about both.
    return Changes(
        len(found.new) + begun.new, gone + begun.gone, replaced + begun.replaced, max(0, unchanged)
    )
