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
    """The series with its shares. Raises NotFound, or Conflict when it was withdrawn."""
    stored = rows.find(connection, series_id)
    if stored is None:
        raise NotFound("This key holder has no share of the series.")
    sealed = rows.sealed_shares(connection, series_id)
    if sealed is None or stored.destruction_receipt is not None:
        raise Conflict("The series was withdrawn, and its shares are erased. It is evaluated no more.")
    manifest = stored_manifest(stored).payload
    opened = holder.keys.storage_key.open_shares(sealed, series_id, holder.keys.holder_id, stored.x)
    return HeldSeries(series_id, manifest, stored.key_digest, opened)


def stored_manifest(stored: rows.StoredSeries) -> Signed[SeriesManifest]:
    """The manifest of a stored series. Raises VerificationFailed if its row was changed."""
    signed = verify(SeriesManifest, stored.manifest, stored.contributor_key)
    if signed.payload_digest != stored.series_id:
        raise VerificationFailed("A stored manifest is not that of its series. Restore the folder from a backup.")
    return signed


def held_series_facts(
    connection: Connection, space: Space, series_ids: Iterable[bytes]
) -> dict[bytes, SeriesFacts]:
    """What this holder knows itself of those of the series that it ever accepted, for comparison with a decision.

    Raises VerificationFailed if a contributor is no member of the space any more."""
    members = {member.agency_id: member for member in space.members}
    known: dict[bytes, SeriesFacts] = {}
    for series_id in series_ids:
        stored = rows.find(connection, series_id)
        if stored is None:
            continue
        contributor = members.get(stored.contributor)
        if contributor is None:
            raise VerificationFailed("A series' contributor is no member of the space any more.")
        manifest = stored_manifest(stored).payload
        known[series_id] = SeriesFacts(
            series_id=series_id,
            contributor=Party.of(contributor),
            identifier_type=manifest.identifier_type,
            conditions=manifest.conditions,
        )
    return known
