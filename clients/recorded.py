"""Take a step that the broker must record, and check its receipt before going on.

Rule: the broker's answer to such a step is a proof that an entry of the right kind stands in its log, under the log key
of the pinned space document (AUDIT 3). A receipt without a valid proof is no receipt. A trial is a trial only in a
space that says so.
"""

from broker.protocol import receipts
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import Message
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import RecordKind
from clients.transport import Caller


def post_recorded(
    caller: Caller, path: str, message: Message | bytes, space: Space, kind: RecordKind
) -> ReceiptMessage:
    """POST `message` to the space's broker at `path` and verify the receipt it answers with.

    Raises VerificationFailed for a receipt that proves nothing or something else; otherwise as `Caller.post`.
    """
    receipt = caller.within(space.space_id).post(space.broker_origin + path, message, ReceiptMessage)
    verify_receipt(receipt, space, kind)
    return receipt


def verify_receipt(receipt: ReceiptMessage, space: Space, kind: RecordKind) -> receipts.VerifiedEntry:
    """Verify that a receipt proves an entry of `kind` in the space's log. Raises VerificationFailed."""
    entry = receipts.verify_log_proof(receipt.proof, space.log_origin, space.log_key)
    if entry.content.kind != kind.value:
        raise VerificationFailed(
            "The broker's receipt is for another step. Keep it as evidence; tell the auditor."
        )
    if receipt.trial and not space.trial:
        raise VerificationFailed("The broker runs as a trial, which this space is not. Tell the founder.")
    return entry
