"""What a requester checks before it believes an opening: the second permit, and each sealed record's origin.

Rule (DESIGN 2.7): the permit is the broker's over exactly this request, its terms stand in the RELEASE entry that the
disclosure rests on; the keys are those that t holders accepted, and no other than the first permit's; every record
that the disclosure names is there, and none besides, each with its path to the newest root that its contributor signed.
A record served in an older version, or one that another party made up, has no such path.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.deposits import Record
from broker.protocol.messages.ladder import ReleasedRecord
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, Opening, Permit, PermitTerms, Request
from broker.protocol.messages.roots import RecordInclusion
from broker.protocol.messages.series import SeriesSheet
from broker.protocol.messages.vocabulary import RecordKind, Tier
from broker.protocol.receipts import VerifiedEntry
from clients.requester_checks.permits import VerifiedAdmission, check_entry, check_sealed, check_series
from clients.requester_checks.released_roots import VerifiedRoot, verify_released, verify_root


@dataclass(frozen=True)
class VerifiedRecord:
    """Evidence that a contributor signed a root over this sealed record, in this very version."""

    record: ReleasedRecord
    root: VerifiedRoot
    contributor: str


@dataclass(frozen=True)
class VerifiedOpening:
    """Evidence of the second permit, its entry, the series' keys, and the records it opens."""

    permit: Signed[Permit]
    entry: VerifiedEntry
    sheets: tuple[SeriesSheet, ...]
    sealed_records: Mapping[str, bytes] = field(repr=False)
    earlier_records: Mapping[str, bytes] = field(repr=False)
    records: tuple[VerifiedRecord, ...] = field(repr=False)
    releases: tuple[str, ...] = ()

    @property
    def terms(self) -> PermitTerms:
        """What the second permit allows."""
        return self.permit.payload.terms


def verify_opening(
    opening: Opening | None,
    disclosure: Signed[Disclosure],
    admission: VerifiedAdmission,
    request: Signed[Request],
    space: Space,
) -> VerifiedOpening:
    """Verify what came with a disclosure of payloads. Raises VerificationFailed or BadInput (malformed documents)."""
    if opening is None:
        raise VerificationFailed("The disclosure names records, and the permit that opens them is missing.")
    # 1. The broker's second permit, for this request and no other.
    permit = documents.verify(Permit, opening.permit, space.broker_signing_key)
    terms, first, told = permit.payload.terms, admission.terms, disclosure.payload
    same = ("space_id", "roster_version", "requester", "request_digest", "batches", "trial")
    if any(getattr(terms, name) != getattr(first, name) for name in same) or terms.tier is not Tier.PAYLOAD:
        raise VerificationFailed("The second permit is not for this request. Keep it as evidence.")
    if (terms.request_digest, told.tier) != (request.digest, Tier.PAYLOAD):
        raise VerificationFailed("A permit to open payloads came with a disclosure of none.")
    # 2. It rests on the very decision that the disclosure rests on.
    entry = check_entry(permit.payload.proof, space, RecordKind.RELEASE)
    if (entry.index, terms.decision_digest) != (told.proof.index, told.decision_digest):
        raise VerificationFailed("The second permit rests on another decision than the disclosure.")
    # 3. Its series are some of the first permit's, under the same keys, and those keys were accepted.
    known = {series.series_id: series for series in first.series}
    for series in terms.series:
        before = known.get(series.series_id)
        if before is None or before.key_digest != series.key_digest:
            raise VerificationFailed("The second permit opens a series that the first did not.")
        if not set(series.deposits) <= set(before.deposits):
            raise VerificationFailed("The second permit opens a deposit that the first did not.")
    check_series(terms, opening.series, space)
    # 4. Each record named is here, from its contributor, in the version that it signed last.
    records = _check_records(opening, disclosure.payload, terms, space)
    sealed = check_sealed(opening.sealed_records, space)
    earlier = check_sealed(opening.earlier_records, space)
    return VerifiedOpening(permit, entry, opening.series, sealed, earlier, records, opening.releases)


def verify_record(record: ReleasedRecord, contributor_key: bytes) -> VerifiedRoot:
    """The root that a contributor signed last, once the record has its place in it. Raises VerificationFailed."""
    root = verify_root(record.declaration, record.change, contributor_key)
    if root.deposit_id != record.deposit_id:
        raise VerificationFailed("A released record is said to be of another deposit than it is.")
    sealed = Record(record.token, record.record_version, record.sealed)
    verify_released(sealed, RecordInclusion(index=record.index, path=record.path), root)
    return root


def _check_records(
    opening: Opening, told: Disclosure, terms: PermitTerms, space: Space
) -> tuple[VerifiedRecord, ...]:
    named = [(each.deposit_id, each.token, each.record_version, each.sealed_digest) for each in told.records]
    here = [
        (each.deposit_id, each.token, each.record_version, hashlib.sha256(each.sealed).digest())
        for each in opening.records
    ]
    if here != named or len({(deposit, token) for deposit, token, _, _ in here}) != len(here):
        raise VerificationFailed("The records are not those that the disclosure names.")
    if not {token for _, token, _, _ in here} <= set(told.matched):
        raise VerificationFailed("A record came that was never asked about.")
    keys = {member.agency_id: member.signing_key for member in space.members}
    series_of = {deposit: series.series_id for series in terms.series for deposit in series.deposits}
    contributors = {source.series_id: source.contributor for source in told.sources}
    verified = []
    for record in opening.records:
        series_id = series_of.get(record.deposit_id, b"")
        contributor = contributors.get(series_id, "")
        if contributor not in keys:
            raise VerificationFailed("A record came from a deposit that the second permit does not open.")
        root = verify_record(record, keys[contributor])
        if (root.series_id, root.contributor, root.space_id) != (series_id, contributor, space.space_id):
            raise VerificationFailed("A record is of another series or contributor than the disclosure says.")
        verified.append(VerifiedRecord(record, root, contributor))
    return tuple(verified)
