"""Queries on prekeys, series and their sealed shares.

Rule: what comes in and goes out as a share or private key is sealed; this module opens nothing. A used or expired
prekey, and the shares of a series that is withdrawn or past its retention, are deleted rows under secure_delete, gone
once the write-ahead log is emptied.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, func, insert, select, update

from clients.keyholder.store.tables import first_commitments, prekeys, series, shares


@dataclass(frozen=True)
class StoredPrekey:
    """A one-time key not yet used."""

    prekey_id: bytes
    public_key: bytes
    sealed_private: bytes = field(repr=False)
    expires_at: int


@dataclass(frozen=True)
class StoredSeries:
    """A series this holder accepted. `destruction_receipt` is set once its contributor took it back."""

    series_id: bytes
    space_id: bytes
    contributor: str
    contributor_key: bytes
    manifest: str
    x: int
    key_digest: bytes
    acceptance: str
    accepted_at: int
    withdrawal: str | None = None
    destruction_receipt: str | None = None


def add_prekey(connection: Connection, prekey: StoredPrekey) -> None:
    """Keep a fresh prekey."""
    connection.execute(insert(prekeys).values(**vars(prekey)))


def unused_prekeys(connection: Connection, usable_at: int) -> tuple[StoredPrekey, ...]:
    """The prekeys that are still valid after `usable_at`, those that end first, first."""
    query = (
        select(prekeys)
        .where(prekeys.c.expires_at > usable_at)
        .order_by(prekeys.c.expires_at, prekeys.c.prekey_id)
    )
    return tuple(StoredPrekey(**row._mapping) for row in connection.execute(query))


def find_prekey(connection: Connection, prekey_id: bytes) -> StoredPrekey | None:
    """An unused prekey by name."""
    row = connection.execute(select(prekeys).where(prekeys.c.prekey_id == prekey_id)).one_or_none()
    return None if row is None else StoredPrekey(**row._mapping)


def destroy_prekey(connection: Connection, prekey_id: bytes) -> None:
    """Delete a prekey that was used."""
    connection.execute(delete(prekeys).where(prekeys.c.prekey_id == prekey_id))


def destroy_expired_prekeys(connection: Connection, now: int) -> None:
    """Delete the prekeys whose time is over."""
    connection.execute(delete(prekeys).where(prekeys.c.expires_at <= now))


def add(
    connection: Connection, stored: StoredSeries, sealed_shares: bytes, commitments: Iterable[bytes]
) -> None:
    """Keep an accepted series, its sealed shares and the C_0 of its keys."""
    connection.execute(insert(series).values(**vars(stored)))
    connection.execute(insert(shares).values(series_id=stored.series_id, sealed=sealed_shares))
    rows = [{"commitment": each, "series_id": stored.series_id} for each in commitments]
    connection.execute(insert(first_commitments), rows)


def find(connection: Connection, series_id: bytes) -> StoredSeries | None:
    """A series by id, whether its shares are still there or not."""
    row = connection.execute(select(series).where(series.c.series_id == series_id)).one_or_none()
    return None if row is None else StoredSeries(**row._mapping)


def count(connection: Connection) -> tuple[int, int]:
    """How many series were accepted, and how many of them still have their shares."""
    accepted = connection.execute(select(func.count()).select_from(series)).scalar_one()
    return accepted, connection.execute(select(func.count()).select_from(shares)).scalar_one()


def sealed_shares(connection: Connection, series_id: bytes) -> bytes | None:
    """The sealed shares of a series, None once they are erased."""
    return connection.execute(
        select(shares.c.sealed).where(shares.c.series_id == series_id)
    ).scalar_one_or_none()


def with_shares(connection: Connection) -> tuple[StoredSeries, ...]:
    """Every series whose shares are still here, by id."""
    query = select(series).join(shares, shares.c.series_id == series.c.series_id).order_by(series.c.series_id)
    return tuple(StoredSeries(**row._mapping) for row in connection.execute(query))


def commitment_owner(connection: Connection, commitment: bytes) -> bytes | None:
    """The series that first used a commitment as C_0, if any."""
    query = select(first_commitments.c.series_id).where(first_commitments.c.commitment == commitment)
    return connection.execute(query).scalar_one_or_none()


def expire_shares(connection: Connection, series_id: bytes) -> bool:
    """Delete a series' shares. False when they were gone before."""
    return connection.execute(delete(shares).where(shares.c.series_id == series_id)).rowcount == 1


def destroy_shares(connection: Connection, series_id: bytes, withdrawal: str, receipt: str) -> None:
    """Delete a series' shares and keep why, and the receipt given for it."""
    connection.execute(delete(shares).where(shares.c.series_id == series_id))
    changes = {"withdrawal": withdrawal, "destruction_receipt": receipt}
    connection.execute(update(series).where(series.c.series_id == series_id).values(changes))


def contributor_keys(connection: Connection) -> tuple[bytes, ...]:
    """The keys of all contributors whose series were accepted here, as they were then."""
    return tuple(connection.execute(select(series.c.contributor_key).distinct()).scalars())
