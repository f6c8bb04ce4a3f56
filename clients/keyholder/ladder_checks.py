"""What a key holder checks of the way up to a payload, before it opens one (DESIGN 2.7, POLICY L05).

     b ladder     the request goes on from disclosed sources, and these from disclosed hits, each confirmed by a person
     c points     are those of the earlier requests at the indices that were selected
     d sources    were decided on, by rules this holder knows and on facts it knows, before they were disclosed

Rule: a disclosure is the broker's word that a step was taken, and a broker that is in league with the requester would
give it for a step that never was. So the record of the sources' own RELEASE is opened here and decided again, on the
papers that stood behind it (decision 0011). The letters go on in `opening_checks`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.gate import decide
from broker.gate.bundle import Bundle
from broker.gate.facts import ReleaseFacts
from broker.gate.ruling import Ruling
from broker.protocol import leaves, merkle, papers, receipts, wrapping
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.evaluation import EarlierRelease, LadderStep
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import (
    Batch,
    OpenedRecord,
    PermitSeries,
    ReleaseDecided,
    Request,
    batch_leaf,
)
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from broker.protocol.papers import EarlierStep
from clients.keyholder.checks import MAXIMUM_PERMIT_SECONDS, CheckedPermit, CheckedPoints, CheckedRecord
from clients.keyholder.keys import HolderKeys
from clients.keyholder.own_knowledge import OwnKnowledge

Paths = Sequence[Sequence[tuple[bytes, ...]]]


@dataclass(frozen=True)
class CheckedLadder:
    """Checks b and c: the steps that this request goes on from, the nearest first."""

    steps: tuple[EarlierStep, ...]


@dataclass(frozen=True)
class OpenedRelease:
    """What the record of the RELEASE that the sources before rest on says was decided, and on what facts; not yet
    decided again. Where the rules had changed since that request's admission, it was decided under both."""

    ruling: Ruling
    facts: ReleaseFacts


def check_ladder(
    permit: CheckedPermit, request: Signed[Request], record: CheckedRecord, earlier: Sequence[LadderStep]
) -> CheckedLadder:
    """b. Sources were disclosed to this requester and confirmed, hits before them, and all that before the release."""
    steps: list[EarlierStep] = []
    asked = request
    for given in earlier:
        step = papers.read_earlier_step(
            permit.space, asked, given.request, given.disclosure, given.confirmation
        )
        _check_disclosed(permit.space, step, record)
        steps.append(step)
        asked = step.request
    if asked.payload.selected or asked.payload.tier not in (Tier.COUNT, Tier.HITS):
        raise VerificationFailed("The ladder lacks its first step: the request that hits were disclosed for.")
    if any(not each.request.payload.selected for each in steps[:-1]):
        raise VerificationFailed("The ladder has more steps than the request goes on from.")
    tiers = [step.tier for step in steps]
    # Hits that were decided as sources, since few could answer, are disclosed as sources at once (L21).
    if tiers not in ([Tier.SOURCES], [Tier.SOURCES, Tier.HITS]):
        raise VerificationFailed("A payload needs disclosed sources, and these need disclosed hits.")
    return CheckedLadder(tuple(steps))


def check_selected_points(
    ladder: CheckedLadder, request: Signed[Request], series: PermitSeries, points: CheckedPoints, paths: Paths
) -> CheckedPoints:
    """c. Each point is the earlier request's at the selected index, and the one before's at the index it selected."""
    if len(paths) != len(ladder.steps):
        raise VerificationFailed("The paths are not one list for each earlier step.")
    indices: Sequence[int] = range(len(points.elements))
    selecting = request.payload
    for step, step_paths in zip(ladder.steps, paths, strict=True):
        chosen = next(
            each.indices for each in selecting.selected if each.identifier_type == series.identifier_type
        )
        indices = [chosen[index] for index in indices]
        batch = _batch_of(step.request.payload, series.identifier_type)
        if len(step_paths) != len(points.elements):
            raise VerificationFailed("The paths are not one for each point.")
        for index, point, path in zip(indices, points.elements, step_paths, strict=True):
            leaf = merkle.leaf_hash(batch_leaf(index, point))
            merkle.verify_inclusion(leaf, index, batch.points, path, batch.batch_root)
        selecting = step.request.payload
    return points


def open_earlier_release(
    permit: CheckedPermit, keys: HolderKeys, ladder: CheckedLadder, given: EarlierRelease
) -> OpenedRelease:
    """d. The record of the sources' own RELEASE opens here, is the one in the log, and is about that very step."""
    step = ladder.steps[0]
    told = step.disclosure.payload
    info = wrapping.facts_info(permit.terms.permit_id, keys.holder_id)
    opened = decode(OpenedRecord, wrapping.unwrap(keys.wrapping.private, given.sealed_record, info))
    leaves.verify_record(told.proof.leaf, opened.record, opened.salt)
    try:
        record = decode(ReleaseDecided, opened.record)
        ruling = Ruling.read(record.decision, record.earlier_decision)
    except BadInput:
        # The broker wrote it, so it is not the caller's bad input.
        raise VerificationFailed("The record of an earlier release is none.") from None
    if (record.request_id, record.requester, record.token_root, ruling.digest) != (
        told.request_id,
        told.requester,
        told.token_root,
        told.decision_digest,
    ):
        raise VerificationFailed("The record of an earlier release is of another disclosure.")
    if ruling.decision.action != "release" or not isinstance(ruling.decision.facts, ReleaseFacts):
        raise VerificationFailed("An earlier disclosure rests on a decision that is none about a release.")
    if (ruling.outcome, ruling.tier) != (Outcome.ALLOW, told.tier):
        raise VerificationFailed("An earlier disclosure told more than was decided. Tell an auditor.")
    if not {source.series_id for source in told.sources} <= set(ruling.admitted_series):
        raise VerificationFailed("An earlier disclosure names a contributor that was not to be named.")
    return OpenedRelease(ruling, ruling.facts)


def check_earlier_release(
    ladder: CheckedLadder, opened: OpenedRelease, own: OwnKnowledge, rules: Mapping[bytes, Bundle]
) -> OpenedRelease:
    """d. Each decision comes out the same under its rules, on facts that this holder knows, when it was recorded.

    Args:
        own: what this holder knows of the earlier request.
        rules: by digest, those that the decisions name, which this holder's operator put in force once."""
    facts = opened.facts
    recorded_at = leaves.parse_leaf(ladder.steps[0].disclosure.payload.proof.leaf).recorded_at
    if facts.now != recorded_at or not 0 <= facts.now - facts.admitted.now <= MAXIMUM_PERMIT_SECONDS:
        raise VerificationFailed("An earlier release was decided at another time than it was recorded.")
    for decided in opened.ruling.decisions:
        if decide.decide_again(rules[decided.bundle_digest], decided).digest != decided.digest:
            raise VerificationFailed("The rules do not come to what the broker decided of an earlier step.")
    own.check(facts.admitted, facts.now)
    return opened


def _check_disclosed(space: Space, step: EarlierStep, record: CheckedRecord) -> None:
    """The disclosure's own RELEASE stands in the same log, before the one this permit rests on."""
    entry = receipts.verify_witnessed(step.disclosure.payload.proof, space)
    if entry.content.kind != RecordKind.RELEASE or entry.index >= record.entry.index:
        raise VerificationFailed("An earlier disclosure does not stand in the log before this release.")


def _batch_of(request: Request, identifier_type: str) -> Batch:
    for batch in request.batches:
        if batch.identifier_type == identifier_type:
            return batch
    raise VerificationFailed("An earlier request has no batch of the series' identifier type.")
