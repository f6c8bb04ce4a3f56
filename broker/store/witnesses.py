"""The size each witness saw last, so that a restart goes on from there.

Rule: a hint and no evidence: the witness's own answer corrects it.
"""

from sqlalchemy import Connection, insert, select, update

from broker.store import locks
from broker.store.tables import witness_sizes


def sizes(connection: Connection) -> dict[str, int]:
    """By the witness's name and key id."""
    return {row.witness: row.size for row in connection.execute(select(witness_sizes))}


def keep(connection: Connection, witnesses: tuple[str, ...], size: int, told_at: int) -> None:
    """Keep that these witnesses saw `size`."""
    locks.lock(connection, "witnesses")
    for witness in witnesses:
        of_witness = update(witness_sizes).where(witness_sizes.c.witness == witness)
        if connection.execute(of_witness.values(size=size, told_at=told_at)).rowcount == 0:
            connection.execute(insert(witness_sizes).values(witness=witness, size=size, told_at=told_at))
