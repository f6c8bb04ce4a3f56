"""What may not go in again: identifiers and references of which something was taken back, as marks in the home.

Rule (decision 0043): what is taken back on a person's word is not put in again by the next night's file. A mark is
HMAC-SHA-256, under a key of this home alone, of a salted hash's beginning or of a reference, so that not even the
space's salt and the list together tell whom it is about. It is kept before anything is taken back. It ends two years
after it last kept a row out, or when its maker said. A consent given after it, and recorded under the row's own
reference for the conditions it goes in under, lifts `consent_withdrawn`, and so does, under conditions that do not rest
on consent, the person's word that it was a mistake (`let_in`); `contested` is lifted by whoever decides.

It takes nothing back and reads no file: see `clients.deposit_changes.taking_back` and `clients.deposit_changes.sieve`.

    kept-out/list    sealed: a `_List`        kept-out/key    sealed: 32 bytes
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from pydantic import Field

from broker.protocol.messages.base import Bytes32, Count, Id16, Message, RandomBytes, Seconds, encode, read
from clients.depositing.deposit_index import KEY_BYTES
from clients.home import Home

Reason = Literal["consent_withdrawn", "contested"]
UNUSED_SECONDS = 2 * 365 * 86_400
"""A mark that keeps no row out for so long goes by itself."""
_RENEWED_SECONDS = 30 * 86_400
"""The list is not written again for less."""
_LABEL = b"narrowgate/v1/kept-out\x00"


class Mark(Message):
    """One identifier under one salt of a space, or one reference, that is kept out."""

    mark: Annotated[Bytes32, Field(repr=False)]
    space_id: Id16 | None = None
    """Of an identifier, under whose salt it was hashed; None for a reference."""
    salt_id: Bytes32 | None = None
    reason: Reason
    since_at: Seconds
    until_at: Seconds
    unused_seconds: Count
    """For how long it holds after it was last needed; 0 where `until_at` is the end whatever happens."""


class LetIn(Message):
    """That a person said of what was marked before, under whatever reference, that theirs may go in again."""

    mark: Annotated[Bytes32, Field(repr=False)]
    """Of their own reference."""
    at: Seconds


class _List(Message):
    v: Literal[1] = 1
    marks: tuple[Mark, ...] = ()
    let_in: tuple[LetIn, ...] = ()


class KeptOut:
    """The list of one home."""

    def __init__(self, home: Home, now: int, random_bytes: RandomBytes) -> None:
        self._vault = home.vault
        self._now = now
        self._random_bytes = random_bytes
        self._key = b""

    def marks(self) -> dict[tuple[bytes, Reason], Mark]:
        """Those that hold now. One thing may be kept out for several reasons, each with its own end."""
        return {(each.mark, each.reason): each for each in self._kept().marks if each.until_at > self._now}

    def let_in_at(self) -> dict[bytes, int]:
        """When a person last let in what is theirs, in Unix seconds, by the mark of their reference."""
        return {each.mark: each.at for each in self._kept().let_in}

    def keep_out(
        self,
        reason: Reason,
        *,
        space_id: bytes | None = None,
        salt_id: bytes | None = None,
        hashes: Iterable[bytes] = (),
        references: Iterable[str] = (),
        until_at: int | None = None,
    ) -> None:
        """Keep out, durably, identifiers of these salted hashes, and whatever has one of these references.

        Args:
            space_id, salt_id: under whose salt the hashes were taken.
            hashes: whole, or their first `KEY_BYTES`.
            until_at: an end in Unix seconds, whatever happens; None for two years after it was last needed."""
        end = self._now + UNUSED_SECONDS if until_at is None else until_at
        unused = UNUSED_SECONDS if until_at is None else 0
        with self._vault.alone():
            marks = self.marks()
            marked = [(self.mark_of_hash(each), space_id, salt_id) for each in hashes]
            marked += [(self.mark_of_reference(each), None, None) for each in references]
            for mark, of_space, of_salt in marked:
                marks[mark, reason] = Mark(
                    mark=mark,
                    space_id=of_space,
                    salt_id=of_salt,
                    reason=reason,
                    since_at=self._now,
                    until_at=end,
                    unused_seconds=unused,
                )
            if marked:
                self._write(marks.values())

    def let_in(self, reference: str) -> None:
        """Note, durably, that rows of a reference may go in again, whatever person's withdrawal was marked before now.

        The marks stay, since an identifier's does not tell whose withdrawal made it."""
        with self._vault.alone():
            said = LetIn(mark=self.mark_of_reference(reference), at=self._now)
            let_in = {each.mark: each for each in (*self._kept().let_in, said)}
            self._write(self.marks().values(), let_in.values())

    def end(
        self, reason: Reason, marks: Iterable[bytes], references: Iterable[str], then: Reason | None
    ) -> None:
        """Let in again what these marks and references keep out for a reason, or keep it out for another one."""
        with self._vault.alone():
            kept = self.marks()
            for each in {*marks, *map(self.mark_of_reference, references)}:
                mark = kept.pop((each, reason), None)
                if mark is not None and then is not None:
                    changes = {"reason": then, "since_at": self._now, "until_at": self._now + UNUSED_SECONDS}
                    kept[each, then] = mark.model_copy(update=changes | {"unused_seconds": UNUSED_SECONDS})
            self._write(kept.values())

    def renew(self, used: Collection[tuple[bytes, Reason]]) -> None:
        """Note that these marks kept rows out now, so that they hold on."""
        with self._vault.alone():
            marks, later = self.marks(), 0
            for each in used:
                mark = marks.get(each)
                if mark and mark.until_at + _RENEWED_SECONDS < self._now + mark.unused_seconds:
                    marks[each] = mark.model_copy(update={"until_at": self._now + mark.unused_seconds})
                    later += 1
            if later:
                self._write(marks.values())

    def forget_past(self) -> None:
        """Erase the marks whose end has come."""
        if any(each.until_at <= self._now for each in self._kept().marks):
            with self._vault.alone():
                self._write(self.marks().values())

    def mark_of_hash(self, salted_hash: bytes) -> bytes:
        """The mark of an identifier. 32 bytes."""
        return self._mac(b"identifier\x00" + salted_hash[:KEY_BYTES])

    def mark_of_reference(self, reference: str) -> bytes:
        """The mark of a reference. 32 bytes."""
        return self._mac(b"reference\x00" + reference.strip().encode("utf-8", errors="replace"))

    def _mac(self, message: bytes) -> bytes:
        if not self._key:
            if not self._vault.exists("kept-out/key"):
                self._vault.write_secret("kept-out/key", self._random_bytes(32))
            self._key = self._vault.read_secret("kept-out/key")
        return hmac.digest(self._key, _LABEL + message, hashlib.sha256)

    def _kept(self) -> _List:
        if not self._vault.exists("kept-out/list"):
            return _List()
        return read(_List, self._vault.read_secret("kept-out/list"))

    def _write(self, marks: Iterable[Mark], let_in: Iterable[LetIn] | None = None) -> None:
        # In the order of the marks, which tells nothing: not in that of the taking back.
        ordered = tuple(sorted(marks, key=lambda each: (each.mark, each.reason)))
        said = sorted(self._kept().let_in if let_in is None else let_in, key=lambda each: each.mark)
        # What lets in no mark that is left goes with the last of them.
        first = min((each.since_at for each in ordered), default=self._now)
        used = tuple(each for each in said if first < each.at)
        self._vault.write_secret("kept-out/list", encode(_List(marks=ordered, let_in=used)))
