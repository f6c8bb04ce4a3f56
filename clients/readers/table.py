"""From the cells of one row to signals and refusals, whatever format the table came in.

Rule: every identifier of a row is a signal of its own, and no identifier becomes an attribute of another:
sealed with it, it would reach someone who never asked for it. A bad identifier is refused by itself and the
row's others go in.

It opens no file.
"""

from collections.abc import Iterator, Sequence

from broker.protocol.errors import BadInput
from clients.identifiers import Rejected, canonicalise
from clients.identifiers.phone import known_region
from clients.readers.mapping import Columns, guess_type, typed
from clients.readers.signals import RefusedRow, Signal

MAXIMUM_CELL_CHARACTERS = 4096


def checked_region(default_region: str | None) -> str | None:
    """The default region for national phone numbers, upper case. Raises BadInput for an unknown one."""
    if default_region is None:
        return None
    region = known_region(default_region)
    if region is None:
        raise BadInput("The default region is not a two-letter country code such as GB.")
    return region


def row_signals(
    line: int, cells: Sequence[str], columns: Columns, default_region: str | None
) -> Iterator[Signal | RefusedRow]:
    """The signals and refusals of one row.

    Args: `line` from 1; `cells` in the order of the columns, and missing ones at the end are empty;
    `default_region` where the row names none.
    """
    damage = _damage(cells)
    if damage is not None:
        yield RefusedRow(line, damage)
        return

    def cell(position: int | None) -> str:
        return cells[position].strip() if position is not None and position < len(cells) else ""

    attributes = tuple((name, cell(position)) for position, name in columns.attributes if cell(position))
    found = [(kind, cell(position)) for position, kind in columns.identifiers]
    if columns.type_and_value is not None:
        kind_at, value_at = columns.type_and_value
        found.append((guess_type(cell(kind_at)) or cell(kind_at), cell(value_at)))
    present = list(dict.fromkeys((kind, raw) for kind, raw in found if raw))
    if not present:
        yield RefusedRow(line, "The row has no identifier.")
    seen: set[str] = set()
    own_hints = {"handle": columns.platform, "pdq": columns.quality}
    for kind, raw in present:
        type_name, hint = typed(kind)
        if hint is None and type_name in own_hints:
            hint = cell(own_hints[type_name])
        elif hint is None:
            hint = cell(columns.hint) or (default_region if kind == "phone" else None)
        try:
            canonical = canonicalise(type_name, raw, hint)
        except Rejected as error:
            yield RefusedRow(line, error.detail)
            continue
        # "phone" and "mobile" of one row often hold one number in two spellings.
        if canonical.text not in seen:
            seen.add(canonical.text)
            yield Signal(line, canonical, attributes)


def _damage(cells: Sequence[str]) -> str | None:
    for position, text in enumerate(cells, start=1):
        if len(text) > MAXIMUM_CELL_CHARACTERS:
            return f"Column {position} is longer than {MAXIMUM_CELL_CHARACTERS:,} characters."
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            return (
                f"Column {position} holds a NUL or half of a character: the row was damaged. Export it again."
            )
    return None
