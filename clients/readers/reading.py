"""How a file is to be read, as far as the file does not say it itself.

Rule: what a person has to decide about a file is in one value, so that a reader that has no use for a part of it (a CSV
file has no sheets) need not be asked about it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from clients.readers.columns.mapping import ColumnMapping


def silent(words: str) -> None:
    """A reader's remark that nobody listens to."""


@dataclass(frozen=True)
class Reading:
    """The choices: `mapping` of columns (None: by their names), `default_region` of national phone numbers, `encoding`
    of a text file, `sheet` of a workbook (its name, or its number from the left), `header_row` of a table (the line or
    row, from 1, that names its columns; None for the first with anything in it), `persons` whether columns that name
    a person together are looked for where there is no mapping, `columns` the members of lines of JSON that are known
    beforehand, and `say`, which is told in words what a person should know of the file beyond its rows, such as hidden
    ones."""

    mapping: ColumnMapping | None = None
    default_region: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    persons: bool = False
    columns: tuple[str, ...] | None = None
    say: Callable[[str], None] = silent
