"""Collect the key holders' answers under a permit: every series, one quorum at a time, each proof checked.

Rule (DESIGN 2.5): the requester names the quorum S. An answer counts once its statement is signed by that holder over
exactly this permit, series, quorum, batch and answer, and its proofs hold under the key folded for S, computed here.
When a holder is down, refuses or answers wrongly, the whole quorum is asked anew under another S with the same
points, {1,2}, {1,3}, {2,3}: answers of two quorums are never mixed.

A holder's refusal is its own decision under its own rules. It takes t holders to evaluate, so others may be asked; if
no quorum is left, the refusal is the answer. It derives no token: see `clients.requester`.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, Protocol

from broker.protocol import documents, group, quorum
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NarrowgateError, Unavailable, VerificationFailed
from broker.protocol.messages import evaluation
from broker.protocol.messages.log import ConsistencyPath
from broker.protocol.messages.parties import Holder, Space
from broker.protocol.messages.requests import Batch, Permit
from broker.protocol.messages.series import SeriesSheet
from broker.protocol.receipts import VerifiedEntry
from clients.remote import (
    ConsistencyNeeded,
    RefusedByGate,
    RemoteConflict,
    RemoteNotPermitted,
    RemoteProblem,
    readable,
)
from clients.requesting.request_folder import RequestFolder
from clients.transport import Awaited, Awaiting, Caller

Progress = Callable[[int, int], None]
Elements = tuple[bytes, ...]
_CONSISTENCY_ATTEMPTS = 5
_DECLINES = (RefusedByGate, RemoteConflict, RemoteNotPermitted)
"""What a holder answers that is well and will not: the rules refuse, or are not the rules in force there."""


class Permitted(Protocol):
    """A permit whose checks are done, with what goes with it: an admission, or an opening."""

    @property
    def permit(self) -> Signed[Permit]:
        """The permit."""
        ...

    @property
    def entry(self) -> VerifiedEntry:
        """Its entry in the broker's log."""
        ...

    @property
    def sheets(self) -> tuple[SeriesSheet, ...]:
        """The series' checked keys."""
        ...

    @property
    def sealed_records(self) -> Mapping[str, bytes]:
        """The entry's record, wrapped to each holder, by holder_id."""
        ...


class Question(Protocol):
    """What holders are asked under one permit, and for which key."""

    @property
    def permitted(self) -> Permitted:
        """Under what."""
        ...

    @property
    def points(self) -> Mapping[str, Elements]:
        """By identifier type, in index order."""
        ...

    @property
    def key(self) -> Literal["match", "open"]:
        """Which of a series' two keys."""
        ...

    @property
    def path(self) -> str:
        """Where a holder takes the call."""
        ...

    def call(
        self, sheet: SeriesSheet, members: tuple[int, ...], holder_id: str
    ) -> evaluation.EvaluationCall | evaluation.OpeningCall:
        """Everything one holder is shown for one series. Raises VerificationFailed (nothing was sealed to it)."""
        ...


@dataclass(frozen=True)
class MatchQuestion:
    """Evaluate k_match at the points of an admitted request."""

    permitted: Permitted
    request_document: str
    findings: tuple[str, ...]
    approvals: tuple[str, ...]
    points: Mapping[str, Elements] = field(repr=False)
    key: Literal["match", "open"] = "match"
    path: str = "/v1/evaluations"

    def call(self, sheet: SeriesSheet, members: tuple[int, ...], holder_id: str) -> evaluation.EvaluationCall:
        """See `Question.call`."""
        return evaluation.EvaluationCall(
            permit=self.permitted.permit.document,
            request=self.request_document,
            findings=self.findings,
            approvals=self.approvals,
            sealed_record=sealed_to(holder_id, self.permitted.sealed_records),
            handle=sheet.handle,
            quorum=members,
            points=b"".join(self.points[sheet.identifier_type]),
        )


def sealed_to(holder_id: str, records: Mapping[str, bytes]) -> bytes:
    """The record that was sealed to one holder. Raises VerificationFailed if none was."""
    sealed = records.get(holder_id)
    if sealed is None:
        raise VerificationFailed("The broker gave no record for this key holder to decide on.")
    return sealed


class _Stopped(NarrowgateError):
    """Another holder of the quorum failed, so this one was not asked further."""


