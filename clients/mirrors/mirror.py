"""An auditor's copy of a log: entry bundles as they were served, records, and the checkpoints that were seen.

Rule: leaves are public and lie open, records hold facts of cases and are sealed (AUDIT 1). A bundle is kept as soon as
it was fetched, one file each, so that a mirror that was cut short goes on where it stopped. What is verified is told by
`checkpoint.txt` alone: the first so many leaves as it says gave its root. Bundles beyond them are fetched and no more;
nothing that reads the mirror reads them. A record is kept once it opened its leaf. Every file is whole or not there.

It fetches nothing and verifies nothing: see `clients.mirrors.mirroring` and `clients.auditor`. A record erased at the
broker stays here until the auditor deletes it.

    mirror/SPACE/{checkpoint.txt, fetching.txt, first.txt, entries/x001/234, records/000000000000}
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.log import LoggedRecord, RecordPage
from broker.protocol.tiles import TILE_WIDTH, Tile, entry_bundle, leaves_in
from clients.vault import Vault

PAGE_ENTRIES = 1000
Item = TypeVar("Item")
DAMAGED = "The mirror of the log in this home is damaged. Move its folder away as evidence and mirror anew."
_NOT_THERE = "The mirror has no entry at this index. Use: narrowgate audit verify"


class Mirror:
    """The files of one log in a home folder.

    Args:
        folder: its own among those in `mirror/` (`clients.mirrors.watched_log`)."""

    def __init__(self, vault: Vault, folder: str) -> None:
        self._vault = vault
        self._folder = f"mirror/{folder}"

    # --- checkpoints ---

    def checkpoint(self) -> str | None:
        """The note of the last checkpoint that verified, or None before the first."""
        return self._note("checkpoint.txt")

    def fetching(self) -> str | None:
        """The note of the checkpoint up to which bundles are being fetched; None unless a run was cut short."""
        return self._note("fetching.txt")

    def keep_checkpoint(self, note: str) -> None:
        """From now on as many leaves as this note says are verified."""
        self._vault.write_text(f"{self._folder}/checkpoint.txt", note)

    def first(self) -> str | None:
        """The note of the first checkpoint that verified, of a log whose own key is followed from it; else None."""
        return self._note("first.txt")

    def keep_first(self, note: str) -> None:
        """From this checkpoint on the log's own key is followed."""
        self._vault.write_text(f"{self._folder}/first.txt", note)

    def keep_fetching(self, note: str) -> None:
        """This signed checkpoint was seen, and what leads to it is fetched from now on."""
        self._vault.write_text(f"{self._folder}/fetching.txt", note)

    def drop_fetching(self) -> None:
        """Forget the checkpoint up to which bundles were fetched."""
        self._vault.remove(f"{self._folder}/fetching.txt")

    def keep_evidence(self, name: str, text: str) -> str:
        """Write what proves a fault beside the mirror and return where, as a path."""
        self._vault.write_text(f"{self._folder}/{name}", text)
        return str(self._vault.path(f"{self._folder}/{name}"))

    # --- leaves ---

    def bundle(self, tile_index: int) -> bytes:
        """A bundle's bytes, verified or not; none at all if it was not fetched."""
        try:
            return self._vault.read(self._bundle(tile_index))
        except NotFound:
            return b""

    def bundle_leaves(self, tile_index: int, number: int) -> tuple[bytes, ...]:
        """The first `number` leaves of a bundle. Raises VerificationFailed when it is damaged, or has fewer."""
        try:
            found = leaves_in(self.bundle(tile_index))[:number]
        except VerificationFailed:
            raise VerificationFailed(DAMAGED) from None
        if len(found) < number:
            raise VerificationFailed(DAMAGED)
        return found

    def keep_bundle(self, tile_index: int, data: bytes) -> None:
        """Keep a bundle as it was served; a wider one takes the place of a partial one."""
        self._vault.write(self._bundle(tile_index), data)

    def drop_beyond(self, size: int, end: int) -> None:
        """Forget what was fetched of leaves `size` up to `end` and did not verify."""
        first, kept = divmod(size, TILE_WIDTH)
        for tile_index in range(first, -(-end // TILE_WIDTH)):
            held = leaves_in(self.bundle(tile_index))
            if tile_index == first and kept:
                if len(held) > kept:
                    self.keep_bundle(first, entry_bundle(held[:kept]))
            elif held:
                self._vault.remove(self._bundle(tile_index))

    def leaves(self, start: int, end: int) -> Iterator[bytes]:
        """Leaves `start` up to, not including, `end`. Raises VerificationFailed when one is missing."""
        at = start
        while at < end:
            tile_index, place = divmod(at, TILE_WIDTH)
            found = self.bundle_leaves(tile_index, min(TILE_WIDTH, place + end - at))
            yield from found[place:]
            at += len(found) - place

    def leaf_at(self, index: int) -> bytes:
        """One leaf. Raises NotFound."""
        tile_index, place = divmod(index, TILE_WIDTH)
        return _member(leaves_in(self.bundle(tile_index)), place)

    # --- records ---

    def records(self) -> Iterator[LoggedRecord]:
        """All records kept, from index 0. Raises VerificationFailed when one is missing."""
        expected = 0
        for name in self._vault.names(f"{self._folder}/records"):
            page = self._record_page(name)
            if page.start != expected:
                raise VerificationFailed(DAMAGED)
            expected += len(page.records)
            yield from page.records

    def records_kept(self) -> int:
        """The number of records kept."""
        names = self._vault.names(f"{self._folder}/records")
        if not names:
            return 0
        page = self._record_page(names[-1])
        return page.start + len(page.records)

    def record_at(self, index: int) -> LoggedRecord:
        """One record. Raises NotFound."""
        starts = [int(name) for name in self._vault.names(f"{self._folder}/records")]
        start = max((start for start in starts if start <= index), default=None)
        if start is None:
            raise NotFound(_NOT_THERE)
        page = self._record_page(f"{start:012d}")
        return _member(page.records, index - page.start)

    def keep_records(self, page: RecordPage) -> None:
        """Keep a page of records that opened their leaves. Named by its first index: kept twice is kept once."""
        self._vault.write_secret(f"{self._folder}/records/{page.start:012d}", encode(page))

    def _record_page(self, name: str) -> RecordPage:
        return read(RecordPage, self._vault.read_secret(f"{self._folder}/records/{name}"))

    def _note(self, name: str) -> str | None:
        path = f"{self._folder}/{name}"
        return self._vault.read_text(path) if self._vault.exists(path) else None

    def _bundle(self, tile_index: int) -> str:
        return f"{self._folder}/entries/{Tile(None, tile_index).path.removeprefix('entries/')}"


def _member(items: Sequence[Item], place: int) -> Item:
    if not 0 <= place < len(items):
        raise NotFound(_NOT_THERE)
    return items[place]
