"""Queries about parties: enrolments, spaces, wrapped salts.

Rule: documents are stored as they came, and whoever reads one verifies it again: the database is no authority.
It decides nothing.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from broker.store import locks
from broker.store.tables import enrolments, salt_wraps, spaces


@dataclass(frozen=True)
class StoredEnrolment:
    """One enrolment; `log_index` is that of its acceptance."""

    kid: str
    party_id: str
    role: str
    signing_key: bytes
    document: str
    state: str
    received_at: int
    accepted_at: int | None
    log_index: int | None


@dataclass(frozen=True)
class StoredSpace:
    """One version of a space's document."""

    space_id: bytes
    roster_version: int
    document: str
    founder_kid: str
    accepted_at: int
    log_index: int


def enrolment(connection: Connection, kid: str) -> StoredEnrolment | None:
    """The enrolment of a key, if there is one."""
    row = connection.execute(select(enrolments).where(enrolments.c.kid == kid)).one_or_none()
    return None if row is None else StoredEnrolment(**row._mapping)


def all_enrolments(connection: Connection) -> tuple[StoredEnrolment, ...]:
    """Every enrolment, the oldest first."""
    rows = connection.execute(select(enrolments).order_by(enrolments.c.received_at, enrolments.c.kid))
    return tuple(StoredEnrolment(**row._mapping) for row in rows)


def accepted_enrolment_of(connection: Connection, party_id: str) -> StoredEnrolment | None:
    """The accepted enrolment of a party: there is at most one."""
    query = select(enrolments).where(enrolments.c.party_id == party_id, enrolments.c.state == "accepted")
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredEnrolment(**row._mapping)


def lock_enrolments(connection: Connection) -> None:
    """Let no other transaction accept an enrolment until this one ends."""
    locks.lock(connection, "enrolments")


def accepted_keys(connection: Connection) -> dict[str, bytes]:
    """The raw keys of all accepted parties, by thumbprint."""
    query = select(enrolments.c.kid, enrolments.c.signing_key).where(enrolments.c.state == "accepted")
    return {row.kid: row.signing_key for row in connection.execute(query)}


def pending_enrolments(connection: Connection) -> int:
    """How many wait for the operator."""
    query = select(func.count()).select_from(enrolments).where(enrolments.c.state == "pending")
    return int(connection.execute(query).scalar_one())


def add_enrolment(
    connection: Connection,
    *,
    kid: str,
    party_id: str,
    role: str,
    signing_key: bytes,
    document: str,
    received_at: int,
) -> None:
    """Keep an enrolment, waiting to be accepted."""
    connection.execute(
        insert(enrolments).values(
            kid=kid,
            party_id=party_id,
            role=role,
            signing_key=signing_key,
            document=document,
            state="pending",
            received_at=received_at,
        )
    )


def accept_enrolment(connection: Connection, kid: str, accepted_at: int, log_index: int) -> None:
    """Mark an enrolment as accepted."""
    values = {"state": "accepted", "accepted_at": accepted_at, "log_index": log_index}
    connection.execute(update(enrolments).where(enrolments.c.kid == kid).values(**values))


def space(connection: Connection, space_id: bytes, roster_version: int | None = None) -> StoredSpace | None:
    """A version of a space's document; the newest if none is named."""
    query = select(spaces).where(spaces.c.space_id == space_id)
    if roster_version is not None:
        query = query.where(spaces.c.roster_version == roster_version)
    row = connection.execute(query.order_by(spaces.c.roster_version.desc()).limit(1)).one_or_none()
    return None if row is None else StoredSpace(**row._mapping)


def newest_spaces(connection: Connection) -> tuple[StoredSpace, ...]:
    """The newest version of every space."""
    newest = (
        select(spaces.c.space_id, func.max(spaces.c.roster_version).label("version"))
        .group_by(spaces.c.space_id)
        .subquery()
    )
    query = select(spaces).join(
        newest, (spaces.c.space_id == newest.c.space_id) & (spaces.c.roster_version == newest.c.version)
    )
    return tuple(StoredSpace(**row._mapping) for row in connection.execute(query))


def add_space(connection: Connection, stored: StoredSpace) -> None:
    """Keep a version of a space's document."""
    connection.execute(insert(spaces).values(**vars(stored)))


def salt_wrap(connection: Connection, space_id: bytes, salt_id: bytes, recipient_kid: str) -> str | None:
    """The document that wraps a salt to a key, if there is one."""
    query = select(salt_wraps.c.document).where(
        salt_wraps.c.space_id == space_id,
        salt_wraps.c.salt_id == salt_id,
        salt_wraps.c.recipient_kid == recipient_kid,
    )
    return connection.execute(query).scalar_one_or_none()


def lock_salt_wraps(connection: Connection, space_id: bytes) -> None:
    """Let no other transaction wrap this space's salt until this one ends."""
    locks.lock(connection, "salt wraps", space_id)


def salt_wraps_for(connection: Connection, space_id: bytes, recipient_kid: str) -> tuple[str, ...]:
    """All documents that wrap a salt of the space to a key."""
    query = select(salt_wraps.c.document).where(
        salt_wraps.c.space_id == space_id, salt_wraps.c.recipient_kid == recipient_kid
    )
    return tuple(connection.execute(query.order_by(salt_wraps.c.salt_id)).scalars())


def put_salt_wrap(
    connection: Connection, space_id: bytes, salt_id: bytes, recipient_kid: str, document: str
) -> None:
    """Keep a wrapped salt; a newer document takes the place of an older one."""
    changed = connection.execute(
        update(salt_wraps)
        .where(
            salt_wraps.c.space_id == space_id,
            salt_wraps.c.salt_id == salt_id,
            salt_wraps.c.recipient_kid == recipient_kid,
        )
        .values(document=document)
    ).rowcount
    if not changed:
        connection.execute(
            insert(salt_wraps).values(
                space_id=space_id, salt_id=salt_id, recipient_kid=recipient_kid, document=document
            )
        )
