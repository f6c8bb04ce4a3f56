"""Key holders' own logs against the broker's: was every evaluation and every opening admitted, and as it was done?

Rule (AUDIT 4): each EVALUATED rests on the broker's ADMITTED of the same permit, each OPENED on its RELEASE, with the
same decision, request, points and rules, in the permit's time, by exactly t holders of the space. Where it does not,
that is an alarm. The other way round nothing is owed: what was admitted and never evaluated is listed and is no alarm,
since the requester need not have asked; nor is what fewer than t holders evaluated and nothing came of. But tokens that
were sent of a series that no t holders evaluated together are an alarm.

What is newer than the mirrors is not judged and is counted; what rests on erased records is left out and said to be.
Nothing is fetched. It cannot see what a holder evaluated without writing it down: docs/how-to-audit.md.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from broker.protocol.messages.parties import Holder, Space
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.holder_logs import ANSWERED, Evaluation, HolderEntry, MirroredHolderLog
from clients.auditing.mirrored import MirroredLog
from clients.auditing.permitted import ANSWERED_BY, Permitted, PermittedBy, Sent, permitted_by

CLOCKS_APART_SECONDS = 300
"""How far the clocks of a broker and a holder that both serve may be apart; calls allow 60 seconds on either side."""


class Alarm(StrEnum):
    """What is wrong, what weighs most first."""

    EVALUATED_UNADMITTED = "evaluated-unadmitted"
    OPENED_UNRELEASED = "opened-unreleased"
    EVALUATED_OTHERWISE = "evaluated-otherwise"
    OTHER_BUNDLE = "other-bundle"
    OUT_OF_TIME = "out-of-time"
    OTHER_HOLDERS = "other-holders"
    TOO_FEW_HOLDERS = "too-few-holders"
    DATED_AHEAD = "dated-ahead"


MEANING = {
    Alarm.EVALUATED_UNADMITTED: "A key holder evaluated under a permit that the broker's log never admitted: holder or "
    "broker hides something.",
    Alarm.OPENED_UNRELEASED: "A key holder opened a payload under a permit that the broker's log never gave.",
    Alarm.EVALUATED_OTHERWISE: "A key holder evaluated something else than was permitted.",
    Alarm.OTHER_BUNDLE: "A key holder evaluated under other rules than the permit was given under.",
    Alarm.OUT_OF_TIME: "A key holder evaluated before the permit began, or after its end.",
    Alarm.OTHER_HOLDERS: "The holders named for it are not exactly as many holders of the space as it takes, with this "
    "one among them.",
    Alarm.TOO_FEW_HOLDERS: "Tokens were sent of a series that too few key holders say they evaluated together: one "
    "evaluated without writing it down, or the requester has the tokens from somewhere else.",
    Alarm.DATED_AHEAD: "The entry is dated later than your own clock has it, so it could be too new to be judged for "
    "ever. Whose clock is wrong?",
}


@dataclass(frozen=True)
class Discrepancy:
    """One alarm: `holder` and its `holder_entry`, and the broker's `broker_entry`, where there is one."""

    alarm: Alarm
    detail: str
    permit_id: str
    holder: str | None = None
    holder_entry: int | None = None
    broker_entry: int | None = None

    @property
    def meaning(self) -> str:
        """What it means, in plain words."""
        return MEANING[self.alarm]


@dataclass(frozen=True)
class HolderRead:
    """A holder's log that was read: its size, and which of the space's witnesses cosigned it."""

    holder: str
    size: int
    cosigned_by: tuple[str, ...]


@dataclass(frozen=True)
class Unanswered:
    """A permit of the broker's log that fewer than t holders answered under, by its entry there."""

    broker_entry: int
    permit_id: str
    requester: str


@dataclass
class Reconciled:
    """What came of it. `too_new` counts what the mirrors are too old to judge."""

    size: int
    holders: list[HolderRead] = field(default_factory=list)
    not_mirrored: tuple[str, ...] = ()
    evaluations: int = 0
    openings: int = 0
    alarms: list[Discrepancy] = field(default_factory=list)
    not_evaluated: list[Unanswered] = field(default_factory=list)
    not_opened: list[Unanswered] = field(default_factory=list)
    unfinished: list[Unanswered] = field(default_factory=list)
    too_new: int = 0
    other_spaces: int = 0
    """Entries of evaluations that name another space, which were passed over."""
    left_out: list[str] = field(default_factory=list)


