"""Bring the mirror of a log up to date from its tiles, and derive it again: C2SP tlog-tiles, and nothing signed.

Rule (AUDIT 1, DESIGN 1): nothing is believed but the key and the witnesses that were pinned. In order:

    1. the checkpoint is signed by the log's key, and cosigned by enough witnesses
    2. bundles of what is new are fetched, and each is kept at once, so that a run that is cut short loses none of them
    3. the leaves give the root of this checkpoint and of those seen before: that the log only grew is derived from the
       leaves themselves, and needs no proof by whoever serves them
    4. every leaf is canonical and of a known kind

A checkpoint smaller than the last one that verified is compared with the root of the mirror's own leaves at that size.
The same, and a cache served an old one: nothing is new, and the report says so. Another, and there are two logs.

Only after 3 does the checkpoint become the last one that verified, which is what makes leaves count. Where 3 fails,
what an earlier run had fetched is fetched again before anybody is accused; then the whole log, without keeping it: if
that gives the signed root, there are two logs, and the first entry in which they differ is known. Both checkpoints are
kept as evidence.

Records are `clients.auditor`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from broker.protocol import checkpoint as notes
from broker.protocol import merkle
from broker.protocol.errors import VerificationFailed
from broker.protocol.tiles import TILE_WIDTH, Tile, entry_bundle, leaves_in, read_entry_bundle
from clients.mirrors.mirror import DAMAGED, Mirror
from clients.mirrors.rederiving import Rederived, rederive
from clients.mirrors.watched_log import WatchedLog
from clients.remote import RemoteNotFound
from clients.transport import Caller, Clock

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class AuditReport:
    """What an audit came to. `first_bad_index` is the first entry that is wrong, or that differs from what was seen.

    `size` and `root` are those of the checkpoint that was looked at; None where none could be believed."""

    origin: str
    size: int | None
    root: bytes | None
    verified: bool
    fork: bool
    first_bad_index: int | None
    trial: bool
    new: int = 0
    """Entries that were not verified before."""
    witnesses: tuple[str, ...] = ()
    """Those of the pinned witnesses who cosigned the checkpoint."""
    kinds: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    erased: int = 0
    """Records that the broker has erased; their leaves stand."""
    stale: int | None = None
    """The size of the checkpoint that was served, where a larger one was seen before that does not contradict it."""


class AuditFailed(VerificationFailed):
    """The log does not verify. `evidence` is the path of the file that proves it, where one can."""

    def __init__(self, detail: str, report: AuditReport, evidence: str | None = None) -> None:
        super().__init__(detail)
        self.report = report
        self.evidence = evidence


@dataclass(frozen=True)
class Mirrored:
    """Evidence that the mirror's first `checkpoint.size` leaves give its root, with the entries by kind.

    The first `before` of them were verified by an earlier run. `stale` is the size that was served, where a larger
    checkpoint was seen before; `checkpoint` is the mirror's own all the same, and no entry need be new."""

    checkpoint: notes.Checkpoint
    before: int
    kinds: Mapping[str, int]
    stale: int | None = None


