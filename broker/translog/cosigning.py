"""The log's side of C2SP tlog-witness: ask the configured witnesses for cosignatures, and believe none unverified.

Rule (AUDIT 3): what leaves a service rests on a checkpoint of its log that K of N witnesses cosigned; fewer in time is
Unavailable, and the caller's retry asks again. A witness that saw a larger log, or another root, means that the
database was rolled back or rewritten: then the log refuses every further entry, and the service will not start. One
round runs at a time and serves all who wait for an entry below its size; no database transaction is open while a
witness is asked.

The broker's log (`broker.audit.witnesses`) and a key holder's (`clients.keyholder.witnesses`) are both cosigned by
this. It opens no socket and reads no clock: both are given. Which witnesses anybody trusts, and whether a cosignature
is fresh, those judge who verify.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from broker.protocol import checkpoint, witnessing
from broker.protocol.checkpoint import VerifierKey
from broker.protocol.errors import NarrowgateError, Unavailable, VerificationFailed
from broker.protocol.witnessing import AddCheckpoint
from broker.translog.lines import Line

TRIES = 3
"""Calls to one witness in a round: its answer may correct the size it saw, and another broker may go ahead."""
ROUNDS = 3
_TOO_FEW = (
    "Too few witnesses cosigned the log in time, so nothing was disclosed. Repeat the very same call later."
)
ROLLED_BACK = (
    "A witness saw a larger log than the one in this database: the database was rolled back, or is another log's. "
    "Nothing is served. Restore a newer backup; entries that are lost for good need a new log "
    "(docs/how-to-keep-a-broker.md)."
)
REWRITTEN = (
    "A witness saw another log than the one in this database: entries were changed. Nothing is served. Keep the "
    "database as evidence, and restore the right one."
)


@dataclass(frozen=True)
class SignedHead:
    """The log's own note of its present head, which no witness has seen yet."""

    size: int
    note: str


@dataclass(frozen=True)
class Witnessed:
    """Evidence that as many witnesses as the service needs cosigned the log of `size` entries; in a trial none does.

    Made by `Witnesses` alone."""

    size: int
    note: str


@dataclass(frozen=True)
class Cosigning:
    """How cosigning goes in this process, for who watches the service.

    `size` is that of the newest log that enough witnesses cosigned, `seconds_ago` when they did; None before the first
    time. `failed_rounds` counts rounds in which too few did, `failed_calls` by a witness's name the calls to it that
    brought no cosignature."""

    size: int | None
    seconds_ago: float | None
    failed_rounds: int
    failed_calls: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """What a witness answered: HTTP status, media type and body."""

    status: int
    media_type: str
    body: bytes


Ask = Callable[[str, bytes], Answer]
"""POST a body to a URL. Raises Unavailable when no whole answer came in time."""


@dataclass(frozen=True)
class WitnessAt:
    """A witness and its address."""

    key: VerifierKey
    url: str


