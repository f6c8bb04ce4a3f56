"""A series this holder holds shares of: its manifest as accepted, and the opened shares.

Rule: the manifest was verified when it was accepted; here its bytes are compared with the series id again, so that a
changed row is found before a share is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from broker.gate.facts import Party, SeriesFacts
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import SeriesManifest
from clients.keyholder.context import KeyHolder
from clients.keyholder.store import series as rows
from clients.keyholder.store.database import Connection
from clients.keyholder.store.sealing import SharePair


@dataclass(frozen=True)
class HeldSeries:
    """Evidence that this holder accepted the series, and has not erased it."""

    series_id: bytes
    manifest: SeriesManifest
    key_digest: bytes
    shares: SharePair = field(repr=False)


def held_series(holder: KeyHolder, connection: Connection, series_id: bytes) -> HeldSeries:
    """The series with its shares. Raises NotFound, or Conflict when its shares are gone."""
    stored = rows.find(connection, series_id)
    if stored is None:
        raise NotFound("This key holder has no share of the series.")
    sealed = rows.sealed_shares(connection, series_id)
    if sealed is None or stored.destruction_receipt is not None:
        raise Conflict(
            "The series was withdrawn or its retention is over, and its shares are erased. It is evaluated no more."
        )
    manifest = stored_manifest(stored).payload
    opened = holder.keys.storage_key.open_shares(sealed, series_id, holder.keys.holder_id, stored.x)
    return HeldSeries(series_id, manifest, stored.key_digest, opened)


def stored_manifest(stored: rows.StoredSeries) -> Signed[SeriesManifest]:
    """The manifest of a stored series. Raises VerificationFailed if its row was changed."""
    signed = verify(SeriesManifest, stored.manifest, stored.contributor_key)
    if signed.payload_digest != stored.series_id:
        raise VerificationFailed(
            "A stored manifest is not that of its series. Restore the folder from a backup."
        )
    return signed


def own_view(connection: Connection, space: Space, series: Iterable[SeriesFacts]) -> tuple[SeriesFacts, ...]:
    """The same series as this holder knows them itself: contributors from the pinned roster, and of every series it
    ever accepted the manifest's facts. Only of a series it never held does it take the conditions as they come.

    Raises VerificationFailed for a contributor that is no member."""
    members = {member.agency_id: member for member in space.members}
    known = []
    for each in series:
        stored = rows.find(connection, each.series_id)
        manifest = None if stored is None else stored_manifest(stored).payload
        contributor = members.get(each.contributor.agency_id if manifest is None else manifest.contributor)
        if contributor is None:
            raise VerificationFailed("A series' contributor is no member of the space.")
        known.append(
            SeriesFacts(
                series_id=each.series_id,
                contributor=Party.of(contributor),
                identifier_type=each.identifier_type if manifest is None else manifest.identifier_type,
                conditions=each.conditions if manifest is None else manifest.conditions,
            )
        )
    return tuple(known)


def held_contributors(connection: Connection, series_ids: Iterable[bytes]) -> frozenset[str]:
    """Whose series these are, as far as this holder has shares of them that it has not erased."""
    return frozenset(
        stored.contributor
        for series_id in series_ids
        if (stored := rows.find(connection, series_id)) is not None
        and rows.sealed_shares(connection, series_id) is not None
    )
