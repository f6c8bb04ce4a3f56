"""The requester tells the broker what became of its hits: useful, a false match, a victim identified, not yet known.

Rule (DESIGN 2.8): identifiers stay here; what goes out is a signed report with numbers, and beside it the tokens that
the broker disclosed before, each with what became of it (decision 0010). A report is kept before it is sent and
finished before the next, so that a run that was killed goes on with the same one; a later report replaces it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.messages.base import RandomBytes, encode, read
from broker.protocol.messages.outcomes import (
    OutcomeEntry,
    OutcomeReport,
    OutcomeSubmission,
    counts,
    entries_digest,
)
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import MatchOutcome, RecordKind
from clients.home import Home
from clients.recorded import post_recorded
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer
from clients.transport import Caller, Clock


@dataclass(frozen=True)
class Reported:
    """A report that the broker recorded. `matches` counts matches by kind: a hit held by two deposits counts twice."""

    number: int
    hits: int
    matches: Mapping[str, int]


class OutcomeReports:
    """The reports of one requester in the space, and under the roster, of one of its requests."""

    def __init__(
        self, home: Home, space: Space, caller: Caller, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._home = home
        self._space = space
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes

    def report(
        self,
        request_id: bytes,
        outcomes: Mapping[MatchOutcome, Iterable[str]],
        others: MatchOutcome | None = None,
    ) -> Reported:
        """Report what became of hits; it replaces what was reported of this request before.

        Args:
            outcomes: canonical texts by what became of them; hits of this request.
            others: what became of every hit that `outcomes` does not name; None to say nothing of those.

        Raises NotFound, Conflict (not answered yet), BadInput (not a hit, or named twice), VerificationFailed, or what
        the broker refuses with."""
        folder = RequestFolder(self._home.vault, request_id)
        answer = folder.answer()
        if answer is None:
            raise Conflict("The request is not answered yet, so there is no outcome to report.")
        kinds = _kinds(answer, outcomes, others)
        entries = tuple(
            OutcomeEntry(deposit_id=each.deposit_id, token=each.token, outcome=kinds[each.identifier])
            for each in sorted(answer.hit_tokens, key=lambda each: (each.deposit_id, each.token))
            if each.identifier in kinds
        )
        if not entries:
            raise BadInput("There is no hit to report on. Name some, or say what became of all.")
        # 1. A report that was kept and perhaps not sent is finished first: this one follows it.
        self._finish_pending(request_id)
        number = len(self._numbers(request_id)) + 1
        # 2. Kept with its tokens before anybody hears of it, then sent.
        self._keep(request_id, number, self._disclosure_digest(request_id), entries)
        self._finish_pending(request_id)
        return Reported(number, len(kinds), counts(entries))

    def _keep(
        self, request_id: bytes, number: int, disclosure_digest: bytes, entries: tuple[OutcomeEntry, ...]
    ) -> None:
        nonce, told = self._random_bytes(32), counts(entries)
        report = OutcomeReport(
            request_id=request_id,
            requester=self._home.party_id,
            disclosure_digest=disclosure_digest,
            number=number,
            entries_digest=entries_digest(nonce, entries),
            useful=told[MatchOutcome.USEFUL],
            false_match=told[MatchOutcome.FALSE_MATCH],
            victim_identified=told[MatchOutcome.VICTIM_IDENTIFIED],
            not_yet_known=told[MatchOutcome.NOT_YET_KNOWN],
            reported_at=self._clock(),
        )
        document = documents.sign(report, self._home.signing_key).document
        submission = OutcomeSubmission(document=document, nonce=nonce, entries=entries)
        self._home.vault.write_secret(f"requests/{request_id.hex()}/outcome", encode(submission))

    def _finish_pending(self, request_id: bytes) -> None:
        """Send the report that is kept, if one is, and keep its signed part once the broker recorded it."""
        pending = f"requests/{request_id.hex()}/outcome"
        if not self._home.vault.exists(pending):
            return
        submission = read(OutcomeSubmission, self._home.vault.read_secret(pending))
        path = f"/v1/requests/{request_id.hex()}/outcome"
        try:
            post_recorded(self._caller, path, submission, self._space, RecordKind.OUTCOME_REPORTED)
        except (BadInput, Conflict, NotPermitted):
            # It will never be recorded, and must not stand before the next.
            self._home.vault.erase(pending)
            raise
        own_key = self._home.identity.signing_key
        number = documents.verify(OutcomeReport, submission.document, own_key).payload.number
        self._home.vault.write_text(
            f"requests/{request_id.hex()}/outcome-{number:06d}.jws", submission.document
        )
        self._home.vault.erase(pending)

    def _numbers(self, request_id: bytes) -> list[str]:
        names = self._home.vault.names(f"requests/{request_id.hex()}")
        return [name for name in names if name.startswith("outcome-")]

    def _disclosure_digest(self, request_id: bytes) -> bytes:
        name = f"requests/{request_id.hex()}/disclosure.jws"
        if not self._home.vault.exists(name):
            raise NotFound("The broker's answer to this request is not in this home any more.")
        document = self._home.vault.read_text(name)
        return documents.verify(Disclosure, document, self._space.broker_signing_key).digest


def _kinds(
    answer: Answer, outcomes: Mapping[MatchOutcome, Iterable[str]], others: MatchOutcome | None
) -> dict[str, MatchOutcome]:
    """What became of each hit that is reported on. Raises BadInput, which names no identifier."""
    hits = {each.identifier for each in answer.hit_tokens}
    kinds: dict[str, MatchOutcome] = {}
    foreign = 0
    for outcome, texts in outcomes.items():
        for text in texts:
            if kinds.setdefault(text, outcome) is not outcome:
                raise BadInput("An identifier is named under two outcomes. Name each under one.")
            foreign += text not in hits
    if foreign:
        raise BadInput(
            f"{foreign} of the identifiers are no hits of this request. Name hits only: narrowgate request show"
        )
    if others is not None:
        kinds = dict.fromkeys(hits, others) | kinds
    return kinds
