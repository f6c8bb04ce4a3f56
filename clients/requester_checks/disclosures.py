"""What a requester checks before it believes a disclosure: that it is this request's answer, and is in the log as such.

Rule (DESIGN 2.7, decision 0022): the broker signed it; it tells no more than its tier; and two entries of the log stand
behind it, cosigned as the space says. RELEASE is the decision to let it leave, which names facts that requesters may
not see, so its record stays closed here. RELEASED comes opened: it names the digest of this very disclosure and of this
very request, so that a broker cannot prove one answer by the entry of another. That the RELEASE it points to is this
request's too, auditors see, and key holders where a payload is opened.
"""

from dataclasses import dataclass

from broker.protocol import documents, leaves
from broker.protocol.documents import Signed
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.closings import Released
from broker.protocol.messages.log import OpenedEntry
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, Request, TokenSubmission, token_set_root
from broker.protocol.messages.vocabulary import NAMES_CONTRIBUTORS, Outcome, RecordKind, Tier
from broker.protocol.receipts import VerifiedEntry
from broker.protocol.tokens import TOKEN_BYTES
from clients.requester_checks.permits import TIERS, VerifiedAdmission, check_entry


@dataclass(frozen=True)
class VerifiedDisclosure:
    """Evidence that the log records exactly this disclosure of exactly this request."""

    signed: Signed[Disclosure]
    release: VerifiedEntry
    """The decision to let it leave."""
    released: VerifiedEntry
    """That it left."""

    @property
    def told(self) -> Disclosure:
        """What the broker told."""
        return self.signed.payload


def verify_disclosure(
    document: str,
    recorded: OpenedEntry | None,
    admission: VerifiedAdmission,
    request: Signed[Request],
    submission: TokenSubmission,
    space: Space,
) -> VerifiedDisclosure:
    """Verify what the broker disclosed under a permit for the tokens that were sent.

    Raises VerificationFailed or BadInput.
    """
    verified = verify_told(document, recorded, admission, request, space)
    # Beyond that, it answers exactly the tokens that were sent, and tells of them alone.
    if verified.told.token_root != token_set_root(submission.nonce, submission.lists):
        raise VerificationFailed("The broker's disclosure is for other tokens than were sent. Keep it.")
    sent = {
        item.tokens[at : at + TOKEN_BYTES]
        for item in submission.lists
        for at in range(0, len(item.tokens), TOKEN_BYTES)
    }
    if not sent.issuperset(verified.told.matched):
        raise VerificationFailed("The disclosure names a match that was never asked about.")
    return verified


def verify_told(
    document: str,
    recorded: OpenedEntry | None,
    admission: VerifiedAdmission,
    request: Signed[Request],
    space: Space,
) -> VerifiedDisclosure:
    """Verify a disclosure as far as that goes without the tokens that were sent: signer, permit, tier, log entries.

    Raises VerificationFailed or BadInput.
    """
    signed = documents.verify(Disclosure, document, space.broker_signing_key)
    disclosed, terms, asked = signed.payload, admission.terms, request.payload
    # 1. It answers this request and this permit.
    names = (disclosed.request_id, disclosed.permit_id, disclosed.requester, disclosed.asked_tier)
    if names != (asked.request_id, terms.permit_id, terms.requester, asked.tier) or (
        disclosed.trial != space.trial
    ):
        raise VerificationFailed("The broker's disclosure is not for this request. Keep it as evidence.")
    # 2. The decision to release stands in the log, after the one to admit.
    release = check_entry(disclosed.proof, space, RecordKind.RELEASE)
    if release.index <= admission.entry.index:
        raise VerificationFailed("The release stands in the log before the admission it follows.")
    # 3. It tells what its tier tells.
    if TIERS.index(disclosed.tier) > TIERS.index(terms.tier):
        raise VerificationFailed(
            "The broker disclosed more than the permit allows. Do not use it; tell the operator."
        )
    _check_content(disclosed)
    # 4. After that decision, the log records that exactly this left, in answer to exactly this request.
    return VerifiedDisclosure(signed, release, _check_recorded(recorded, signed, admission, request, space))


def _check_recorded(
    recorded: OpenedEntry | None,
    disclosure: Signed[Disclosure],
    admission: VerifiedAdmission,
    request: Signed[Request],
    space: Space,
) -> VerifiedEntry:
    if recorded is None:
        raise VerificationFailed("The disclosure came without the log entry that records it. Do not use it.")
    entry = check_entry(recorded.proof, space, RecordKind.RELEASED)
    leaves.verify_record(recorded.proof.leaf, recorded.record, recorded.salt)
    said, told = decode(Released, recorded.record), disclosure.payload
    if (said.request_id, said.request_digest, said.permit_id, said.requester) != (
        told.request_id,
        request.digest,
        admission.terms.permit_id,
        told.requester,
    ):
        raise VerificationFailed("The log entry that came with the disclosure is of another request.")
    if (said.disclosure_digest, said.tier) != (disclosure.digest, told.tier):
        raise VerificationFailed("The log records another disclosure than this one. Keep it as evidence.")
    if not said.release_index == told.proof.index < entry.index:
        raise VerificationFailed("The log says that the disclosure rests on another decision than it names.")
    return entry


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
