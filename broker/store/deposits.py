"""Queries about deposits: their state, their batches, and their records clustered by token.

Rule: whatever moves a deposit on runs in the transaction that logs or stores it, and in a write a deposit that was
found is locked first. Of records that go, no bytes stay in the database's files (`broker.store.partitions` for
PostgreSQL, `secure_delete` for SQLite); so no row but a record and a match holds a token. It verifies nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, func, insert, select, update

from broker.protocol.messages.deposits import Record
from broker.store import locks, partitions, releases, told
from broker.store.tables import batches, counted_sets, deposit_refusals, deposits, matches, records

LIVE_STATES = ("admitted", "complete", "serving")
GONE_STATES = ("withdrawn", "expired")
_TOKENS_PER_QUERY = 500


@dataclass(frozen=True)
class StoredDeposit:
    """One deposit. `declaration` is the signed document; `frontier` the running RFC 6962 tree of its records."""

    deposit_number: int
    deposit_id: bytes
    series_id: bytes
    space_id: bytes
    contributor: str
    declaration: str
    size_class: int
    records_declared: int
    records_stored: int
    next_batch: int
    frontier: bytes
    state: str
    declared_at: int
    admitted_index: int
    completed_index: int | None = None
    serving_index: int | None = None
    withdrawal: str | None = None
    withdrawn_index: int | None = None
    expired_index: int | None = None


@dataclass(frozen=True)
class Erased:
    """What a withdrawal deleted: ids of the deposits, sorted, and the number of records."""

    deposits: tuple[bytes, ...]
    records: int


@dataclass(frozen=True)
class StoredRefusal:
    """What the contributor of a refused declaration was told, as JSON, and where it is logged."""

    told: str
    log_index: int


def find(connection: Connection, deposit_id: bytes) -> StoredDeposit | None:
    """One deposit, if it is known; locked until the end of a write."""
    query = locks.to_change(connection, select(deposits).where(deposits.c.deposit_id == deposit_id))
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredDeposit(**row._mapping)


def of_series(connection: Connection, series_id: bytes) -> int:
    """How many deposits a series has."""
    query = select(func.count()).select_from(deposits).where(deposits.c.series_id == series_id)
    return int(connection.execute(query).scalar_one())


def all_of_series(connection: Connection, series_id: bytes) -> tuple[StoredDeposit, ...]:
    """The deposits of a series whose records are still here, in order of deposit_id; locked until the end of a write,
    in the order in which an answer keeps them (`broker.store.matches.open_deposits`)."""
    query = (
        select(deposits)
        .where(deposits.c.series_id == series_id, deposits.c.state.in_(LIVE_STATES))
        .order_by(deposits.c.deposit_id)
    )
    rows = connection.execute(locks.to_change(connection, query))
    return tuple(StoredDeposit(**row._mapping) for row in rows)


def add(connection: Connection, stored: StoredDeposit) -> StoredDeposit:
    """Keep a new deposit. Its number is given out here; the one passed in is ignored."""
    values = {name: value for name, value in vars(stored).items() if name != "deposit_number"}
    number = connection.execute(insert(deposits).values(**values)).inserted_primary_key
    if number is None:
        raise RuntimeError("the database gave out no number")
    if partitions.in_use(connection):
        partitions.add(connection, int(number[0]))
    return replace(stored, deposit_number=int(number[0]))


def refusal(connection: Connection, declaration_digest: bytes, bundle_digest: bytes) -> StoredRefusal | None:
    """What was told about this declaration under this bundle, if it was refused before."""
    query = select(deposit_refusals.c.told, deposit_refusals.c.log_index).where(
        deposit_refusals.c.declaration_digest == declaration_digest,
        deposit_refusals.c.bundle_digest == bundle_digest,
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredRefusal(row.told, row.log_index)


def add_refusal(
    connection: Connection, declaration_digest: bytes, bundle_digest: bytes, stored: StoredRefusal
) -> None:
    """Keep what was told."""
    connection.execute(
        insert(deposit_refusals).values(
            declaration_digest=declaration_digest, bundle_digest=bundle_digest, **vars(stored)
        )
    )


def batch_digest(connection: Connection, deposit_number: int, batch_number: int) -> bytes | None:
    """The digest of a batch that was stored."""
    query = select(batches.c.digest).where(
        batches.c.deposit_number == deposit_number, batches.c.batch_number == batch_number
    )
    return connection.execute(query).scalar_one_or_none()


def add_batch(
    connection: Connection,
    deposit: StoredDeposit,
    digest: bytes,
    batch: Sequence[Record],
    frontier: bytes,
) -> StoredDeposit:
    """Store the next batch with its records, and move the deposit on. Returns its new state."""
    number = deposit.deposit_number
    if partitions.in_use(connection):
        partitions.copy_in(connection, number, batch)
    else:
        rows = [
            {
                "deposit_number": number,
                "token": record.token,
                "record_version": record.record_version,
                "sealed": record.sealed,
            }
            for record in batch
        ]
        connection.execute(insert(records), rows)
    connection.execute(
        insert(batches).values(
            deposit_number=number, batch_number=deposit.next_batch, digest=digest, records=len(batch)
        )
    )
    moved = {
        "records_stored": deposit.records_stored + len(batch),
        "next_batch": deposit.next_batch + 1,
        "frontier": frontier,
    }
    connection.execute(update(deposits).where(deposits.c.deposit_number == number).values(**moved))
    return StoredDeposit(**(vars(deposit) | moved))


def last_token(connection: Connection, deposit_number: int) -> bytes:
    """The largest token of a deposit, which the next one must exceed; empty while it has no record."""
    query = select(records.c.token).where(records.c.deposit_number == deposit_number)
    found = connection.execute(query.order_by(records.c.token.desc()).limit(1)).scalar_one_or_none()
    return b"" if found is None else bytes(found)


def record(connection: Connection, deposit_number: int, token: bytes) -> Record | None:
    """The record of one token."""
    query = select(records.c.token, records.c.record_version, records.c.sealed).where(
        records.c.deposit_number == deposit_number, records.c.token == token
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Record(row.token, row.record_version, row.sealed)


def mark_complete(connection: Connection, deposit_number: int, log_index: int) -> None:
    """All records are in."""
    _move(connection, deposit_number, state="complete", completed_index=log_index)


def mark_serving(connection: Connection, deposit_number: int, log_index: int) -> None:
    """Requests may be matched against it."""
    _move(connection, deposit_number, state="serving", serving_index=log_index)


def erase_series(connection: Connection, series_id: bytes) -> Erased:
    """Delete all records, batches and matches of a series' deposits, and mark them as withdrawn; those that were gone
    before stay as they are."""
    query = select(deposits.c.deposit_number, deposits.c.deposit_id).where(deposits.c.series_id == series_id)
    found = connection.execute(query.order_by(deposits.c.deposit_id)).all()
    erased = [(row.deposit_id, erase(connection, row.deposit_number, "withdrawn")) for row in found]
    gone = [(deposit_id, number) for deposit_id, number in erased if number is not None]
    return Erased(tuple(deposit_id for deposit_id, _ in gone), sum(number for _, number in gone))


def erase(connection: Connection, deposit_number: int, state: str) -> int | None:
    """Delete the records of a deposit and all that is kept of its tokens, and move it to `state`, one of GONE_STATES.

    Returns how many records were deleted, or None when it was gone before. The row moves first: of two brokers on one
    database the second waits here, and then finds it gone."""
    moved = connection.execute(
        update(deposits)
        .where(deposits.c.deposit_number == deposit_number, deposits.c.state.in_(LIVE_STATES))
        .values(state=state, frontier=b"")
    )
    if moved.rowcount != 1:
        return None
    for table in (matches, batches, counted_sets):
        connection.execute(delete(table).where(table.c.deposit_number == deposit_number))
    releases.forget_deposit(connection, deposit_number)
    told.forget_deposit(connection, deposit_number)
    if partitions.in_use(connection):
        return partitions.empty(connection, deposit_number)
    return connection.execute(delete(records).where(records.c.deposit_number == deposit_number)).rowcount


def note_withdrawal(connection: Connection, deposit_number: int, document: str, log_index: int) -> None:
    """Keep the statement on which one deposit was erased."""
    _move(connection, deposit_number, withdrawal=document, withdrawn_index=log_index)


def note_expiry(connection: Connection, deposit_number: int, log_index: int) -> None:
    """Keep where the end of a deposit's retention is logged."""
    _move(connection, deposit_number, expired_index=log_index)


def erase_records(connection: Connection, deposit_number: int, tokens: Sequence[bytes]) -> int:
    """Delete the records of these tokens, and what matched or told of them. Returns how many records there were.

    Call `note_remaining` after it."""
    erased = 0
    for at in range(0, len(tokens), _TOKENS_PER_QUERY):
        chunk = tokens[at : at + _TOKENS_PER_QUERY]
        for table in (matches, records):
            deleted = connection.execute(
                delete(table).where(table.c.deposit_number == deposit_number, table.c.token.in_(chunk))
            )
        erased += deleted.rowcount
        told.forget_records(connection, deposit_number, chunk)
        releases.forget_records(connection, deposit_number, chunk)
    return erased


def all_records(connection: Connection, deposit_number: int) -> Iterator[Record]:
    """Every record of a deposit in order of its token, a thousand in memory at a time."""
    query = (
        select(records.c.token, records.c.record_version, records.c.sealed)
        .where(records.c.deposit_number == deposit_number)
        .order_by(records.c.token)
    )
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield Record(bytes(row.token), row.record_version, bytes(row.sealed))


def _move(connection: Connection, deposit_number: int, **values: object) -> None:
    connection.execute(update(deposits).where(deposits.c.deposit_number == deposit_number).values(**values))
