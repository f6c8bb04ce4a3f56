"""Accept the shares of a series: numbered checks, then shares, log entry and acceptance in one transaction.

Rule (DESIGN 2.2): exactly t canonical commitments, first and last not the identity; x is this holder's roster index;
both shares fit and are non-zero; no C_0 was ever seen under another series id, so a share copied under another
manifest is refused. The prekey is destroyed in the same transaction. The same delivery again, the prekey long gone,
is answered with the same acceptance.

It takes the manifest's facts as the contributor's signed word; the gate weighs them at each evaluation.
"""

from broker.protocol import documents, shares, wrapping
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import Conflict, NotPermitted, VerificationFailed
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Acceptance, SeriesManifest, ShareDelivery, key_digest
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.own_log import SeriesAccepted
from clients.keyholder.pinning import member_by_key, own_entry, pinned_space
from clients.keyholder.store import series as rows
from clients.keyholder.store.database import Connection
from clients.keyholder.store.sealing import SharePair

_SHARE_BYTES = 32


def accept_shares(holder: KeyHolder, caller: Caller, delivery: ShareDelivery) -> str:
    """Keep this holder's shares of a series, and return the signed Acceptance.

    Raises VerificationFailed, NotPermitted, NotFound, Conflict or BadInput; the text names the check."""
    now = holder.clock()
    # 1. The manifest is signed by the very key that calls.
    signed = verify(SeriesManifest, delivery.manifest, caller.signing_key)
    with holder.database.write() as connection:
        known = rows.find(connection, signed.payload_digest)
        if known is None:
            # 2. That key is the named contributor's, and the manifest fits the pinned roster.
            space = pinned_space(connection, signed.payload.space_id).payload
            x = _check_manifest(holder, signed.payload, space, caller, now)
            # 3. The commitments are sound and nobody's else.
            first = _check_commitments(connection, signed.payload)
            # 4. The shares open under the named prekey, and fit.
            pair = _open_shares(holder, connection, signed, delivery, x, now)
            document = _keep(holder, connection, caller, signed, pair, first, now)
        elif known.destruction_receipt is not None:
            raise Conflict("The series was withdrawn, and its shares are erased. Open a new series.")
        elif rows.sealed_shares(connection, known.series_id) is None:
            raise Conflict("The series' retention is over, and its shares are erased. Open a new series.")
        else:
            document = known.acceptance
    # The used prekey is in the write-ahead log until that is emptied.
    holder.database.empty_wal()
    return document


def _check_manifest(
    holder: KeyHolder, manifest: SeriesManifest, space: Space, caller: Caller, now: int
) -> int:
    """Returns this holder's abscissa."""
    member = member_by_key(space, caller.signing_key)
    if member.agency_id != manifest.contributor or member.suspended:
        raise NotPermitted("Shares are delivered by the contributor the manifest names, while not suspended.")
    if manifest.conditions.contributor_kind is not member.kind:
        raise VerificationFailed("The manifest states another kind of agency than the space's roster.")
    if manifest.roster_version != space.roster_version:
        raise Conflict(
            "The manifest names another roster than is pinned here. Use the newest space document."
        )
    if manifest.threshold != space.threshold or manifest.holders != tuple(
        each.holder_id for each in space.holders
    ):
        raise VerificationFailed(
            "The manifest's holders and threshold are not those of the space, in its order."
        )
    if manifest.identifier_type not in space.identifier_types or manifest.salt_id != space.salt_id:
        raise VerificationFailed("The manifest names an identifier type or a salt that the space does not.")
    if manifest.conditions.retain_until <= now:
        raise VerificationFailed("The series' retention is over already.")
    return own_entry(space, holder.keys.holder_id).x


def _check_commitments(connection: Connection, manifest: SeriesManifest) -> tuple[bytes, bytes]:
    """Returns C_0 of both keys."""
    first = (
        shares.check_commitments(manifest.commitments_match, manifest.threshold)[0],
        shares.check_commitments(manifest.commitments_open, manifest.threshold)[0],
    )
    used = [rows.commitment_owner(connection, each) for each in first]
    if first[0] == first[1] or any(owner is not None for owner in used):
        raise Conflict("A key of this series was used before. Draw new keys; never deal one key twice.")
    return first


def _open_shares(
    holder: KeyHolder,
    connection: Connection,
    signed: Signed[SeriesManifest],
    delivery: ShareDelivery,
    x: int,
    now: int,
) -> SharePair:
    prekey = rows.find_prekey(connection, delivery.prekey_id)
    if prekey is None or prekey.expires_at <= now:
        raise Conflict("The one-time key was used or is over. Fetch a new pack and wrap the share again.")
    private = holder.keys.storage_key.open_prekey(prekey.sealed_private, prekey.prekey_id)
    info = wrapping.share_info(signed.payload_digest, holder.keys.holder_id, x)
    values = wrapping.unwrap(private, delivery.wrapped, info)
    if len(values) != 2 * _SHARE_BYTES:
        raise VerificationFailed("What was wrapped is not a pair of shares, 64 bytes.")
    pair = SharePair(shares.Share(x, values[:_SHARE_BYTES]), shares.Share(x, values[_SHARE_BYTES:]))
    manifest = signed.payload
    shares.verify_share(pair.match, manifest.commitments_match, manifest.threshold)
    shares.verify_share(pair.open, manifest.commitments_open, manifest.threshold)
    rows.destroy_prekey(connection, prekey.prekey_id)
    return pair


def _keep(
    holder: KeyHolder,
    connection: Connection,
    caller: Caller,
    signed: Signed[SeriesManifest],
    pair: SharePair,
    first: tuple[bytes, bytes],
    now: int,
) -> str:
    manifest, series_id, x = signed.payload, signed.payload_digest, pair.match.x
    digest = key_digest(
        series_id,
        manifest.threshold,
        len(manifest.holders),
        manifest.commitments_match,
        manifest.commitments_open,
    )
    acceptance = Acceptance(
        series_id=series_id, holder_id=holder.keys.holder_id, x=x, key_digest=digest, accepted_at=now
    )
    document = documents.sign(acceptance, holder.keys.signing_key).document
    stored = rows.StoredSeries(
        series_id=series_id,
        space_id=manifest.space_id,
        contributor=manifest.contributor,
        contributor_key=caller.signing_key,
        manifest=signed.document,
        x=x,
        key_digest=digest,
        acceptance=document,
        accepted_at=now,
    )
    sealed = holder.keys.storage_key.seal_shares(pair, series_id, holder.keys.holder_id, holder.random_bytes)
    rows.add(connection, stored, sealed, first)
    record = SeriesAccepted(
        series_id=series_id,
        space_id=manifest.space_id,
        contributor=manifest.contributor,
        x=x,
        manifest_digest=signed.digest,
        key_digest=digest,
    )
    holder.log.append(connection, RecordKind.SERIES_ACCEPTED, record, now)
    return document
