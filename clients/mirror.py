"""An auditor's copy of a broker's log: leaves, records, and the last checkpoint that verified.

Rule: leaves are public and lie open, records hold facts of cases and are sealed (AUDIT 1). Only what verified is kept:
leaves once they gave a signed root, a record once it opened its leaf. Pages are named by their first index, so that
keeping a page again after a crash replaces it.

It fetches nothing and verifies nothing: see `clients.auditor`. A record erased at the broker stays here until the
auditor deletes it.

    mirror/SPACE/{checkpoint.txt, leaves/000000000000.json, records/000000000000}
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.log import LeafPage, LoggedRecord, RecordPage
from clients.vault import Vault

PAGE_ENTRIES = 1000
Item = TypeVar("Item")
_DAMAGED = "The mirror of the log in this home is damaged. Move its folder away as evidence and mirror anew."


class Mirror:
    """The pages of one space's log in a home folder."""

    def __init__(self, vault: Vault, space_id: bytes) -> None:
        self._vault = vault
        self._folder = f"mirror/{space_id.hex()}"

    def checkpoint(self) -> str | None:
        """The note of the last checkpoint that verified, or None before the first."""
        name = f"{self._folder}/checkpoint.txt"
        return self._vault.read_text(name) if self._vault.exists(name) else None

    def leaves(self, size: int) -> Iterator[bytes]:
        """The first `size` leaves. Raises VerificationFailed when one is missing."""
        return itertools.islice(self._leaves(size), size)

    def records(self) -> Iterator[LoggedRecord]:
        """All records kept, from index 0. Raises VerificationFailed when one is missing."""
        expected = 0
        for name in self._vault.names(f"{self._folder}/records"):
            page = self._record_page(name)
            if page.start != expected:
                raise VerificationFailed(_DAMAGED)
            expected += len(page.records)
            yield from page.records

    def records_kept(self) -> int:
        """The number of records kept."""
        names = self._vault.names(f"{self._folder}/records")
        if not names:
            return 0
        page = self._record_page(names[-1])
        return page.start + len(page.records)

    def leaf_at(self, index: int) -> bytes:
        """One leaf. Raises NotFound."""
        name = self._page_with("leaves", index, ".json")
        page = self._vault.read_message(LeafPage, f"{self._folder}/leaves/{name}")
        return _member(page.leaves, index - page.start)

    def record_at(self, index: int) -> LoggedRecord:
        """One record. Raises NotFound."""
        page = self._record_page(self._page_with("records", index, ""))
        return _member(page.records, index - page.start)

    def keep(self, start: int, leaves: Sequence[bytes], note: str) -> None:
        """Keep the leaves from `start` on and the checkpoint they lead to, which becomes the last."""
        for name in self._vault.names(f"{self._folder}/leaves"):
            if int(name.removesuffix(".json")) >= start:  # of a run that was cut short
                self._vault.erase(f"{self._folder}/leaves/{name}")
        for at in range(0, len(leaves), PAGE_ENTRIES):
            page = LeafPage(start=start + at, leaves=tuple(leaves[at : at + PAGE_ENTRIES]))
            self._vault.write_message(f"{self._folder}/leaves/{page.start:012d}.json", page)
        self._vault.write_text(f"{self._folder}/checkpoint.txt", note)

    def keep_records(self, page: RecordPage) -> None:
        """Keep a page of records that opened their leaves."""
        self._vault.write_secret(f"{self._folder}/records/{page.start:012d}", encode(page))

    def keep_evidence(self, name: str, text: str) -> str:
        """Write what proves a fault beside the mirror and return where, as a path."""
        self._vault.write_text(f"{self._folder}/{name}", text)
        return str(self._vault.path(f"{self._folder}/{name}"))

    def _leaves(self, size: int) -> Iterator[bytes]:
        expected = 0
        for name in self._vault.names(f"{self._folder}/leaves"):
            page = self._vault.read_message(LeafPage, f"{self._folder}/leaves/{name}")
            if page.start != expected:
                break
            expected += len(page.leaves)
            yield from page.leaves
        if expected < size:
            raise VerificationFailed(_DAMAGED)

    def _record_page(self, name: str) -> RecordPage:
        return read(RecordPage, self._vault.read_secret(f"{self._folder}/records/{name}"))

    def _page_with(self, kind: str, index: int, suffix: str) -> str:
        starts = [int(name.removesuffix(suffix)) for name in self._vault.names(f"{self._folder}/{kind}")]
        start = max((start for start in starts if start <= index), default=None)
        if start is None:
            raise NotFound("The mirror has no entry at this index. Use: narrowgate audit verify")
        return f"{start:012d}{suffix}"


def _member(items: Sequence[Item], place: int) -> Item:
    if not 0 <= place < len(items):
        raise NotFound("The mirror has no entry at this index. Use: narrowgate audit verify")
    return items[place]
