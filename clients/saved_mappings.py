"""What the columns of a file hold, saved in the home by a name, and found again by the columns' names.

Rule: a saved mapping is a person's word for one set of columns. A file with the same columns is read by it; a file with
a column more is refused, since an unknown column would be sealed and handed on as an attribute without anybody having
said so. It holds names of columns and never a value.

It reads no table: see `clients.readers`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.base import Message
from clients.home import Home
from clients.readers import ColumnMapping
from clients.readers.columns.column_names import same_column
from clients.readers.columns.header import MAXIMUM_COLUMNS, MAXIMUM_NAME_CHARACTERS
from clients.readers.columns.header_row import MAXIMUM_HEADER_ROW
from clients.readers.columns.roles import ATTRIBUTE, IGNORE, mapping_of

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_Word = Annotated[str, Field(max_length=MAXIMUM_NAME_CHARACTERS)]


class MappedColumn(Message):
    """One column: its name, and what it holds in a word of `clients.readers.columns.roles`."""

    name: _Word
    holds: _Word


class SavedMapping(Message):
    """What a file's columns hold, in order, and how else the file is read; null where the file says it itself."""

    v: Literal[1] = 1
    columns: Annotated[tuple[MappedColumn, ...], Field(min_length=1, max_length=MAXIMUM_COLUMNS)]
    default_region: _Word | None = None
    encoding: _Word | None = None
    sheet: _Word | None = None
    header_row: Annotated[int, Field(ge=1, le=MAXIMUM_HEADER_ROW)] | None = None

    def fits(self, names: Sequence[str]) -> bool:
        """Whether a file with these columns is one that the mapping was saved for."""
        return [column.name for column in self.columns] == list(names)

    def mapping(self, names: Sequence[str]) -> ColumnMapping:
        """The mapping for a file with these columns, in any order. Raises BadInput if it does not fit."""
        for position, name in enumerate(names, start=1):
            if not any(same_column(name, column.name) for column in self.columns):
                raise BadInput(
                    f"The file has a column that the mapping does not know (column {position}). Map the file again: "
                    "narrowgate deposit map"
                )
        present = [column for column in self.columns if any(same_column(column.name, name) for name in names)]
        if any(column.holds not in (ATTRIBUTE, IGNORE) for column in self.columns if column not in present):
            raise BadInput(
                "The file lacks a column that the mapping names. Export it with all of them, or map it again: "
                "narrowgate deposit map"
            )
        return mapping_of([column.name for column in present], [column.holds for column in present])


def save_mapping(home: Home, name: str, mapping: SavedMapping) -> None:
    """Save a mapping in the home, in place of one of that name. Raises BadInput for a name that cannot be one."""
    home.vault.write_message(f"mappings/{_checked(name)}.json", mapping)


def saved_mapping(home: Home, name: str) -> SavedMapping:
    """The saved mapping of that name. Raises BadInput or NotFound."""
    try:
        return home.vault.read_message(SavedMapping, f"mappings/{_checked(name)}.json")
    except NotFound:
        raise NotFound(
            "No mapping of that name was saved here. To save one: narrowgate deposit map"
        ) from None


def saved_mappings(home: Home) -> Iterator[tuple[str, SavedMapping]]:
    """(name, mapping) of all that are saved here, by name."""
    for file in home.vault.names("mappings"):
        name = file.removesuffix(".json")
        yield name, saved_mapping(home, name)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadInput(
            "The name of a mapping has up to 40 lower-case letters, digits and dashes, such as nightly."
        )
    return name
