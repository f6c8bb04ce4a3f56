"""What a requester checks before it believes the broker: an admission, and later a disclosure.

Rule: both are signed by the broker and stand in its log; keys come from the pinned space document (DESIGN 2.4, 2.7).
A permit must allow exactly what was asked, and the keys of each series must be those that t holders accepted.
Whoever goes on to ask key holders needs a `VerifiedAdmission`.

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
    Disclosure,
    Permit,
    PermitSeries,
    PermitTerms,
    Request,
    SealedRecord,
    TokenSubmission,
    token_set_root,
)
from broker.protocol.messages.series import Acceptance, SeriesSheet, key_digest
from broker.protocol.messages.vocabulary import NAMES_CONTRIBUTORS, Outcome, RecordKind, Tier
from broker.protocol.receipts import VerifiedEntry
from broker.protocol.tokens import TOKEN_BYTES

MAXIMUM_LISTS = 1000
"""Deposits one submission may send tokens for."""
_TIERS = tuple(Tier)


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
        or _TIERS.index(terms.tier) > _TIERS.index(_highest(asked.tier))
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


def verify_disclosure(
    document: str, admission: VerifiedAdmission, request: Request, submission: TokenSubmission, space: Space
) -> Signed[Disclosure]:
    """Verify what the broker disclosed under a permit for the tokens that were sent.

    Raises VerificationFailed or BadInput.
    """
    signed = verify_told(document, admission, request, space)
    # Beyond that, it answers exactly the tokens that were sent, and tells of them alone.
    if signed.payload.token_root != token_set_root(submission.nonce, submission.lists):
        raise VerificationFailed("The broker's disclosure is for other tokens than were sent. Keep it.")
    sent = {
        item.tokens[at : at + TOKEN_BYTES]
        for item in submission.lists
        for at in range(0, len(item.tokens), TOKEN_BYTES)
    }
    if not sent.issuperset(signed.payload.matched):
        raise VerificationFailed("The disclosure names a match that was never asked about.")
    return signed


def verify_told(
    document: str, admission: VerifiedAdmission, request: Request, space: Space
) -> Signed[Disclosure]:
    """Verify a disclosure as far as that goes without the tokens that were sent: signer, permit, log entry, tier.

    Raises VerificationFailed or BadInput.
    """
    signed = documents.verify(Disclosure, document, space.broker_signing_key)
    disclosed, terms = signed.payload, admission.terms
    # 1. It answers this request and this permit.
    names = (disclosed.request_id, disclosed.permit_id, disclosed.requester, disclosed.asked_tier)
    asked = (request.request_id, terms.permit_id, terms.requester, request.tier)
    if names != asked or disclosed.trial != space.trial:
        raise VerificationFailed("The broker's disclosure is not for this request. Keep it as evidence.")
    # 2. The decision to release stands in the log, after the one to admit.
    entry = check_entry(disclosed.proof, space, RecordKind.RELEASE)
    if entry.index <= admission.entry.index:
        raise VerificationFailed("The release stands in the log before the admission it follows.")
    # 3. It tells what its tier tells.
    if _TIERS.index(disclosed.tier) > _TIERS.index(terms.tier):
        raise VerificationFailed(
            "The broker disclosed more than the permit allows. Do not use it; tell the operator."
        )
    _check_content(disclosed)
    return signed


def _highest(asked: Tier) -> Tier:
    """The highest tier a permit may have: what too few contributors could answer is decided as sources (L21)."""
    return Tier.SOURCES if asked in (Tier.COUNT, Tier.HITS) else asked


def _check_content(disclosed: Disclosure) -> None:
    allowed, told = disclosed.outcome is Outcome.ALLOW, disclosed.tier
    if disclosed.matched and not (allowed and told is not Tier.COUNT):
        raise VerificationFailed("The disclosure names matches that its tier does not tell.")
    if (disclosed.noised_count is not None) != (allowed and told is Tier.COUNT):
        raise VerificationFailed("The disclosure has a count where its tier has none, or lacks it.")
    if (disclosed.sources and told not in NAMES_CONTRIBUTORS) or (
        disclosed.records and told is not Tier.PAYLOAD
    ):
        raise VerificationFailed("The disclosure names contributors or records that its tier does not tell.")
    named = {
        source.tokens[at : at + TOKEN_BYTES]
        for source in disclosed.sources
        for at in range(0, len(source.tokens), TOKEN_BYTES)
    }
    if told in NAMES_CONTRIBUTORS and named != set(disclosed.matched):
        raise VerificationFailed("The disclosure does not name who holds each match, or names more.")
    if list(disclosed.matched) != sorted(set(disclosed.matched)):
        raise VerificationFailed("The disclosure names a match twice, or not in order.")


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
