"""A sheet of a workbook as a table, whatever program wrote it: which sheet, its line of names, and what is said of it.

Rule: nothing is chosen in silence. Of several sheets with something in them a person names one; hidden sheets are not
read and hidden rows and columns are, and either is said. Formulas count with the results that were kept, and that is
said too.

It knows no file format.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from broker.protocol.errors import BadInput
from clients.readers.cells import Cell, plain
from clients.readers.columns.header_row import names_in, no_such_row, remark
from clients.readers.columns.table import Table, TableRow, texts_of
from clients.readers.reading import Reading


class OpenSheet(Protocol):
    """A sheet that is being read, and what was seen of it so far: rows and columns (from 1) that are hidden, and cells
    whose value is a formula's result."""

    hidden_rows: int
    hidden_columns: set[int]
    formulas: int

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """(row number from 1, cells) of each row that is stored. Raises BadInput."""
        ...


@dataclass(frozen=True)
class SheetFacts:
    """One sheet before it is read: its name, whether it is shown, and whether there is anything in it."""

    title: str = field(repr=False)
    visible: bool
    filled: Callable[[], bool] = field(repr=False)


def chosen_sheet(sheets: Sequence[SheetFacts], reading: Reading) -> int:
    """The place, from 0, of the sheet to read. Raises BadInput if that is open."""
    visible = [at for at, sheet in enumerate(sheets) if sheet.visible]
    if reading.sheet is not None:
        chosen = _named(sheets, visible, reading.sheet)
    elif not visible:
        raise BadInput("The workbook has no sheet that can be read, or all are hidden. Save it anew.")
    else:
        filled = visible if len(visible) == 1 else [at for at in visible if sheets[at].filled()]
        if len(filled) != 1:
            raise BadInput(
                f"The workbook has {len(visible)} sheets. Say which one to read: --sheet 1 for the leftmost, --sheet 2 "
                "for the next, or its name."
            )
        chosen = filled[0]
    hidden = len(sheets) - len(visible)
    if not sheets[chosen].visible:
        reading.say("The sheet is hidden in the workbook, and was read since it was named.")
    elif hidden:
        reading.say(f"The workbook has hidden sheets ({hidden}), which were not read.")
    return chosen


def _named(sheets: Sequence[SheetFacts], visible: Sequence[int], wanted: str) -> int:
    by_name = [at for at, sheet in enumerate(sheets) if sheet.title.casefold() == wanted.strip().casefold()]
    if by_name:
        return by_name[0]
    if wanted.strip().isdecimal() and 1 <= int(wanted) <= len(visible):
        return visible[int(wanted) - 1]
    raise BadInput(
        f"The workbook has no sheet of that name or number. It has {len(visible)}, counted from the left from 1."
    )


def sheet_table(sheet: OpenSheet, reading: Reading) -> Table:
    """The table of a sheet. Raises BadInput if it is empty, or has nothing in the row that was named."""
    stored = sheet.rows()
    rows = _rows(sheet, stored, reading)
    wanted, above = reading.header_row, False
    for number, cells in stored:
        texts = [plain(cell) for cell in cells]
        if not any(texts):
            continue
        if wanted is None or number == wanted:
            if above:
                reading.say(remark(number))
            return Table(names_in(texts, texts_of(rows), wanted), rows)
        if number > wanted:
            break
        above = True
    raise (
        BadInput("The sheet is empty. Name another with --sheet.") if wanted is None else no_such_row(wanted)
    )


def _rows(sheet: OpenSheet, stored: Iterator[tuple[int, list[Cell]]], reading: Reading) -> Iterator[TableRow]:
    for number, cells in stored:
        yield TableRow(number, cells)
    if sheet.hidden_rows:
        reading.say(
            f"The sheet has hidden rows ({sheet.hidden_rows:,}), as by a filter. They were read too: delete them if "
            "they should stay out."
        )
    if sheet.hidden_columns:
        places = ", ".join(map(str, sorted(sheet.hidden_columns)[:10]))
        reading.say(
            f"The sheet has hidden columns ({places}, counted from the left). They were read too: leave one out "
            'with --column "ITS NAME=ignore".'
        )
    if sheet.formulas:
        reading.say(f"The sheet has formulas ({sheet.formulas:,}). Their last results were read.")
