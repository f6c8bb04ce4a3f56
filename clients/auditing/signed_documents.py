"""The signed documents that log records hold or name: which verify, which do not, and which nobody could verify.

Rule: a signature counts under a key that the auditor has from elsewhere than the broker's answer: a pinned roster, an
enrolment whose digest an earlier entry accepted, or an officer's own file. Records hold the officers' approvals of
rules themselves; of all else they hold the SHA-256, or the digest of the request that a finding, an approval or a
permit is about, so the document must come from a party that has it (`--papers`). What could not be verified is told
with its reason and is no failure; a signature that does not hold is.

Whether what a document says fits what was decided on it is `clients.replay`'s, and the case folder's.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.protocol import documents
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages import (
    approvals,
    consent,
    deposits,
    ladder,
    outcomes,
    parties,
    requests,
    roots,
    series,
)
from broker.protocol.messages.base import Message, MessageT, decode
from broker.protocol.messages.bundles import BundleApproval, RuleOfficer
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.papers import (
    ABOUT_A_REQUEST,
    BROKER,
    DESKS,
    GROUPS,
    HOLDERS,
    MEMBERS,
    Papers,
    Signers,
)

OFFICERS_NEEDED = 2
NOT_AT_HAND = (
    "The log holds its digest alone. Ask the party that signed it for the file, and name its folder: --papers"
)
ERASED = "The record was erased, and the officers' approvals with it."
NO_KEY = "The signer's key is in no roster pinned here, and no enrolment of it is among the papers."
NO_OFFICER = "The officer's public file is not at hand. Ask the officer for it, and name it: --officer"
NOT_NAMED = "The log does not name those of an admitted request. Ask the requester for them: --papers"


@dataclass(frozen=True)
class _Named:
    """A member of a record that is the digest, or digests, of signed documents of one kind.

    `signer` is the member of the record that names who signed, or a group of which anybody may."""

    member: str
    kind: type[Message]
    signer: str


_NAMED: Mapping[str, tuple[_Named, ...]] = MappingProxyType(
    {
        RecordKind.SPACE_FOUNDED: (_Named("document_digest", parties.Space, "founder"),),
        RecordKind.SERIES_OPENED: (_Named("manifest_digest", series.SeriesManifest, "contributor"),),
        RecordKind.SERIES_WITHDRAWN: (_Named("withdrawal_digest", series.Withdrawal, "contributor"),),
        RecordKind.SERIES_DESTROYED: (_Named("receipt_digests", series.DestructionReceipt, HOLDERS),),
        RecordKind.DEPOSIT_ADMITTED: (
            _Named("declaration_digest", deposits.DepositDeclaration, "contributor"),
        ),
        RecordKind.DEPOSIT_REFUSED: (
            _Named("declaration_digest", deposits.DepositDeclaration, "contributor"),
        ),
        RecordKind.DEPOSIT_SERVING: (_Named("self_test_digest", deposits.SelfTest, MEMBERS),),
        RecordKind.DEPOSIT_WITHDRAWN: (
            _Named("withdrawal_digest", deposits.DepositWithdrawal, "contributor"),
        ),
        RecordKind.RECORDS_WITHDRAWN: (_Named("withdrawal_digest", roots.RecordWithdrawal, "contributor"),),
        RecordKind.RECORDS_REPLACED: (_Named("replacement_digest", roots.RecordReplacement, "contributor"),),
        RecordKind.ADMITTED: (_Named("request_digest", requests.Request, "requester"),),
        RecordKind.REFUSED: (
            _Named("request_digest", requests.Request, "requester"),
            _Named("finding_digests", requests.Finding, DESKS),
        ),
        RecordKind.APPROVAL_REFUSED: (_Named("document_digest", approvals.ApprovalRefusal, "person"),),
        RecordKind.APPROVAL_WITHDRAWN: (_Named("document_digest", approvals.ApprovalWithdrawal, "person"),),
        RecordKind.EMERGENCY_REVIEWED: (_Named("document_digest", approvals.EmergencyReview, "person"),),
        RecordKind.RELEASE_ANSWERED: (_Named("document_digest", ladder.ContributorRelease, "contributor"),),
        RecordKind.RELEASED: (_Named("disclosure_digest", requests.Disclosure, BROKER),),
        RecordKind.CONTEST_STATED: (_Named("document_digest", consent.ContestStatement, "contributor"),),
        RecordKind.RETRACTION_NOTICED: (_Named("notice_digest", consent.RetractionNotice, BROKER),),
        RecordKind.RETRACTION_ACKNOWLEDGED: (
            _Named("document_digest", consent.RetractionAcknowledgement, "requester"),
        ),
        RecordKind.OUTCOME_REPORTED: (_Named("report_digest", outcomes.OutcomeReport, "requester"),),
    }
)


@dataclass(frozen=True)
class Logged:
    """What is read of an entry here; `record` is None once erased."""

    index: int
    kind: str
    record: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Fault:
    """A document that does not verify: the entry, the kind of document, and why."""

    index: int
    document: str
    reason: str


@dataclass(frozen=True)
class Unverified:
    """Documents of one kind that could not be verified for one reason; `entries` are the first few of `number`."""

    document: str
    reason: str
    number: int
    entries: tuple[int, ...]


@dataclass(frozen=True)
class DocumentsReport:
    """What became of every signed document that the records hold or name. `verified` counts by kind."""

    verified: Mapping[str, int]
    failed: tuple[Fault, ...]
    unverified: tuple[Unverified, ...]


class DocumentsCheck:
    """Reads the log once, in its order; an entry's keys are those known by then."""

    def __init__(self, papers: Papers, signers: Signers, officers: Mapping[str, RuleOfficer]) -> None:
        self._papers = papers
        self._signers = signers
        self._officers = officers
        self._in_force: str | None = None
        self._verified: Counter[str] = Counter()
        self._failed: list[Fault] = []
        self._unverified: dict[tuple[str, str], tuple[int, tuple[int, ...]]] = {}

    def check(self, entries: Iterable[Logged]) -> DocumentsReport:
        """Verify what the entries hold and name."""
        for entry in entries:
            if entry.record is None:
                if entry.kind == RecordKind.BUNDLE_ACTIVATED:
                    self._could_not(entry, BundleApproval, ERASED)
                continue
            members = json.loads(entry.record)
            if entry.kind == RecordKind.BUNDLE_ACTIVATED:
                self._activation(entry, members)
            elif entry.kind == RecordKind.ENROLMENT_ACCEPTED:
                self._enrolment(entry, members)
            elif entry.kind == RecordKind.ADMITTED:
                self._about_request(entry, decode(requests.AdmissionRecord, entry.record).terms)
            elif entry.kind == RecordKind.RELEASE:
                opening = decode(requests.ReleaseDecided, entry.record).opening
                if opening is not None:
                    self._permit(entry, opening)
            for named in _NAMED.get(entry.kind, ()):
                for digest in _digests(members, named.member):
                    self._named(entry, named, digest, members)
        unverified = tuple(
            Unverified(document, reason, number, entries)
            for (document, reason), (number, entries) in self._unverified.items()
        )
        return DocumentsReport(dict(self._verified), tuple(self._failed), unverified)

    def _named(self, entry: Logged, named: _Named, digest: str, members: dict[str, Any]) -> None:
        document = self._papers.find(digest)
        if document is None:
            self._could_not(entry, named.kind, NOT_AT_HAND)
            return
        self._verify(entry, named.kind, document, self._keys(named.signer, members))

    def _keys(self, signer: str, members: dict[str, Any]) -> Mapping[str, bytes]:
        if signer in GROUPS:
            return self._signers.of(signer)
        terms = members.get("terms")
        party = members.get(signer) or (terms.get(signer) if isinstance(terms, dict) else None)
        founder = self._signers.of("founder") if signer == "founder" else {}
        return {**self._signers.of(str(party)), **founder}

    def _about_request(self, entry: Logged, terms: requests.PermitTerms) -> None:
        """Findings, approvals and the permit of an admitted request; no request needs an approval by its kind."""
        missing = {requests.Finding}
        for kind, document in self._papers.about(terms.request_digest):
            if kind is not requests.Permit:
                self._verify(entry, kind, document, self._signers.of(ABOUT_A_REQUEST[kind]))
                missing.discard(kind)
        for kind in missing:
            self._could_not(entry, kind, NOT_NAMED)
        self._permit(entry, terms)

    def _permit(self, entry: Logged, terms: requests.PermitTerms) -> None:
        """The permit of these terms: the first of a request, or the second under which payloads are opened."""
        found = False
        for kind, document in self._papers.about(terms.request_digest):
            if kind is requests.Permit:
                claimed = documents.unverified_payload(requests.Permit, document).terms
                if claimed.permit_id == terms.permit_id:
                    found = True
                    said = self._verify(entry, requests.Permit, document, self._signers.of(BROKER))
                    if said is not None and said.terms != terms:
                        reason = "The permit allows something else than the log says."
                        self._failed.append(Fault(entry.index, "Permit", reason))
        if not found:
            self._could_not(entry, requests.Permit, NOT_NAMED)

    def _verify(
        self, entry: Logged, kind: type[MessageT], document: str, keys: Mapping[str, bytes]
    ) -> MessageT | None:
        try:
            if documents.unverified_kid(document) not in keys:
                self._could_not(entry, kind, NO_KEY)
                return None
            payload = documents.verify(kind, document, keys).payload
        except (BadInput, VerificationFailed) as error:
            self._failed.append(Fault(entry.index, kind.__name__, error.detail))
            return None
        self._verified[kind.__name__] += 1
        return payload

    def _enrolment(self, entry: Logged, members: dict[str, Any]) -> None:
        document = self._papers.find(str(members.get("document_digest")))
        if document is None:
            self._could_not(entry, parties.Enrolment, NOT_AT_HAND)
            return
        try:
            claimed = documents.unverified_payload(parties.Enrolment, document)
        except BadInput as error:
            self._failed.append(Fault(entry.index, "Enrolment", error.detail))
            return
        kid = documents.key_identifier(claimed.signing_key)
        if (claimed.party_id, kid) != (members.get("party_id"), members.get("kid")):
            reason = "The enrolment is of another party or key than the entry says was accepted."
            self._failed.append(Fault(entry.index, "Enrolment", reason))
            return
        if self._verify(entry, parties.Enrolment, document, {kid: claimed.signing_key}) is not None:
            self._signers.add(claimed.party_id, claimed.signing_key)

    def _activation(self, entry: Logged, members: dict[str, Any]) -> None:
        """Two different officers signed for these very rules, to follow those that were in force."""
        terms = tuple(members.get(name) for name in ("bundle_digest", "previous_digest", "valid_from"))
        previous, self._in_force = self._in_force, members.get("bundle_digest")
        if terms[1] != previous:
            reason = "The rules are said to follow others than those that the log says were in force."
            self._failed.append(Fault(entry.index, "BundleApproval", reason))
        keys = {kid: officer.signing_key for kid, officer in self._officers.items()}
        kids = list[str]()
        for document in members.get("approvals", ()):
            try:
                kids.append(documents.unverified_kid(document))
            except BadInput as error:
                self._failed.append(Fault(entry.index, "BundleApproval", error.detail))
                continue
            if kids[-1] not in keys:
                self._could_not(entry, BundleApproval, NO_OFFICER)
                continue
            said = self._verify(entry, BundleApproval, document, keys)
            if said is not None and not _about(said, terms):
                reason = "An officer signed for other rules, predecessor or time than the entry says."
                self._failed.append(Fault(entry.index, "BundleApproval", reason))
        if len(set(kids)) < OFFICERS_NEEDED:
            reason = "Rules are put in force by two officers, and the entry holds no two officers' approvals."
            self._failed.append(Fault(entry.index, "BundleApproval", reason))

    def _could_not(self, entry: Logged, kind: type[Message], reason: str) -> None:
        number, entries = self._unverified.get((kind.__name__, reason), (0, ()))
        first = (*entries, entry.index) if len(entries) < 5 else entries
        self._unverified[kind.__name__, reason] = (number + 1, first)


def _about(said: BundleApproval, terms: tuple[Any, ...]) -> bool:
    """Whether an officer signed for these rules; where none were in force, to follow any others."""
    bundle, previous, valid_from = terms
    follows = None if said.previous_digest is None else said.previous_digest.hex()
    return (said.bundle_digest.hex(), said.valid_from) == (bundle, valid_from) and previous in (None, follows)


def _digests(members: dict[str, Any], name: str) -> Iterator[str]:
    """The digests in a member of a record; an ADMITTED record has them in its terms."""
    terms = members.get("terms")
    found = members.get(name) or (terms.get(name) if isinstance(terms, dict) else None) or ()
    yield from [found] if isinstance(found, str) else map(str, found)
