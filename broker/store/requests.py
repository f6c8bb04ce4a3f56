"""Queries about matching requests and their permits.

Rule: a request's `state` says how far it came and `log_index` is that of the entry that brought it there, so that an
interrupted step is found and continued: admitted (ADMITTED), tokens (TOKENS), releasing (RELEASE, open until
RELEASED or FAILED follows), released (RELEASED), failed (FAILED), refused (REFUSED). Whoever reads a document
verifies it again: the database is no authority. It decides nothing.
"""

from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from broker.protocol.errors import Conflict
from broker.store import locks
from broker.store.tables import permits, requests

ADMITTED, TOKENS, RELEASING = "admitted", "tokens", "releasing"
RELEASED, FAILED, REFUSED = "released", "failed", "refused"


@dataclass(frozen=True)
class StoredRequest:
    """One request. `answer` is the exact answer given when it was filed, `submission` the call's canonical body, which
    is empty once its papers were erased."""

    request_id: bytes
    space_id: bytes
    requester: str
    tier: str
    request_digest: bytes
    submission_digest: bytes
    submission: bytes = field(repr=False)
    state: str
    answer: bytes = field(repr=False)
    log_index: int
    received_at: int


@dataclass(frozen=True)
class StoredPermit:
    """The permit of an admitted request, and what became of its single use."""

    permit_id: bytes
    request_id: bytes
    document: str
    expires_at: int
    token_root: bytes | None
    disclosure: bytes | None = field(repr=False)


def find(connection: Connection, request_id: bytes) -> StoredRequest | None:
    """One request, if it was filed."""
    columns = [column for column in requests.c if column.name != "status"]
    row = connection.execute(select(*columns).where(requests.c.request_id == request_id)).one_or_none()
    return None if row is None else StoredRequest(**row._mapping)


def of_digest(connection: Connection, request_digest: bytes) -> StoredRequest | None:
    """The request whose signed document has this digest, if it was filed."""
    query = select(requests.c.request_id).where(requests.c.request_digest == request_digest)
    request_id = connection.execute(query).scalar_one_or_none()
    return None if request_id is None else find(connection, bytes(request_id))


def state(connection: Connection, request_id: bytes) -> str | None:
    """How far a request came; its row is locked in a write, where the database knows row locks."""
    query = select(requests.c.state).where(requests.c.request_id == request_id)
    return connection.execute(locks.to_change(connection, query)).scalar_one_or_none()


def permit_of(connection: Connection, request_id: bytes) -> StoredPermit | None:
    """The permit of a request, if it was admitted; its row is locked in a write, where the database knows row locks."""
    query = select(permits).where(permits.c.request_id == request_id)
    row = connection.execute(locks.to_change(connection, query)).one_or_none()
    return None if row is None else StoredPermit(**row._mapping)


def permit(connection: Connection, permit_id: bytes) -> StoredPermit | None:
    """A permit by its own name."""
    row = connection.execute(select(permits).where(permits.c.permit_id == permit_id)).one_or_none()
    return None if row is None else StoredPermit(**row._mapping)


def add(connection: Connection, stored: StoredRequest) -> None:
    """Keep a request that was decided. A second one of the same name raises Conflict when written."""
    status = 403 if stored.state == REFUSED else 200
    connection.execute(insert(requests).values(**vars(stored), status=status))


def add_permit(connection: Connection, stored: StoredPermit) -> None:
    """Keep the permit of an admitted request."""
    connection.execute(insert(permits).values(**vars(stored)))


def keep_cosigned(connection: Connection, request_id: bytes, permit: str, answer: bytes) -> None:
    """Put the permit under a cosigned checkpoint, and the answer with it, in the place of those before."""
    connection.execute(update(permits).where(permits.c.request_id == request_id).values(document=permit))
    connection.execute(update(requests).where(requests.c.request_id == request_id).values(answer=answer))


def advance(connection: Connection, request_id: bytes, before: str, after: str, log_index: int) -> None:
    """Move a request on by one step. Raises Conflict when it is not at the step before any more."""
    changed = connection.execute(
        update(requests)
        .where(requests.c.request_id == request_id, requests.c.state == before)
        .values(state=after, log_index=log_index)
    ).rowcount
    if changed != 1:
        raise Conflict("Another call took this step first. Send the same tokens again for its answer.")


def use_permit(connection: Connection, permit_id: bytes, token_root: bytes) -> None:
    """Set the root of the one submission a permit is good for. Raises Conflict when it was used before."""
    changed = connection.execute(
        update(permits)
        .where(permits.c.permit_id == permit_id, permits.c.token_root.is_(None))
        .values(token_root=token_root)
    ).rowcount
    if changed != 1:
        raise Conflict("Tokens were sent under this permit before. A permit is good for one set of tokens.")


def erase_papers(connection: Connection, request_id: bytes) -> None:
    """Empty what is kept of a request's papers; they read as erased from then on.

    PostgreSQL keeps the old row's bytes until it vacuums the table (docs/data-model.md)."""
    connection.execute(update(requests).where(requests.c.request_id == request_id).values(submission=b""))


def keep_disclosure(connection: Connection, permit_id: bytes, disclosure: bytes) -> None:
    """Keep the exact answer, for a retry."""
    connection.execute(update(permits).where(permits.c.permit_id == permit_id).values(disclosure=disclosure))


def open_releases(connection: Connection) -> tuple[StoredRequest, ...]:
    """Requests whose RELEASE was decided and not yet followed: a crash stood between. The oldest first."""
    columns = [column for column in requests.c if column.name != "status"]
    query = select(*columns).where(requests.c.state == RELEASING).order_by(requests.c.log_index)
    return tuple(StoredRequest(**row._mapping) for row in connection.execute(query))
