"""A file of signals as `deposit add` and `deposit sync` take it: streamed, by identifier type and class, of any size.

Rule: what cannot be read is named by its line and reason, never its value. The local reference of an identifier is the
file's own, such as a case number, else the source's name and the row's line; it stays in the home. Memory is constant:
signals go into `clients.readers.grouping`, and of refused rows the first are kept. What a person took back is left out,
and so named (`clients.deposit_changes.sieve`).

It masks and sends nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from broker.protocol import sealing
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.cli import run
from clients.cli.conditions_by_column import ConditionsByColumn
from clients.deposit_changes.sieve import WORDS, Sieve
from clients.depositing import local_references
from clients.depositing.masked_deposit import Row
from clients.home import Home
from clients.readers import Reading, read_file
from clients.readers.grouping import Group, Grouping
from clients.readers.record import SignalPart, record_of
from clients.readers.refused_rows import RefusedRows, refused_rows
from clients.readers.signals import REFERENCE, RefusedRow
from clients.working_folder import working_folder

_SAID_EVERY = 1_000


@dataclass(frozen=True)
class Part:
    """What becomes one deposit: an identifier type and, where no series is named, conditions. `number`: its place."""

    number: int
    identifier_type: str
    conditions: Conditions | None


@dataclass(frozen=True)
class DepositFile:
    """What a file came to. `identifiers` by type counts one that is in two classes twice."""

    source: str
    rows: int
    parts: tuple[Part, ...]
    refused: RefusedRows
    left_out: RefusedRows
    """Rows that may not go in again, since they were taken back."""
    untouched: frozenset[bytes]
    leaving: frozenset[bytes]
    """As of `clients.deposit_changes.sieve`."""
    grouping: Grouping
    counts: Mapping[int, int]

    @property
    def identifiers(self) -> dict[str, int]:
        """How many identifiers there are of each type."""
        found: dict[str, int] = {}
        for part in self.parts:
            found[part.identifier_type] = found.get(part.identifier_type, 0) + self.counts[part.number]
        return found

    def rows_of(self, part: Part, conditions: Conditions, space: Space) -> Callable[[], Iterator[Row]]:
        """The records of a part, in order of their hashes, the same at every call.

        The iterator raises BadInput for a record that the space's size class cannot hold."""
        room = space.size_class - sealing.LENGTH_BYTES
        with_payload = conditions.payload_category is not PayloadCategory.NONE

        def rows() -> Iterator[Row]:
            for group in self.grouping.groups(part.number):
                # Such a record opens without k_open, so it must hold nothing beyond the identifier: no column, no
                # reference.
                parts, source = (group.parts, self.source) if with_payload else ((_NOTHING,), "")
                plaintext = record_of(parts, source, line=group.line, maximum_bytes=room)
                yield Row(group.salted_hash, plaintext, self._reference(group))

        return rows

    def _reference(self, group: Group) -> str:
        own = [part.reference for part in group.parts]
        # A group knows the line of its first row alone.
        which = "a line without reference" if any(map(local_references.parts, own)) else f"line {group.line}"
        return local_references.joined(own, f"{self.source}, {which}")


@contextmanager
def grouped_file(
    home: Home,
    space: Space,
    file: Path,
    reading: Reading,
    conditions: ConditionsByColumn | None,
    refused: Path | None,
    source: str | None,
    series_conditions: Mapping[str, Conditions],
) -> Iterator[DepositFile]:
    """A file, read whole and grouped in the home's working folder for as long as the `with` lasts.

    Rows that may not go in again are left out. Args as of `read_deposit_file`, but `refused`, which names the file that
    refused rows are written to, or none."""
    sieve = Sieve(home, space, run.clock(), run.random_bytes)
    with (
        working_folder(home) as folder,
        Grouping(folder, home.salt(space), run.random_bytes) as grouping,
    ):
        with refused_rows(refused, file) as rows_refused, run.progress("Reading") as progress:
            read = read_deposit_file(
                file, reading, grouping, conditions, rows_refused, source, progress, sieve, series_conditions
            )
        sieve.renew()
        yield read


def read_deposit_file(
    file: Path,
    reading: Reading,
    grouping: Grouping,
    conditions: ConditionsByColumn | None,
    refused: RefusedRows,
    source: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    sieve: Sieve | None = None,
    series_conditions: Mapping[str, Conditions] = MappingProxyType({}),
) -> DepositFile:
    """Read a whole file into a grouping. Raises BadInput as `clients.readers.read_file`.

    Args:
        conditions: under which each row goes in; None where series are named.
        refused: takes the rows that are refused.
        source: what rows without a reference of their own are called; the file's name where it is None.
        progress: told (rows read, 0) now and then.
        sieve: says which rows may not go in again; None where all may.
        series_conditions: of the series that were named, by identifier type.
    """
    rows, line, left_out = 0, 0, refused.beside()
    numbers: dict[tuple[str, Conditions | None], int] = {}
    for item in read_file(file, reading):
        if item.line != line:
            line, rows = item.line, rows + 1
            if progress is not None and rows % _SAID_EVERY == 0:
                progress(rows, 0)
        if isinstance(item, RefusedRow):
            refused.add(item)
            continue
        of_row = None if conditions is None else conditions.of(item)
        if isinstance(of_row, str):
            refused.add(RefusedRow(item.line, of_row))
            continue
        if sieve is not None:
            agreed = of_row or series_conditions.get(item.canonical.type)
            reference = dict(item.attributes).get(REFERENCE, "")
            why = sieve.why_left_out(item.canonical.text, reference, agreed)
            if why is not None:
                left_out.add(RefusedRow(item.line, WORDS[why], unit=item.unit))
                continue
        key = (item.canonical.type, of_row)
        grouping.add(numbers.setdefault(key, len(numbers)), item)
    if conditions is not None and rows:
        conditions.check_columns()
    parts = tuple(Part(number, kind, of_row) for (kind, of_row), number in numbers.items())
    untouched, leaving = (set(), set()) if sieve is None else (sieve.untouched, sieve.leaving)
    return DepositFile(
        source or file.name,
        rows,
        parts,
        refused,
        left_out,
        frozenset(untouched),
        frozenset(leaving),
        grouping,
        grouping.identifiers(),
    )


_NOTHING = SignalPart("", b"{}")
