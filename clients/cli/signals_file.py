"""A file of signals that fits in memory, as the commands take it that correct what was deposited; and refused rows.

Rule: what cannot be read is named by its line and reason, never its value. The local reference of an identifier is the
file's own, such as a case number, else the file's name and the row's line; it stays in the home. A file of any size is
for `clients.cli.deposit_file`.

It masks and sends nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path

from broker.protocol import sealing
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.cli import run
from clients.readers import encode_record, grouped, read_file
from clients.readers.signals import REFERENCE, RefusedRow, Signal

SHOWN_REFUSALS = 20
KEPT_REFUSALS = 10_000


@dataclass
class Refusals:
    """The rows of a file that were refused: how many, and the first of them."""

    number: int = 0
    first: list[RefusedRow] = field(default_factory=list)

    def add(self, row: RefusedRow) -> None:
        """Count one, and keep it if it is among the first 10,000."""
        self.number += 1
        if len(self.first) < KEPT_REFUSALS:
            self.first.append(row)

    def members(self) -> dict[str, object]:
        """As `--json` shows them."""
        return {
            "refused_rows": self.number,
            "refused": [{"line": row.line, "reason": row.reason} for row in self.first],
        }

    def report(self) -> None:
        """Say on standard error which rows were refused, and why."""
        for row in self.first[:SHOWN_REFUSALS]:
            run.say(f"line {row.line}: {row.reason}")
        if self.number > SHOWN_REFUSALS:
            run.say(
                f"... and {self.number - SHOWN_REFUSALS:,} more; --json lists the first {KEPT_REFUSALS:,}."
            )


@dataclass(frozen=True)
class SignalsFile:
    """What a file of signals came to: signals by identifier type and canonical text, and refused rows."""

    name: str
    by_type: dict[str, dict[str, list[Signal]]]
    refusals: Refusals

    def records(self, kind: str, conditions: Conditions, space: Space) -> list[tuple[str, bytes]]:
        """(canonical text, plaintext) of each identifier of a type, as these conditions allow.

        Raises BadInput for a record that the space's size class cannot hold."""
        room = space.size_class - sealing.LENGTH_BYTES
        groups, source = self.by_type[kind], self.name
        if conditions.payload_category is PayloadCategory.NONE:
            # Such a record opens without k_open, so it must hold nothing beyond the identifier: no column, no
            # reference.
            groups = {text: [Signal(found[0].line, found[0].canonical)] for text, found in groups.items()}
            source = ""
        return [(text, encode_record(found, source, maximum_bytes=room)) for text, found in groups.items()]

    def references(self, kind: str) -> dict[str, str]:
        """What the contributor calls each identifier of a type, by canonical text."""
        return {text: self._reference(found) for text, found in self.by_type[kind].items()}

    def _reference(self, signals: list[Signal]) -> str:
        own = dict.fromkeys(dict(signal.attributes).get(REFERENCE, "").strip() for signal in signals)
        named = "; ".join(reference for reference in own if reference)
        return named or f"{self.name}, line {signals[0].line}"


def read_signals(file: Path, default_region: str | None) -> SignalsFile:
    """Read a whole file. Raises BadInput if it cannot be read as one of signals."""
    refusals = Refusals()
    by_type: dict[str, list[Signal]] = {}
    for item in read_file(file, default_region=default_region):
        if isinstance(item, RefusedRow):
            refusals.add(item)
        else:
            by_type.setdefault(item.canonical.type, []).append(item)
    groups = {kind: grouped(signals) for kind, signals in by_type.items()}
    return SignalsFile(file.name, groups, refusals)
