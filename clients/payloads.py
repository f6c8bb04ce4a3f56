"""Open released records: key holders evaluate k_open under the second permit, and the records open here alone.

Rule (DESIGN 2.7): the points are those of the earlier requests, with their paths, so that each holder sees that they
were selected and from what. y_match comes from the answers that were kept when the hits were asked, y_open from the
holders' answers now; together they give each record's key. What another record holds stays closed: its key needs an
evaluation that no holder gives without a permit.

It decides nothing and stores only what it opened, sealed in the home.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from broker.protocol import documents, merkle, oprf, quorum, sealing, tokens
from broker.protocol.documents import Signed
from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.protocol.group import SCALAR_BYTES, split_elements
from broker.protocol.messages.evaluation import LadderStep, OpeningCall
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, Permit, Request, batch_leaf
from broker.protocol.messages.series import SeriesSheet
from clients.evaluating import Elements, Evaluating, Progress
from clients.home import Home
from clients.opened import VerifiedOpening, VerifiedRecord, verify_opening
from clients.permits import check_time, verify_admission
from clients.request_folder import OpenedPayload, OpenedPayloads, PlannedBatch, RequestFolder
from clients.transport import Caller, Clock

Paths = Mapping[str, tuple[tuple[tuple[bytes, ...], ...], ...]]
"""By identifier type: of each earlier step, of each point, its path."""


@dataclass(frozen=True)
class OpenQuestion:
    """Evaluate k_open at the points of a request that selects from earlier ones."""

    permitted: VerifiedOpening
    folder: RequestFolder
    earlier: tuple[LadderStep, ...]
    paths: Paths = field(repr=False)
    points: Mapping[str, Elements] = field(repr=False)
    key: Literal["match", "open"] = "open"
    path: str = "/v1/openings"

    def call(self, sheet: SeriesSheet, members: tuple[int, ...], sealed: bytes) -> OpeningCall:
        """See `clients.evaluating.Question.call`."""
        return OpeningCall(
            permit=self.permitted.permit.document,
            request=self.folder.document,
            findings=self.folder.findings(),
            approvals=self.folder.approvals(),
            releases=self.permitted.releases,
            earlier=self.earlier,
            paths=self.paths[sheet.identifier_type],
            sealed_record=sealed,
            handle=sheet.handle,
            quorum=members,
            points=b"".join(self.points[sheet.identifier_type]),
        )


class Payloads:
    """Opens what was released to one requester in one space."""

    def __init__(self, home: Home, space: Space, caller: Caller, clock: Clock) -> None:
        self._home = home
        self._space = space
        self._caller = caller
        self._clock = clock

    def open(
        self, request_id: bytes, asked: Sequence[int] | None = None, progress: Progress | None = None
    ) -> OpenedPayloads:
        """Open every released record of an answered request, and keep what was in them. Done before, nothing is asked.

        Args:
            asked: the holders to ask, by their index in the roster; None to try all until enough answer.

        Raises Conflict (nothing was released), Expired, RefusedByGate (by a key holder), VerificationFailed,
        Unavailable (too few answer), NotFound (the hits' answers are not kept any more)."""
        folder = self._folder(request_id)
        done = folder.payloads()
        if done is not None:
            return done
        request = folder.request(self._home.identity.signing_key)
        opening = self._verified(folder, request)
        check_time(opening.terms, self._clock())
        steps, paths = self._steps(folder)
        plan = folder.plan()
        points = {each.identifier_type: split_elements(each.points) for each in plan.batches}
        question = OpenQuestion(opening, folder, steps, paths, points)
        evaluated = Evaluating(self._caller, self._space, question, folder, progress).collect(asked)
        batches = {each.identifier_type: each for each in plan.batches}
        matched = self._matched(folder, opening, batches)
        opened = []
        for sheet in opening.sheets:
            batch = batches[sheet.identifier_type]
            outputs = _finalize(batch, evaluated[sheet.handle])
            for place, y_open in enumerate(outputs):
                y_match = matched[sheet.series_id][place]
                opened += self._open(opening, sheet, batch.identifiers[place], y_match, y_open)
        if len(opened) != len(opening.records):
            raise VerificationFailed(
                "A released record belongs to none of the identifiers that were selected."
            )
        payloads = OpenedPayloads(payloads=tuple(opened))
        folder.keep_payloads(payloads)
        return payloads

    def _open(
        self, opening: VerifiedOpening, sheet: SeriesSheet, identifier: str, y_match: bytes, y_open: bytes
    ) -> list[OpenedPayload]:
        """The records of one identifier in one series."""
        opened = []
        for verified in opening.records:
            record, declaration = verified.record, verified.declaration
            if declaration.series_id != sheet.series_id:
                continue
            names = (sheet.series_id, self._space.space_id, record.deposit_id)
            if tokens.derive(y_match, *names) == record.token:
                key = tokens.seal_key(y_match, y_open, *names)
                opened.append(self._unseal(verified, identifier, key))
        return opened

    def _unseal(self, verified: VerifiedRecord, identifier: str, key: bytes) -> OpenedPayload:
        record = verified.record
        plaintext = sealing.open_sealed(
            key,
            record.sealed,
            space_id=self._space.space_id,
            deposit_id=record.deposit_id,
            token=record.token,
            record_version=record.record_version,
            size_class=verified.declaration.size_class,
        )
        return OpenedPayload(
            identifier=identifier,
            contributor=verified.contributor,
            deposit_id=record.deposit_id,
            token=record.token,
            record_version=record.record_version,
            plaintext=plaintext,
        )

    def _verified(self, folder: RequestFolder, request: Signed[Request]) -> VerifiedOpening:
        opening, admission = folder.opening(), folder.admission()
        if opening is None or admission is None:
            raise Conflict("No payload was released under this request.")
        disclosure = documents.verify(Disclosure, folder.disclosure(), self._space.broker_signing_key)
        admitted = verify_admission(admission, request, self._space)
        return verify_opening(opening, disclosure, admitted, request, self._space)

    def _steps(self, folder: RequestFolder) -> tuple[tuple[LadderStep, ...], Paths]:
        """The earlier steps with their papers, the nearest first, and of each selected point the path in each."""
        steps: list[LadderStep] = []
        paths: dict[str, list[tuple[tuple[bytes, ...], ...]]] = {}
        current, indices = folder, dict[str, list[int]]()
        request = current.request(self._home.identity.signing_key).payload
        while request.selected:
            confirmation = current.earlier_confirmation()
            earlier = self._folder(request.earlier_request or b"")
            if confirmation is None:
                raise NotFound("The confirmation of the earlier matches is not kept here.")
            steps.append(
                LadderStep(
                    request=earlier.document, disclosure=earlier.disclosure(), confirmation=confirmation
                )
            )
            batches = {each.identifier_type: each for each in earlier.plan().batches}
            for chosen in request.selected:
                kind = chosen.identifier_type
                before = indices.get(kind, list(range(len(chosen.indices))))
                indices[kind] = [chosen.indices[index] for index in before]
                paths.setdefault(kind, []).append(_paths(batches[kind], indices[kind]))
            current, request = earlier, earlier.request(self._home.identity.signing_key).payload
        return tuple(steps), {kind: tuple(each) for kind, each in paths.items()}

    def _matched(
        self, folder: RequestFolder, opening: VerifiedOpening, batches: Mapping[str, PlannedBatch]
    ) -> dict[bytes, list[bytes]]:
        """y_match of each selected identifier, by series_id, from the answers kept when the hits were asked."""
        first = folder
        while (asked := first.request(self._home.identity.signing_key).payload).selected:
            first = self._folder(asked.earlier_request or b"")
        admission = first.admission()
        if admission is None:
            raise NotFound("The permit for the hits is not kept here any more.")
        terms = documents.verify(Permit, admission.permit, self._space.broker_signing_key).payload.terms
        places = {each.identifier_type: each.identifiers for each in first.plan().batches}
        wanted = {sheet.series_id for sheet in opening.sheets}
        found = {}
        for series in terms.series:
            if series.series_id not in wanted:
                continue
            batch = batches[series.identifier_type]
            place = {text: index for index, text in enumerate(places[series.identifier_type])}
            indices = [place[text] for text in batch.identifiers]
            found[series.series_id] = _finalize(batch, _kept_elements(first, series.handle, indices))
        return found

    def _folder(self, request_id: bytes) -> RequestFolder:
        return RequestFolder(self._home.vault, request_id)


def _kept_elements(folder: RequestFolder, handle: bytes, indices: Sequence[int]) -> list[bytes]:
    """k * B at some indices, from the first quorum of which every answer is kept; they were verified when kept."""
    for members in folder.quorums():
        answers = {x: folder.evaluation(members, handle, x) for x in members}
        whole = {x: answer for x, answer in answers.items() if answer is not None}
        if len(whole) == len(members):
            elements = {
                x: split_elements(b"".join(chunk.elements for chunk in answer.chunks))
                for x, answer in whole.items()
            }
            chosen = {x: [each[index] for index in indices] for x, each in elements.items()}
            return quorum.combine(chosen, members)
    raise NotFound("The key holders' answers to the hits are not kept here any more.")


def _finalize(batch: PlannedBatch, elements: Sequence[bytes]) -> list[bytes]:
    """The outputs of a batch from its evaluated elements, 64 bytes each."""
    hashes = [
        batch.hashes[at : at + tokens.SALTED_HASH_BYTES]
        for at in range(0, len(batch.hashes), tokens.SALTED_HASH_BYTES)
    ]
    blinds = [batch.blinds[at : at + SCALAR_BYTES] for at in range(0, len(batch.blinds), SCALAR_BYTES)]
    return oprf.finalize_batch(hashes, blinds, elements)


def _paths(batch: PlannedBatch, indices: Sequence[int]) -> tuple[tuple[bytes, ...], ...]:
    """Each selected point's inclusion path in the batch it was asked in."""
    leaves = [
        merkle.leaf_hash(batch_leaf(index, point)) for index, point in enumerate(split_elements(batch.points))
    ]
    _, paths = merkle.inclusion_paths(leaves, indices)
    return tuple(paths[index] for index in indices)
