"""CSV, as all of the clients' commands write it (RFC 4180).

Rule: no cell of text leaves that a spreadsheet would run (`clients.formula_guard`).
"""

import csv
import io
from collections.abc import Iterable

from clients.formula_guard import guarded

CsvCell = str | int | float


def csv_text(*rows: Iterable[CsvCell]) -> str:
    """Rows as CSV. Numbers are written as numbers."""
    text = io.StringIO(newline="")
    # With another line ending the library leaves a carriage return within a cell without quotation marks.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()
