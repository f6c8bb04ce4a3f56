"""Queries about a deposit's root changes: the contributor's signed statements, and records put in another's place.

Rule: a statement is kept in the transaction that carries it out and logs it. It verifies nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from broker.protocol.messages.deposits import Record
from broker.store import partitions
from broker.store.tables import deposits, records, root_changes


@dataclass(frozen=True)
class StoredChange:
    """A contributor's signed statement that changed the root over a deposit's records, and where it is logged."""

    document: str
    log_index: int


def change(connection: Connection, deposit_number: int, number: int) -> StoredChange | None:
    """A deposit's statement of this number, from 1, if it came."""
    query = select(root_changes.c.document, root_changes.c.log_index).where(
        root_changes.c.deposit_number == deposit_number, root_changes.c.number == number
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredChange(row.document, row.log_index)


def number_of_changes(connection: Connection, deposit_number: int) -> int:
    """How many such statements came."""
    query = select(func.count()).select_from(root_changes)
    return int(connection.execute(query.where(root_changes.c.deposit_number == deposit_number)).scalar_one())


def add_change(connection: Connection, deposit_number: int, number: int, stored: StoredChange) -> None:
    """Keep a statement."""
    connection.execute(
        insert(root_changes).values(deposit_number=deposit_number, number=number, **vars(stored))
    )


def replace_records(connection: Connection, deposit_number: int, new: Iterable[Record]) -> int:
    """Put each record in the place of the one that bears its token and the version before. Returns how many were."""
    replaced = 0
    for token, version, sealed in new:
        moved = connection.execute(
            update(records)
            .where(
                records.c.deposit_number == deposit_number,
                records.c.token == token,
                records.c.record_version == version - 1,
            )
            .values(record_version=version, sealed=sealed)
        )
        replaced += moved.rowcount
    return replaced


def note_root(connection: Connection, deposit_number: int, number: int, frontier: bytes) -> None:
    """Keep how many records there are and their tree, and nothing of those that went or were replaced."""
    connection.execute(
        update(deposits)
        .where(deposits.c.deposit_number == deposit_number)
        .values(records_stored=number, frontier=frontier)
    )
    if partitions.in_use(connection):
        partitions.write_anew(connection, partitions.name_of(deposit_number))
