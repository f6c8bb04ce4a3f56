"""The names of a table's columns, as they stand in its first line, or in the one that a person named.

Rule: names are looked at before anything is read below them. A first line that holds an identifier is no line of names:
its cells would become the names of columns, and be sealed and shown as such. Marks of direction and other characters
that nobody sees are taken out of a name; ZERO WIDTH (NON-)JOINER belongs to the spelling of Persian and Indic words.

It does not say what a column holds: see `clients.readers.columns.mapping`.
"""

import re
import unicodedata
from collections.abc import Sequence

from broker.protocol.errors import BadInput
from clients.identifiers import Rejected, canonicalise

MAXIMUM_COLUMNS = 1000
MAXIMUM_NAME_CHARACTERS = 256
_JOINERS = "\u200c\u200d"


def column_names(cells: Sequence[str], line: int | None = None) -> tuple[str, ...]:
    """The columns' names, clean.

    Args: `line` where they stand, if a person said so; None for the first.
    Raises: BadInput if there are too many, a damaged one, or an identifier.
    """
    where = "the first line" if line is None else f"line {line}"
    names = [clean_name(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MAXIMUM_COLUMNS:
        raise BadInput(
            f"The table has {len(names):,} columns; up to {MAXIMUM_COLUMNS:,} are read. Export only those that are "
            "needed. If it has fewer, its delimiter was not recognised."
        )
    for position, name in enumerate(names, start=1):
        if len(name) > MAXIMUM_NAME_CHARACTERS or any("\ud800" <= each <= "\udfff" for each in name):
            raise BadInput(
                f"The name of column {position} is damaged or longer than {MAXIMUM_NAME_CHARACTERS} characters. Give "
                f"each column a short name in {where}."
            )
        if _is_identifier(name):
            raise BadInput(
                f"{where.capitalize()} holds an identifier in column {position} and not the columns' names. Put a line "
                "of names above it, such as phone or email."
            )
    return tuple(names)


def clean_name(name: str) -> str:
    """A name without characters that are not seen, and with single spaces."""
    if name.isascii() and name.isprintable():
        return " ".join(name.split())
    seen = "".join(
        character
        for character in name
        if character in _JOINERS or character.isspace() or unicodedata.category(character) not in ("Cc", "Cf")
    )
    return " ".join(seen.split())


def _is_identifier(name: str) -> bool:
    if re.fullmatch(r"[0-9 ()+./-]{7,}", name) and sum(map(str.isdigit, name)) >= 7:
        return True
    for kind in ("email", "phone"):
        try:
            canonicalise(kind, name)
        except Rejected:
            continue
        return True
    return False
