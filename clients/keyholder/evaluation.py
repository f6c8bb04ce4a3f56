"""Evaluate a request's points for one series: check everything, charge durably, and only then answer.

Rule (DESIGN 2.5): one transaction keeps the charge to this holder's own budget, the permit's terms, the log entry and
the checkpoint seen; it is durable, and enough of this holder's witnesses cosigned its log with that entry, before a
single point is multiplied. The same permit with the same terms is answered again uncharged (another quorum after a
failed holder is no second use); other terms under its id are refused. What the decision rested on must still be so
when it is charged: where another request of the requester came in between, it is taken again.

The budget is the rules' limit for 30 days times t/n, for each requester: a requester that spreads its calls over all
holders comes to the limit itself, so that choosing quorums buys nothing (CRYPTO 4).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from broker.protocol import documents, quorum
from broker.protocol.errors import Conflict, Refused, Unavailable
from broker.protocol.messages.base import encode
from broker.protocol.messages.evaluation import (
    Consistency,
    EvaluationAnswer,
    EvaluationCall,
    EvaluationStatement,
    answer_digest,
)
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.cosigning import Witnessed, Witnesses
from clients.keyholder import checks, statements
from clients.keyholder.activation import RulesHere, rules_for
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.held import HeldSeries, held_contributors, held_series, own_view
from clients.keyholder.own_knowledge import OwnKnowledge
from clients.keyholder.own_ledger import OwnLedger, own_ledger
from clients.keyholder.own_log import Evaluated
from clients.keyholder.pinning import log_keys_of, pinned_spaces
from clients.keyholder.restoring import check_given_since
from clients.keyholder.self_test import wire_chunk
from clients.keyholder.store import permits
from clients.keyholder.store.database import Connection

BUDGET_SECONDS = 30 * 86_400
_MOST_TIMES_DECIDED = 20
"""Of a requester's calls that come at once one is charged each time, so that so many at least come through."""


@dataclass(frozen=True)
class Cleared:
    """Evidence of all checks but the log's: this call may be evaluated, under this key, once it is charged."""

    key: Literal["match", "open"]
    permit: checks.CheckedPermit
    series_id: bytes
    held: HeldSeries = field(repr=False)
    quorum: tuple[int, ...]
    points: checks.CheckedPoints
    record: checks.CheckedRecord
    rules: RulesHere = field(repr=False)
    ledger: OwnLedger


@dataclass(frozen=True)
class Charged:
    """Evidence that the call is recorded: the entry at `log_index` is durable."""

    cleared: Cleared
    evaluated_at: int
    log_index: int


@dataclass(frozen=True)
class Vouched:
    """Evidence that witnesses saw the log with the call's entry (in a trial nobody does): it may be answered."""

    charged: Charged
    witnessed: Witnessed

    @classmethod
    def by(cls, witnesses: Witnesses, charged: Charged) -> "Vouched":
        """Ask them, outside of any transaction. Raises Unavailable: then nothing is answered."""
        return cls(charged, witnesses.cosign(charged.log_index))


class _LedgerMoved(Exception):
    """Another request of this requester was charged here since the checks read what was charged before."""


def evaluate(holder: KeyHolder, caller: Caller, call: EvaluationCall) -> EvaluationAnswer:
    """This holder's answer for one series. Raises what the checks raise, Conflict or Refused (budget), Unavailable."""
    now = holder.clock()
    return answer_cleared(
        holder, lambda connection: _clear(holder, connection, caller, call, now), call.consistency, now
    )


def answer_cleared(
    holder: KeyHolder, clear: Callable[[Connection], Cleared], consistency: Consistency | None, now: int
) -> EvaluationAnswer:
    """Clear a call by its checks, charge it durably, and answer it; a fork of the broker's log is kept as evidence.

    Raises what `clear` raises, Conflict or Refused (budget), Unavailable."""
    for _ in range(_MOST_TIMES_DECIDED):
        with holder.database.read() as connection:
            cleared = clear(connection)
        try:
            charged = _charge(holder, cleared, consistency, now)
        except _LedgerMoved:
            continue
        except checks.LogForked as error:
            with holder.database.write() as connection:
                log_key = cleared.permit.space.log_key
                permits.add_fork(connection, log_key, error.seen_note, error.other_note, now)
            raise
        return _answer(holder, Vouched.by(holder.witnesses, charged))
    raise Unavailable(
        "Too many requests of this requester are evaluated here at once. Send the very same call again."
    )


def _clear(
    holder: KeyHolder, connection: Connection, caller: Caller, call: EvaluationCall, now: int
) -> Cleared:
    permit = checks.check_permit(call.permit, pinned_spaces(connection), now)
    requester = checks.check_requester(permit, caller)
    request = checks.check_unselected(checks.check_request(permit, requester, call.request))
    series = checks.find_series(permit, call.handle)
    held = checks.check_series(permit, series, held_series(holder, connection, series.series_id), now)
    asked = checks.check_quorum(held, call.quorum)
    points = checks.check_points(permit, series, call.points)
    record = checks.check_record(permit, holder.keys, call.sealed_record)
    papers = checks.check_papers(permit.space, request, call.findings, call.approvals)
    rules = rules_for(connection, holder.shelf, permit.terms.bundle_digest)
    decision = checks.check_decision(permit, record, rules.decided_under)
    known = own_view(connection, permit.space, decision.facts.series)
    told = statements.told(connection, request.digest)
    ledger = own_ledger(connection, permit.terms, now)
    own = OwnKnowledge(permit.space, request, requester, papers, told, None, known, ledger)
    decision = checks.check_facts(permit, own, decision)
    decision = checks.check_time(own, decision, rules, series.series_id, now)
    crowd = held_contributors(connection, decision.decision.admitted_series)
    checks.check_crowd(decision, rules, requester, crowd)
    return Cleared("match", permit, series.series_id, held, asked, points, record, rules, ledger)


