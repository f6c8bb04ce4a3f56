"""The rows of one sheet of an OpenDocument spreadsheet, from its XML (ODF 1.3, part 3, chapters 9 and 19).

Rule: it streams, and a row is forgotten when it was handed on. A cell or a row may stand for many equal ones: empty
ones are counted and not made, others are bounded, so that a few bytes cannot come to a gigabyte. A formula counts with
the result that the file keeps; without one it is refused in words where an identifier is wanted. A number that is shown
with a power of ten and has no more digits than are shown has lost them.

It knows nothing of ZIP archives (`ods_file`); what a cell says: see `ods_cell`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast
from xml.etree import ElementTree

from clients.readers.cells import Cell, plain
from clients.readers.spreadsheets.ods_cell import MAXIMUM_DEPTH, OFFICE, TABLE, cell_of
from clients.readers.spreadsheets.ods_package import ODS
from clients.readers.spreadsheets.sheet_table import SheetFacts

MAXIMUM_ROWS = 1_048_576
MAXIMUM_COLUMNS = 16_384
MAXIMUM_REPEATED_CELLS = 16 * MAXIMUM_ROWS
"""Cells with something in them that stand there only as the repetition of a row."""
MAXIMUM_SHEETS = 1_000
_MAXIMUM_ELEMENT_BYTES = 4 * 1024**2
_CHUNK_BYTES = 64 * 1024
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_ROW, _SHEET, _COLUMN = f"{TABLE}table-row", f"{TABLE}table", f"{TABLE}table-column"
_GROUPS = frozenset(
    f"{TABLE}table-{name}"
    for name in ("row-group", "header-rows", "rows", "column-group", "header-columns", "columns")
)
_CELLS = frozenset({f"{TABLE}table-cell", f"{TABLE}covered-table-cell"})
_HIDDEN = ("collapse", "filter")

Element = ElementTree.Element


def sheets_in(source: BinaryIO) -> list[SheetFacts]:
    """The sheets of a spreadsheet, in order. Raises BadInput."""
    found: list[tuple[str, bool]] = []
    filled: set[int] = set()
    hidden_styles: set[str] = set()
    for element in _elements(source):
        if element.tag == f"{_STYLE}style":
            shown = element.find(f"{_STYLE}table-properties")
            if shown is not None and shown.get(f"{TABLE}display") == "false":
                hidden_styles.add(element.get(f"{_STYLE}name", ""))
                if len(hidden_styles) > MAXIMUM_SHEETS:
                    raise ODS.strange
        elif element.tag == _SHEET:
            found.append(
                (element.get(f"{TABLE}name", ""), element.get(f"{TABLE}style-name") not in hidden_styles)
            )
            if len(found) > MAXIMUM_SHEETS:
                raise ODS.strange
        elif element.tag == _ROW and len(found) not in filled and any(map(plain, _Cells().of(element))):
            filled.add(len(found))

    def has_rows(number: int) -> bool:
        return number in filled

    return [
        SheetFacts(title, visible, lambda number=number: has_rows(number))  # type: ignore[misc]
        for number, (title, visible) in enumerate(found, start=1)
    ]


@dataclass
class OdsSheet:
    """A sheet that is being read: that at `place` from 0. What was seen of it so far as `sheet_table.OpenSheet`."""

    source: BinaryIO
    place: int
    hidden_rows: int = 0
    hidden_columns: set[int] = field(default_factory=set)
    formulas: int = 0

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """(row number from 1, cells) of each row that has something in it. Raises BadInput."""
        sheet, number, repeated, columns, widest = -1, 0, 0, 0, 0
        hidden: set[int] = set()
        for element in _elements(self.source):
            if element.tag == _SHEET:
                sheet += 1
                if sheet > self.place:
                    break
            elif sheet != self.place:
                continue
            elif element.tag == _COLUMN:
                count = _times(element, "columns", MAXIMUM_COLUMNS)
                if element.get(f"{TABLE}visibility") in _HIDDEN:
                    hidden.update(range(columns + 1, min(columns + count, MAXIMUM_COLUMNS) + 1))
                columns = min(columns + count, MAXIMUM_COLUMNS)
            elif element.tag == _ROW:
                times = _times(element, "rows", MAXIMUM_ROWS)
                if number + times > MAXIMUM_ROWS:
                    raise ODS.strange
                cells = _Cells()
                row = cells.of(element)
                if row:
                    repeated += (times - 1) * len(row)
                    if repeated > MAXIMUM_REPEATED_CELLS:
                        raise ODS.bomb
                    widest = max(widest, len(row))
                    self.formulas += cells.formulas * times
                    self.hidden_rows += times if element.get(f"{TABLE}visibility") in _HIDDEN else 0
                    for each in range(number + 1, number + times + 1):
                        yield each, row
                number += times
        # A program hides "all columns to the right" too, which hold nothing.
        self.hidden_columns = {column for column in hidden if column <= widest}


@dataclass
class _Cells:
    """The cells of one row, and how many of them are results of formulas."""

    formulas: int = 0

    def of(self, row: Element) -> list[Cell]:
        """The cells up to the last with something in it."""
        cells: list[Cell] = []
        empty = 0
        for element in row:
            if element.tag not in _CELLS:
                continue
            times = _times(element, "columns", MAXIMUM_COLUMNS)
            cell = cell_of(element)
            if cell == "":
                empty += times
                continue
            if len(cells) + empty + times > MAXIMUM_COLUMNS:
                raise ODS.strange
            cells.extend([""] * empty + [cell] * times)
            empty = 0
            # A result is a text; a formula without one is not, and is refused where it matters.
            self.formulas += times if element.get(f"{TABLE}formula") is not None and plain(cell) else 0
        return cells


def _times(element: Element, what: str, most: int) -> int:
    """How many equal ones an element stands for. Raises BadInput."""
    text = element.get(f"{TABLE}number-{what}-repeated", "1")
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
        raise ODS.strange
    return int(text)


def _elements(source: BinaryIO) -> Iterator[Element]:
    """Styles, sheets as they begin, and their columns and rows, each of which is then forgotten. Raises BadInput."""
    parser: ElementTree.XMLPullParser[Element] = ElementTree.XMLPullParser(("start", "end"))
    path: list[Element] = []
    whole: Element | None = None
    since = 0
    try:
        while chunk := source.read(_CHUNK_BYTES):
            since += len(chunk)
            parser.feed(chunk)
            for event, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
                if event == "start":
                    path.append(element)
                    if len(path) > MAXIMUM_DEPTH:
                        raise ODS.strange
                    if element.tag == _SHEET and _is_sheet(path):
                        yield element
                    elif whole is None and (element.tag == f"{_STYLE}style" or _is_row(path)):
                        whole = element
                    continue
                path.pop()
                if whole is not None and element is not whole:
                    continue  # a part of something that is handed on when it is whole
                if element is whole or (element.tag == _COLUMN and _in_sheet(path)):
                    yield element
                whole, since = None, 0
                if path:
                    del path[-1][:]
            if since > _MAXIMUM_ELEMENT_BYTES:
                raise ODS.strange
        parser.close()
    except ElementTree.ParseError:
        raise ODS.strange from None
    if not source.read(1) and path:
        raise ODS.strange


def _is_sheet(path: list[Element]) -> bool:
    return len(path) > 1 and path[-2].tag == f"{OFFICE}spreadsheet"


def _is_row(path: list[Element]) -> bool:
    return path[-1].tag == _ROW and _in_sheet(path[:-1])


def _in_sheet(path: list[Element]) -> bool:
    """Whether what stands at a path belongs to a sheet itself: not to a table within a drawing, or to noted changes."""
    at = len(path)
    while at and path[at - 1].tag in _GROUPS:
        at -= 1
    return at > 1 and path[at - 1].tag == _SHEET and _is_sheet(path[:at])
