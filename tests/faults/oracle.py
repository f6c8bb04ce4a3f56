"""The oracle: it makes the calls, holds what was acknowledged, and says what became of it. It never runs in the broker.

Rule: an entry counts as acknowledged when its index and leaf came back over the socket; the thread that made the call
notes it before it makes the next. Four threads call side by side. A call without an answer, or with 503, is open: it
may have been taken or not. After a fault the very same calls are made again, acknowledged ones too.

It knows the database only to read it, beside the broker that was started again.
"""

import hashlib
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from broker.protocol.documents import unverified_payload
from broker.protocol.messages.base import decode
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.requests import Admission, Disclosure, Permit, TokensAnswered
from tests.exchange_story import ORIGIN, key_of
from tests.faults.books import DECIDED, Books, Entry, StepEntry
from tests.faults.ground import REQUESTER, Ground, Step
from tests.faults.lines import GIVE_UP, THREADS, Calling, Line, side_by_side

NOT_NOW = (503, 410)
"""What is answered where a step could not be taken, and where a permit has not begun by a clock that stepped back."""


@dataclass(frozen=True)
class Judgement:
    """What became of the acknowledged entries, and whether the rows are those of the log."""

    acknowledged: int
    lost: tuple[int, ...]
    """Indexes under which something else stands, or nothing."""
    doubled: int
    torn: tuple[str, ...]
    """Rows without their entry, entries without their rows, and records that are not their leaf's."""
    taken_unanswered: int
    """Steps that stand in the log and whose answer never came."""


@dataclass
class Oracle:
    """All that one requester was told, over all rounds of a fault."""

    ground: Ground
    chance: random.Random
    now: Callable[[], int]
    acknowledged: dict[str, Entry] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    told_at: dict[str, float] = field(default_factory=dict)
    """When each first was acknowledged: Unix seconds."""
    given_out: int = -1
    """The largest index under a permit or a disclosure: such an answer leaves under witnesses' cosignatures."""
    surprises: list[str] = field(default_factory=list)
    """Answers that no step should have."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def calling(self) -> Calling:
        """Who calls whom."""
        return Calling(ORIGIN, key_of(REQUESTER), self.now)

    def run(
        self, ports: Iterable[int], seconds: float, until: Callable[[], bool] = lambda: False, least: int = 0
    ) -> int:
        """Call for that long and until `least` entries were told; or until `until`, or until no answers come.

        Returns how many entries it was told of."""
        before, end = len(self.acknowledged), time.monotonic() + seconds
        turns = itertools.cycle(ports)

        def goes_on() -> bool:
            return time.monotonic() < end or len(self.acknowledged) - before < least

        def work(port: int) -> None:
            silent = 0
            with Line(port, self.calling) as line:
                waiting: list[Step] = []
                while silent < GIVE_UP and goes_on() and not until():
                    step = waiting.pop() if waiting else self.ground.filing()
                    admission = self._take(line, step)
                    silent = 0 if step.name in self.acknowledged else silent + 1
                    if admission is not None and self._draw() < 0.5:
                        waiting.append(self.ground.sending(step, admission))

        side_by_side([(work, next(turns)) for _ in range(THREADS)])
        assert not self.surprises, self.surprises[:3]
        return len(self.acknowledged) - before

    def repeat(self, ports: Iterable[int], newest: int = 24) -> None:
        """Make again every open call, and the newest acknowledged ones; each must be answered, and as it was."""
        names = list(self.steps)
        wanted = [name for name in names if name not in self.acknowledged]
        wanted = [*dict.fromkeys([*wanted, *names[-newest:]])]
        turns = itertools.cycle(ports)

        def work(share: tuple[int, list[str]]) -> None:
            with Line(share[0], self.calling) as line:
                for name in share[1]:
                    self._take(line, self.steps[name])
                    if name not in self.acknowledged:
                        self.surprises.append(f"{name} is not answered when it is repeated")

        shares = [(next(turns), wanted[number::THREADS]) for number in range(THREADS)]
        side_by_side([(work, share) for share in shares])
        assert not self.surprises, self.surprises[:3]

    def judge(self, books: Books) -> Judgement:
        """Compare what was acknowledged with what stands in the database."""
        leaves, entries = books.leaves(), books.entries()
        steps = Counter((entry.step, entry.kind_of_step) for entry in entries if entry.step is not None)
        indexes = Counter(entry.index for entry in leaves)
        doubled = sum(count - 1 for count in (*steps.values(), *indexes.values()))
        told = {entry.index for entry in self.acknowledged.values()}
        unanswered = [
            entry for entry in told_of(entries) if entry.index not in told and entry.index >= books.first
        ]
        return Judgement(
            len(self.acknowledged),
            self.lost(leaves),
            doubled,
            tuple(books.torn(leaves, entries)),
            len(unanswered),
        )

    def lost(self, leaves: Iterable[Entry]) -> tuple[int, ...]:
        """The indexes of acknowledged entries that are not among these."""
        stands = set(leaves)
        return tuple(entry.index for entry in self.acknowledged.values() if entry not in stands)

    def _draw(self) -> float:
        with self._lock:
            return self.chance.random()

    def _take(self, line: Line, step: Step) -> Admission | None:
        """Make one call, and note what it acknowledges. Returns the admission, if it is one."""
        self.steps.setdefault(step.name, step)
        answer = line.post(step.name, step.path, step.body)
        if answer is None or answer[0] in NOT_NOW:
            return None
        try:
            proof, admission = _read(step, *answer)
        except (KeyError, ValueError) as error:
            self.surprises.append(f"{step.name}: {answer[0]} {answer[1][:300]!r} {error!r}")
            return None
        if answer[0] == 200:
            with self._lock:
                self.given_out = max(self.given_out, proof.index)
        entry = Entry(proof.index, hashlib.sha256(b"\0" + proof.leaf).digest())
        self.told_at.setdefault(step.name, time.time())
        before = self.acknowledged.setdefault(step.name, entry)
        if before != entry:
            self.surprises.append(f"{step.name}: another entry than before, {entry.index} for {before.index}")
        return admission


def _read(step: Step, status: int, body: bytes) -> tuple[LogProof, Admission | None]:
    """The proof in an answer. Raises KeyError or ValueError when it has none."""
    if status == 403:
        return LogProof.model_validate_json(json.dumps(json.loads(body)["proof"])), None
    if status != 200:
        raise ValueError("neither an answer nor a refusal")
    if step.admits is not None:
        admission = decode(Admission, body)
        return unverified_payload(Permit, admission.permit).proof, admission
    document = decode(TokensAnswered, body).document
    assert document is not None
    return unverified_payload(Disclosure, document).proof, None


def told_of(entries: Iterable[StepEntry]) -> Iterable[StepEntry]:
    """Those whose index is in an answer: of a decision on a request, and of a release, or of its failure instead."""
    known = list(entries)
    failed = {entry.step for entry in known if entry.kind == "FAILED"}
    for entry in known:
        if entry.kind in (*DECIDED, "FAILED") or (entry.kind == "RELEASE" and entry.step not in failed):
            yield entry