Answered = dict[tuple[int, ...], set[int]]
"""Of one permit and series: which holders evaluated, by the quorum they evaluated in."""


def reconcile(
    broker: MirroredLog, holders: Sequence[MirroredHolderLog], space: Space, now: int
) -> Reconciled:
    """Compare the mirrors; `now` is the auditor's own clock. Raises VerificationFailed where one does not verify."""
    permitted = permitted_by(broker.entries(), broker.checkpoint.size, space.space_id)
    found = Reconciled(permitted.size)
    mirrored = {log.holder.holder_id for log in holders}
    found.not_mirrored = tuple(each.holder_id for each in space.holders if each.holder_id not in mirrored)
    comparing = _Comparing(space, permitted, found, now)
    for log in holders:
        comparing.read(log)
    comparing.conclude()
    order = list(Alarm)
    found.alarms.sort(key=lambda each: order.index(each.alarm))
    return found


class _Comparing:
    """One comparison as it goes on."""

    def __init__(self, space: Space, permitted: PermittedBy, found: Reconciled, now: int) -> None:
        self._space = space
        self._permitted = permitted
        self._found = found
        self._latest = now + CLOCKS_APART_SECONDS
        self._answered: defaultdict[tuple[str, str, str], Answered] = defaultdict(dict)
        """By kind, permit and series."""
        self._known_until = {each.x: -1 for each in space.holders}
        """Up to when a holder's log is known, by its index: -1 where nothing follows from its silence."""

    def read(self, log: MirroredHolderLog) -> None:
        """Every entry of one holder's log."""
        until, erased = 0, 0
        for entry in log.entries():
            until = max(until, entry.recorded_at)
            if entry.kind in ANSWERED and entry.erased:
                erased += 1
            if entry.evaluation is None:
                continue
            if entry.evaluation.space_id == self._space.space_id.hex():
                self._entry(log.holder, entry, entry.evaluation)
            else:
                self._found.other_spaces += 1
        if erased:
            self._found.left_out.append(
                f"{erased} records of evaluations were erased at {log.holder.holder_id}; what they say is not known."
            )
        else:
            self._known_until[log.holder.x] = until
        self._found.holders.append(HolderRead(log.holder.holder_id, log.checkpoint.size, log.cosigned_by))

    def conclude(self) -> None:
        """What only all logs together show."""
        for sent in self._permitted.sent:
            self._sent(sent)
        told = {each.permit_id for each in self._permitted.sent}
        for (kind, permit_id), permitted in self._permitted.permits.items():
            self._unanswered(kind, permitted, permit_id in told)

    # --- one entry of a holder ---

    def _entry(self, holder: Holder, entry: HolderEntry, said: Evaluation) -> None:
        opened = entry.kind == RecordKind.OPENED
        if opened:
            self._found.openings += 1
        else:
            self._found.evaluations += 1
        if entry.recorded_at > self._latest:
            detail = self._ahead(entry.recorded_at)
            self._found.alarms.append(
                Discrepancy(Alarm.DATED_AHEAD, detail, said.permit_id, holder.holder_id, entry.index)
            )
        by_quorum = self._answered[entry.kind, said.permit_id, said.series_id]
        by_quorum.setdefault(said.quorum, set()).add(holder.x)
        permitted = self._permitted.permits.get((ANSWERED_BY[entry.kind], said.permit_id))
        if permitted is not None:
            self._found.alarms += _differences(self._space, holder, entry, said, permitted)
        elif said.admitted_index in self._permitted.erased:
            self._found.left_out.append(
                f"Entry {entry.index} of {holder.holder_id} names entry {said.admitted_index} of the broker's log, "
                "whose record was erased."
            )
        elif said.admitted_index >= self._permitted.size and self._newer(entry):
            self._found.too_new += 1
        else:
            alarm = Alarm.OPENED_UNRELEASED if opened else Alarm.EVALUATED_UNADMITTED
            detail = (
                f"It names entry {said.admitted_index}; no {ANSWERED_BY[entry.kind]} entry has that permit. "
                f"The requester is {said.requester}."
            )
            self._found.alarms.append(
                Discrepancy(alarm, detail, said.permit_id, holder.holder_id, entry.index)
            )

    def _ahead(self, recorded_at: int) -> str:
        return f"By {recorded_at - self._latest + CLOCKS_APART_SECONDS} seconds."

    def _newer(self, entry: HolderEntry) -> bool:
        return entry.recorded_at > self._permitted.until - CLOCKS_APART_SECONDS

    # --- all of them together ---

    def _sent(self, sent: Sent) -> None:
        answered = self._answered.get((RecordKind.EVALUATED.value, sent.permit_id, sent.series_id), {})
        if _complete(answered, self._space.threshold):
            return
        if sent.sent_at > self._latest:
            detail = self._ahead(sent.sent_at)
            self._found.alarms.append(
                Discrepancy(Alarm.DATED_AHEAD, detail, sent.permit_id, broker_entry=sent.index)
            )
            return
        asked_by = sent.sent_at + CLOCKS_APART_SECONDS
        blind = {x for x, until in self._known_until.items() if until < asked_by}
        if len(blind) >= self._space.threshold or any(
            set(named) <= did | blind for named, did in answered.items()
        ):
            self._found.too_new += 1
            return
        most = max((len(did) for did in answered.values()), default=0)
        needed = self._space.threshold
        detail = (
            f"Of series {sent.series_id[:16]}... {most} of {needed} holders that it takes evaluated together."
        )
        self._found.alarms.append(
            Discrepancy(Alarm.TOO_FEW_HOLDERS, detail, sent.permit_id, broker_entry=sent.index)
        )

    def _unanswered(self, kind: str, permitted: Permitted, told: bool) -> None:
        terms = permitted.terms
        if permitted.selects:
            return
        by_holder = RecordKind.EVALUATED if kind == RecordKind.ADMITTED else RecordKind.OPENED
        each = [
            self._answered.get((by_holder.value, terms.permit_id, one.series_id), {}) for one in terms.series
        ]
        named = Unanswered(permitted.index, terms.permit_id, terms.requester)
        if not any(each):
            opened = by_holder is RecordKind.OPENED
            (self._found.not_opened if opened else self._found.not_evaluated).append(named)
        elif not told and not all(_complete(answered, self._space.threshold) for answered in each):
            self._found.unfinished.append(named)