class Evaluating:
    """Asks the holders of a space under one permit.

    Args:
        folder: where answers are kept as evidence; those kept before are not asked for again.
        progress: called with answers collected and answers needed for the quorum being asked.
    """

    def __init__(
        self,
        caller: Caller,
        space: Space,
        question: Question,
        folder: RequestFolder,
        progress: Progress | None = None,
    ) -> None:
        self._caller = caller.within(space.space_id)
        self._space = space
        self._question = question
        self._folder = folder
        self._progress = progress
        self._holders = {holder.x: holder for holder in space.holders}
        self._batches: dict[str, Batch] = {
            batch.identifier_type: batch for batch in question.permitted.permit.payload.terms.batches
        }

    def collect(self, wanted: Sequence[int] | None = None) -> dict[bytes, list[bytes]]:
        """k * B for every point of every series, by the series' handle.

        Args:
            wanted: the one quorum to ask; None to try all until one answers.

        Raises, when no quorum is left, the gravest of what the holders did: RefusedByGate (they will not),
        VerificationFailed (a false answer, or one of them found the permit false), another error, or Unavailable.
        """
        failures: dict[int, NarrowgateError] = {}
        for members in self._quorums(wanted):
            if failures.keys() & set(members):
                continue
            answers = self._ask_quorum(members, failures)
            if answers is not None:
                return answers
        raise self._explain(failures)

    def _quorums(self, wanted: Sequence[int] | None) -> Iterator[tuple[int, ...]]:
        if wanted is not None:
            return iter([quorum.check_quorum(wanted, self._space.threshold, len(self._holders))])
        return itertools.combinations(sorted(self._holders), self._space.threshold)

    def _ask_quorum(
        self, members: tuple[int, ...], failures: dict[int, NarrowgateError]
    ) -> dict[bytes, list[bytes]] | None:
        """All answers of one quorum, added up; None if a member failed, which is then among `failures`."""
        stop, collected = Event(), itertools.count(1)
        needed = len(members) * len(self._question.permitted.sheets)

        def ask(x: int) -> dict[bytes, Elements] | NarrowgateError:
            answers: dict[bytes, Elements] = {}
            awaiting = Awaiting()
            for sheet in self._question.permitted.sheets:
                if stop.is_set():
                    return _Stopped("Not asked further.")
                try:
                    with awaiting:
                        answers[sheet.handle] = self._answer(sheet, members, self._holders[x])
                except NarrowgateError as error:
                    stop.set()
                    return error
                if self._progress is not None:
                    self._progress(next(collected), needed)
            try:
                awaiting.check()
            except Awaited as error:
                return error
            return answers

        # One thread a holder: each is asked for its series one after another, all holders at the same time. Carried, it
        # is one for all: after a refusal that is here already, nothing is written down for the others.
        with ThreadPoolExecutor(max_workers=1 if self._caller.answers_later else len(members)) as pool:
            results = dict(zip(members, pool.map(ask, members), strict=True))
        failed = {x: result for x, result in results.items() if isinstance(result, NarrowgateError)}
        refusals = {x: error for x, error in failed.items() if not isinstance(error, _Stopped | Awaited)}
        awaited = next((error for error in failed.values() if isinstance(error, Awaited)), None)
        if awaited is not None and not refusals:
            # Their answers come later: another quorum is asked only once a member of this one will not answer.
            raise awaited
        failures.update(refusals)
        if failed:
            return None
        verified = {x: result for x, result in results.items() if not isinstance(result, NarrowgateError)}
        return {
            sheet.handle: quorum.combine({x: verified[x][sheet.handle] for x in members}, members)
            for sheet in self._question.permitted.sheets
        }

    def _answer(self, sheet: SeriesSheet, members: tuple[int, ...], holder: Holder) -> Elements:
        kept = self._folder.evaluation(members, sheet.handle, holder.x)
        answer = kept or self._ask(sheet, members, holder)
        try:
            elements = self._verify(answer, sheet, members, holder)
        except (VerificationFailed, BadInput) as error:
            self._folder.keep_false_evaluation(members, sheet.handle, holder.x, answer)
            raise VerificationFailed(
                f"The answer does not verify and is kept as evidence: {error.detail}"
            ) from error
        if kept is None:
            self._folder.keep_evaluation(members, sheet.handle, holder.x, answer)
        return elements

    def _ask(
        self, sheet: SeriesSheet, members: tuple[int, ...], holder: Holder
    ) -> evaluation.EvaluationAnswer:
        call = self._question.call(sheet, members, holder.holder_id)
        url = f"{holder.origin}{self._question.path}"
        for _ in range(_CONSISTENCY_ATTEMPTS):
            try:
                return self._caller.post(url, call, evaluation.EvaluationAnswer)
            except ConsistencyNeeded as error:
                # Between two calls the holder may have seen a newer log in another requester's permit.
                call = call.model_copy(update={"consistency": self._consistency(error.seen_size)})
        raise Unavailable("The key holder's view of the log moves on faster than it can be proved to it.")

    def _consistency(self, seen_size: int) -> evaluation.Consistency:
        """The broker's proof between the log a holder saw and the one the permit stands in, whichever is older."""
        size = self._question.permitted.entry.checkpoint.size
        if seen_size in (0, size):
            raise VerificationFailed("The key holder asks for a proof where none is possible or needed.")
        old, new = sorted((seen_size, size))
        url = f"{self._space.broker_origin}/v1/log/consistency?old={old}&new={new}"
        path = self._caller.get(url, ConsistencyPath).path
        return evaluation.Consistency(old_size=old, new_size=new, path=path)

    def _verify(
        self,
        answer: evaluation.EvaluationAnswer,
        sheet: SeriesSheet,
        members: tuple[int, ...],
        holder: Holder,
    ) -> Elements:
        # 1. The holder signed this very answer to this very question.
        signed = documents.verify(evaluation.EvaluationStatement, answer.statement, holder.signing_key)
        said, batch = signed.payload, self._batches[sheet.identifier_type]
        if (said.permit_id, said.series_id, said.batch_root) != (
            self._question.permitted.permit.payload.terms.permit_id,
            sheet.series_id,
            batch.batch_root,
        ) or (said.quorum, said.holder_id, said.x, said.key) != (
            members,
            holder.holder_id,
            holder.x,
            self._question.key,
        ):
            raise VerificationFailed("The key holder's statement is for another question.")
        if said.answer_digest != evaluation.answer_digest(answer.chunks):
            raise VerificationFailed("The key holder's statement is for another answer.")
        # 2. Its proofs hold under the key folded for this quorum.
        chunks = [quorum.Chunk(group.split_elements(chunk.elements), chunk.proof) for chunk in answer.chunks]
        points = self._question.points[sheet.identifier_type]
        commitments = sheet.commitments_match if self._question.key == "match" else sheet.commitments_open
        return quorum.verify_answer(commitments, members, holder.x, points, chunks)

    def _explain(self, failures: Mapping[int, NarrowgateError]) -> NarrowgateError:
        """The error to raise when no quorum is left: the gravest, with the holder's name."""
        declined = {x: error for x, error in sorted(failures.items()) if isinstance(error, _DECLINES)}
        if declined:
            return self._refusal(declined)
        for x, error in sorted(failures.items()):
            if isinstance(error, VerificationFailed):
                return VerificationFailed(f"{self._holders[x].name} (key holder {x}): {error.detail}")
        others = [error for _, error in sorted(failures.items()) if not isinstance(error, Unavailable)]
        if others:
            return others[0]
        names = ", ".join(self._holders[x].name for x in sorted(failures)) or "None of those named"
        return Unavailable(
            f"Too few key holders answer: {self._space.threshold} of {len(self._holders)} are needed. Without an "
            f"answer: {names}. Nothing is lost; run the command again later."
        )

    def _refusal(self, declined: Mapping[int, RemoteProblem]) -> RefusedByGate:
        """What the holders said that checked the permit and will not evaluate under it: rules and law where they
        named them, else their own words as reasons."""
        told: dict[str, list[str]] = {"rules": [], "reasons": [], "law": [], "missed": [], "notes": []}
        for x, error in declined.items():
            words = f"{self._holders[x].name} (key holder {x}): {readable(error.detail)}"
            if isinstance(error, RefusedByGate) and error.rules:
                told["notes"].append(words)
                if not told["rules"]:  # honest holders decide alike: one holder's rules speak for all
                    told["rules"], told["law"] = list(error.rules), list(error.law)
                    told["reasons"] = list(error.reasons) + told["reasons"]
                    told["missed"] = list(error.missed)
            else:
                told["reasons"].append(words)
        names = " and ".join(self._holders[x].name for x in declined)
        detail = f"The broker admitted this, but {names} decided again and will not evaluate it."
        return RefusedByGate("refused", detail, {**told, "trial": self._space.trial})
