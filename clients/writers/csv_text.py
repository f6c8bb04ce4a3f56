"""CSV, as all of the clients' commands write it (RFC 4180).

Rule: no cell of text leaves that a spreadsheet would run (`clients.formula_guard`).
"""

import csv
import io
from collections.abc import Iterable

from clients.formula_guard import guarded

CsvCell = str | int | float


def csv_text(*rows: Iterable[CsvCell]) -> str:
    """Rows as CSV, lines ending in a line feed. Numbers are written as numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()