def _complete(answered: Answered, threshold: int) -> bool:
    return any(len(named) == threshold and set(named) == did for named, did in answered.items())


def _differences(
    space: Space, holder: Holder, entry: HolderEntry, said: Evaluation, permitted: Permitted
) -> Iterator[Discrepancy]:
    """How an entry of a holder differs from the permit it names."""

    def alarm(kind: Alarm, detail: str) -> Discrepancy:
        return Discrepancy(
            kind, detail, said.permit_id, holder.holder_id, entry.index, broker_entry=permitted.index
        )

    terms = permitted.terms
    series = next((each for each in terms.series if each.series_id == said.series_id), None)
    kind_of_points = None if series is None else series.identifier_type
    batch = next((each for each in terms.batches if each.identifier_type == kind_of_points), None)
    others = {
        "entry of the broker's log": said.admitted_index != permitted.index,
        "decision": said.decision_digest != terms.decision_digest,
        "request": said.request_digest != terms.request_digest,
        "requester": said.requester != terms.requester,
        "series": series is None,
        "points": batch is not None and (batch.batch_root, batch.points) != (said.batch_root, said.points),
    }
    if any(others.values()):
        yield alarm(
            Alarm.EVALUATED_OTHERWISE,
            f"Another {', '.join(name for name, other in others.items() if other)}.",
        )
    if said.bundle_digest != terms.bundle_digest:
        yield alarm(Alarm.OTHER_BUNDLE, f"{said.bundle_digest}, and not {terms.bundle_digest}.")
    if not terms.not_before_at <= entry.recorded_at < terms.expires_at:
        late = entry.recorded_at - terms.expires_at
        when = f"{late} seconds after its end" if late >= 0 else "before it began"
        yield alarm(Alarm.OUT_OF_TIME, f"It was evaluated {when}.")
    known = {each.x for each in space.holders}
    sound = list(said.quorum) == sorted(set(said.quorum)) and set(said.quorum) <= known
    if not sound or len(said.quorum) != space.threshold or holder.x not in said.quorum:
        yield alarm(
            Alarm.OTHER_HOLDERS,
            f"Named are {', '.join(map(str, said.quorum)) or 'none'}; it takes {space.threshold} of {len(known)}, and "
            f"this is number {holder.x}.",
        )
