"""What opens released records: the second permit, under which key holders evaluate k_open, and the records themselves.

Rule (DESIGN 2.7): the gate decided again, on the result; only then does a permit name the series and deposits that
hold it, bound to the RELEASE entry by its terms, so that t holders decide the same before they evaluate. Records leave
sealed, each with the proof that its contributor's signed root holds it. The broker opens none: it has no key.
"""

import hashlib

from broker.context import Broker
from broker.disclosure import Found, Release, ReleaseDecision, sources
from broker.gate.ruling import Ruling
from broker.matching.evidence import Matches
from broker.permits import HOUR_SECONDS, Held, sealed_records, sheet
from broker.protocol.documents import sign, verify
from broker.protocol.errors import NotFound, Unavailable
from broker.protocol.messages.ladder import RecordReference, ReleasedRecord
from broker.protocol.messages.requests import Opening, Permit, PermitSeries, PermitTerms, SealedRecord
from broker.protocol.messages.series import SeriesManifest, SeriesSheet
from broker.protocol.messages.vocabulary import NAMES_CONTRIBUTORS, Tier
from broker.roots import inclusions, signed_root
from broker.store import deposits as deposit_rows
from broker.store import series as series_rows
from broker.store.database import Connection


def terms_of(broker: Broker, held: Held, matches: Matches, ruling: Ruling, now: int) -> PermitTerms | None:
    """What the second permit allows, None unless a payload leaves: the admitted series that hold a match, under fresh
    handles, in the order of the handles."""
    if not ruling.allowed or ruling.tier is not Tier.PAYLOAD:
        return None
    first, leaving = held.admitted.terms, set(ruling.admitted_series)
    found = {pair.deposit_number for pair in matches.pairs}
    named: dict[bytes, list[bytes]] = {}
    for deposit in matches.deposits:
        if deposit.series_id in leaving and deposit.deposit_number in found:
            named.setdefault(deposit.series_id, []).append(deposit.deposit_id)
    series = [
        PermitSeries(
            handle=broker.random_bytes(16),
            series_id=each.series_id,
            identifier_type=each.identifier_type,
            key_digest=each.key_digest,
            deposits=tuple(sorted(named[each.series_id])),
        )
        for each in first.series
        if each.series_id in named
    ]
    if not series:
        return None
    return PermitTerms(
        permit_id=broker.random_bytes(16),
        space_id=first.space_id,
        roster_version=first.roster_version,
        requester=first.requester,
        request_digest=first.request_digest,
        tier=Tier.PAYLOAD,
        batches=first.batches,
        series=tuple(sorted(series, key=lambda each: each.handle)),
        decision_digest=ruling.digest,
        bundle_digest=ruling.decision.bundle_digest,
        not_before_at=now,
        expires_at=now + broker.settings.permit_hours * HOUR_SECONDS,
        trial=broker.audit.trial,
    )


def find(
    connection: Connection, held: Held, release: Release
) -> tuple[Found | None, tuple[ReleasedRecord, ...]]:
    """Who holds the matches of a release, and for the tier `payload` their sealed records, by deposit and token; None
    below `sources`.

    Raises NotFound (withdrawn meanwhile), or Unavailable when the stored records do not give the signed root."""
    if release.decided.tier not in NAMES_CONTRIBUTORS:
        return None, ()
    records: list[ReleasedRecord] = []
    if release.decided.tier is Tier.PAYLOAD:
        for deposit in release.deposits:
            tokens = {pair.token for pair in release.pairs if pair.deposit_number == deposit.deposit_number}
            records += _records(connection, deposit.deposit_id, tokens)
    references = tuple(
        RecordReference(
            deposit_id=each.deposit_id,
            token=each.token,
            record_version=each.record_version,
            sealed_digest=hashlib.sha256(each.sealed).digest(),
        )
        for each in records
    )
    return Found(sources(release, held.admitted.facts, held.space), references), tuple(records)


def assemble_opening(
    broker: Broker,
    connection: Connection,
    held: Held,
    decided: ReleaseDecision,
    records: tuple[ReleasedRecord, ...],
    releases: tuple[str, ...],
) -> Opening | None:
    """The second permit with all that goes with it, None where no payload leaves. Raises Unavailable."""
    terms = decided.record.opening
    if terms is None:
        return None
    if terms.decision_digest != decided.ruling.digest:
        raise Unavailable("The second permit and its entry in the log differ. Nothing was disclosed.")
    permit = sign(Permit(terms=terms, proof=decided.receipt.proof), broker.keys.signing_key)
    return Opening(
        permit=permit.document,
        series=tuple(_sheet(connection, held, each) for each in terms.series),
        sealed_records=sealed_records(held.filed.space, terms.permit_id, decided.receipt),
        earlier_records=_earlier_records(broker, connection, held, terms.permit_id),
        records=records,
        releases=releases,
    )


def _earlier_records(
    broker: Broker, connection: Connection, held: Held, permit_id: bytes
) -> tuple[SealedRecord, ...]:
    """How the sources before came to be disclosed: key holders take that on nobody's word (decision 0011)."""
    if held.filed.earlier is None:
        raise Unavailable("A payload needs disclosed sources before it. Nothing was disclosed.")
    index = held.filed.earlier.step.disclosure.payload.proof.index
    return sealed_records(held.filed.space, permit_id, broker.audit.receipt(connection, index))


def _records(connection: Connection, deposit_id: bytes, tokens: set[bytes]) -> list[ReleasedRecord]:
    deposit = deposit_rows.find(connection, deposit_id)
    if deposit is None or not tokens:
        return []
    root = signed_root(connection, deposit)
    places = inclusions(connection, deposit, tokens)
    released = []
    for token, place in sorted(places.items()):
        record = deposit_rows.record(connection, deposit.deposit_number, token)
        if record is None:
            raise NotFound("A record was withdrawn meanwhile.")
        released.append(
            ReleasedRecord(
                deposit_id=deposit_id,
                token=token,
                record_version=record.record_version,
                sealed=record.sealed,
                index=place.index,
                path=place.path,
                declaration=root.declaration,
                change=root.change,
            )
        )
    return released


def _sheet(connection: Connection, held: Held, series: PermitSeries) -> SeriesSheet:
    stored = series_rows.find(connection, series.series_id)
    member = next(
        (each for each in held.space.members if stored and each.agency_id == stored.contributor), None
    )
    if stored is None or member is None:
        raise Unavailable("A contributor left the space meanwhile. Nothing was disclosed.")
    manifest = verify(SeriesManifest, stored.manifest, member.signing_key).payload
    accepted = series_rows.acceptances_of(connection, [series.series_id])[series.series_id]
    return sheet(series, manifest, accepted, member.agency_id)
