"""Queries on what approvers told this holder themselves: refusals, and approvals taken back."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from clients.keyholder.store.tables import approver_statements


@dataclass(frozen=True)
class StoredStatement:
    """One statement. Of a refusal `subject_digest` is the request's own; else the approval's that is taken back."""

    subject_digest: bytes
    kid: str
    request_digest: bytes
    person: str
    document: str
    log_index: int


def find(connection: Connection, subject_digest: bytes, kid: str) -> StoredStatement | None:
    """A person's statement about a subject, if it came."""
    query = select(approver_statements).where(
        approver_statements.c.subject_digest == subject_digest, approver_statements.c.kid == kid
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredStatement(**row._mapping)


def about(connection: Connection, request_digest: bytes) -> tuple[StoredStatement, ...]:
    """Every statement about a request, in the order of this holder's log."""
    query = select(approver_statements).where(approver_statements.c.request_digest == request_digest)
    rows = connection.execute(query.order_by(approver_statements.c.log_index))
    return tuple(StoredStatement(**row._mapping) for row in rows)


def add(connection: Connection, stored: StoredStatement) -> None:
    """Keep a statement."""
    connection.execute(insert(approver_statements).values(**vars(stored)))
