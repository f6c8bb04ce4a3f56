"""CSV, as spreadsheets and databases export it (RFC 4180 and its relatives with ; tab and |).

Rule: it streams; every bad row is refused with its line number and the rest goes in. A quoted field may hold
line breaks, but a quote that is never closed costs its own row and not the rest of the file.

It settles no encoding (see `clients.readers.encoding`) and reads no workbooks.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker.protocol.errors import BadInput
from clients.readers.columns.header_row import names_in, no_such_row, remark
from clients.readers.columns.mapping import ColumnMapping
from clients.readers.columns.table import Table, TableRow, checked_region, table_signals, texts_of
from clients.readers.reading import Reading
from clients.readers.signals import RefusedRow, Signal
from clients.readers.text_lines import MAXIMUM_LINE_BYTES, TextLine, text_lines

_DELIMITERS = ",;\t|"
_DECLARED = re.compile(rf'"?sep=([{_DELIMITERS}])"?', re.IGNORECASE)
"""The line by which Excel tells itself how the cells below are divided."""
_MAXIMUM_ROW_LINES = 64
_SAMPLE_ROWS = 20
_QUOTATION = "The row's quotation marks do not fit: within a quoted field, write a quotation mark twice."


def read_csv(
    path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of a CSV file whose first line names the columns.

    Args:
        path: the file, UTF-8 or with the mark of UTF-16.
        mapping: which column holds what; None to guess from the names.
        default_region: for phone numbers in national format on rows that name no region.

    Raises: BadInput, at the first step, if the file as a whole cannot be read, and at the last if it was changed
    meanwhile.
    """
    reading = Reading(mapping, checked_region(default_region))
    with csv_table(path, reading) as table:
        yield from table_signals(table, reading)


@contextmanager
def csv_table(path: Path, reading: Reading) -> Iterator[Table]:
    """The table of a CSV file. Raises BadInput if the file as a whole cannot be read."""
    with closing(text_lines(path, reading.encoding)) as lines:
        source = _Pushback(lines)
        header, declared = _header_line(source, reading)
        delimiter = declared or _sniff(header, source.peek(_SAMPLE_ROWS))
        cells = _cells(header.text, delimiter)
        if cells is None:
            raise BadInput("The line with the columns' names has a quotation mark that is not closed.")
        rows = _rows(source, delimiter)
        yield Table(names_in(cells, texts_of(rows), reading.header_row), rows)


class _Unclosed(Exception):
    """A quoted field goes on behind the end of the text."""


@dataclass
class _Pushback:
    """Lines that can be looked at before they are taken, and given back."""

    lines: Iterator[TextLine | RefusedRow]
    ahead: deque[TextLine | RefusedRow] = field(default_factory=deque)

    def take(self) -> TextLine | RefusedRow | None:
        return self.ahead.popleft() if self.ahead else next(self.lines, None)

    def peek(self, count: int) -> list[str]:
        while len(self.ahead) < count and (line := next(self.lines, None)) is not None:
            self.ahead.append(line)
        return [line.text for line in self.ahead if isinstance(line, TextLine)]


def _header_line(source: _Pushback, reading: Reading) -> tuple[TextLine, str | None]:
    """The line of names, and the delimiter if a line above all others declares it."""
    wanted, above, declared = reading.header_row, False, None
    while (line := source.take()) is not None:
        number = line.line if isinstance(line, RefusedRow) else line.number
        if wanted is not None and number < wanted and isinstance(line, RefusedRow):
            above = True
            continue
        if isinstance(line, RefusedRow):
            raise BadInput(f"The columns' names cannot be read. {line.reason}")
        if not line.text.strip():
            if number == wanted:
                break
            continue
        if not above and declared is None and (found := _DECLARED.fullmatch(line.text.strip())):
            declared = found[1]
            continue
        if wanted is None or number >= wanted:
            if above:
                reading.say(remark(number))
            return line, declared
        above = True
    raise BadInput("The file is empty. Export it again.") if wanted is None else no_such_row(wanted)


def _sniff(header: TextLine, rows: list[str]) -> str:
    """The delimiter that divides the header, and most rows into as many cells; a comma if none does."""

    def score(delimiter: str) -> tuple[int, int]:
        width = len(_cells(header.text, delimiter) or [])
        alike = sum(1 for row in rows if len(_cells(row, delimiter) or []) == width)
        return (alike, width) if width > 1 else (-1, 0)

    return max(_DELIMITERS, key=score)


def _rows(source: _Pushback, delimiter: str) -> Iterator[TableRow | RefusedRow]:
    while (line := source.take()) is not None:
        if isinstance(line, RefusedRow):
            yield line
            continue
        try:
            yield _row(line, source, delimiter)
        except csv.Error:
            yield RefusedRow(line.number, _QUOTATION, damaged=True)


def _row(first: TextLine, source: _Pushback, delimiter: str) -> TableRow:
    """One row, over several lines if a quoted field has line breaks; csv.Error uses up only the first."""
    text, used = first.text, list[TextLine | RefusedRow]()
    while True:
        try:
            cells = _parse(text, delimiter)
        except (_Unclosed, csv.Error) as error:
            goes_on = isinstance(error, _Unclosed) and len(used) < _MAXIMUM_ROW_LINES
            following = source.take() if goes_on and len(text) < MAXIMUM_LINE_BYTES else None
            if following is not None:
                used.append(following)
            if not isinstance(following, TextLine):
                source.ahead.extendleft(reversed(used))
                raise csv.Error from None
            text += "\n" + following.text
        else:
            return TableRow(first.number, cells)


def _cells(text: str, delimiter: str) -> list[str] | None:
    try:
        return _parse(text, delimiter)
    except (_Unclosed, csv.Error):
        return None


def _parse(text: str, delimiter: str) -> list[str]:
    """The cells of one row. Raises _Unclosed or csv.Error."""
    # Not str.splitlines, which also breaks at separators that Unicode has and CSV has not.
    lines = io.StringIO(text, newline="\n")
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise _Unclosed from None
        raise
    if len(rows) > 1:
        raise csv.Error("a line break outside quotation marks")
    return rows[0] if rows else []
