"""The whole life of a request, on one page: docs/life-of-a-request.md gives the reason for each step's place.

    file_request     1 papers   2 facts   3 gate.admit   4 ADMITTED or REFUSED, budget and permit
                     [witnesses cosign the log before the permit leaves]
                     [the key holders decide again and evaluate, elsewhere]
    answer_tokens    5 permit   6 TOKENS   7 find, ask contributors   8 gate.release   9 RELEASE
                     [witnesses cosign the log before anything is assembled]
                     10 assemble   11 RELEASED   [asked again: DISCLOSURE_READ]
                     [witnesses cosign the log before the answer leaves, with that entry opened]
                     [for payload: the key holders decide again and open, elsewhere]

Rule (DESIGN 3): each step demands the evidence of the step before, a frozen value that only a check can make, so a
skipped step does not type-check. What a step decides, what it spends and its log entry are one transaction; a refusal
goes the same way, is recorded, and is raised once the record is durable. The same bytes are answered the same at any
time, so an interrupted call is sent again and goes on where it stopped; an answer of which something was taken back
since is given nobody again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from broker import (
    admission,
    asked_before,
    askings,
    openings,
    permits,
    reading,
    releases,
    rules,
    witnessed_answers,
    witnessed_permits,
)
from broker.admission import Candidate, Filed
from broker.audit.records import RequestRefused, TokensOfSeries, TokensReceived
from broker.context import Broker
from broker.disclosure import Release, ReleaseDecision, assemble
from broker.gate.decide import decide_admission
from broker.gate.decision import Decision
from broker.gate.facts import ReleaseFacts, verified_from
from broker.gate.ruling import Ruling
from broker.matching.count import TOKEN_BYTES
from broker.matching.evidence import Admitted, Matches, Recorded, TokenSet
from broker.matching.find import find, recall
from broker.permits import Held
from broker.protocol.documents import sign, verify
from broker.protocol.errors import Expired, Refused
from broker.protocol.messages.base import encode
from broker.protocol.messages.closings import Failed, Released, told_digest
from broker.protocol.messages.ladder import Waiting
from broker.protocol.messages.requests import (
    Admission,
    AdmissionRecord,
    ReleaseDecided,
    Request,
    RequestSubmission,
    TokensAnswered,
    TokenSubmission,
)
from broker.protocol.messages.vocabulary import RecordKind, Tier
from broker.refusals import GateRefusal, Told
from broker.registry import Caller
from broker.releases import Answers
from broker.store import ledger
from broker.store import matches as match_rows
from broker.store import requests as rows
from broker.store import told as told_rows
from broker.store.database import Connection
from broker.translog.cosigning import Witnessed

TOO_MANY_HITS = "L16"
EMERGENCY = "G3"
DAY_SECONDS = 86_400


def file_request(broker: Broker, caller: Caller, submission: RequestSubmission) -> Admission:
    """Decide about a request; an admitted one gets its permit.

    Raises GateRefusal (recorded), BadInput, VerificationFailed, NotFound, NotPermitted, Conflict or Unavailable."""
    request = verify(Request, submission.request, caller.signing_key)
    digest = hashlib.sha256(encode(submission)).digest()
    now = broker.clock()
    with broker.database.write() as connection:
        answer = permits.answered_before(broker, connection, request.payload.request_id, digest)
        if answer is None:
            # 1. Who asks, what the legal desks found about exactly this request, who approved it, what it goes on from.
            filed = admission.read_papers(connection, caller, submission)
            # 2. The ledger is locked before it is read, and charged before it is let go.
            ledger.lock(connection, filed.space.space_id, filed.requester.agency_id)
            found = admission.candidates(broker, connection, filed, now)
            facts = admission.facts(connection, filed, found, now)
            # 3. The gate, by the rules in force, if they are those that the space's members agreed to.
            decision = decide_admission(rules.agreed(broker, connection, filed.space), facts)
            # 4. Entry, budget and answer together.
            if decision.allowed:
                answer = _admit(broker, connection, filed, submission, found, decision, now)
            else:
                answer = _refuse(broker, connection, filed, submission, decision, now)
    if isinstance(answer, GateRefusal):
        raise answer
    # The entry is durable: witnesses cosign the log before the permit leaves.
    return witnessed_permits.cosign_permit(broker, request.payload.request_id, answer)


def answer_tokens(
    broker: Broker, caller: Caller, request_id: bytes, submission: TokenSubmission
) -> TokensAnswered:
    """Match the tokens of an admitted request, once, and disclose what the gate lets leave.

    While a contributor may still say whether its own records are opened, the answer is who is waited for; the same
    tokens are sent again later.

    Raises GateRefusal (recorded), BadInput, NotFound, NotPermitted, Expired, Conflict or Unavailable."""
    answer: TokensAnswered | GateRefusal | Recorded
    with broker.database.write() as connection:
        # 5. The caller's own permit, and tokens within it.
        held = permits.held_permit(broker, connection, caller, request_id)
        tokens = TokenSet.within(held.admitted, submission, permits.selectable(connection, held))
        # 6. The permit's one use is in the log before a token meets a record.
        answer = permits.disclosed_before(broker, connection, held, tokens) or _record_tokens(
            broker, connection, held, tokens
        )
    again = isinstance(answer, TokensAnswered)
    if isinstance(answer, Recorded):
        with broker.database.write() as connection:
            # 7. to 9. What is found decides whether it may leave; the decision is durable when this block ends.
            waiting = _decide_release(broker, connection, held, answer)
        if waiting is not None:
            return TokensAnswered(waiting=waiting)
        # RELEASE is durable: witnesses cosign the log before anything is assembled.
        witnessed = witnessed_answers.cosign_release(broker, request_id)
        with broker.database.write() as connection:
            # 10. and 11. Assembled on the receipt, read back from the log under the cosigned checkpoint.
            answer = _disclose(broker, connection, caller, held, answer, witnessed)
    # The entry that names this answer is durable: witnesses cosign the log before it leaves, and it goes along.
    if isinstance(answer, GateRefusal):
        raise witnessed_answers.refused_with_entry(broker, answer)
    answered = witnessed_answers.with_entry(broker, request_id, answer)
    # What was taken back while they did has a notice, and does not leave; what is from here on finds whom it was told.
    if again:
        with broker.database.write() as connection:
            reading.read_again(broker, connection, caller, held, answered)
            # After its entry, which waits for those of a withdrawal: no reading is logged after a notice.
            permits.check_stands(broker, connection, request_id)
    else:
        with broker.database.read() as connection:
            permits.check_stands(broker, connection, request_id)
    return answered


def _admit(
    broker: Broker,
    connection: Connection,
    filed: Filed,
    submission: RequestSubmission,
    found: Sequence[Candidate],
    decision: Decision,
    now: int,
) -> Admission:
    terms = permits.terms_of(broker, filed, found, decision, now)
    record = AdmissionRecord(terms=terms, decision=decision.text)
    receipt = broker.audit.append(connection, RecordKind.ADMITTED, record, now)
    askings.note(connection, decision)
    admitted = Admitted.by(terms, receipt)
    permit, answer = permits.issue(broker, filed, admitted, found, decision.notes)
    request_id, counted = filed.request.payload.request_id, terms.tier is Tier.COUNT
    ledger.charge(
        connection,
        space_id=terms.space_id,
        requester=terms.requester,
        request_id=request_id,
        earlier=None if filed.earlier is None else filed.earlier.step.request.payload.request_id,
        # One case's ladder is one ask (L10): what was asked about before is not charged again.
        identifiers=0
        if filed.request.payload.selected
        else sum(batch.identifiers for batch in terms.batches),
        epsilon_millis=filed.space.count_epsilon_millis if counted else 0,
        now=now,
    )
    permits.keep(connection, filed, submission, rows.ADMITTED, encode(answer), receipt)
    rows.add_permit(
        connection,
        rows.StoredPermit(terms.permit_id, request_id, permit.document, terms.expires_at, None, None),
    )
    return answer


def _refuse(
    broker: Broker,
    connection: Connection,
    filed: Filed,
    submission: RequestSubmission,
    decision: Decision,
    now: int,
) -> GateRefusal:
    record = RequestRefused(
        request_id=filed.request.payload.request_id,
        space_id=filed.space.space_id,
        requester=filed.requester.agency_id,
        request_digest=filed.request.digest,
        finding_digests=tuple(finding.digest for finding in filed.findings),
        decision=decision.text,
    )
    receipt = broker.audit.append(connection, RecordKind.REFUSED, record, now)
    askings.note(connection, decision)
    refusal = GateRefusal(decision, receipt)
    permits.keep(connection, filed, submission, rows.REFUSED, permits.write_told(refusal.told), receipt)
    return refusal


def _record_tokens(broker: Broker, connection: Connection, held: Held, tokens: TokenSet) -> Recorded:
    terms, now = held.admitted.terms, broker.clock()
    if held.permit.token_root is not None:
        # An earlier call came this far and no further: its entry is the latest of this request.
        return Recorded.by(tokens, broker.audit.receipt(connection, held.request.log_index))
    if not terms.not_before_at <= now < terms.expires_at:
        raise Expired("The permit's time is over. File the request anew.")
    record = TokensReceived(
        permit_id=terms.permit_id,
        request_id=held.request.request_id,
        requester=terms.requester,
        token_root=tokens.root,
        nonce_digest=hashlib.sha256(tokens.nonce).digest(),
        lists=tuple(
            TokensOfSeries(
                handle=each.handle, deposit_id=each.deposit_id, tokens=len(each.tokens) // TOKEN_BYTES
            )
            for each in tokens.lists
        ),
    )
    receipt = broker.audit.append(connection, RecordKind.TOKENS, record, now)
    rows.use_permit(connection, terms.permit_id, tokens.root)
    rows.advance(connection, held.request.request_id, rows.ADMITTED, rows.TOKENS, receipt.proof.index)
    return Recorded.by(tokens, receipt)


def _decide_release(broker: Broker, connection: Connection, held: Held, recorded: Recorded) -> Waiting | None:
    now, terms, request_id = broker.clock(), held.admitted.terms, held.request.request_id
    if rows.state(connection, request_id) != rows.TOKENS:
        return None  # an earlier call decided
    # 7. Tokens meet records; contributors that have a say about their own records are asked.
    matches = find(connection, recorded, now)
    answers = releases.ask(broker, connection, held, matches, now)
    if isinstance(answers, Waiting):
        return answers
    # 8. The gate, on the result: by the rules in force and, if they changed since, those of the admission too.
    ledger.lock(connection, terms.space_id, terms.requester)
    ruling = _gate_release(broker, connection, held, matches, answers, now)
    # 9. Entry, ledger and what matched, together; unmatched tokens are forgotten with this call.
    record = ReleaseDecided(
        permit_id=terms.permit_id,
        request_id=request_id,
        requester=terms.requester,
        token_root=recorded.tokens.root,
        decision=ruling.decision.text,
        earlier_decision=None if ruling.earlier is None else ruling.earlier.text,
        opening=openings.terms_of(broker, held, matches, ruling, now),
    )
    receipt = broker.audit.append(connection, RecordKind.RELEASE, record, now)
    rows.advance(connection, request_id, rows.TOKENS, rows.RELEASING, receipt.proof.index)
    counted = ruling.allowed and ruling.tier is Tier.COUNT
    epsilon = held.admitted.facts.derived.count_cost_millis if counted else 0
    # A step that selects from earlier matches finds nothing new (L10).
    ledger.settle(
        connection,
        request_id,
        hits=0 if held.selects else len(matches.pairs),
        epsilon_millis=epsilon,
    )
    if counted:
        asked_before.keep_count(broker, connection, held, matches, now)
    if ruling.allowed:
        match_rows.keep(connection, terms.permit_id, matches.within(ruling.admitted_series))
    return None


def _gate_release(
    broker: Broker, connection: Connection, held: Held, matches: Matches, answers: Answers, now: int
) -> Ruling:
    terms, admitted = held.admitted.terms, held.admitted.facts
    # The result is about what was searched: series that were refused, or withdrawn since, have no say in it. Findings
    # and people count as they stand now, not as they stood at the admission.
    asked = matches.holding if held.selects else matches.series
    facts = ReleaseFacts(
        now=now,
        admission_digest=terms.decision_digest,
        admitted=admitted.model_copy(
            update={
                "series": tuple(each for each in admitted.series if each.series_id in asked),
                "verified": verified_from([finding.payload for finding in held.filed.findings], now),
                "people": admission.people_at(connection, held.filed, now),
            }
        ),
        result=asked_before.result(broker, connection, held, matches, now),
        answers=answers.said,
    )
    ruling = rules.rule(broker, connection, terms.bundle_digest, facts, terms.tier)
    if ruling.allowed or set(ruling.rules) != {TOO_MANY_HITS}:
        return ruling
    # What L16 alone refuses may leave as a count, if the budget for counts is not spent.
    spent = ledger.usage(connection, terms.space_id, terms.requester, now).epsilon_millis_30d
    if spent + admitted.derived.count_cost_millis > held.space.count_budget_millis:
        return ruling
    counted = rules.rule_again(broker, ruling, Tier.COUNT)
    return counted if counted.allowed else ruling


def _disclose(
    broker: Broker,
    connection: Connection,
    caller: Caller,
    held: Held,
    recorded: Recorded,
    witnessed: Witnessed,
) -> TokensAnswered | GateRefusal:
    now, request_id, terms = broker.clock(), held.request.request_id, held.admitted.terms
    answer, receipt = permits.release_of(broker, connection, request_id)
    if isinstance(answer, TokensAnswered):  # an identical call was faster
        reading.read_again(broker, connection, caller, held, answer)
    if answer is not None:
        return answer
    proof = broker.audit.under(connection, receipt.proof.index, witnessed)
    decided = ReleaseDecision.by(replace(receipt, proof=proof))
    if not decided.ruling.allowed:
        return _fail(broker, connection, held, decided, Told.of(decided.ruling))
    # 10. Assembled on the receipt, from what was kept when it was given.
    release = Release.of(recall(connection, recorded, now), decided)
    lowered = decided.tier is not terms.tier
    refused = rules.rule_again(broker, decided.ruling, terms.tier) if lowered else None
    found, records = openings.find(connection, held, release)
    try:
        assembled = assemble(release, refused, broker.keys.count_key, now, found)
    except Refused as error:
        return _fail(broker, connection, held, decided, Told((), (error.detail,), (), (), ()))
    disclosed = sign(assembled, broker.keys.signing_key)
    said = releases.answers(connection, held).documents
    opening = openings.assemble_opening(broker, connection, held, decided, records, said)
    answer = TokensAnswered(document=disclosed.document, opening=opening)
    # 11. The entry and the exact answer, together.
    record = Released(
        permit_id=terms.permit_id,
        request_id=request_id,
        request_digest=terms.request_digest,
        requester=terms.requester,
        tier=assembled.tier,
        disclosure_digest=disclosed.digest,
        release_index=receipt.proof.index,
    )
    entry = broker.audit.append(connection, RecordKind.RELEASED, record, now)
    rows.advance(connection, request_id, rows.RELEASING, rows.RELEASED, entry.proof.index)
    permits.keep_answer(connection, terms.permit_id, answer, release.matches)
    if assembled.matched:  # a count tells of no record
        told_rows.keep(connection, terms.permit_id, release.pairs)
    if decided.ruling.rests_on(EMERGENCY):
        review_days = broker.bundle.limits.emergency_review_days
        ledger.owe_review(connection, request_id, now + review_days * DAY_SECONDS)
    return answer


def _fail(
    broker: Broker, connection: Connection, held: Held, decided: ReleaseDecision, told: Told
) -> GateRefusal:
    terms = held.admitted.terms
    record = Failed(
        permit_id=terms.permit_id,
        request_id=held.request.request_id,
        request_digest=terms.request_digest,
        requester=terms.requester,
        release_index=decided.receipt.proof.index,
        problem=Refused.problem,
        told_digest=told_digest(told.rules, told.reasons, told.law, told.missed, told.notes),
    )
    entry = broker.audit.append(connection, RecordKind.FAILED, record, broker.clock())
    rows.advance(connection, held.request.request_id, rows.RELEASING, rows.FAILED, entry.proof.index)
    rows.keep_disclosure(connection, terms.permit_id, permits.write_told(told))
    return GateRefusal(told, entry)
