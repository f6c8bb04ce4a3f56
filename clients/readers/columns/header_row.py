"""Where in a file the names of a table's columns stand, if not in its first line: many exports begin with a title.

Rule: a person says the line (`Reading.header_row`); it is never chosen here. Where the first line cannot be one of
names, the refusal says which line below it looks like one, and how to say so.

It does not say what a column holds: see `clients.readers.columns.mapping`.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from broker.protocol.errors import BadInput
from clients.readers.columns.header import column_names
from clients.readers.columns.mapping import guess_mapping

LINES_LOOKED_AT = 20
"""How far below the first line the names of columns are looked for."""
MAXIMUM_HEADER_ROW = 1_000
_FEW = 2
"""Cells of a title; a first line with more is taken for what it says."""

Texts = tuple[int, Sequence[str]]
"""A line or row number from 1, and the texts of its cells."""


def names_in(cells: Sequence[str], rows: Iterable[Texts], header_row: int | None) -> tuple[str, ...]:
    """The names of the columns, from the line that should hold them.

    Args: `rows` below it, which are looked at only where it cannot be one; `header_row` as a person gave it.
    Raises: BadInput, with the line below that looks like one of names.
    """
    try:
        return column_names(cells, header_row)
    except BadInput as error:
        line = None if header_row is not None else line_of_names(rows)
        if line is None:
            raise
        raise BadInput(f"{error.detail} {_suggestion(line)}") from None


def checked_header_row(header_row: int | None) -> None:
    """Raises BadInput for a line that no file has names in."""
    if header_row is not None and not 1 <= header_row <= MAXIMUM_HEADER_ROW:
        raise BadInput(f"--header-row is the number of a line, from 1 to {MAXIMUM_HEADER_ROW:,}.")


def no_such_row(header_row: int) -> BadInput:
    """The refusal where the line that a person named is empty or not there."""
    return BadInput(
        f"--header-row {header_row} names a line that is empty or that the file does not have. Lines are counted from "
        "1, empty ones included, as the program shows them that the file is from."
    )


def remark(header_row: int) -> str:
    """What is said of a table that begins below the first line."""
    return f"The columns are named in line {header_row}. What stands above it was left out."


def title_words(line: int) -> str:
    """The refusal of a first line that names no column, where a line below it seems to."""
    return f"The first line does not name the columns, and line {line} seems to. {_suggestion(line)}"


def _suggestion(line: int) -> str:
    return (
        f"If line {line} is the line of names, say so: --header-row {line} (or delete what stands above it, such as a "
        "title). narrowgate deposit map shows what that gives, and saves it."
    )


def line_of_names(rows: Iterable[Texts]) -> int | None:
    """The line, of the first few rows, whose cells are names of columns; None if there is none such."""
    return next(
        (line for line, texts in islice(rows, LINES_LOOKED_AT) if _name_columns(_pieces(texts))), None
    )


def title_above(names: Sequence[str], rows: Sequence[Texts]) -> int | None:
    """The line of names below a title of one or two words that are themselves what people call a column, such as
    "Phone"; None if the first line is no title."""
    if len(names) > _FEW:
        return None
    wider = ((line, texts) for line, texts in rows if len(_pieces(texts)) > len(names))
    return line_of_names(wider)


def _pieces(texts: Sequence[str]) -> list[str]:
    filled = [text for text in texts if text]
    if len(filled) == 1:
        # Below a title of one cell the delimiter was not recognised, and the line is still in one piece.
        pieces = [part.strip(' "') for part in re.split("[,;\t|]", filled[0])]
        filled = [piece for piece in pieces if piece]
    return filled


def _name_columns(texts: Sequence[str]) -> bool:
    """Whether these texts of a row are names of columns, one of which holds identifiers."""
    try:
        return guess_mapping(column_names(texts)).has_identifiers
    except BadInput:
        return False  # it holds an identifier, or is no line of names for another reason
