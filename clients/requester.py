"""The requester: ask which of one's own identifiers other agencies know, and learn nothing else.

Rule (DESIGN 2.4 to 2.7), four steps, each kept in the home before the next, so that a killed program goes on:

    prepare   salted hash, blind, sign the request; no call is made, the document goes to a legal desk
    file      the broker's gate admits or refuses; the permit, its log entry and the series' keys are verified
    evaluate  key holders answer (`requesting.evaluating`); the answers are unblinded to tokens, kept, not yet sent
    submit    the tokens are sent, once; the disclosure is verified and mapped back to identifiers

Identifiers, hashes, blinds and tokens have no repr and leave the home in no form but blinded points and tokens. It
does not canonicalise: see `clients.identifiers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.protocol import documents, oprf, tokens
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.group import split_elements
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import (
    MAXIMUM_POINTS,
    Admission,
    Batch,
    Claims,
    PermitSeries,
    Request,
    RequestSubmission,
    TokenList,
    TokensAnswered,
    TokenSubmission,
    batch_root,
)
from broker.protocol.messages.vocabulary import Outcome, Tier
from broker.protocol.papers import read_approval, read_finding
from clients.home import Home
from clients.remote import RefusedByGate
from clients.requester_checks.disclosures import verify_disclosure
from clients.requester_checks.opened import verify_opening
from clients.requester_checks.permits import VerifiedAdmission, check_time, verify_admission
from clients.requester_checks.refusals import refusal_told, verify_refusal
from clients.requesting.answers import AnswerAwaited, answer_of
from clients.requesting.evaluating import Evaluating, MatchQuestion, Progress
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer, Plan, PlannedBatch, Refusal, SpelledPerson, Tokens
from clients.requesting.retractions import keep_what_stands
from clients.transport import Caller, Clock

_ASKED_FIRST = (Tier.COUNT, Tier.HITS)


@dataclass(frozen=True)
class PreparedRequest:
    """A request signed and kept, and not yet sent: its document goes to the legal desk."""

    request: Signed[Request]

    @property
    def request_id(self) -> bytes:
        """16 bytes; names the request in all that follows."""
        return self.request.payload.request_id

    @property
    def document(self) -> str:
        """The signed request, to hand to the legal desk."""
        return self.request.document


class Requester:
    """One requester in one space.

    Args:
        home: its folder, with its key and the space's salt.
        space: the pinned space document; requests are verified against the roster they were prepared under.
    """

    def __init__(
        self, home: Home, space: Space, caller: Caller, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._home = home
        self._space = space
        self._caller = caller.within(space.space_id)
        self._clock = clock
        self._random_bytes = random_bytes

    # --- prepare ---

    def prepare(
        self,
        identifiers: Mapping[str, Sequence[str]],
        claims: Claims,
        tier: Tier,
        earlier: bytes | None = None,
        persons: Sequence[SpelledPerson] = (),
    ) -> PreparedRequest:
        """Blind the identifiers and sign a request about them. Makes no call.

        Args:
            identifiers: canonical texts ("phone/1|+447700900123") by identifier type; repeats are asked once.
            claims: what the requester states.
            tier: count or hits.
            earlier: id of the request that this one builds on.
            persons: whom some of the identifiers are spellings of, kept to read the answer by.

        Raises BadInput, NotFound (no salt yet) or NotPermitted (not a member).
        """
        self._home.membership(self._space)
        if tier not in _ASKED_FIRST:
            raise BadInput(
                "Ask for count or hits first. For sources, confirm hits (narrowgate request confirm), then use: "
                "narrowgate request climb"
            )
        salt = self._home.salt(self._space)
        batches = tuple(
            self._blind(name, texts, salt) for name, texts in sorted(identifiers.items()) if texts
        )
        if not batches:
            raise BadInput("There is no identifier to ask about.")
        request = Request(
            request_id=self._random_bytes(16),
            space_id=self._space.space_id,
            roster_version=self._space.roster_version,
            requester=self._home.party_id,
            tier=tier,
            batches=tuple(_batch(planned) for planned in batches),
            claims=claims,
            earlier_request=earlier,
            created_at=self._clock(),
        )
        signed = documents.sign(request, self._home.signing_key)
        self._folder(request.request_id).keep_prepared(
            Plan(batches=batches, persons=tuple(persons)), signed.document, request.created_at
        )
        return PreparedRequest(signed)

    def _blind(self, identifier_type: str, texts: Sequence[str], salt: bytes) -> PlannedBatch:
        distinct = tuple(dict.fromkeys(texts))
        if identifier_type not in self._space.identifier_types:
            raise BadInput(
                f"This space does not compare identifiers of that type. It compares "
                f"{', '.join(self._space.identifier_types)}."
            )
        if not all(text.startswith(f"{identifier_type}/") for text in distinct):
            raise BadInput(
                "An identifier is not in the canonical form of its type. Canonicalise the file first."
            )
        if len(distinct) > MAXIMUM_POINTS:
            raise BadInput(f"A request asks about at most {MAXIMUM_POINTS:,} identifiers of a type.")
        hashes = [tokens.salted_hash(salt, text) for text in distinct]
        blinded = oprf.blind_many(hashes, self._random_bytes)
        return PlannedBatch(
            identifier_type=identifier_type,
            identifiers=distinct,
            hashes=b"".join(hashes),
            blinds=b"".join(each.blind for each in blinded),
            points=b"".join(each.blinded_element for each in blinded),
        )

    # --- file ---

    def file(
        self, request_id: bytes, findings: Sequence[str] = (), approvals: Sequence[str] = ()
    ) -> VerifiedAdmission:
        """File a prepared request with the legal desk's findings and people's approvals. Done before, the kept
        admission is verified again.

        Raises RefusedByGate (the refusal is kept, too), VerificationFailed (what the broker answered is kept as
        evidence), BadInput (a finding is about something else), Conflict (admitted with other findings),
        Unreachable, RemoteProblem.
        """
        folder, request = self._open(request_id)
        kept = folder.admission()
        if kept is not None:
            if findings and tuple(findings) != folder.findings():
                raise Conflict("The request was admitted with other findings. Go on without naming any.")
            if approvals and tuple(approvals) != folder.approvals():
                raise Conflict("The request was admitted with other approvals. Go on without naming any.")
            return verify_admission(kept, request, self._space)
        found = tuple(read_finding(self._space, request, each) for each in findings)
        for each in approvals:
            read_approval(self._space, request, found, each)
        folder.keep_findings(tuple(findings))
        folder.keep_approvals(tuple(approvals))
        submission = RequestSubmission(
            request=request.document,
            findings=tuple(findings),
            approvals=tuple(approvals),
            confirmation=folder.earlier_confirmation(),
        )
        try:
            admission = self._caller.post(f"{self._space.broker_origin}/v1/requests", submission, Admission)
        except RefusedByGate as error:
            folder.keep_refusal(Refusal.of(error, self._space.trial))
            raise
        try:
            verified = verify_admission(admission, request, self._space)
        except (VerificationFailed, BadInput) as error:
            folder.keep_false_admission(admission)
            raise VerificationFailed(
                f"The broker's answer does not verify and is kept as evidence: {error.detail}"
            ) from error
        folder.keep_admission(admission)
        return verified

    # --- evaluate ---

    def evaluate(
        self, request_id: bytes, quorum: Sequence[int] | None = None, progress: Progress | None = None
    ) -> None:
        """Have the points evaluated and keep the tokens. Done before, nothing is asked again.

        Args:
            quorum: the holders to ask, by their index in the roster; None to try all until enough answer.

        Raises RefusedByGate (by a key holder), VerificationFailed, Unavailable (too few answer), Expired, Conflict
        (not admitted yet).
        """
        folder, request = self._open(request_id)
        if folder.tokens() is not None or folder.answer() is not None:
            return
        admission = self._admission(folder, request)
        plan = folder.plan()
        if request.payload.selected:
            # What holders evaluated for the earlier request serves again: its tokens are selected from.
            folder.keep_tokens(self._selected(admission, request.payload, plan))
            return
        check_time(admission.terms, self._clock())
        question = MatchQuestion(
            admission,
            request.document,
            folder.findings(),
            folder.approvals(),
            {planned.identifier_type: split_elements(planned.points) for planned in plan.batches},
        )
        try:
            evaluated = Evaluating(self._caller, self._space, question, folder, progress).collect(quorum)
        except RefusedByGate as error:
            folder.keep_refusal(Refusal.of(error, self._space.trial))
            raise
        folder.keep_tokens(self._tokens(admission, plan, evaluated))
        folder.forget_refusal()

    def _tokens(
        self, admission: VerifiedAdmission, plan: Plan, evaluated: Mapping[bytes, Sequence[bytes]]
    ) -> Tokens:
        batches = {planned.identifier_type: planned for planned in plan.batches}
        lists: list[TokenList] = []
        orders: list[tuple[int, ...]] = []
        for series in admission.terms.series:
            planned = batches[series.identifier_type]
            outputs = oprf.finalize_batch(
                _split(planned.hashes, tokens.SALTED_HASH_BYTES),
                split_elements(planned.blinds),
                evaluated[series.handle],
            )
            for deposit_id in series.deposits:
                item, order = self._token_list(series, deposit_id, outputs)
                lists.append(item)
                orders.append(order)
        submission = TokenSubmission(
            permit_id=admission.terms.permit_id, nonce=self._random_bytes(32), lists=tuple(lists)
        )
        return Tokens(submission=submission, orders=tuple(orders))

    def _selected(self, admission: VerifiedAdmission, request: Request, plan: Plan) -> Tokens:
        earlier = self._folder(request.earlier_request or b"").answer()
        if earlier is None:
            raise Conflict("The earlier request's answer is not kept here any more.")
        lists, orders = [], []
        for series in admission.terms.series:
            batch = next(each for each in plan.batches if each.identifier_type == series.identifier_type)
            place = {identifier: index for index, identifier in enumerate(batch.identifiers)}
            for deposit_id in series.deposits:
                found = sorted(
                    (hit.token, place[hit.identifier])
                    for hit in earlier.hit_tokens
                    if hit.deposit_id == deposit_id and hit.identifier in place
                )
                joined = b"".join(token for token, _ in found)
                lists.append(TokenList(handle=series.handle, deposit_id=deposit_id, tokens=joined))
                orders.append(tuple(index for _, index in found))
        submission = TokenSubmission(
            permit_id=admission.terms.permit_id, nonce=self._random_bytes(32), lists=tuple(lists)
        )
        return Tokens(submission=submission, orders=tuple(orders))

    def _token_list(
        self, series: PermitSeries, deposit_id: bytes, outputs: Sequence[bytes]
    ) -> tuple[TokenList, tuple[int, ...]]:
        derived = [tokens.derive(y, series.series_id, self._space.space_id, deposit_id) for y in outputs]
        # Sorted, a list tells the broker nothing of the order in which the identifiers were written down.
        order = tuple(sorted(range(len(derived)), key=derived.__getitem__))
        joined = b"".join(derived[index] for index in order)
        return TokenList(handle=series.handle, deposit_id=deposit_id, tokens=joined), order

    # --- submit ---

    def submit(self, request_id: bytes) -> Answer:
        """Send the tokens, once, and read the answer. Done before, the kept answer is returned.

        Raises AnswerAwaited while contributors may still say whether their records are opened, RefusedByGate (the
        result may not be released), VerificationFailed (the disclosure is kept as evidence), Conflict (not evaluated
        yet), Unreachable, RemoteProblem.
        """
        folder, request = self._open(request_id)
        answered = folder.answer()
        if answered is not None:
            return answered
        kept = folder.tokens()
        if kept is None:
            raise Conflict(
                "The key holders have not evaluated this request yet. Use: narrowgate request evaluate"
            )
        url = f"{self._space.broker_origin}/v1/requests/{request_id.hex()}/tokens"
        try:
            told = self._caller.post(url, kept.submission, TokensAnswered)
        except RefusedByGate as error:
            refusal = Refusal.of(error, self._space.trial)
            folder.keep_refusal(refusal)
            verify_refusal(error, refusal.recorded, self._admission(folder, request), request, self._space)
            raise
        if told.waiting is not None:
            self._caller.ask_anew(url, kept.submission)
            raise AnswerAwaited(told.waiting)
        return keep_what_stands(self._home, self._space, self._read_disclosure(told, folder, request, kept))

    def _read_disclosure(
        self, answered: TokensAnswered, folder: RequestFolder, request: Signed[Request], kept: Tokens
    ) -> Answer:
        admission, document = self._admission(folder, request), answered.document or ""
        try:
            verified = verify_disclosure(
                document, answered.recorded, admission, request, kept.submission, self._space
            )
            signed = verified.signed
            if answered.opening is not None or signed.payload.records:
                verify_opening(answered.opening, signed, admission, request, self._space)
        except (VerificationFailed, BadInput) as error:
            folder.keep_disclosure(document, answered.recorded, false=True)
            raise VerificationFailed(
                f"The broker's disclosure does not verify and is kept as evidence: {error.detail}"
            ) from error
        folder.keep_disclosure(document, answered.recorded)
        if answered.opening is not None:
            folder.keep_opening(answered.opening)
        if signed.payload.outcome is not Outcome.ALLOW:
            refused = refusal_told(signed.payload)
            folder.keep_refusal(Refusal.of(refused, self._space.trial))
            raise refused
        return answer_of(signed.payload, admission, folder.plan(), kept)

    def run(
        self,
        request_id: bytes,
        findings: Sequence[str] = (),
        approvals: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Answer:
        """File, evaluate and submit; takes up an interrupted request where it was. Errors as of the steps."""
        folder, _ = self._open(request_id)
        if folder.state not in ("evaluated", "answered"):
            self.file(request_id, findings, approvals)
            self.evaluate(request_id, progress=progress)
        return self.submit(request_id)

    def _folder(self, request_id: bytes) -> RequestFolder:
        return RequestFolder(self._home.vault, request_id)

    def _open(self, request_id: bytes) -> tuple[RequestFolder, Signed[Request]]:
        folder = self._folder(request_id)
        signed = folder.request(self._home.identity.signing_key)
        if folder.state == "forgotten":
            raise NotFound("The retention of this request is over, and its secrets are erased.")
        request = signed.payload
        if (request.space_id, request.roster_version) != (self._space.space_id, self._space.roster_version):
            raise NotPermitted("The request was prepared in another space, or under another roster of it.")
        return folder, signed

    def _admission(self, folder: RequestFolder, request: Signed[Request]) -> VerifiedAdmission:
        kept = folder.admission()
        if kept is None:
            raise Conflict("The request is not admitted yet. Use: narrowgate request file")
        return verify_admission(kept, request, self._space)


def _batch(planned: PlannedBatch) -> Batch:
    points = split_elements(planned.points)
    return Batch(
        identifier_type=planned.identifier_type,
        identifiers=len(planned.identifiers),
        points=len(points),
        batch_root=batch_root(points),
    )


def _split(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
