"""When to stop reading what is no table.

Rule: one bad row costs itself and the rest goes in, but a file in which nothing is right is not read to its end: it is
the wrong file, or exported wrongly, and a person is told after seconds instead of hours. Rows without any identifier
count for nothing, since a table sorted by its phone numbers begins with all that have none.
"""

from collections.abc import Iterator

from broker.protocol.errors import BadInput
from clients.readers.signals import RefusedRow, Signal

MAXIMUM_DAMAGED = 1_000
"""Rows that cannot be read, one after another."""
MAXIMUM_REFUSED = 100_000
"""Identifiers that cannot be read, without one in between that can."""


def until_hopeless(items: Iterator[Signal | RefusedRow]) -> Iterator[Signal | RefusedRow]:
    """The same signals and refusals. Raises BadInput when too many in a row are refused."""
    damaged = refused = 0
    for item in items:
        yield item
        if isinstance(item, Signal):
            damaged = refused = 0
            continue
        if item.damaged:
            damaged += 1
        elif item.column is not None:
            refused += 1
            damaged = 0
        if damaged >= MAXIMUM_DAMAGED:
            raise BadInput(
                f"{damaged:,} rows in a row are damaged, the last of them on line {item.line:,}, so the rest was not "
                f"read and nothing was used. {item.reason} Check that this is the right file, and export it again."
            )
        if refused >= MAXIMUM_REFUSED:
            raise BadInput(
                f"{refused:,} identifiers in a row cannot be read, the last of them on line {item.line:,}, so the "
                f"rest was not read and nothing was used. {item.reason} Check which column holds what "
                "(narrowgate deposit map) and whether --default-region is missing."
            )
