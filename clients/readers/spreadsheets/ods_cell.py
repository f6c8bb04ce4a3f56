"""What one cell of an OpenDocument spreadsheet says (ODF 1.3, part 3, 9.1.4 and 19.385).

Rule: a value is read as it is stored, and the text that is shown only where the value is a text. Notes and drawings in
a cell are no part of it. Spaces that stand for many are bounded.
"""

import datetime
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from clients.readers.cells import (
    FORMULA_ERROR,
    MADE_A_DATE,
    NO_RESULT,
    TRUTH_IN_CELL,
    Cell,
    NoIdentifier,
    number_cell,
    value_cell,
)

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CALC = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
MAXIMUM_DEPTH = 128
_MAXIMUM_CHARACTERS = 5_000
"""Beyond what a cell of a table may have, so that a longer one is refused as such."""
_NOT_TEXT = frozenset({f"{_TEXT}ruby-text", f"{_TEXT}note", f"{_TEXT}tracked-changes"})
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)|Err:[0-9]{3}")


def cell_of(element: Element) -> Cell:
    """The value of a `table-cell`; an empty text if there is none."""
    kind = element.get(f"{OFFICE}value-type")
    value = element.get(f"{OFFICE}value")
    shown = "".join(_shown(element))
    if len(shown) > _MAXIMUM_CHARACTERS:
        shown = (
            shown[:_MAXIMUM_CHARACTERS] + "..."
        )  # is refused as too long, and so never taken for the whole
    if element.get(f"{TABLE}formula") is not None:
        if element.get(f"{_CALC}value-type") == "error" or _ERROR.fullmatch(shown):
            return NoIdentifier("", FORMULA_ERROR)
        if kind is None and not shown:
            return NoIdentifier("", NO_RESULT)
    if kind in (None, "string"):
        return element.get(f"{OFFICE}string-value", shown)
    if kind in ("float", "currency", "percentage"):
        return number_cell(value, shown) if value else NoIdentifier("", NO_RESULT)
    if kind == "boolean":
        return NoIdentifier(element.get(f"{OFFICE}boolean-value", ""), TRUTH_IN_CELL)
    if kind == "date":
        try:
            return value_cell(datetime.datetime.fromisoformat(element.get(f"{OFFICE}date-value", "")))
        except ValueError:
            return NoIdentifier(shown, MADE_A_DATE)
    return NoIdentifier(shown, MADE_A_DATE)  # a time of day, the one kind that is left


def _shown(cell: Element) -> Iterator[str]:
    """The text of a cell: its paragraphs, with a line break between two."""
    first = True
    for paragraph in cell:
        if paragraph.tag in (f"{_TEXT}p", f"{_TEXT}h"):
            if not first:
                yield "\n"
            first = False
            yield from _inline(paragraph)


def _inline(element: Element) -> Iterator[str]:
    if element.tag == f"{_TEXT}s":
        count = element.get(f"{_TEXT}c", "1")
        yield " " * (min(int(count), 100) if re.fullmatch("[0-9]{1,9}", count) else 1)
        return
    if element.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
        yield "\t" if element.tag.endswith("tab") else "\n"
        return
    yield element.text or ""
    for part in element:
        if part.tag.startswith(_TEXT) and part.tag not in _NOT_TEXT:
            yield from _inline(part)
        yield part.tail or ""
