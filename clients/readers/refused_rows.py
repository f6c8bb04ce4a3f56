"""The rows that did not go in, as a file that a person mends the source by: line, column, reason.

Rule: never the value. Memory is bounded at any number of rows: they are written as they come, and the first thousand
are kept to be shown.

It judges nothing: the reasons are the readers'.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from broker.protocol.errors import BadInput
from clients.readers.signals import RefusedRow, Signal
from clients.writers.csv_text import csv_text

KEPT_ROWS = 1_000


@dataclass
class RefusedRows:
    """How many rows were refused, and the first of them."""

    count: int = 0
    first: list[RefusedRow] = field(default_factory=list)
    _file: TextIO | None = None

    def add(self, row: RefusedRow) -> None:
        """Count a row, and write it down."""
        self.count += 1
        if len(self.first) < KEPT_ROWS:
            self.first.append(row)
        if self._file is not None:
            place = row.line if row.unit == "line" else f"{row.unit} {row.line}"
            self._file.write(csv_text((place, row.column or "", row.reason)))

    def beside(self) -> "RefusedRows":
        """A count of its own of other rows, which are written to the same file."""
        return RefusedRows(_file=self._file)

    def sifted(self, items: Iterable[Signal | RefusedRow]) -> Iterator[Signal]:
        """The signals among what a reader hands on; what it refused is added."""
        for item in items:
            if isinstance(item, RefusedRow):
                self.add(item)
            else:
                yield item


@contextmanager
def refused_rows(out: Path | None, source: Path) -> Iterator[RefusedRows]:
    """Refused rows, written to a file that only its owner reads, or to none.

    Args: `source` is the file they come from, which is never written over.
    Raises: BadInput if the file cannot be written.
    """
    if out is None:
        yield RefusedRows()
        return
    if out.exists() and source.exists() and out.samefile(source):
        raise BadInput("The refused rows would be written over the file they come from. Choose another name.")
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(
            f"The file of refused rows cannot be written: {reason}. Choose another place."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        out.chmod(0o600)
        file.write(csv_text(("line", "column", "reason")))
        yield RefusedRows(_file=file)
