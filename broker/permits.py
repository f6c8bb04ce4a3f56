"""What a request is given: its permit, and later the same answer again, unless something of it was taken back.

Rule: below `sources` a permit and its sheets name no contributor, handles are fresh for each request, and their order
is that of the handles, which tells nothing (decision 0002). The ADMITTED record goes to each key holder sealed, by
the requester's hand (decision 0003). What is read back from the database is verified again. It decides nothing.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from broker import retractions
from broker.admission import Candidate, Filed, read_again
from broker.audit.log import Receipt
from broker.context import Broker
from broker.gate.decision import Decision
from broker.matching.evidence import Admitted, Matches, TokenSet
from broker.protocol import wrapping
from broker.protocol.documents import Signed, sign, verify
from broker.protocol.errors import Conflict, NotFound, NotPermitted, Unavailable
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.ladder import ReleasedRecord
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import (
    Admission,
    Disclosure,
    OpenedRecord,
    Permit,
    PermitSeries,
    PermitTerms,
    RequestSubmission,
    SealedRecord,
    TokensAnswered,
)
from broker.protocol.messages.series import SeriesManifest, SeriesSheet
from broker.protocol.messages.vocabulary import NAMES_CONTRIBUTORS
from broker.refusals import GateRefusal, Told
from broker.registry import Caller, load_space, member_of
from broker.store import matches as match_rows
from broker.store import releases
from broker.store import requests as rows
from broker.store.database import Connection

MAXIMUM_DEPOSITS = 1000
"""Deposits one permit can name: tokens are sent in one list for each."""
HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Held:
    """A requester's own permit with its evidence, and how far its request came."""

    request: rows.StoredRequest
    permit: rows.StoredPermit
    space: Space
    admitted: Admitted
    filed: Filed

    @property
    def selects(self) -> bool:
        """Whether the request selects from an earlier one: then no key holder evaluates its points again."""
        return bool(self.filed.request.payload.selected)


def terms_of(
    broker: Broker, filed: Filed, found: Sequence[Candidate], decision: Decision, now: int
) -> PermitTerms:
    """What the permit allows: the admitted series under fresh handles, in the order of the handles.

    Raises Conflict when they have more deposits than a permit can name."""
    request, tier = filed.request.payload, decision.tier or filed.request.payload.tier
    admitted = [each for each in found if each.serving.series.series_id in decision.admitted_series]
    if sum(len(each.serving.deposits) for each in admitted) > MAXIMUM_DEPOSITS:
        raise Conflict(
            "More deposits could answer than one permit can name (1,000). Ask for fewer types at once."
        )
    series = [
        PermitSeries(
            handle=broker.random_bytes(16),
            series_id=each.serving.series.series_id,
            identifier_type=each.manifest.identifier_type,
            key_digest=each.serving.series.key_digest,
            deposits=tuple(sorted(deposit.deposit_id for deposit in each.serving.deposits)),
        )
        for each in admitted
    ]
    return PermitTerms(
        permit_id=broker.random_bytes(16),
        space_id=request.space_id,
        roster_version=request.roster_version,
        requester=request.requester,
        request_digest=filed.request.digest,
        tier=tier,
        batches=request.batches,
        series=tuple(sorted(series, key=lambda each: each.handle)),
        decision_digest=decision.digest,
        bundle_digest=decision.bundle_digest,
        not_before_at=now,
        expires_at=now + broker.settings.permit_hours * HOUR_SECONDS,
        trial=broker.audit.trial,
    )


def issue(
    broker: Broker, filed: Filed, admitted: Admitted, found: Sequence[Candidate], notes: Sequence[str]
) -> tuple[Signed[Permit], Admission]:
    """The signed permit, and the requester's answer: sheets in the permit's order, the record sealed to each holder."""
    permit = sign(Permit(terms=admitted.terms, proof=admitted.receipt.proof), broker.keys.signing_key)
    by_id = {each.serving.series.series_id: each for each in found}
    answer = Admission(
        permit=permit.document,
        series=tuple(
            _sheet(by_id[series.series_id], series, _names(filed, admitted))
            for series in admitted.terms.series
        ),
        # What selects from earlier matches needs no evaluation under k_match.
        sealed_records=()
        if filed.request.payload.selected
        else sealed_records(filed.space, admitted.terms.permit_id, admitted.receipt),
        notes=tuple(notes),
    )
    return permit, answer