class WitnessedLog(Protocol):
    """The log that is cosigned, as its service keeps it. Each call is a transaction of its own, or none."""

    @property
    def verifier_key(self) -> VerifierKey:
        """The log's public key, under the log's name."""
        ...

    def head(self) -> SignedHead:
        """The present head, signed."""
        ...

    def path(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the log of `new_size` continues that of `old_size` (RFC 9162 2.1.4)."""
        ...

    def seen(self) -> Mapping[str, int]:
        """The size each witness saw last, by its name and key id: a hint, which its answer corrects."""
        ...

    def keep_seen(self, witnesses: Sequence[str], size: int) -> None:
        """Keep that these witnesses saw `size`."""
        ...

    def refuse(self, why: str) -> None:
        """Take no further entry, whatever happens. `why` is told to callers."""
        ...

    def check_not_refused(self) -> None:
        """Raises Unavailable once `refuse` was called."""
        ...

    def tell_operator(self, witness: str, reason: str) -> None:
        """Write that a witness, by its name, did not cosign. No part of it is a submitted value."""
        ...


class _NotCosigned(Exception):
    """This witness gave no cosignature in this round. Its text is for the operator's log and holds no value."""


class _Overtaken(_NotCosigned):
    """The witness saw a larger checkpoint of this very log: another broker was faster."""


class _Contradicted(Exception):
    """The witness saw another log than this one."""


class Witnesses:
    """The witnesses of one log."""

    def __init__(
        self,
        log: WitnessedLog,
        witnesses: Sequence[WitnessAt],
        quorum: int,
        ask: Ask,
        monotonic: Callable[[], float],
        timeout_seconds: int,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """`quorum` of `witnesses` are needed; 0, in a trial, asks nobody. `close` gives up what `ask` holds.

        `monotonic` counts seconds from any moment, for timeouts."""
        self._log = log
        self._witnesses = tuple(witnesses)
        self._quorum = quorum
        self._ask = ask
        self._monotonic = monotonic
        self._timeout_seconds = timeout_seconds
        self._close = close
        self._lines = {each.key: Line() for each in self._witnesses}
        self._one_round = threading.Lock()
        self._latest: Witnessed | None = None
        self._cosigned_at: float | None = None
        self._counting = threading.Lock()
        self._failed_rounds = 0
        self._failed_calls = {each.key.name: 0 for each in self._witnesses}

    @property
    def cosigning(self) -> Cosigning | None:
        """How it goes; None in a trial, in which nobody is asked."""
        if not self._quorum:
            return None
        latest, at = self._latest, self._cosigned_at
        return Cosigning(
            None if latest is None else latest.size,
            None if at is None else self._monotonic() - at,
            self._failed_rounds,
            dict(self._failed_calls),
        )

    @property
    def asked(self) -> tuple[frozenset[VerifierKey], int]:
        """The witnesses' keys and how many are needed: what a space on this broker must name."""
        return frozenset(each.key for each in self._witnesses), self._quorum

    def start(self) -> None:
        """Show every witness the present log before anything is served (AUDIT 3, promise 4).

        Of N witnesses N-K+1 must cosign, and K: whatever left the service K cosigned, so that one of any N-K+1 saw it,
        and an older copy of the database is found out whichever witnesses are away.

        Raises Unavailable when too few answer in time, or when any saw another log."""
        if self._quorum:
            needed = max(self._quorum, len(self._witnesses) - self._quorum + 1)
            with self._one_round:
                self._latest = self._rounds(needed, patient=True)

    def cosign(self, index: int) -> Witnessed:
        """A cosigned checkpoint of a log that holds the durable entry `index`; -1 for none.

        Raises Unavailable: nothing may leave."""
        return self._cosign(index, 2 * self._timeout_seconds)

    def _cosign(self, index: int, wait_seconds: int) -> Witnessed:
        self._log.check_not_refused()
        if not self._quorum:
            head = self._log.head()
            return Witnessed(head.size, head.note)
        if not self._one_round.acquire(timeout=wait_seconds):
            raise Unavailable(_TOO_FEW)
        try:
            if self._latest is None or self._latest.size <= index:
                self._latest = self._rounds(self._quorum, patient=False)
            return self._latest
        finally:
            self._one_round.release()

    def published(self) -> str:
        """The note that anybody may read: of the present log once it is cosigned, else the newest that was.

        It waits for no round of others, so that readers do not pile up. Raises Unavailable."""
        size = self._log.head().size
        try:
            return self._cosign(size - 1, 0).note
        except Unavailable:
            self._log.check_not_refused()
            if self._latest is None:
                raise
            return self._latest.note

    def close(self) -> None:
        """Wait for calls that are on their way, at most one timeout, and give up what carries them."""
        deadline = self._monotonic() + self._timeout_seconds
        asking = [thread for line in self._lines.values() for thread in line.close()]
        for thread in asking:
            thread.join(max(0.0, deadline - self._monotonic()))
        self._close()

    def found_on(self, note: str) -> checkpoint.Checkpoint | None:
        """The checkpoint of a kept note once enough witnesses cosigned it, else None: it is to be cosigned yet."""
        try:
            return self._verified(note, [each.key for each in self._witnesses], self._quorum)
        except VerificationFailed:
            return None

    def _rounds(self, needed: int, patient: bool) -> Witnessed:
        deadline = self._monotonic() + self._timeout_seconds
        for _ in range(ROUNDS):
            # In this order: a size that another broker keeps in between must not look larger than the log.
            seen = self._log.seen()
            head = self._log.head()
            answers: SimpleQueue[tuple[WitnessAt, str | Exception]] = SimpleQueue()
            for each in self._witnesses:
                known = seen.get(each.key.short, 0)
                self._lines[each.key].submit(partial(self._ask_into, each, head, known, answers))
            cosigned, overtaken = self._collect(answers, deadline, patient)
            if len(cosigned) >= needed:
                return self._keep(head, cosigned)
            if not overtaken:
                break
        self._failed_rounds += 1
        raise Unavailable(_TOO_FEW)

    def _collect(
        self, answers: "SimpleQueue[tuple[WitnessAt, str | Exception]]", deadline: float, patient: bool
    ) -> tuple[dict[VerifierKey, str], bool]:
        """The verified signature lines by witness, and whether another broker was faster somewhere."""
        cosigned: dict[VerifierKey, str] = {}
        overtaken = False
        contradicted: _Contradicted | None = None
        for _ in self._witnesses:
            try:
                witness, answer = answers.get(timeout=max(0.0, deadline - self._monotonic()))
            except Empty:
                break
            if isinstance(answer, _Contradicted):
                contradicted = answer
            overtaken = overtaken or isinstance(answer, _Overtaken)
            if isinstance(answer, str):
                cosigned[witness.key] = answer
            if (contradicted or len(cosigned) >= self._quorum) and not patient:
                break
        if contradicted is not None:
            self._failed_rounds += 1
            raise Unavailable(str(contradicted))
        return cosigned, overtaken

    def _keep(self, head: SignedHead, cosigned: dict[VerifierKey, str]) -> Witnessed:
        note = witnessing.join_signatures(head.note, list(cosigned.values()))
        self._verified(note, list(cosigned), self._quorum)
        self._log.keep_seen(tuple(key.short for key in cosigned), head.size)
        self._cosigned_at = self._monotonic()
        return Witnessed(head.size, note)

    def _ask_into(
        self,
        witness: WitnessAt,
        head: SignedHead,
        seen: int,
        answers: "SimpleQueue[tuple[WitnessAt, str | Exception]]",
    ) -> None:
        """One witness's part of a round, in a thread of its own. What comes late still stops a log that is wrong."""
        try:
            answers.put((witness, self._cosignature(witness, head, seen)))
            return
        except _Contradicted as error:
            self._log.refuse(str(error))
            answers.put((witness, error))
            reason = "contradicted"
        except (_NotCosigned, NarrowgateError) as error:
            answers.put((witness, error))
            reason = str(error)
        except Exception as error:
            answers.put((witness, error))
            reason = type(error).__name__
        with self._counting:
            self._failed_calls[witness.key.name] += 1
        self._log.tell_operator(witness.key.name, reason)

    def _cosignature(self, witness: WitnessAt, head: SignedHead, seen: int) -> str:
        for _ in range(TRIES):
            call = AddCheckpoint(seen, self._path(seen, head.size), head.note)
            answer = self._ask(witness.url + witnessing.ADD_CHECKPOINT, witnessing.write_call(call))
            if answer.status == 200:
                return self._line(witness, head, answer.body)
            if answer.status == 422 and seen > 0:
                raise _Contradicted(REWRITTEN)
            if answer.status != 409:
                raise _NotCosigned(f"answered {answer.status}")
            if answer.media_type.partition(";")[0].strip() != witnessing.SIZE_TYPE:
                # The standard asks for the size where sizes differ; without it, the roots do.
                raise _Contradicted(REWRITTEN) if seen == head.size else _NotCosigned("answered 409")
            told = witnessing.read_size(answer.body.decode("ascii", "replace"))
            if told > head.size:
                self._check_overtaken(told)
            if told == seen == head.size:
                raise _Contradicted(REWRITTEN)
            if told == seen:
                raise _NotCosigned("refused the size that it named itself")
            seen = told
        raise _NotCosigned("named another size each time")

    def _check_overtaken(self, told: int) -> None:
        if self._log.head().size < told:
            raise _Contradicted(ROLLED_BACK)
        raise _Overtaken("saw a larger checkpoint first")

    def _path(self, old: int, new: int) -> tuple[bytes, ...]:
        if old > new:
            raise _Contradicted(ROLLED_BACK)
        return self._log.path(old, new)

    def _line(self, witness: WitnessAt, head: SignedHead, body: bytes) -> str:
        """The witness's own signature line of its answer. Raises VerificationFailed when it is not over this head."""
        lines = body.decode("utf-8", "replace").split("\n")
        own = checkpoint.line_of(witness.key, lines)
        if own is None:
            raise _NotCosigned("answered without a cosignature")
        self._verified(witnessing.join_signatures(head.note, [own]), [witness.key], 1)
        return own

    def _verified(self, note: str, keys: Sequence[VerifierKey], quorum: int) -> checkpoint.Checkpoint:
        log_key = self._log.verifier_key
        return checkpoint.parse_and_verify(note.encode(), log_key.name, log_key, keys, quorum)
