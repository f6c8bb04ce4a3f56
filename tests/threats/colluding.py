"""A requester that skips all its own checks, and asks each key holder by hand: what a dishonest one would run.

It uses the parties' real keys and papers; whatever stops it is the other side's check.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.protocol import documents
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.evaluation import Consistency, EvaluationAnswer, EvaluationCall
from broker.protocol.messages.log import ConsistencyPath
from broker.protocol.messages.requests import (
    Admission,
    Permit,
    Request,
    RequestSubmission,
    TokenList,
    TokensAnswered,
    TokenSubmission,
)
from broker.protocol.messages.vocabulary import Tier
from clients.requester import PreparedRequest
from clients.requesting.request_folder import RequestFolder
from clients.transport import Caller, ConsistencyNeeded
from tests.world import BROKER, HOLDERS, POLICE, World

Outcomes = Mapping[int, EvaluationAnswer | NarrowgateError]


@dataclass(frozen=True)
class Papers:
    """Everything a requester has in hand once the broker admitted it."""

    admission: Admission
    request: documents.Signed[Request]
    findings: tuple[str, ...]
    points: bytes

    def permit(self, world: World) -> documents.Signed[Permit]:
        """The permit, verified."""
        return documents.verify(Permit, self.admission.permit, world.space.broker_signing_key)


def points_of(world: World, prepared: PreparedRequest) -> bytes:
    """The blinded points of a prepared request about one type."""
    return RequestFolder(world.homes[POLICE].vault, prepared.request_id).plan().batches[0].points


def file(world: World, prepared: PreparedRequest, findings: Sequence[str]) -> Papers:
    """File a request without the client's own checks. Raises what the broker answers."""
    submission = RequestSubmission(request=prepared.document, findings=tuple(findings))
    admission = world.caller(POLICE).post(f"{BROKER}/v1/requests", submission, Admission)
    return Papers(admission, prepared.request, tuple(findings), points_of(world, prepared))


def admitted(world: World, identifiers: Sequence[str], tier: Tier = Tier.HITS, **claims: Any) -> Papers:
    """An honest request that the broker admits."""
    prepared = world.prepare(identifiers, tier, **claims)
    return file(world, prepared, [world.finding(prepared)])


def ask(
    world: World,
    papers: Papers,
    x: int,
    quorum: tuple[int, ...] | None = None,
    caller: Caller | None = None,
    series: int = 0,
    **changes: Any,
) -> EvaluationAnswer:
    """Ask one holder for one series of the permit; `changes` are to the call. Raises what the holder answers."""
    sealed = {each.holder_id: each.wrapped for each in papers.admission.sealed_records}
    fields: dict[str, Any] = {
        "permit": papers.admission.permit,
        "request": papers.request.document,
        "findings": papers.findings,
        "sealed_record": sealed[f"holder-{x}"],
        "handle": papers.admission.series[series].handle,
        "quorum": quorum or ((1, 2) if x < 3 else (1, 3)),
        "points": papers.points,
    }
    call = EvaluationCall(**fields | changes)
    caller, url = caller or world.caller(POLICE), f"{HOLDERS[x]}/v1/evaluations"
    try:
        return caller.post(url, call, EvaluationAnswer)
    except ConsistencyNeeded as needed:
        consistency = _consistency(world, papers, needed.seen_size)
        return caller.post(url, call.model_copy(update={"consistency": consistency}), EvaluationAnswer)


def ask_all(world: World, papers: Papers, caller: Caller | None = None, **changes: Any) -> Outcomes:
    """Ask every holder: its answer, or the error it answers with."""
    outcomes: dict[int, EvaluationAnswer | NarrowgateError] = {}
    for x in HOLDERS:
        try:
            outcomes[x] = ask(world, papers, x, caller=caller, **changes)
        except NarrowgateError as error:
            outcomes[x] = error
    return outcomes


def tokens_for(world: World, papers: Papers, tokens: Iterable[bytes]) -> TokenSubmission:
    """The same tokens for each deposit of the permit."""
    terms = papers.permit(world).payload.terms
    lists = tuple(
        TokenList(handle=series.handle, deposit_id=deposit, tokens=b"".join(sorted(tokens)))
        for series in terms.series
        for deposit in series.deposits
    )
    return TokenSubmission(permit_id=terms.permit_id, nonce=bytes(32), lists=lists)


def send_tokens(world: World, papers: Papers, submission: TokenSubmission, name: str = POLICE) -> str:
    """Send tokens to the broker. Returns the disclosure's document; raises what the broker answers."""
    url = f"{BROKER}/v1/requests/{papers.request.payload.request_id.hex()}/tokens"
    return world.caller(name).post(url, submission, TokensAnswered).document or ""


def assert_all_answer(outcomes: Outcomes) -> None:
    """The honest twin: every holder answered."""
    assert {x: type(outcome) for x, outcome in outcomes.items()} == dict.fromkeys(HOLDERS, EvaluationAnswer)


def assert_all_refuse(outcomes: Outcomes, kind: type[NarrowgateError], words: str) -> None:
    """Every holder refused, for that reason."""
    for x, outcome in outcomes.items():
        assert isinstance(outcome, kind), f"holder {x}: {outcome!r}"
        assert words in outcome.detail, f"holder {x}: {outcome.detail}"


def _consistency(world: World, papers: Papers, seen: int) -> Consistency:
    size = int(papers.permit(world).payload.proof.checkpoint.split("\n")[1])
    old, new = sorted((seen, size))
    url = f"{BROKER}/v1/log/consistency?old={old}&new={new}"
    path = world.caller(POLICE).get(url, ConsistencyPath).path
    return Consistency(old_size=old, new_size=new, path=path)
