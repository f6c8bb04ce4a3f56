"""Key series at the broker: opening, closing, withdrawal, and the proof that shares were destroyed.

Rule (DESIGN 2.2): a series opens when its manifest is signed by the member it names, fits the newest roster, and t+1
(or all n) holders accepted these very commitments; C_0 of a key may not appear under another series. A withdrawal
deletes the records in the transaction that logs it, and is complete when n-t+1 holders erased their shares. The
broker holds no share and checks none; that is the holders' part.
"""

from collections.abc import Sequence

from broker import retractions
from broker.audit.log import Receipt
from broker.audit.records import SeriesDestroyed, SeriesOpened, SeriesWithdrawn
from broker.context import Broker
from broker.protocol import shares
from broker.protocol.documents import Signed, key_identifier, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.consent import RetractionGround
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import (
    Acceptance,
    DestructionReceipt,
    SeriesClosing,
    SeriesManifest,
    SeriesOpening,
    Withdrawal,
    key_digest,
)
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import Caller, load_space, member_of
from broker.store import deposits as deposit_rows
from broker.store import series as rows
from broker.store.database import Connection


def open_series(broker: Broker, caller: Caller, opening: SeriesOpening) -> Receipt:
    """Open a series. Repeating the same manifest gives its receipt again.

    Raises BadInput, VerificationFailed, NotFound, NotPermitted or Conflict; the text names what does not fit."""
    signed = verify(SeriesManifest, opening.manifest, caller.signing_key)
    manifest, series_id = signed.payload, signed.payload_digest
    now = broker.clock()
    with broker.database.write() as connection:
        # 1. The member and the roster.
        space = load_space(connection, manifest.space_id).payload
        member = member_of(space, caller)
        if member.agency_id != manifest.contributor or member.suspended:
            raise NotPermitted(
                "A series is opened by the member it names, while that member is not suspended."
            )
        known = rows.find(connection, series_id)
        if known is not None:
            return broker.audit.receipt(connection, known.opened_index)
        _check_fits(manifest, space)
        # 2. The holders' word for these very keys.
        digest = _key_digest(series_id, manifest)
        accepted = _check_acceptances(opening.acceptances, space, series_id, digest)
        # 3. Nobody's commitments are taken over.
        first = (manifest.commitments_match[0], manifest.commitments_open[0])
        if first[0] == first[1] or any(rows.commitment_owner(connection, each) for each in first):
            raise Conflict("A commitment of this series was used before. Draw new keys.")
        # 4. Log and rows, together.
        record = SeriesOpened(
            series_id=series_id,
            space_id=manifest.space_id,
            contributor=manifest.contributor,
            identifier_type=manifest.identifier_type,
            manifest_digest=signed.digest,
            key_digest=digest,
            accepted_by=tuple(holder_id for holder_id, _ in accepted),
        )
        receipt = broker.audit.append(connection, RecordKind.SERIES_OPENED, record, now)
        stored = rows.StoredSeries(
            series_id=series_id,
            space_id=manifest.space_id,
            contributor=manifest.contributor,
            identifier_type=manifest.identifier_type,
            manifest=opening.manifest,
            key_digest=digest,
            state="open",
            retain_until=manifest.conditions.retain_until,
            opened_at=now,
            opened_index=receipt.proof.index,
        )
        rows.add(connection, stored, accepted, first)
        return receipt


def close_series(broker: Broker, caller: Caller, series_id: bytes, document: str) -> None:
    """The contributor erased its keys: no further deposit, the stored ones go on serving.

    Raises NotFound, VerificationFailed, BadInput or Conflict."""
    closing = verify(SeriesClosing, document, caller.signing_key).payload
    with broker.database.write() as connection:
        known = own_series(connection, caller, series_id)
        if closing.series_id != series_id:
            raise BadInput("The statement closes another series than the address names.")
        if known.state == "closed":
            return
        if known.state != "open":
            raise Conflict("The series is withdrawn, or its retention is over.")
        rows.close(connection, series_id, document)


def withdraw_series(broker: Broker, caller: Caller, series_id: bytes, document: str) -> Receipt:
    """Take a whole series back: its records are gone, from the write-ahead log too, when this returns.

    Raises NotFound, VerificationFailed, BadInput, Conflict, or Unavailable when rows linger: repeat the call."""
    signed = verify(Withdrawal, document, caller.signing_key)
    now = broker.clock()
    with broker.database.write() as connection:
        known = own_series(connection, caller, series_id)
        if signed.payload.series_id != series_id:
            raise BadInput("The statement withdraws another series than the address names.")
        if known.withdrawn_index is not None:
            if known.withdrawal != document:
                raise Conflict("The series was withdrawn before, by another statement.")
            receipt = broker.audit.receipt(connection, known.withdrawn_index)
        else:
            # Before the rows go: whom they were disclosed to.
            found = [
                (deposit, retractions.recipients(broker, connection, deposit, None))
                for deposit in deposit_rows.all_of_series(connection, series_id)
            ]
            erased = deposit_rows.erase_series(connection, series_id)
            record = SeriesWithdrawn(
                series_id=series_id,
                space_id=known.space_id,
                contributor=known.contributor,
                withdrawal_digest=signed.digest,
                deposits=erased.deposits,
                records_deleted=erased.records,
                notices=sum(len(each) for _, each in found),
            )
            receipt = broker.audit.append(connection, RecordKind.SERIES_WITHDRAWN, record, now)
            rows.withdraw(connection, series_id, document, receipt.proof.index)
            cause = retractions.Cause(RetractionGround.WITHDRAWN, signed.digest)
            for deposit, each in found:
                retractions.notify(broker, connection, deposit, each, cause, now)
    broker.database.empty_wal()
    return receipt


