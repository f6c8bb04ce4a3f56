"""A file of signals that fits in memory, as the commands take it that correct what was deposited; and refused rows.

Rule: what cannot be read is named by its line and reason, never its value. The local reference of an identifier is the
file's own, such as a case number, else the file's name and the row's line; it stays in the home. A file of any size is
for `clients.cli.deposit_file`.

It masks and sends nothing.
"""

from dataclasses import dataclass
from pathlib import Path

from broker.protocol import sealing
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.cli import run
from clients.deposit_changes.replacing import NewContent
from clients.deposit_changes.sieve import WORDS, Sieve
from clients.depositing import local_references
from clients.readers import Reading, encode_record, grouped, read_file
from clients.readers.refused_rows import RefusedRows
from clients.readers.signals import REFERENCE, RefusedRow, Signal

SHOWN_REFUSALS = 20


@dataclass(frozen=True)
class SignalsFile:
    """What a file of signals came to: signals by identifier type and canonical text, and refused rows."""

    name: str
    by_type: dict[str, dict[str, list[Signal]]]
    refused: RefusedRows

    def sifted(
        self, kind: str, conditions: Conditions, sieve: Sieve, left_out: set[RefusedRow]
    ) -> "SignalsFile":
        """The signals of one type that may go in under these conditions; of the others, the lines are added to
        `left_out`."""
        groups: dict[str, list[Signal]] = {}
        for text, found in self.by_type[kind].items():
            for signal in found:
                why = sieve.why_left_out(text, dict(signal.attributes).get(REFERENCE, ""), conditions)
                if why is None:
                    groups.setdefault(text, []).append(signal)
                else:
                    left_out.add(RefusedRow(signal.line, WORDS[why], unit=signal.unit))
        return SignalsFile(self.name, {kind: groups}, self.refused)

    def records(self, kind: str, conditions: Conditions, space: Space) -> list[NewContent]:
        """What the record of each identifier of a type holds as these conditions allow, and what it is called.

        Raises BadInput for a record that the space's size class cannot hold."""
        room = space.size_class - sealing.LENGTH_BYTES
        groups, source, called = self.by_type[kind], self.name, self.references(kind)
        if conditions.payload_category is PayloadCategory.NONE:
            # Such a record opens without k_open, so it must hold nothing beyond the identifier: no column, no
            # reference.
            groups = {text: [Signal(found[0].line, found[0].canonical)] for text, found in groups.items()}
            source = ""
        return [
            NewContent(text, encode_record(found, source, maximum_bytes=room), called[text])
            for text, found in groups.items()
        ]

    def references(self, kind: str) -> dict[str, str]:
        """What the contributor calls each identifier of a type, by canonical text."""
        return {text: self._reference(found) for text, found in self.by_type[kind].items()}

    def _reference(self, signals: list[Signal]) -> str:
        own = [dict(signal.attributes).get(REFERENCE, "") for signal in signals]
        unnamed = next((at for at, reference in enumerate(own) if not local_references.parts(reference)), 0)
        return local_references.joined(own, f"{self.name}, {signals[unnamed].unit} {signals[unnamed].line}")


def read_signals(file: Path, reading: Reading, refused: RefusedRows) -> SignalsFile:
    """Read a whole file; what is refused is added to `refused`. Raises BadInput as `clients.readers.read_file`."""
    by_type: dict[str, list[Signal]] = {}
    for item in read_file(file, reading):
        if isinstance(item, RefusedRow):
            refused.add(item)
        else:
            by_type.setdefault(item.canonical.type, []).append(item)
    groups = {kind: grouped(signals) for kind, signals in by_type.items()}
    return SignalsFile(file.name, groups, refused)


def say_refused(refused: RefusedRows) -> None:
    """Say on standard error the first of the refused rows, and how many more there are."""
    for row in refused.first[:SHOWN_REFUSALS]:
        run.say(f"{row.unit} {row.line}: {row.reason}")
    if refused.count > SHOWN_REFUSALS:
        run.say(
            f"... and {refused.count - SHOWN_REFUSALS:,} more rows refused; --refused FILE writes all of them."
        )


def say_left_out(left_out: RefusedRows, all_lines: str = "--refused FILE writes all their lines") -> None:
    """Say on standard error which rows may not go in again, the first of them, how many there are, and what tells the
    rest."""
    if left_out.count:
        lines: dict[tuple[str, str], list[str]] = {}
        for row in left_out.first[:SHOWN_REFUSALS]:
            lines.setdefault((row.unit, row.reason), []).append(str(row.line))
        for (unit, reason), numbers in lines.items():
            run.say(f"{unit} {', '.join(numbers)}: {reason}")
        run.say(f"{left_out.count:,} rows were left out, since they were taken back; {all_lines}.")


def left_out_members(left_out: RefusedRows) -> dict[str, object]:
    """How many rows were left out since they were taken back, and the first thousand of them, as JSON."""
    return {
        "left_out_rows": left_out.count,
        "left_out": [{"line": row.line, "unit": row.unit, "reason": row.reason} for row in left_out.first],
    }


def refused_members(refused: RefusedRows) -> dict[str, object]:
    """How many rows were refused, and the first thousand of them, as JSON."""
    return {
        "refused_rows": refused.count,
        "refused": [
            {"line": row.line, "unit": row.unit, "column": row.column, "reason": row.reason}
            for row in refused.first
        ],
    }