def keep(
    connection: Connection,
    filed: Filed,
    submission: RequestSubmission,
    state: str,
    answer: bytes,
    receipt: Receipt,
) -> None:
    """Keep a decided request with its papers and the exact answer to them."""
    body = encode(submission)
    request = filed.request.payload
    rows.add(
        connection,
        rows.StoredRequest(
            request_id=request.request_id,
            space_id=request.space_id,
            requester=request.requester,
            tier=request.tier.value,
            request_digest=filed.request.digest,
            submission_digest=hashlib.sha256(body).digest(),
            submission=body,
            state=state,
            answer=answer,
            log_index=receipt.proof.index,
            received_at=receipt.recorded_at,
        ),
    )


def held_permit(broker: Broker, connection: Connection, caller: Caller, request_id: bytes) -> Held:
    """The caller's own permit, verified again, with the receipt of its entry.

    Raises NotFound (another's request as none), NotPermitted (refused, or no member any more) or Unavailable."""
    # The permit's row is locked first: what is read after it is what the call before this one left.
    permit = rows.permit_of(connection, request_id)
    stored = rows.find(connection, request_id)
    if stored is None or stored.requester != caller.party_id:
        raise NotFound("No such request of yours is known here.")
    space = load_space(connection, stored.space_id).payload
    if member_of(space, caller).suspended:
        raise NotPermitted("The requester is suspended in the newest roster of the space.")
    if permit is None:
        raise NotPermitted("The request was refused, so there is no permit. File another request.")
    signed = verify(Permit, permit.document, broker.keys.signing_public).payload
    if signed.terms.permit_id != permit.permit_id:
        raise Unavailable("A stored permit is not that of its request. Tell the operator.")
    receipt = broker.audit.receipt(connection, signed.proof.index)
    return Held(stored, permit, space, Admitted.by(signed.terms, receipt), read_again(connection, stored))


def selectable(connection: Connection, held: Held) -> frozenset[tuple[bytes, bytes]] | None:
    """The (deposit_id, token) pairs a higher tier may select from; None for a request that selects nothing, or whose
    one token set was recorded before: it was within them then, and some may be gone."""
    if not held.selects or held.permit.token_root is not None:
        return None
    earlier = held.filed.earlier
    return frozenset() if earlier is None else match_rows.kept_named(connection, earlier.permit_id)


def answered_before(
    broker: Broker, connection: Connection, request_id: bytes, submission_digest: bytes
) -> Admission | GateRefusal | None:
    """What the same submission was answered, if it came before. Raises Conflict for another under the same name."""
    stored = rows.find(connection, request_id)
    if stored is None:
        return None
    if stored.submission_digest != submission_digest:
        raise Conflict("This request_id was used before with other content. Draw a new one.")
    if stored.state == rows.REFUSED:
        return GateRefusal(read_told(stored.answer), broker.audit.receipt(connection, stored.log_index))
    return decode(Admission, stored.answer)


def disclosed_before(
    broker: Broker, connection: Connection, held: Held, tokens: TokenSet
) -> TokensAnswered | GateRefusal | None:
    """What the same tokens were answered, if they were. Raises Conflict for other tokens under a used permit, and for
    an answer of which something was taken back since."""
    if held.permit.token_root is None:
        return None
    if held.permit.token_root != tokens.root:
        raise Conflict("Other tokens were sent under this permit before. File a new request for these.")
    return _answer_of(broker, connection, held.request, held.permit)


def release_of(
    broker: Broker, connection: Connection, request_id: bytes
) -> tuple[TokensAnswered | GateRefusal | None, Receipt]:
    """The answer of a request whose release was decided, None while there is none, and its latest receipt.

    Raises NotFound, Conflict (something of it was taken back since) or Unavailable."""
    permit, stored = rows.permit_of(connection, request_id), rows.find(connection, request_id)
    if stored is None or permit is None:
        raise NotFound("No such request of yours is known here.")
    receipt = broker.audit.receipt(connection, stored.log_index)
    return _answer_of(broker, connection, stored, permit), receipt