class Mirroring:
    """Keeps one mirror.

    Args:
        log: which log, and whose word on it counts.
        mirror: its files in a home.
        caller: carries the calls; they are not signed, since anybody may read a log.
    """

    def __init__(self, log: WatchedLog, mirror: Mirror, caller: Caller, clock: Clock) -> None:
        self._log = log
        self._mirror = mirror
        self._caller = caller
        self._clock = clock

    def update(self, progress: Progress | None = None) -> Mirrored:
        """Fetch what is new and verify all of the log.

        Raises AuditFailed with the report, or Unreachable or RemoteProblem, after which the next run goes on."""
        note, latest = self._latest()
        last, begun = self._known(self._mirror.checkpoint()), self._known(self._mirror.fetching())
        for seen in (last, begun):
            if seen is not None and seen.size == latest.size and seen.root != latest.root:
                raise self._fork(seen, latest, note, None)
        if last is not None and latest.size < last.size:
            return self._older(last, latest, note)
        start = 0 if last is None else last.size
        if begun is None and latest.size > start:
            self._mirror.keep_fetching(note)
        resumed = self._fetch(start, latest.size, progress)
        derived = self._derive(last, begun, latest)
        if derived.roots[latest.size] != latest.root and resumed:
            # What an earlier run had fetched may have come from somewhere else: no accusation rests on it.
            self._mirror.drop_beyond(start, latest.size)
            self._fetch(start, latest.size, progress)
            derived = self._derive(last, begun, latest)
        if derived.roots[latest.size] != latest.root:
            raise self._judge(last, latest, note)
        ahead = begun is not None and begun.size > latest.size
        if begun is not None and not ahead and derived.roots[begun.size] != begun.root:
            raise self._fork(begun, latest, note, None)
        self._mirror.keep_checkpoint(note)
        if not ahead:  # One that was seen and is larger still is held against what is served later.
            self._mirror.drop_fetching()
        if derived.first_bad is not None:
            raise self.bad_entry(latest, derived.first_bad.index, derived.first_bad.reason)
        return Mirrored(latest, start, derived.kinds, stale=latest.size if ahead else None)

    # --- checkpoints ---

    def _latest(self) -> tuple[str, notes.Checkpoint]:
        answer = self._caller.get_public(f"{self._log.address}/checkpoint")
        try:
            note = answer.decode()
        except UnicodeDecodeError:
            raise VerificationFailed("What was served as the log's checkpoint is no text.") from None
        return note, self._log.verify_checkpoint(note)

    def _known(self, note: str | None) -> notes.Checkpoint | None:
        return None if note is None else self._log.verify_kept(note)

    # --- leaves ---

    def _fetch(self, start: int, size: int, progress: Progress | None) -> bool:
        """Fetch and keep the bundles of leaves `start` up to `size` that are not there. Returns whether some were."""
        resumed = False
        for tile_index in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
            first = tile_index * TILE_WIDTH
            width = min(TILE_WIDTH, size - first)
            verified = max(0, start - first)
            held = leaves_in(self._mirror.bundle(tile_index))
            resumed = resumed or len(held) > verified
            if len(held) < width:
                served = self._bundle(tile_index, width)
                # What verified before is never replaced: if other leaves are served in its place, the root will tell.
                self._mirror.keep_bundle(tile_index, entry_bundle((*held, *served[len(held) :])))
            if progress is not None:
                progress(first + width, size)
        return resumed

    def _bundle(self, tile_index: int, width: int) -> tuple[bytes, ...]:
        tile = Tile(None, tile_index, width)
        try:
            data = self._caller.get_public(f"{self._log.address}/tile/{tile.path}")
        except RemoteNotFound:
            if width == TILE_WIDTH:
                raise
            # A cache may drop partial tiles once the full one is there (C2SP tlog-tiles).
            full = self._caller.get_public(f"{self._log.address}/tile/{Tile(None, tile_index).path}")
            return read_entry_bundle(full, TILE_WIDTH)[:width]
        return read_entry_bundle(data, width)

    def _derive(
        self, last: notes.Checkpoint | None, begun: notes.Checkpoint | None, latest: notes.Checkpoint
    ) -> Rederived:
        sizes = [seen.size for seen in (last, begun) if seen is not None and seen.size <= latest.size]
        derived = rederive(self._mirror, latest.size, sizes)
        if last is not None and derived.roots[last.size] != last.root:
            raise VerificationFailed(DAMAGED)
        return derived

    def _older(self, last: notes.Checkpoint, latest: notes.Checkpoint, note: str) -> Mirrored:
        """Judge a checkpoint smaller than the last that verified by the leaves that are held, of which none is new.

        Raises AuditFailed for one of another log. A log that was cut back looks as an old cache does, until it grows
        again: that is for who reads the report, and for witnesses."""
        derived = rederive(self._mirror, last.size, [latest.size])
        if derived.roots[last.size] != last.root:
            raise VerificationFailed(DAMAGED)
        if derived.roots[latest.size] != latest.root:
            raise self._fork(last, latest, note, None)
        if derived.first_bad is not None:
            raise self.bad_entry(last, derived.first_bad.index, derived.first_bad.reason)
        return Mirrored(last, last.size, derived.kinds, stale=latest.size)

    # --- faults ---

    def _judge(self, last: notes.Checkpoint | None, latest: notes.Checkpoint, note: str) -> AuditFailed:
        """Two logs, or leaves that are not the signed log's: told by the whole log as it is served now."""
        kept = 0 if last is None else last.size
        frontier, differs = merkle.Frontier(), None
        for tile_index in range(-(-latest.size // TILE_WIDTH)):
            served = self._bundle(tile_index, min(TILE_WIDTH, latest.size - frontier.size))
            held = leaves_in(self._mirror.bundle(tile_index))[: max(0, kept - frontier.size)]
            if differs is None and served[: len(held)] != held:
                places = (place for place, leaf in enumerate(held) if served[place] != leaf)
                differs = frontier.size + next(places, 0)
            for leaf in served:
                frontier.append(merkle.leaf_hash(leaf))
        self._mirror.drop_beyond(kept, latest.size)
        if last is not None and differs is not None and frontier.root() == latest.root:
            return self._fork(last, latest, note, differs)
        return AuditFailed(
            f"The leaves that the {self._log.served_by} served do not give the root that it signed. Tell the "
            f"{self._log.served_by}'s operator; the checkpoints are kept as evidence.",
            self.report(latest, verified=False),
            self._evidence("A checkpoint to which the leaves served with it do not lead.", last, note),
        )

    def _fork(
        self, seen: notes.Checkpoint, latest: notes.Checkpoint, note: str, differs: int | None
    ) -> AuditFailed:
        first_line = (
            "Two checkpoints of one log, both signed by its key, of which neither continues the other."
        )
        evidence = self._evidence(first_line, seen, note)
        self._mirror.drop_fetching()
        where = "" if differs is None else f" Entry {differs} is the first in which they differ."
        return AuditFailed(
            f"The {self._log.served_by} showed two different logs: its log was cut or rewritten since the last audit."
            f"{where} Both signed checkpoints are kept as evidence; tell the members and key holders of the space.",
            self.report(latest, verified=False, fork=True, first_bad_index=differs),
            evidence,
        )

    def _evidence(self, first_line: str, seen: notes.Checkpoint | None, note: str) -> str:
        before = (self._mirror.checkpoint(), self._mirror.fetching())
        told = next((each for each in before if each and seen and self._known(each) == seen), None)
        parts = [first_line, ""]
        if told is not None:
            parts += ["--- seen before ---", told]
        return self._mirror.keep_evidence(
            f"evidence-{self._clock()}.txt", "\n".join([*parts, f"--- seen at {self._clock()} ---", note])
        )

    def bad_entry(self, latest: notes.Checkpoint, index: int, detail: str) -> AuditFailed:
        """That one entry is wrong under a true root."""
        return AuditFailed(
            f"Entry {index} does not verify. {detail}",
            self.report(latest, verified=False, first_bad_index=index),
        )

    def report(
        self,
        latest: notes.Checkpoint | None,
        *,
        verified: bool,
        fork: bool = False,
        first_bad_index: int | None = None,
        mirrored: Mirrored | None = None,
        erased: int = 0,
    ) -> AuditReport:
        """The report about a checkpoint of this log, or about none that could be believed."""
        return AuditReport(
            origin=self._log.origin,
            size=None if latest is None else latest.size,
            root=None if latest is None else latest.root,
            verified=verified,
            fork=fork,
            first_bad_index=first_bad_index,
            trial=self._log.quorum == 0,
            new=0 if mirrored is None else mirrored.checkpoint.size - mirrored.before,
            witnesses=() if latest is None else tuple(each.witness for each in latest.cosignatures),
            kinds=MappingProxyType({} if mirrored is None else dict(mirrored.kinds)),
            erased=erased,
            stale=None if mirrored is None else mirrored.stale,
        )
