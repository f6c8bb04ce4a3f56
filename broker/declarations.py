"""What a contributor declares about a deposit, and the gate's decision about it.

Rule (DESIGN 2.3): a declaration fits its series and space, then passes the gate; either way the decision is logged in
the transaction that takes it, and a refused contributor is told rules, reasons and law with the proof. The same
document is answered the same again. It takes no record: `broker.deposits` does.
"""

import json
from dataclasses import asdict

from broker import rules
from broker.audit.log import Receipt
from broker.audit.records import DepositDecided
from broker.context import Broker
from broker.gate.bundle import Bundle
from broker.gate.decide import decide_deposit
from broker.gate.decision import Decision
from broker.gate.facts import DepositFacts, Party
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict
from broker.protocol.merkle import Frontier
from broker.protocol.messages.deposits import TOKEN_BYTES, DepositDeclaration
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import SeriesManifest
from broker.protocol.messages.vocabulary import Outcome, RecordKind
from broker.refusals import GateRefusal, Told
from broker.registry import Caller, load_space, member_of
from broker.series import own_series
from broker.store import deposits as rows
from broker.store.database import Connection

MAXIMUM_DEPOSITS = 1000
"""Deposits of one series: a permit names them all."""


def declare(broker: Broker, caller: Caller, document: str) -> Receipt:
    """Decide about a deposit. The same document is answered the same again.

    Raises GateRefusal (recorded), BadInput, VerificationFailed, NotFound or Conflict."""
    signed = verify(DepositDeclaration, document, caller.signing_key)
    now = broker.clock()
    with broker.database.write() as connection:
        known = rows.find(connection, signed.payload.deposit_id)
        if known is not None:
            if known.declaration != document or known.contributor != caller.party_id:
                raise Conflict("This deposit_id was declared before with other content. Draw a new one.")
            return broker.audit.receipt(connection, known.admitted_index)
        bundle = rules.in_force(broker, connection)
        refused = rows.refusal(connection, signed.digest, bundle.digest)
        if refused is not None:
            told = Told(**{name: tuple(texts) for name, texts in json.loads(refused.told).items()})
            refusal = GateRefusal(told, broker.audit.receipt(connection, refused.log_index))
        else:
            space, manifest = _check_declaration(connection, caller, signed.payload, now)
            decision = _decide(rules.agreed(broker, connection, space), caller, signed, space, manifest, now)
            receipt = _record_decision(broker, connection, signed, decision, now)
            if decision.outcome is Outcome.ALLOW:
                return receipt
            refusal = GateRefusal(decision, receipt)
    # Raised only here, once the record of the refusal is durable.
    raise refusal


def _check_declaration(
    connection: Connection, caller: Caller, declaration: DepositDeclaration, now: int
) -> tuple[Space, SeriesManifest]:
    known = own_series(connection, caller, declaration.series_id)
    manifest = verify(SeriesManifest, known.manifest, caller.signing_key).payload
    space = load_space(connection, known.space_id).payload
    member = member_of(space, caller)
    if declaration.space_id != known.space_id or declaration.contributor != member.agency_id:
        raise BadInput("The declaration names another space or contributor than its series.")
    if known.state != "open":
        raise Conflict("The series takes no more deposits. Open a new series.")
    if known.retain_until <= now:
        raise Conflict("The retention of the series is over. Open a new series.")
    if declaration.salt_id != manifest.salt_id:
        raise Conflict("The declaration names another salt than its series. Masked values would never match.")
    if manifest.salt_id != space.salt_id:
        raise Conflict(
            "The space's salt was changed since the series was opened, so nobody would find this deposit. Withdraw it "
            "and deposit the file anew, under a new series."
        )
    if declaration.size_class != space.size_class:
        raise BadInput("The declaration's size class is not the space's.")
    if len(declaration.self_test_token) != TOKEN_BYTES:
        raise BadInput("A self-test token is 16 bytes.")
    if declaration.period_from > declaration.period_until:
        raise BadInput("A deposit's period ends after it begins.")
    if rows.of_series(connection, declaration.series_id) >= MAXIMUM_DEPOSITS:
        raise Conflict("The series has 1,000 deposits, which is all a permit can name. Open a new series.")
    return space, manifest


def _decide(
    bundle: Bundle,
    caller: Caller,
    signed: Signed[DepositDeclaration],
    space: Space,
    manifest: SeriesManifest,
    now: int,
) -> Decision:
    facts = DepositFacts(
        now=now,
        space_id=space.space_id,
        contributor=Party.of(member_of(space, caller)),
        identifier_type=manifest.identifier_type,
        conditions=manifest.conditions,
        records=signed.payload.records,
        declaration_digest=signed.digest,
    )
    return decide_deposit(bundle, facts)


def _record_decision(
    broker: Broker, connection: Connection, signed: Signed[DepositDeclaration], decision: Decision, now: int
) -> Receipt:
    declaration = signed.payload
    allowed = decision.outcome is Outcome.ALLOW
    record = DepositDecided(
        deposit_id=declaration.deposit_id,
        series_id=declaration.series_id,
        space_id=declaration.space_id,
        contributor=declaration.contributor,
        declaration_digest=signed.digest,
        decision=decision.text,
    )
    kind = RecordKind.DEPOSIT_ADMITTED if allowed else RecordKind.DEPOSIT_REFUSED
    receipt = broker.audit.append(connection, kind, record, now)
    if not allowed:
        told = json.dumps(asdict(Told.of(decision)), sort_keys=True)
        stored = rows.StoredRefusal(told, receipt.proof.index)
        rows.add_refusal(connection, signed.digest, decision.bundle_digest, stored)
        return receipt
    rows.add(
        connection,
        rows.StoredDeposit(
            deposit_number=0,
            deposit_id=declaration.deposit_id,
            series_id=declaration.series_id,
            space_id=declaration.space_id,
            contributor=declaration.contributor,
            declaration=signed.document,
            size_class=declaration.size_class,
            records_declared=declaration.records,
            records_stored=0,
            next_batch=0,
            frontier=Frontier().to_bytes(),
            state="admitted",
            declared_at=now,
            admitted_index=receipt.proof.index,
        ),
    )
    return receipt