def check_stands(broker: Broker, connection: Connection, request_id: bytes) -> None:
    """That nothing of a request's answer was taken back since it was made. Raises Conflict, or NotFound."""
    stored = rows.find(connection, request_id)
    if stored is None:
        raise NotFound("No such request of yours is known here.")
    retractions.check_stands(broker, connection, stored)


def _answer_of(
    broker: Broker, connection: Connection, request: rows.StoredRequest, permit: rows.StoredPermit
) -> TokensAnswered | GateRefusal | None:
    if permit.disclosure is None:
        return None
    if request.state == rows.FAILED:
        return GateRefusal(read_told(permit.disclosure), broker.audit.receipt(connection, request.log_index))
    answer = decode(TokensAnswered, permit.disclosure)
    told = verify(Disclosure, answer.document or "", broker.keys.signing_public).payload
    retractions.check_stands(broker, connection, request)
    if answer.opening is None:
        return answer
    records = tuple(
        decode(ReleasedRecord, body) for body in releases.records_of(connection, permit.permit_id)
    )
    if len(records) != len(told.records):
        raise Unavailable(
            "Records of this answer were taken back since it was given, so it cannot be given again. Go on with what "
            "you have of it, or file a new request."
        )
    return answer.model_copy(update={"opening": answer.opening.model_copy(update={"records": records})})


def keep_answer(connection: Connection, permit_id: bytes, answer: TokensAnswered, matches: Matches) -> None:
    """Keep an answer for a retry; released records in rows of their own, which go with their deposit."""
    if answer.opening is None:
        rows.keep_disclosure(connection, permit_id, encode(answer))
        return
    numbers = {each.deposit_id: each.deposit_number for each in matches.deposits}
    records = answer.opening.records
    kept = answer.model_copy(update={"opening": answer.opening.model_copy(update={"records": ()})})
    rows.keep_disclosure(connection, permit_id, encode(kept))
    releases.keep_records(
        connection,
        permit_id,
        [releases.StoredRelease(numbers[each.deposit_id], each.token, encode(each)) for each in records],
    )


def write_told(told: Told) -> bytes:
    """What a refused caller was told, as it is kept."""
    return json.dumps(asdict(told), sort_keys=True).encode()


def read_told(data: bytes) -> Told:
    """The inverse of `write_told`."""
    return Told(**{name: tuple(texts) for name, texts in json.loads(data).items()})


def _names(filed: Filed, admitted: Admitted) -> bool:
    """Whether a permit's sheets name contributors: hits decided as sources (L21) do. A request that selects learns the
    names with its disclosure, and only of those that hold something."""
    return admitted.terms.tier in NAMES_CONTRIBUTORS and not filed.request.payload.selected


def _sheet(candidate: Candidate, series: PermitSeries, names: bool) -> SeriesSheet:
    contributor = candidate.contributor.agency_id if names else None
    return sheet(series, candidate.manifest, candidate.serving.acceptances, contributor)


def sheet(
    series: PermitSeries, manifest: SeriesManifest, acceptances: tuple[str, ...], contributor: str | None
) -> SeriesSheet:
    """What a requester needs to check the answers for one series; `contributor` is None where it names nobody."""
    return SeriesSheet(
        handle=series.handle,
        series_id=series.series_id,
        identifier_type=series.identifier_type,
        threshold=manifest.threshold,
        holders=len(manifest.holders),
        commitments_match=manifest.commitments_match,
        commitments_open=manifest.commitments_open,
        acceptances=acceptances,
        deposits=series.deposits,
        contributor=contributor,
    )


def sealed_records(space: Space, permit_id: bytes, receipt: Receipt) -> tuple[SealedRecord, ...]:
    """The record of an entry with its salt, sealed to each holder for one permit."""
    opened = encode(OpenedRecord(record=receipt.record, salt=receipt.salt))
    return tuple(
        SealedRecord(
            holder_id=holder.holder_id,
            wrapped=wrapping.wrap(
                holder.wrapping_key, opened, wrapping.facts_info(permit_id, holder.holder_id)
            ),
        )
        for holder in space.holders
    )
