"""Queries about what approvers told the broker themselves: refusals, approvals taken back, reviews of emergencies.

Rule: documents are stored as they came, in the transaction that logs them; whoever reads one verifies it again. It
decides nothing: what a refusal or a withdrawal means is the rules'.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from broker.store.tables import approver_statements

REFUSED, WITHDRAWN, REVIEWED = "refused", "withdrawn", "reviewed"


@dataclass(frozen=True)
class StoredStatement:
    """One statement. `subject_digest` is that of the request, or of the approval that is taken back."""

    subject_digest: bytes
    kind: str
    kid: str
    request_digest: bytes
    document: str
    log_index: int


def find(connection: Connection, subject_digest: bytes, kind: str, kid: str) -> StoredStatement | None:
    """A person's statement of this kind about this subject, if there is one."""
    query = select(approver_statements).where(
        approver_statements.c.subject_digest == subject_digest,
        approver_statements.c.kind == kind,
        approver_statements.c.kid == kid,
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredStatement(**row._mapping)


def about(connection: Connection, request_digest: bytes) -> tuple[StoredStatement, ...]:
    """Every statement about a request, in the order of the log."""
    query = select(approver_statements).where(approver_statements.c.request_digest == request_digest)
    rows = connection.execute(query.order_by(approver_statements.c.log_index))
    return tuple(StoredStatement(**row._mapping) for row in rows)


def add(connection: Connection, stored: StoredStatement) -> None:
    """Keep a statement."""
    connection.execute(insert(approver_statements).values(**vars(stored)))
