"""A stored log looked at from outside its service: hashes, numbers of rows, and each entry opened once.

Rule (AUDIT 1 and 4): a node is derived from leaves and compared; a record must open its leaf's digest or be erased
whole; kind and record are of a form this release writes; a clock that went back is told by an entry. All that is wrong
is told, and where: nothing is mended. The broker's fsck and a key holder's both look by it.

It knows no table: rows come as values. What other tables say of an entry is theirs to compare.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from broker.protocol import leaves
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import Message, decode
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.storage import Head, LogStorage
from broker.translog.verify import mismatches

Forms = Mapping[RecordKind, type[Message]]
"""What a service records beside each kind of entry it writes."""
Progress = Callable[[str, int, int], None]
"""Told what is looked at, how much of it is done, and how much there is."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """For those who need no progress."""


@dataclass(frozen=True)
class Finding:
    """What is wrong. `where` is a table and row, an entry of the log, or a file; no content is repeated."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def entry_name(index: int, kind: str | None = None) -> str:
    """An entry of the log, as a finding names it."""
    return f"log entry {index}" if kind is None else f"log entry {index} ({kind})"


@dataclass(frozen=True)
class StoredEntry:
    """A leaf as it is stored, with what lies beside it. `recorded` is whether there is a row for its record at all."""

    index: int
    leaf: bytes = field(repr=False)
    recorded: bool
    record: bytes | None = field(repr=False)
    salt: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Entry:
    """One entry. `record` is None when it was erased, or an earlier release wrote it in a form of its own."""

    index: int
    kind: RecordKind
    recorded_at: int
    record: Message | None = field(repr=False)


def check_hashes(storage: LogStorage, numbers: Callable[[str], int]) -> Iterator[Finding]:
    """Leaves, nodes and head, derived again; and that there are no more of them than the head says.

    Args:
        numbers: how many rows a table of the log has, by its name."""
    head = storage.head()
    for mismatch in mismatches(storage, head):
        yield Finding("the log", f"{mismatch}.")
    for table, number in rows_of(head).items():
        stored = numbers(table)
        if stored != number:
            what = f"has {stored:,} rows, and a log of {head.size:,} entries has {number:,}."
            yield Finding(f"table {table}", what)


def rows_of(head: Head) -> Mapping[str, int]:
    """How many rows each table of a log of this size has."""
    return {"log_leaves": head.size, "log_records": head.size}


def open_entry(stored: StoredEntry, forms: Forms) -> Entry:
    """Open an entry: its leaf, and the record by its salt.

    Raises VerificationFailed or BadInput, saying what does not fit."""
    content = leaves.parse_leaf(stored.leaf)
    try:
        kind = RecordKind(content.kind)
        form = forms[kind]
    except (ValueError, KeyError) as error:
        raise BadInput("The entry is of a kind that no service of this sort and release writes.") from error
    record, salt = stored.record, stored.salt
    if record is None and salt is None:
        return Entry(stored.index, kind, content.recorded_at, None)
    if record is None or salt is None:
        raise VerificationFailed("Of record and salt one is erased and the other is not.")
    leaves.verify_record(stored.leaf, record, salt)
    if kind is RecordKind.BUNDLE_ACTIVATED and record.endswith(b'"v":1}'):
        # Written when any rules were taken: nothing is in force by it (decision 0014).
        return Entry(stored.index, kind, content.recorded_at, None)
    return Entry(stored.index, kind, content.recorded_at, decode(form, record))


def walk(
    rows: Iterable[StoredEntry], head: Head, forms: Forms, progress: Progress = quiet
) -> Iterator[Entry | Finding]:
    """Every entry in order, or what is wrong with it. Clock time is data: it has to be told of when it goes back."""
    before: Entry | None = None
    late: Entry | None = None
    for row in rows:
        progress("entries", row.index, head.size)
        if late is not None:
            yield from _check_told(late, row)
            late = None
        if not row.recorded:
            yield Finding(entry_name(row.index), "has no row for its record, not even an erased one.")
        try:
            read = open_entry(row, forms)
        except (VerificationFailed, BadInput) as error:
            yield Finding(entry_name(row.index), error.detail)
            before = None
            continue
        if before is not None and before.recorded_at - read.recorded_at > leaves.CLOCK_TOLERANCE_SECONDS:
            late = read
        before = read
        yield read
    if late is not None:
        yield _untold(late)


def _check_told(late: Entry, following: StoredEntry) -> Iterator[Finding]:
    try:
        told = leaves.parse_leaf(following.leaf).kind
    except VerificationFailed:
        return  # that is a finding of its own
    if following.index != late.index + 1 or told != RecordKind.CLOCK_WENT_BACK.value:
        yield _untold(late)


def _untold(late: Entry) -> Finding:
    return Finding(
        entry_name(late.index, late.kind.value),
        "its time is well before that of the entry before it, and no entry says that the clock went back.",
    )
