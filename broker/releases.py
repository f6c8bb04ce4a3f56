"""What contributors say before their own records are opened: asked, shown, answered (DESIGN 2.8, POLICY L19).

Rule: a contributor that releases each payload itself, and every helpline and NGO, is asked once the matching found
what is meant; it sees the grounds and which of its own records, and that it looked is logged. It answers with a signed
document for the permit and the series; silence until the time in the ask is a refusal. While one may still answer,
nothing is decided. Whether an answer suffices is the gate's.
"""

from dataclasses import dataclass

from broker import rules
from broker.audit.log import Receipt
from broker.audit.records import ReleaseAnswered, ReleaseAsked, ReleaseShown
from broker.context import Broker
from broker.gate.facts import AdmitFacts, SeriesAnswer, SeriesFacts
from broker.matching.evidence import Admitted, Matches
from broker.permits import Held
from broker.protocol.documents import verify
from broker.protocol.errors import Conflict, Expired, NotFound, Unavailable
from broker.protocol.messages.ladder import ContributorRelease, ReleaseAsk, ReleaseAsks, Waiting
from broker.protocol.messages.requests import Permit
from broker.protocol.messages.vocabulary import AgencyKind, ContributorAnswer, RecordKind, Tier
from broker.registry import Caller
from broker.store import parties
from broker.store import releases as rows
from broker.store import requests as request_rows
from broker.store.database import Connection

DAY_SECONDS = 86_400
MAXIMUM_SHOWN = 200
_CIVIL_SOCIETY = (AgencyKind.HELPLINE, AgencyKind.NGO)


@dataclass(frozen=True)
class Answers:
    """Evidence that no contributor is waited for: what each of those asked said, and their signed documents."""

    said: tuple[SeriesAnswer, ...]
    documents: tuple[str, ...]


def ask(broker: Broker, connection: Connection, held: Held, matches: Matches, now: int) -> Answers | Waiting:
    """Ask the contributors that must be, once, and say who is still waited for, or what they said.

    Raises Unavailable or VerificationFailed."""
    if held.admitted.terms.tier is not Tier.PAYLOAD:
        return Answers((), ())
    permit_id = held.admitted.terms.permit_id
    asked = rows.of_permit(connection, permit_id)
    if not asked:
        asked = _ask(broker, connection, held, matches, now)
    open_asks = [each for each in asked if each.answer is None and now < each.until_at]
    if open_asks:
        return Waiting(
            contributors=len({each.contributor for each in open_asks}),
            until_at=max(each.until_at for each in open_asks),
        )
    return answers(connection, held)


def answers(connection: Connection, held: Held) -> Answers:
    """What the contributors asked under a permit said; silence where nothing is kept. Raises VerificationFailed."""
    by_series = {each.series_id: each for each in rows.of_permit(connection, held.admitted.terms.permit_id)}
    said: list[SeriesAnswer] = []
    documents: list[str] = []
    for series_id, asked in sorted(by_series.items()):
        answer = ContributorAnswer.SILENT
        if asked.answer is not None:
            enrolled = parties.accepted_enrolment_of(connection, asked.contributor)
            if enrolled is None:
                raise Unavailable("A contributor that answered is not enrolled here any more.")
            released = verify(ContributorRelease, asked.answer, enrolled.signing_key).payload.released
            answer = ContributorAnswer.GIVEN if released else ContributorAnswer.REFUSED
            documents.append(asked.answer)
        said.append(SeriesAnswer(series_id=series_id, answer=answer))
    return Answers(tuple(said), tuple(documents))


def show(broker: Broker, caller: Caller) -> ReleaseAsks:
    """What a contributor is asked about its own records; that it looked is an entry. Raises NotFound."""
    caller.check_reads()
    now = broker.clock()
    with broker.database.write() as connection:
        found = rows.of_contributor(connection, caller.party_id, MAXIMUM_SHOWN)
        asks = tuple(_described(broker, connection, each) for each in found)
        shown = tuple(sorted({each.permit_id for each in asks if not each.answered}))
        if shown:
            record = ReleaseShown(contributor=caller.party_id, kid=caller.kid, permits=shown, read_at=now)
            broker.audit.append(connection, RecordKind.RELEASE_SHOWN, record, now)
    return ReleaseAsks(asks=asks)


