"""Does the log show a probe whole: deposit, admission, tokens, release and disclosure, in order and with its numbers?

Rule: the auditor knows what was done, from her own plan and from those who did it, and looks for exactly that in the
entries of her mirror. What is missing or otherwise is named in words; nothing is believed because the broker says so.
A request that should be refused must be refused, and nothing may follow it.

Which identifiers a request was about the log does not say, and neither does this: `narrowgate audit draw` has the
requester open them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from broker.protocol.messages.vocabulary import Outcome, RecordKind
from clients.auditing.mirrored import Entry
from clients.probing import ProbePlan

TOLERANCE_SECONDS = 60
"""Clocks of parties are this far apart at most, else their calls are refused."""
CLOSING_SECONDS = 3600
"""A release is closed at once; after an hour somebody else had to see to it."""


@dataclass(frozen=True)
class Asked:
    """How a request is known again: by what its requester handed back. One of the three suffices."""

    request_id: str | None = None
    request_digest: str | None = None
    case: str | None = None

    def names(self, entry: Entry) -> bool:
        """Whether an entry names this request itself."""
        record, about = entry.record, entry.about
        if record is not None and self.request_id is not None and record.request_id == self.request_id:
            return True
        if about is None:
            return False
        return about.request_digest == self.request_digest or about.claims.case_reference == self.case


@dataclass(frozen=True)
class HandedBack:
    """What contributor and requester handed back; None where they did not.

    `told_hits` is how many of its identifiers the requester was told are known, `disclosure_digest` that of the answer
    the broker signed."""

    deposit_id: str | None = None
    answered: Asked | None = None
    refused: Asked | None = None
    told_hits: int | None = None
    disclosure_digest: str | None = None


@dataclass(frozen=True)
class Step:
    """One thing the log should show. `wrong` is None where it does; `entries` are those that were looked at."""

    name: str
    entries: tuple[int, ...]
    wrong: str | None = None


@dataclass(frozen=True)
class ProbeReport:
    """What was looked for, and what was not, because nobody handed it back."""

    steps: tuple[Step, ...]
    not_looked_for: tuple[str, ...]
    erased: int
    """Records erased since the plan: what is missing may be one of them."""

    @property
    def complete(self) -> bool:
        """The log shows all that was looked for."""
        return all(step.wrong is None for step in self.steps)


def check(entries: Iterable[Entry], plan: ProbePlan, handed: HandedBack) -> ProbeReport:
    """Look for a probe in the whole mirrored log; consumed to its end. Raises what taking the entries raises."""
    since = plan.planned_at - TOLERANCE_SECONDS
    deposit: list[Entry] = []
    asked: list[Entry] = []
    erased = 0
    for entry in entries:
        record = entry.record
        if record is None:
            erased += entry.recorded_at >= since
        elif handed.deposit_id is not None and record.deposit_id == handed.deposit_id:
            deposit.append(entry)
        elif entry.about is not None and entry.about.requester.agency_id == plan.requester:
            asked.append(entry)
    steps: list[Step] = []
    left: list[str] = []
    if handed.deposit_id is None:
        left.append("the deposit: the contributor has not handed back its id")
    else:
        steps += _deposit(deposit, plan, since)
    if handed.answered is None:
        left.append("the request that is answered: the requester has not handed it back")
    else:
        steps += _answered(_of(asked, handed.answered), plan, handed, since)
    if handed.refused is None:
        left.append("a request that is refused: none was handed back")
    else:
        steps += _refused(_of(asked, handed.refused), since)
    return ProbeReport(tuple(steps), tuple(left), erased)


def _of(entries: Sequence[Entry], asked: Asked) -> list[Entry]:
    """The entries of a request: those that name it, and those about the same as they are."""
    named = [entry for entry in entries if asked.names(entry)]
    digests = {entry.about.request_digest for entry in named if entry.about is not None}
    return [entry for entry in entries if entry.about is not None and entry.about.request_digest in digests]


def _deposit(entries: Sequence[Entry], plan: ProbePlan, since: int) -> Iterator[Step]:
    admitted, step = _one(entries, RecordKind.DEPOSIT_ADMITTED, "the deposit is admitted", since)
    if admitted is not None and admitted.agency != plan.contributor:
        step = _wrong(step, f"It is a deposit of {admitted.agency}, and {plan.contributor} was to make it.")
    elif admitted is not None and admitted.outcome != Outcome.ALLOW:
        step = _wrong(step, "Its decision does not allow it.")
    yield step
    completed, step = _one(
        entries, RecordKind.DEPOSIT_COMPLETED, "all its records are stored", since, admitted
    )
    # The contributor's own test record is one more; and it may have put the probe into a file of its own.
    stored = completed.record.records if completed is not None and completed.record is not None else None
    if stored is not None and stored < plan.deposited + 1:
        step = _wrong(
            step, f"The log has {stored} records with the test record, and {plan.deposited} are the probe's."
        )
    yield step
    yield _one(entries, RecordKind.DEPOSIT_SERVING, "it serves", since, completed)[1]


def _answered(entries: Sequence[Entry], plan: ProbePlan, handed: HandedBack, since: int) -> Iterator[Step]:
    if any(entry.kind == RecordKind.REFUSED for entry in entries):
        refused = next(entry for entry in entries if entry.kind == RecordKind.REFUSED)
        told = f"It was refused, by {', '.join(refused.rules)}: the probe was asked otherwise than planned."
        yield Step("the request is admitted", (refused.index,), told)
        return
    admitted, step = _one(entries, RecordKind.ADMITTED, "the request is admitted", since)
    yield step if admitted is None else _admitted(step, admitted, plan, handed)
    tokens, step = _one(entries, RecordKind.TOKENS, "its tokens came in, once", since, admitted)
    if tokens is not None and tokens.record is not None and handed.deposit_id is not None:
        sent = [each.tokens for each in tokens.record.lists or () if each.deposit_id == handed.deposit_id]
        if sent != [plan.identifiers]:
            number = sum(sent)
            step = _wrong(
                step, f"For the probe's deposit {number} tokens, and {plan.identifiers} were asked about."
            )
    yield step
    release, step = _one(entries, RecordKind.RELEASE, "its release is decided on the result", since, tokens)
    if release is not None:
        hits = getattr(release.decisions[0].facts, "result", None) if release.decisions else None
        if hits is None or hits.hits != plan.asked:
            found = "no number" if hits is None else str(hits.hits)
            step = _wrong(
                step, f"The log has {found} of hits, and {plan.asked} were deposited and asked about."
            )
        elif release.outcome != Outcome.ALLOW:
            step = _wrong(step, f"The release was refused, by {', '.join(release.rules)}.")
    yield step
    yield _disclosed(entries, handed, since, release)
    if handed.told_hits is not None:
        right = handed.told_hits == plan.asked
        told = f"It was told of {handed.told_hits}, and {plan.asked} were deposited and asked about."
        yield Step("the requester was told of as many hits", (), None if right else told)


def _admitted(step: Step, admitted: Entry, plan: ProbePlan, handed: HandedBack) -> Step:
    if step.wrong is not None or admitted.about is None or admitted.record is None:
        return step
    if admitted.about.identifiers != plan.identifiers:
        return _wrong(
            step,
            f"About {admitted.about.identifiers} identifiers in the log, and {plan.identifiers} as planned.",
        )
    series = admitted.record.terms.series if admitted.record.terms is not None else ()
    searched = {deposit for each in series for deposit in each.deposits}
    if handed.deposit_id is not None and handed.deposit_id not in searched:
        return _wrong(step, "Its permit does not name the probe's deposit, so that was not searched.")
    return step


def _disclosed(entries: Sequence[Entry], handed: HandedBack, since: int, release: Entry | None) -> Step:
    name = "the disclosure is recorded"
    released, step = _one(entries, RecordKind.RELEASED, name, since, release)
    if released is None or released.record is None or step.wrong is not None:
        return step
    if release is not None and released.record.release_index != release.index:
        return _wrong(step, "It names another decision to release than this request's.")
    if release is not None and released.recorded_at - release.recorded_at > CLOSING_SECONDS:
        return _wrong(step, "It was recorded more than an hour after the decision.")
    if handed.disclosure_digest not in (None, released.record.disclosure_digest):
        return _wrong(
            step, "It is of another answer than the one the broker signed and the requester handed back."
        )
    return step


def _refused(entries: Sequence[Entry], since: int) -> Iterator[Step]:
    refused, step = _one(entries, RecordKind.REFUSED, "what should be refused is refused", since)
    if refused is not None and (refused.outcome != Outcome.DENY or not refused.rules):
        step = _wrong(step, "Its decision names no rule that refuses.")
    yield step
    others = tuple(entry.index for entry in entries if entry.kind != RecordKind.REFUSED)
    told = "The log has other entries of this request." if others else None
    yield Step("nothing follows the refusal", others, told)


def _one(
    entries: Sequence[Entry], kind: RecordKind, name: str, since: int, after: Entry | None = None
) -> tuple[Entry | None, Step]:
    """The one entry of a kind, and whether it stands where and when it should."""
    found = [entry for entry in entries if entry.kind == kind]
    indices = tuple(entry.index for entry in found)
    if not found:
        return None, Step(name, (), f"The log has no entry {kind} of it.")
    first = found[0]
    if len(found) > 1:
        return first, Step(name, indices, f"The log has {len(found)} entries {kind} of it, and one was made.")
    if first.recorded_at < since:
        return first, Step(name, indices, "It is older than the plan.")
    if after is not None and first.index < after.index:
        return first, Step(name, indices, "It stands before the step that comes before it.")
    if after is not None and after.recorded_at - first.recorded_at > TOLERANCE_SECONDS:
        return first, Step(name, indices, "Its time is before that of the step before it.")
    return first, Step(name, indices)


def _wrong(step: Step, words: str) -> Step:
    return step if step.wrong is not None else Step(step.name, step.entries, words)
