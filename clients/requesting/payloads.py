"""Open released records: key holders evaluate k_open under the second permit, and the records open here alone.

Rule (DESIGN 2.7): the points are those of the earlier requests, with their paths, so that each holder sees that they
were selected and from what. Their answers are kept, and with those to the hits give each record's key
(`clients.requesting.record_keys`). What another record holds stays closed: its key needs an evaluation that no holder
gives without a permit.

It decides nothing and stores only what it opened, sealed in the home.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from broker.protocol import merkle
from broker.protocol.errors import NotFound
from broker.protocol.group import split_elements
from broker.protocol.messages.evaluation import EarlierRelease, LadderStep, OpeningCall
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import batch_leaf
from broker.protocol.messages.series import SeriesSheet
from clients.home import Home
from clients.requester_checks.opened import VerifiedOpening
from clients.requester_checks.permits import check_time
from clients.requesting.evaluating import Elements, Evaluating, Progress, sealed_to
from clients.requesting.record_keys import RecordKey, RecordKeys, open_record
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import OpenedPayload, OpenedPayloads, PlannedBatch
from clients.transport import Caller, Clock

Paths = Mapping[str, tuple[tuple[tuple[bytes, ...], ...], ...]]
"""By identifier type: of each earlier step, of each point, its path."""


@dataclass(frozen=True)
class OpenQuestion:
    """Evaluate k_open at the points of a request that selects from earlier ones."""

    permitted: VerifiedOpening
    folder: RequestFolder
    before: RequestFolder
    """That of the request which sources were disclosed for."""
    earlier: tuple[LadderStep, ...]
    paths: Paths = field(repr=False)
    points: Mapping[str, Elements] = field(repr=False)
    key: Literal["match", "open"] = "open"
    path: str = "/v1/openings"

    def call(self, sheet: SeriesSheet, members: tuple[int, ...], holder_id: str) -> OpeningCall:
        """See `clients.requesting.evaluating.Question.call`."""
        return OpeningCall(
            permit=self.permitted.permit.document,
            request=self.folder.document,
            findings=self.folder.findings(),
            approvals=self.folder.approvals(),
            releases=self.permitted.releases,
            earlier=self.earlier,
            earlier_release=EarlierRelease(
                sealed_record=sealed_to(holder_id, self.permitted.earlier_records),
                findings=self.before.findings(),
                approvals=self.before.approvals(),
            ),
            paths=self.paths[sheet.identifier_type],
            sealed_record=sealed_to(holder_id, self.permitted.sealed_records),
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
        keys = RecordKeys(self._home, self._space)
        opening = keys.opening(folder)
        check_time(opening.terms, self._clock())
        steps, paths = self._steps(folder)
        plan = folder.plan()
        points = {each.identifier_type: split_elements(each.points) for each in plan.batches}
        selecting = folder.request(self._home.identity.signing_key).payload
        before = self._folder(selecting.earlier_request or b"")
        question = OpenQuestion(opening, folder, before, steps, paths, points)
        Evaluating(self._caller, self._space, question, folder, progress).collect(asked)
        opened = [_opened(each, self._space.space_id) for each in keys.derive(folder, opening)]
        payloads = OpenedPayloads(payloads=tuple(opened))
        folder.keep_payloads(payloads)
        return payloads

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

    def _folder(self, request_id: bytes) -> RequestFolder:
        return RequestFolder(self._home.vault, request_id)


def _opened(each: RecordKey, space_id: bytes) -> OpenedPayload:
    record = each.verified.record
    return OpenedPayload(
        identifier=each.identifier,
        contributor=each.verified.contributor,
        deposit_id=record.deposit_id,
        token=record.token,
        record_version=record.record_version,
        plaintext=open_record(each, space_id),
    )


def _paths(batch: PlannedBatch, indices: Sequence[int]) -> tuple[tuple[bytes, ...], ...]:
    """Each selected point's inclusion path in the batch it was asked in."""
    leaves = [
        merkle.leaf_hash(batch_leaf(index, point)) for index, point in enumerate(split_elements(batch.points))
    ]
    return tuple(merkle.inclusion_path(leaves, index) for index in indices)
