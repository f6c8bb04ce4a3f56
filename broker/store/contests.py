"""Queries about records that were taken back as contested: what was stated of them, by the digest of the withdrawal.

Rule: a statement is kept in the transaction that carries it out. It verifies nothing.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from broker.protocol.messages.consent import ContestState
from broker.store import locks
from broker.store.tables import contest_statements


@dataclass(frozen=True)
class StoredStatement:
    """One signed statement, and where it is logged."""

    withdrawal_digest: bytes
    state: ContestState
    deposit_id: bytes
    space_id: bytes
    contributor: str
    document: str
    log_index: int


def add(connection: Connection, stored: StoredStatement) -> None:
    """Keep a statement."""
    connection.execute(insert(contest_statements).values(**vars(stored)))


def find(connection: Connection, withdrawal_digest: bytes) -> dict[ContestState, StoredStatement]:
    """What was stated of a contest, by state; locked until the end of a write."""
    query = select(contest_statements).where(contest_statements.c.withdrawal_digest == withdrawal_digest)
    found = {}
    for row in connection.execute(locks.to_change(connection, query)):
        state = ContestState(row.state)
        found[state] = StoredStatement(**{**row._mapping, "state": state})
    return found
