"""What a requester checks before it believes that it was admitted.

Rule: a permit is signed by the broker and rests on an entry of its log; keys come from the pinned space document
(DESIGN 2.4). Whose decision that entry records, key holders check, who get its record; a requester may not open it
(decision 0022), and checks the entry that records its answer (`clients.requester_checks.disclosures`). A permit must
allow exactly what was asked, and the keys of each series must be those that t holders accepted. Whoever goes on to ask
key holders needs a `VerifiedAdmission`.

The checkpoint of each log proof must be cosigned by as many of the space's witnesses as it says: else the broker could
show this requester another log than everybody else. In a trial nobody cosigns, and a proof shows no more than what the
log's key signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from broker.protocol import documents, receipts
from broker.protocol.calls import WINDOW_SECONDS
from broker.protocol.documents import Signed
from broker.protocol.errors import Expired, VerificationFailed
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import (
    Admission,
    Permit,
    PermitSeries,
    PermitTerms,
    Request,
    SealedRecord,
)
from broker.protocol.messages.series import Acceptance, SeriesSheet, key_digest
from broker.protocol.messages.vocabulary import RecordKind, Tier
from broker.protocol.receipts import VerifiedEntry

MAXIMUM_LISTS = 1000
"""Deposits one submission may send tokens for."""
TIERS = tuple(Tier)


@dataclass(frozen=True)
class VerifiedAdmission:
    """Evidence that the broker admitted the request: permit, its log entry, and the series' checked keys."""

    permit: Signed[Permit]
    entry: VerifiedEntry
    sheets: tuple[SeriesSheet, ...]
    sealed_records: Mapping[str, bytes] = field(repr=False)
    """The ADMITTED record, wrapped to each holder, by holder_id."""
    notes: tuple[str, ...] = ()

    @property
    def terms(self) -> PermitTerms:
        """What the permit allows."""
        return self.permit.payload.terms


def verify_admission(admission: Admission, request: Signed[Request], space: Space) -> VerifiedAdmission:
    """Verify the broker's answer to an admitted request. Whether it is valid now is `check_time`'s question.

    Raises VerificationFailed or BadInput (malformed documents).
    """
    # 1. The broker of this space signed the permit.
    permit = documents.verify(Permit, admission.permit, space.broker_signing_key)
    terms = permit.payload.terms
    # 2. It allows what was asked, to whom it was asked for, and no more.
    asked = request.payload
    if (
        (terms.space_id, terms.roster_version, terms.requester)
        != (asked.space_id, asked.roster_version, asked.requester)
        or (terms.request_digest, terms.batches) != (request.digest, asked.batches)
        or terms.trial != space.trial
        or TIERS.index(terms.tier) > TIERS.index(_highest(asked.tier))
    ):
        raise VerificationFailed("The broker's permit is not for this request. Keep it as evidence.")
    # 3. The decision stands in the log.
    entry = check_entry(permit.payload.proof, space, RecordKind.ADMITTED)
    # 4. Each series' keys are those that enough holders accepted.
    check_series(terms, admission.series, space)
    # 5. The record is there for enough holders to decide again, where they have to.
    sealed = check_sealed(admission.sealed_records, space) if not asked.selected else {}
    return VerifiedAdmission(permit, entry, admission.series, sealed, admission.notes)


def check_sealed(sealed_records: Sequence[SealedRecord], space: Space) -> dict[str, bytes]:
    """The record wrapped to each holder, by holder_id, once it is there for t of them. Raises VerificationFailed."""
    known = {holder.holder_id for holder in space.holders}
    sealed = {record.holder_id: record.wrapped for record in sealed_records}
    if len(sealed) != len(sealed_records) or len(known & sealed.keys()) < space.threshold:
        raise VerificationFailed("The broker's answer lacks the record that key holders decide on again.")
    return sealed


def check_time(terms: PermitTerms, now: int) -> None:
    """Check that a permit is valid at `now`; clocks may differ as much as for a signed call. Raises Expired."""
    if not terms.not_before_at - WINDOW_SECONDS <= now < terms.expires_at:
        raise Expired(
            "The permit's time is over or has not begun. Check this computer's clock, or prepare a new request."
        )


def _highest(asked: Tier) -> Tier:
    """The highest tier a permit may have: what too few contributors could answer is decided as sources (L21)."""
    return Tier.SOURCES if asked in (Tier.COUNT, Tier.HITS) else asked


def check_entry(proof: LogProof, space: Space, kind: RecordKind) -> VerifiedEntry:
    entry = receipts.verify_witnessed(proof, space)
    if entry.content.kind != kind:
        raise VerificationFailed("The log entry that the broker names is of another kind.")
    return entry


def check_series(terms: PermitTerms, sheets: tuple[SeriesSheet, ...], space: Space) -> None:
    by_handle = {sheet.handle: sheet for sheet in sheets}
    ids = {series.series_id for series in terms.series}
    deposits = [deposit for series in terms.series for deposit in series.deposits]
    if (
        by_handle.keys() != {series.handle for series in terms.series}
        or not len(by_handle) == len(sheets) == len(terms.series) == len(ids)
        or len(set(deposits)) != len(deposits)
        or len(deposits) > MAXIMUM_LISTS
    ):
        raise VerificationFailed("The broker's answer does not list each permitted series once.")
    types = {batch.identifier_type for batch in terms.batches}
    for series in terms.series:
        if series.identifier_type not in types:
            raise VerificationFailed("The permit opens a series of a type that was not asked about.")
        _check_sheet(series, by_handle[series.handle], space)


def _check_sheet(series: PermitSeries, sheet: SeriesSheet, space: Space) -> None:
    if (sheet.series_id, sheet.identifier_type, sheet.deposits) != (
        series.series_id,
        series.identifier_type,
        series.deposits,
    ):
        raise VerificationFailed("A series in the broker's answer is not the one in the permit.")
    if (sheet.threshold, sheet.holders) != (space.threshold, len(space.holders)):
        raise VerificationFailed("A series was dealt to other holders than the space's.")
    digest = key_digest(
        sheet.series_id, sheet.threshold, sheet.holders, sheet.commitments_match, sheet.commitments_open
    )
    if digest != series.key_digest:
        raise VerificationFailed("The keys of a series are not those that the permit names.")
    keys = {documents.key_identifier(holder.signing_key): holder for holder in space.holders}
    accepted = set()
    for document in sheet.acceptances:
        signed = documents.verify(
            Acceptance, document, {kid: holder.signing_key for kid, holder in keys.items()}
        )
        acceptance, holder = signed.payload, keys[signed.kid]
        if (acceptance.holder_id, acceptance.x) != (holder.holder_id, holder.x):
            raise VerificationFailed("An acceptance names another holder than the one that signed it.")
        if (acceptance.series_id, acceptance.key_digest) != (series.series_id, digest):
            raise VerificationFailed("A key holder accepted other keys than the broker shows.")
        accepted.add(holder.x)
    if len(accepted) < space.threshold:
        raise VerificationFailed("Too few key holders accepted the keys that the broker shows.")
