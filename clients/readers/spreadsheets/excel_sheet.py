"""The rows of one worksheet, from its XML (ECMA-376 18.3.1).

Rule: it streams, and reads each cell as it is stored. openpyxl would turn a number into a float before anybody can see
whether digits were lost, and would take a formula without a result for an empty cell. A formula counts with the result
that the workbook keeps; without one it is refused in words where an identifier is wanted.

It knows nothing of ZIP archives and styles: `clients.readers.spreadsheets.excel_file` hands it both.
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, cast
from xml.etree import ElementTree

from broker.protocol.errors import BadInput
from clients.readers.cells import (
    FORMULA_ERROR,
    NO_RESULT,
    POWERS,
    TRUTH_IN_CELL,
    Cell,
    NoIdentifier,
    number_cell,
    value_cell,
)

MAXIMUM_ROWS = 1_048_576
MAXIMUM_COLUMNS = 16_384
_MAXIMUM_ROW_BYTES = 4 * 1024**2
_CHUNK_BYTES = 64 * 1024
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]+")
_STRANGE = (
    "The sheet is not written as Excel writes them. Open it in Excel, save it anew as .xlsx, and try again."
)


@dataclass(frozen=True)
class Look:
    """What a cell's number stands for: the workbook's shared texts, the styles that are dates, spans of time or powers
    of ten, and the day its dates count from."""

    texts: Sequence[str] = field(repr=False)
    date_styles: frozenset[int]
    span_styles: frozenset[int]
    epoch: datetime.datetime
    power_styles: frozenset[int] = frozenset()


@dataclass
class Sheet:
    """A worksheet that is being read, and what was seen of it so far: rows that are hidden, columns that are hidden
    (from 1), and cells whose value is a formula's result."""

    source: BinaryIO
    look: Look
    hidden_rows: int = 0
    hidden_columns: set[int] = field(default_factory=set)
    formulas: int = 0

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """(row number from 1, cells) of each row that is stored. Raises BadInput."""
        number = 0
        for row in self._elements():
            number = _row_number(row, number)
            if row.get("hidden") in ("1", "true"):
                self.hidden_rows += 1
            yield number, self._cells(row)

    def _elements(self) -> Iterator[ElementTree.Element]:
        """The row elements, each whole and then forgotten, so that memory holds one stretch of the sheet."""
        parser: ElementTree.XMLPullParser[ElementTree.Element] = ElementTree.XMLPullParser(("start", "end"))
        parent: ElementTree.Element | None = None
        since_row = 0
        try:
            while chunk := self.source.read(_CHUNK_BYTES):
                since_row += len(chunk)
                parser.feed(chunk)
                events = cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events())
                for event, element in events:
                    if event == "start":
                        parent = element if element.tag == f"{_MAIN}sheetData" else parent
                    elif element.tag == f"{_MAIN}sheetData":
                        return
                    elif element.tag == f"{_MAIN}col":
                        self._column(element)
                    elif element.tag == f"{_MAIN}row" and parent is not None:
                        since_row = 0
                        yield element
                        parent.clear()
                if since_row > _MAXIMUM_ROW_BYTES:
                    raise BadInput(_STRANGE)
        except ElementTree.ParseError:
            raise BadInput(_STRANGE) from None
        raise BadInput(_STRANGE if parent is None else "The sheet's end is missing. Save the workbook anew.")

    def _column(self, element: ElementTree.Element) -> None:
        first, last = _number(element.get("min", "1")), _number(element.get("max", "1"))
        # A workbook hides "all columns to the right" too, which hold nothing.
        if element.get("hidden") in ("1", "true") and first <= last < MAXIMUM_COLUMNS:
            self.hidden_columns.update(range(first, last + 1))

    def _cells(self, row: ElementTree.Element) -> list[Cell]:
        cells: list[Cell] = []
        for element in row:
            if element.tag != f"{_MAIN}c":
                continue
            column = _column_number(element.get("r"), len(cells) + 1)
            if column <= len(cells):
                raise BadInput(_STRANGE)
            cells.extend([""] * (column - 1 - len(cells)))
            cells.append(self._cell(element))
        return cells

    def _cell(self, element: ElementTree.Element) -> Cell:
        kind, value = element.get("t", "n"), element.find(f"{_MAIN}v")
        if element.find(f"{_MAIN}f") is not None:
            # An empty result is kept as a text; a program that does not calculate leaves an empty number.
            if (value is None or not value.text) and kind != "str":
                return NoIdentifier("", NO_RESULT)
            self.formulas += 1
        if kind == "inlineStr":
            inline = element.find(f"{_MAIN}is")
            return "" if inline is None else _rich_text(inline)
        text = "" if value is None else value.text or ""
        if not text or kind == "str":
            return text
        if kind == "s":
            return self._shared(text)
        if kind in ("b", "e"):
            return (
                NoIdentifier("", FORMULA_ERROR)
                if kind == "e"
                else NoIdentifier(str(text == "1").lower(), TRUTH_IN_CELL)
            )
        return self._number(text, _number(element.get("s", "0"))) if kind == "n" else value_cell(_day(text))

    def _shared(self, text: str) -> str:
        place = _number(text)
        if place >= len(self.look.texts):
            raise BadInput(_STRANGE)
        return self.look.texts[place]

    def _number(self, text: str, style: int) -> Cell:
        if style not in self.look.date_styles:
            return number_cell(text, POWERS if style in self.look.power_styles else "")
        from openpyxl.utils.datetime import from_excel

        try:
            return value_cell(from_excel(float(text), self.look.epoch, style in self.look.span_styles))
        except (OverflowError, ValueError):
            return NoIdentifier("", FORMULA_ERROR)


def _row_number(row: ElementTree.Element, before: int) -> int:
    number = _number(row.get("r", str(before + 1)))
    if not before < number <= MAXIMUM_ROWS:
        raise BadInput(_STRANGE)
    return number


def _column_number(reference: str | None, following: int) -> int:
    if reference is None:
        return following
    found = _REFERENCE.fullmatch(reference)
    number = 0
    for letter in found[1] if found else "":
        number = number * 26 + ord(letter) - ord("A") + 1
    if not 1 <= number <= MAXIMUM_COLUMNS:
        raise BadInput(_STRANGE)
    return number


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise BadInput(_STRANGE)
    return int(text)


def _rich_text(inline: ElementTree.Element) -> str:
    """The text of `is`, without the reading aids (`rPh`) that East Asian texts carry."""
    runs = [inline, *inline.findall(f"{_MAIN}r")]
    return "".join(text.text or "" for run in runs for text in run.findall(f"{_MAIN}t"))


def _day(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(_STRANGE) from None
