"""A permit leaves under a checkpoint that witnesses cosigned; the entry it rests on is durable by then.

Rule (AUDIT 3): the transaction that admits keeps the permit under the log's own checkpoint; the witnesses are asked
outside of any transaction; then the permit is signed anew over the cosigned proof, kept, and given out. A call that was
cut short in between is sent again and goes on here. It decides nothing and changes no terms.
"""

from broker.context import Broker
from broker.protocol.documents import sign, verify
from broker.protocol.errors import Unavailable
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.requests import Admission, Permit
from broker.store import requests as rows


def cosign_permit(broker: Broker, request_id: bytes, answer: Admission) -> Admission:
    """The answer with its permit under a cosigned checkpoint. Raises Unavailable: then no permit leaves."""
    permit = _permit_of(broker, answer)
    if broker.witnesses.found_on(permit.proof.checkpoint):
        return answer
    witnessed = broker.witnesses.cosign(permit.proof.index)
    with broker.database.write() as connection:
        # The permit's row is locked first: an identical call may have been faster, and its answer stands.
        held, stored = rows.permit_of(connection, request_id), rows.find(connection, request_id)
        if held is None or stored is None:
            raise Unavailable("The permit is not stored any more. Nothing was disclosed.")
        kept = decode(Admission, stored.answer)
        if broker.witnesses.found_on(_permit_of(broker, kept).proof.checkpoint):
            return kept
        proof = broker.audit.under(connection, permit.proof.index, witnessed)
        signed = sign(Permit(terms=permit.terms, proof=proof), broker.keys.signing_key)
        answer = kept.model_copy(update={"permit": signed.document})
        rows.keep_cosigned(connection, request_id, signed.document, encode(answer))
    return answer


def _permit_of(broker: Broker, answer: Admission) -> Permit:
    return verify(Permit, answer.permit, broker.keys.signing_public).payload
