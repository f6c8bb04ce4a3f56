"""Who read a disclosure: each answer that bears one is an entry of the log, durable before the answer leaves.

Rule: the first answer is RELEASED's, written in the transaction that signs the disclosure; every further one is
DISCLOSURE_READ. A retry is a further answer, with the same Idempotency-Key too: nobody here can tell whether the
answer before it arrived, and one entry too many says less untrue things than one too few. A refusal on the result and
the wait for a contributor tell no disclosure, so they are none. Nor is a call that came on a stick and had come on one
before: anybody who found the stick could have brought it, and what it opens for its sender is what it opened then.

It decides nothing.
"""

from broker.audit.records import DisclosureRead
from broker.context import Broker
from broker.permits import Held
from broker.protocol.documents import verify
from broker.protocol.messages.requests import Disclosure, TokensAnswered
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import Caller
from broker.store.database import Connection


def read_again(
    broker: Broker, connection: Connection, caller: Caller, held: Held, answer: TokensAnswered
) -> None:
    """Record, in the caller's transaction, that a kept disclosure is answered once more. Raises Unavailable."""
    if answer.document is None or caller.repeated:
        return
    told = verify(Disclosure, answer.document, broker.keys.signing_public)
    now = broker.clock()
    record = DisclosureRead(
        permit_id=held.admitted.terms.permit_id,
        request_id=held.request.request_id,
        requester=held.request.requester,
        kid=caller.kid,
        tier=told.payload.tier,
        disclosure_digest=told.digest,
        read_at=now,
    )
    broker.audit.append(connection, RecordKind.DISCLOSURE_READ, record, now)