def add_destruction_receipts(
    broker: Broker, caller: Caller, series_id: bytes, documents: Sequence[str]
) -> Receipt:
    """Keep holders' destruction receipts; n-t+1 of them complete the withdrawal.

    Raises NotFound, VerificationFailed, BadInput, or Conflict while more are needed (those sent are kept)."""
    now = broker.clock()
    with broker.database.write() as connection:
        known = own_series(connection, caller, series_id)
        if known.destroyed_index is not None:
            return broker.audit.receipt(connection, known.destroyed_index)
        if known.withdrawal is None:
            raise Conflict("The series is not withdrawn. Withdraw it first.")
        manifest = verify(SeriesManifest, known.manifest, caller.signing_key).payload
        withdrawal = verify(Withdrawal, known.withdrawal, caller.signing_key)
        space = load_space(connection, known.space_id, manifest.roster_version).payload
        kept = rows.destruction_receipts_of(connection, series_id)
        for document in documents:
            receipt = _check_destruction(document, space, series_id, withdrawal.digest)
            if receipt.payload.holder_id not in kept:
                kept[receipt.payload.holder_id] = document
                rows.add_destruction_receipt(connection, series_id, receipt.payload.holder_id, document)
        missing = len(space.holders) - space.threshold + 1 - len(kept)
        if missing <= 0:
            verified = [
                _check_destruction(kept[name], space, series_id, withdrawal.digest) for name in sorted(kept)
            ]
            record = SeriesDestroyed(
                series_id=series_id,
                withdrawal_digest=withdrawal.digest,
                destroyed_by=tuple(each.payload.holder_id for each in verified),
                receipt_digests=tuple(each.digest for each in verified),
            )
            entry = broker.audit.append(connection, RecordKind.SERIES_DESTROYED, record, now)
            rows.destroyed(connection, series_id, entry.proof.index)
            return entry
    # Raised only here, after the transaction: what came in is kept.
    raise Conflict(
        f"The receipts are kept. The withdrawal is complete once {missing} more holders have signed."
    )


def own_series(connection: Connection, caller: Caller, series_id: bytes) -> rows.StoredSeries:
    """The caller's series. Raises NotFound for another's as for none."""
    known = rows.find(connection, series_id)
    if known is None or known.contributor != caller.party_id:
        raise NotFound("No such series of yours is known here.")
    return known


def _check_fits(manifest: SeriesManifest, space: Space) -> None:
    if manifest.roster_version != space.roster_version:
        raise Conflict(
            "The manifest names an old roster. Fetch the space's newest document and open it anew."
        )
    if manifest.identifier_type not in space.identifier_types:
        raise BadInput("The space does not know the manifest's identifier type.")
    if manifest.salt_id != space.salt_id:
        raise Conflict("The manifest names another salt than the space's. Masked values would never match.")
    holders = tuple(holder.holder_id for holder in space.holders)
    if manifest.holders != holders or manifest.threshold != space.threshold:
        raise BadInput("The manifest's holders and threshold are not those of the space, in its order.")
    shares.check_commitments(manifest.commitments_match, space.threshold)
    shares.check_commitments(manifest.commitments_open, space.threshold)


def _key_digest(series_id: bytes, manifest: SeriesManifest) -> bytes:
    return key_digest(
        series_id,
        manifest.threshold,
        len(manifest.holders),
        manifest.commitments_match,
        manifest.commitments_open,
    )


def _check_acceptances(
    documents: Sequence[str], space: Space, series_id: bytes, digest: bytes
) -> list[tuple[str, str]]:
    """(holder_id, document) of each acceptance. Raises unless t+1, or all n, different holders accepted."""
    keys = {key_identifier(holder.signing_key): holder.signing_key for holder in space.holders}
    by_kid = {key_identifier(holder.signing_key): holder for holder in space.holders}
    accepted: dict[str, str] = {}
    for document in documents:
        signed = verify(Acceptance, document, keys)
        holder, acceptance = by_kid[signed.kid], signed.payload
        if (acceptance.holder_id, acceptance.x) != (holder.holder_id, holder.x):
            raise VerificationFailed("An acceptance names another holder than the one that signed it.")
        if acceptance.series_id != series_id or acceptance.key_digest != digest:
            raise VerificationFailed("An acceptance is for another series, or for other commitments.")
        accepted[holder.holder_id] = document
    if len(accepted) < min(space.threshold + 1, len(space.holders)):
        raise Conflict(
            "Too few holders accepted: a series needs one more than the threshold, or all holders."
        )
    return sorted(accepted.items())


def _check_destruction(
    document: str, space: Space, series_id: bytes, withdrawal_digest: bytes
) -> Signed[DestructionReceipt]:
    keys = {key_identifier(holder.signing_key): holder.signing_key for holder in space.holders}
    by_kid = {key_identifier(holder.signing_key): holder for holder in space.holders}
    signed = verify(DestructionReceipt, document, keys)
    holder, receipt = by_kid[signed.kid], signed.payload
    if (receipt.holder_id, receipt.x) != (holder.holder_id, holder.x):
        raise VerificationFailed("A destruction receipt names another holder than the one that signed it.")
    if receipt.series_id != series_id or receipt.withdrawal_digest != withdrawal_digest:
        raise VerificationFailed("A destruction receipt is for another series or another withdrawal.")
    return signed
