"""What a requester checks before it believes that the rules refused its result: that the log records this very refusal.

Rule (decision 0022): a refusal on the result comes with its FAILED entry, opened: it names the digest of this request
and of the very words that were told, cosigned as the space says. A refusal to admit comes with a proof alone: what was
decided on names what requesters may not see, so whose entry it is stands on the broker's word.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from broker.protocol import leaves
from broker.protocol.documents import Signed
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.closings import Failed, told_digest
from broker.protocol.messages.log import OpenedEntry
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, Request
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.receipts import VerifiedEntry
from clients.remote import RefusedByGate
from clients.requester_checks.permits import VerifiedAdmission, check_entry


def verify_refusal(
    error: RefusedByGate,
    recorded: OpenedEntry | None,
    admission: VerifiedAdmission,
    request: Signed[Request],
    space: Space,
) -> VerifiedEntry:
    """Verify that the log records this refusal on the result of this request. Raises VerificationFailed."""
    if recorded is None:
        raise VerificationFailed(
            "The broker refused without the log entry that records it. Keep it as evidence."
        )
    entry = check_entry(recorded.proof, space, RecordKind.FAILED)
    leaves.verify_record(recorded.proof.leaf, recorded.record, recorded.salt)
    said, terms = decode(Failed, recorded.record), admission.terms
    if (said.request_id, said.request_digest, said.permit_id, said.requester) != (
        request.payload.request_id,
        request.digest,
        terms.permit_id,
        terms.requester,
    ):
        raise VerificationFailed("The log entry that came with the refusal is of another request.")
    told = {name: _words(error.extensions, name) for name in ("rules", "reasons", "law", "missed", "notes")}
    if said.told_digest != told_digest(**told):
        raise VerificationFailed("The log records another refusal than the one told. Keep it as evidence.")
    if not admission.entry.index < said.release_index < entry.index:
        raise VerificationFailed("The refusal stands in the log before the decision that it follows.")
    return entry


def refusal_told(told: Disclosure) -> RefusedByGate:
    """The refusal that a verified disclosure tells."""
    members = told.model_dump(mode="json", include={"rules", "reasons", "law", "trial"})
    return RefusedByGate("refused", "The rules do not allow the result to be released.", members)


def _words(members: Mapping[str, Any], name: str) -> Sequence[str]:
    words = members.get(name)
    return [str(each) for each in words] if isinstance(words, list | tuple) else []