def answer(broker: Broker, caller: Caller, permit_id: bytes, document: str) -> Receipt:
    """Keep a contributor's release or refusal. The same document again is answered again.

    Raises NotFound, VerificationFailed, Conflict (answered otherwise before) or Expired (silence refused)."""
    signed = verify(ContributorRelease, document, caller.signing_key)
    said, now = signed.payload, broker.clock()
    with broker.database.write() as connection:
        asked = [
            each
            for each in rows.of_permit(connection, permit_id)
            if (each.contributor, each.series_id) == (caller.party_id, said.series_id)
        ]
        if not asked or said.permit_id != permit_id:
            raise NotFound("You are asked for no release under that permit.")
        if asked[0].answer is not None and asked[0].answered_index is not None:
            if asked[0].answer != document:
                raise Conflict("You answered this before, otherwise. The first answer stands.")
            return broker.audit.receipt(connection, asked[0].answered_index)
        if now >= asked[0].until_at:
            raise Expired("The time to answer is over, and silence has refused.")
        _check_undecided(connection, permit_id)
        admitted = _admitted(broker, connection, permit_id)
        if said.request_digest != admitted.terms.request_digest:
            raise Conflict(
                "The answer is about another request than this permit's. Fetch what is asked again."
            )
        record = ReleaseAnswered(
            permit_id=permit_id,
            series_id=said.series_id,
            contributor=caller.party_id,
            released=said.released,
            document_digest=signed.digest,
        )
        receipt = broker.audit.append(connection, RecordKind.RELEASE_ANSWERED, record, now)
        rows.answer(connection, permit_id, said.series_id, document, receipt.proof.index)
        return receipt


def must_be_asked(series: SeriesFacts) -> bool:
    """Whether a series' contributor has a say before a payload of its is opened (L19)."""
    return series.conditions.releases_each_payload or series.conditions.contributor_kind in _CIVIL_SOCIETY


def _ask(
    broker: Broker, connection: Connection, held: Held, matches: Matches, now: int
) -> tuple[rows.StoredAsk, ...]:
    until = now + rules.in_force(broker, connection).limits.contributor_answer_days * DAY_SECONDS
    series = {each.series_id: each for each in held.admitted.facts.series if must_be_asked(each)}
    asks = []
    for deposit in matches.deposits:
        tokens = b"".join(
            sorted(pair.token for pair in matches.pairs if pair.deposit_number == deposit.deposit_number)
        )
        if tokens and deposit.series_id in series:
            asks.append(
                rows.StoredAsk(
                    permit_id=held.admitted.terms.permit_id,
                    deposit_number=deposit.deposit_number,
                    series_id=deposit.series_id,
                    contributor=deposit.contributor,
                    tokens=tokens,
                    asked_at=now,
                    until_at=until,
                )
            )
    rows.add(connection, asks)
    for series_id in sorted({each.series_id for each in asks}):
        of_series = [each for each in asks if each.series_id == series_id]
        record = ReleaseAsked(
            permit_id=held.admitted.terms.permit_id,
            request_id=held.request.request_id,
            series_id=series_id,
            contributor=of_series[0].contributor,
            records=sum(len(each.tokens) // 16 for each in of_series),
            until_at=until,
        )
        broker.audit.append(connection, RecordKind.RELEASE_ASKED, record, now)
    return tuple(asks)


def _check_undecided(connection: Connection, permit_id: bytes) -> None:
    """The time to answer may be over by the log though not by a clock that was put back: what is decided stays so."""
    permit = request_rows.permit(connection, permit_id)
    if permit is None or request_rows.state(connection, permit.request_id) != request_rows.TOKENS:
        raise Expired("What was asked is decided already. Your answer comes too late and was not recorded.")


def _admitted(broker: Broker, connection: Connection, permit_id: bytes) -> Admitted:
    permit = request_rows.permit(connection, permit_id)
    if permit is None:
        raise NotFound("You are asked for no release under that permit.")
    signed = verify(Permit, permit.document, broker.keys.signing_public).payload
    return Admitted.by(signed.terms, broker.audit.receipt(connection, signed.proof.index))


def _described(broker: Broker, connection: Connection, asked: rows.AskedOf) -> ReleaseAsk:
    admitted = _admitted(broker, connection, asked.ask.permit_id)
    facts: AdmitFacts = admitted.facts
    found = facts.verified
    series = next((each for each in facts.series if each.series_id == asked.ask.series_id), None)
    if found is None or series is None:
        raise Unavailable("What is asked does not fit what was decided. Tell the operator.")
    return ReleaseAsk(
        permit_id=asked.ask.permit_id,
        request_digest=admitted.terms.request_digest,
        series_id=asked.ask.series_id,
        deposit_id=asked.deposit_id,
        tokens=asked.ask.tokens,
        requester=admitted.terms.requester,
        purpose=found.purpose,
        offence=found.offence,
        instrument=found.basis.instrument,
        issued_by=found.basis.issued_by,
        validated_by=found.basis.validated_by,
        payload_category=series.conditions.payload_category,
        asked_at=asked.ask.asked_at,
        until_at=asked.ask.until_at,
        answered=asked.ask.answer is not None,
    )
