"""Records that somebody says are wrong or not theirs: taken back as contested, and how that ended (decision 0041).

Rule: while it is contested a record is not matched (GDPR article 18(1)(a), LED article 16(3)(a)): it is taken back in
the transaction that says so, like any withdrawal (`broker.root_changes`), and whoever was told of it gets a notice. Its
contributor alone ends that, once, with a reason: upheld or withdrawn, and the same recipients are told. The digest of
the withdrawal names the contest, so no token and no person is kept. It puts nothing back: that is a new deposit.
"""

from dataclasses import dataclass

from broker import retractions
from broker.audit.log import Receipt
from broker.audit.records import ContestStated
from broker.context import Broker
from broker.deposits import own_deposit
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict, NotFound
from broker.protocol.messages.consent import ContestState, ContestStatement, RetractionGround
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import Caller
from broker.store import contests as rows
from broker.store.database import Connection
from broker.store.deposits import StoredDeposit

_ENDS = {
    ContestState.UPHELD: RetractionGround.STANDS_AGAIN,
    ContestState.WITHDRAWN: RetractionGround.WITHDRAWN,
}


@dataclass(frozen=True)
class Contested:
    """Evidence that a contributor signed that what a withdrawal of its own takes back is contested."""

    statement: Signed[ContestStatement]


def check_contested(
    caller: Caller, deposit: StoredDeposit, withdrawal_digest: bytes, document: str
) -> Contested:
    """That a statement is the caller's, and about this withdrawal. Raises VerificationFailed or BadInput."""
    signed = verify(ContestStatement, document, caller.signing_key)
    said = signed.payload
    named = (deposit.contributor, deposit.deposit_id, withdrawal_digest)
    if (said.contributor, said.deposit_id, said.withdrawal_digest) != named:
        raise BadInput("The statement is about another withdrawal than the one it came with.")
    if said.state is not ContestState.CONTESTED or said.reason:
        raise BadInput("Records are taken back as contested, without a reason; the decision has one.")
    return Contested(signed)


def begin(
    broker: Broker, connection: Connection, deposit: StoredDeposit, contested: Contested
) -> retractions.Cause:
    """Keep and log that records just taken back are contested; why notices go out."""
    signed = contested.statement
    _keep(broker, connection, deposit, signed, 0)
    digest = signed.payload.withdrawal_digest
    return retractions.Cause(RetractionGround.CONTESTED, digest, contest_digest=digest)


def decide(broker: Broker, caller: Caller, deposit_id: bytes, document: str) -> Receipt:
    """End a contest as its contributor decided, and notify who was told of it. The same statement again gives its
    receipt again.

    Raises NotFound (another's contest as none), VerificationFailed, BadInput (no decision, or no reason) or Conflict
    (decided otherwise before)."""
    signed = verify(ContestStatement, document, caller.signing_key)
    said = signed.payload
    with broker.database.write() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if (said.contributor, said.deposit_id) != (deposit.contributor, deposit_id):
            raise BadInput("The decision is about another deposit than the address names.")
        if said.state is ContestState.CONTESTED or not said.reason.strip():
            raise BadInput("A contest ends as upheld or withdrawn, with a reason.")
        stated = rows.find(connection, said.withdrawal_digest)
        begun = stated.get(ContestState.CONTESTED)
        if begun is None or begun.deposit_id != deposit_id:
            raise NotFound("Nothing of this deposit was contested by that withdrawal.")
        decided = next((each for state, each in stated.items() if state in _ENDS), None)
        if decided is not None:
            if decided.document != document:
                raise Conflict("This contest was decided before, otherwise. The first decision stands.")
            return broker.audit.receipt(connection, decided.log_index)
        told = retractions.told_of_contest(broker, connection, said.withdrawal_digest)
        receipt = _keep(broker, connection, deposit, signed, len(told))
        cause = retractions.Cause(_ENDS[said.state], signed.digest)
        retractions.notify(broker, connection, deposit, told, cause, broker.clock())
        return receipt


def _keep(
    broker: Broker,
    connection: Connection,
    deposit: StoredDeposit,
    signed: Signed[ContestStatement],
    notices: int,
) -> Receipt:
    said = signed.payload
    record = ContestStated(
        withdrawal_digest=said.withdrawal_digest,
        deposit_id=deposit.deposit_id,
        space_id=deposit.space_id,
        contributor=deposit.contributor,
        state=said.state,
        document_digest=signed.digest,
        notices=notices,
    )
    receipt = broker.audit.append(connection, RecordKind.CONTEST_STATED, record, broker.clock())
    stored = rows.StoredStatement(
        withdrawal_digest=said.withdrawal_digest,
        state=said.state,
        deposit_id=deposit.deposit_id,
        space_id=deposit.space_id,
        contributor=deposit.contributor,
        document=signed.document,
        log_index=receipt.proof.index,
    )
    rows.add(connection, stored)
    return receipt
