"""Queries on what the operator pinned and activated: space documents, and rule bundles by digest.

Rule: every version stays, so that a past decision can be looked at again; the highest roster and the latest
activation are the ones in force.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from clients.keyholder.store.tables import pinned_spaces, rule_activations


@dataclass(frozen=True)
class PinnedSpace:
    """A pinned space document and the founder's key it verified under."""

    space_id: bytes
    roster_version: int
    document: str
    founder_key: bytes
    pinned_at: int


@dataclass(frozen=True)
class Activation:
    """A rule bundle that the operator put in force, and the place of its entry in the holder's own log."""

    bundle_digest: bytes
    valid_from: int
    activated_at: int
    log_index: int


def spaces(connection: Connection) -> tuple[PinnedSpace, ...]:
    """The newest pinned document of each space, in order of space_id."""
    newest = (
        select(pinned_spaces.c.space_id, func.max(pinned_spaces.c.roster_version).label("roster_version"))
        .group_by(pinned_spaces.c.space_id)
        .subquery()
    )
    query = (
        select(pinned_spaces)
        .join(
            newest,
            (newest.c.space_id == pinned_spaces.c.space_id)
            & (newest.c.roster_version == pinned_spaces.c.roster_version),
        )
        .order_by(pinned_spaces.c.space_id)
    )
    return tuple(PinnedSpace(**row._mapping) for row in connection.execute(query))


def space(connection: Connection, space_id: bytes) -> PinnedSpace | None:
    """The newest pinned document of one space."""
    query = (
        select(pinned_spaces)
        .where(pinned_spaces.c.space_id == space_id)
        .order_by(pinned_spaces.c.roster_version.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else PinnedSpace(**row._mapping)


def versions(connection: Connection, space_id: bytes) -> tuple[PinnedSpace, ...]:
    """Every pinned document of one space, the newest first."""
    of_space = select(pinned_spaces).where(pinned_spaces.c.space_id == space_id)
    query = of_space.order_by(pinned_spaces.c.roster_version.desc())
    return tuple(PinnedSpace(**row._mapping) for row in connection.execute(query))


def roster(connection: Connection, space_id: bytes, roster_version: int) -> PinnedSpace | None:
    """The pinned document of a version, or the oldest that came after it."""
    query = (
        select(pinned_spaces)
        .where(pinned_spaces.c.space_id == space_id, pinned_spaces.c.roster_version >= roster_version)
        .order_by(pinned_spaces.c.roster_version)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else PinnedSpace(**row._mapping)


def add_space(connection: Connection, pinned: PinnedSpace) -> None:
    """Keep a newly pinned document."""
    connection.execute(insert(pinned_spaces).values(**vars(pinned)))


def activate(connection: Connection, activation: Activation) -> None:
    """Put a bundle in force."""
    connection.execute(insert(rule_activations).values(**vars(activation)))


def activation(connection: Connection) -> Activation | None:
    """The bundle in force, if the operator activated one."""
    query = select(rule_activations).order_by(rule_activations.c.log_index.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Activation(**row._mapping)


def was_activated(connection: Connection, bundle_digest: bytes) -> bool:
    """Whether a bundle is in force, or was."""
    query = select(rule_activations.c.log_index).where(rule_activations.c.bundle_digest == bundle_digest)
    return connection.execute(query.limit(1)).one_or_none() is not None