def _charge(holder: KeyHolder, cleared: Cleared, consistency: Consistency | None, now: int) -> Charged:
    """The one transaction before the answer."""
    terms, space = cleared.permit.terms, cleared.permit.space
    note = cleared.permit.permit.proof.checkpoint
    with holder.database.write() as connection:
        # Read again inside: the largest size seen, and that the shares were not erased meanwhile.
        held_series(holder, connection, cleared.series_id)
        log_keys = log_keys_of(connection, space.space_id)
        seen = permits.seen(connection, log_keys)
        shown = checks.check_log(cleared.record, note, seen, consistency)
        if seen is None or shown.size > seen.size:
            newest = permits.SeenCheckpoint(shown.size, shown.root, note)
            permits.keep_seen(connection, log_keys, newest, now)
        _use_permit(connection, cleared, now)
        before = permits.evaluated_before(connection, terms.permit_id, cleared.series_id, cleared.quorum)
        if before is None:
            kind = RecordKind.EVALUATED if cleared.key == "match" else RecordKind.OPENED
            index = holder.log.append(connection, kind, _log_record(cleared), now)
            permits.add_evaluation(
                connection,
                permit_id=terms.permit_id,
                series_id=cleared.series_id,
                quorum=cleared.quorum,
                points_digest=cleared.points.digest,
                evaluated_at=now,
                log_index=index,
            )
        elif before.points_digest != cleared.points.digest:
            raise Conflict(
                "Other points were evaluated under this permit. A permit is for one set of points."
            )
        else:
            index = before.log_index
    return Charged(cleared, now, index)


def _use_permit(connection: Connection, cleared: Cleared, now: int) -> None:
    """Bind the permit id to its terms and charge it, or find it charged before."""
    terms = cleared.permit.terms
    digest = hashlib.sha256(encode(terms)).digest()
    used = permits.find_permit(connection, terms.permit_id)
    if used is not None:
        if used.terms_digest != digest:
            raise Conflict("This permit was used here with other terms. It is refused; tell an auditor.")
        return
    check_given_since(connection, terms)
    if own_ledger(connection, terms, now) != cleared.ledger:
        raise _LedgerMoved
    identifiers = sum(batch.identifiers for batch in terms.batches)
    since = now - BUDGET_SECONDS
    before = permits.charged_since(connection, terms.space_id, terms.requester, since)
    if before + identifiers > holder_budget(cleared.rules, cleared.held):
        raise Refused(
            "This key holder's own budget for the requester is used up: too many identifiers in 30 days. "
            "Ask for fewer, ask later, or name other holders."
        )
    charge = permits.UsedPermit(
        terms.permit_id, digest, terms.space_id, terms.requester, terms.tier, identifiers, now
    )
    permits.charge_permit(connection, charge)


def holder_budget(rules: RulesHere, held: HeldSeries) -> int:
    """Identifiers this holder answers one requester for in 30 days: the rules' limit times t/n, rounded down."""
    return rules.identifiers_30d * held.manifest.threshold // len(held.manifest.holders)


def _log_record(cleared: Cleared) -> Evaluated:
    terms, entry = cleared.permit.terms, cleared.record.entry
    return Evaluated(
        permit_id=terms.permit_id,
        space_id=terms.space_id,
        requester=terms.requester,
        request_digest=terms.request_digest,
        series_id=cleared.series_id,
        quorum=cleared.quorum,
        batch_root=cleared.points.batch.batch_root,
        points=len(cleared.points.elements),
        decision_digest=terms.decision_digest,
        bundle_digest=terms.bundle_digest,
        admitted_index=entry.index,
        checkpoint_size=entry.checkpoint.size,
    )


def _answer(holder: KeyHolder, vouched: Vouched) -> EvaluationAnswer:
    """Multiply the points by the folded share, prove it, and sign the whole."""
    charged = vouched.charged
    cleared = charged.cleared
    manifest, pair = cleared.held.manifest, cleared.held.shares
    share, commitments = (
        (pair.match, manifest.commitments_match)
        if cleared.key == "match"
        else (pair.open, manifest.commitments_open)
    )
    chunks = tuple(
        wire_chunk(chunk)
        for chunk in quorum.evaluate_share(
            share, commitments, cleared.quorum, cleared.points.elements, holder.random_bytes
        )
    )
    statement = EvaluationStatement(
        key=cleared.key,
        permit_id=cleared.permit.terms.permit_id,
        series_id=cleared.series_id,
        quorum=cleared.quorum,
        holder_id=holder.keys.holder_id,
        x=share.x,
        batch_root=cleared.points.batch.batch_root,
        answer_digest=answer_digest(chunks),
        evaluated_at=charged.evaluated_at,
    )
    signed = documents.sign(statement, holder.keys.signing_key)
    return EvaluationAnswer(statement=signed.document, chunks=chunks)
