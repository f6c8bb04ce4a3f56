"""What approvers tell this key holder themselves: that they refuse a request, or take an approval back.

Rule (DESIGN 2.5): a holder believes no broker that nobody objected. A pinned person's statement is kept and logged in
one transaction, and from then on nothing of that request is evaluated here that rests on the person's approval, or
anything at all after a refusal. Said twice, it is answered the same. It decides nothing else.
"""

from broker.protocol.documents import Signed, verify
from broker.protocol.errors import Conflict, NotPermitted
from broker.protocol.messages.approvals import ApprovalRefusal, ApprovalWithdrawal
from broker.protocol.messages.envelopes import Nothing
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.own_knowledge import Told
from clients.keyholder.own_log import ApprovalVoided
from clients.keyholder.pinning import pinned_space
from clients.keyholder.store import statements as rows
from clients.keyholder.store.database import Connection


def refuse(holder: KeyHolder, caller: Caller, document: str) -> Nothing:
    """Keep a refusal. Raises NotFound (no such space), NotPermitted, VerificationFailed or Conflict."""
    signed = verify(ApprovalRefusal, document, caller.signing_key)
    return _keep(holder, caller, signed, signed.payload.request_digest)


def withdraw(holder: KeyHolder, caller: Caller, document: str) -> Nothing:
    """Keep that an approval is taken back. Raises as `refuse`."""
    signed = verify(ApprovalWithdrawal, document, caller.signing_key)
    return _keep(holder, caller, signed, signed.payload.approval_digest)


def told(connection: Connection, request_digest: bytes) -> Told:
    """What this holder was told about a request."""
    found = rows.about(connection, request_digest)
    return Told(
        refusers=tuple(each.person for each in found if each.subject_digest == request_digest),
        withdrawn=frozenset(
            (each.kid, each.subject_digest) for each in found if each.subject_digest != request_digest
        ),
    )


def _keep(
    holder: KeyHolder,
    caller: Caller,
    signed: Signed[ApprovalRefusal] | Signed[ApprovalWithdrawal],
    subject_digest: bytes,
) -> Nothing:
    said, now = signed.payload, holder.clock()
    with holder.database.write() as connection:
        space = pinned_space(connection, said.space_id).payload
        if (said.approver, caller.signing_key) not in [
            (person.party_id, person.signing_key) for person in space.approvers
        ]:
            raise NotPermitted("The statement is not of a person that the space lists as an approver.")
        known = rows.find(connection, subject_digest, caller.kid)
        if known is not None:
            if known.document != signed.document:
                raise Conflict("You said so before, in another document. The first one stands.")
            return Nothing()
        record = ApprovalVoided(
            space_id=said.space_id,
            request_digest=said.request_digest,
            person=said.approver,
            document_digest=signed.digest,
        )
        index = holder.log.append(connection, RecordKind.APPROVAL_VOIDED, record, now)
        rows.add(
            connection,
            rows.StoredStatement(
                subject_digest, caller.kid, said.request_digest, said.approver, signed.document, index
            ),
        )
    return Nothing()
