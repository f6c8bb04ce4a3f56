"""The auditor: mirror a broker's log, re-derive its root, and open every record.

Rule (AUDIT 1, DESIGN 1): nothing is believed but the log key that was pinned by file. In order:

    1. the checkpoint is signed by the log's key, and not smaller than the last one seen;
    2. the leaves mirrored before still give the last root, and with the new ones the new root: that the log only grew
       is re-derived from the leaves themselves, without the broker's proof;
    3. every leaf is canonical and of a known kind;
    4. every record opens its leaf's digest; an ADMITTED record holds the very decision that its permit names.

Where 2 fails after a first mirror, the broker may still prove its roots consistent: then the leaves it served are
false. If it cannot, it showed two logs, and both checkpoints are kept as evidence.

It decides nothing again: that is `clients.replay`, which the command line feeds with `decisions`. Reading records is
itself an entry of the log.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from broker.protocol import checkpoint as notes
from broker.protocol import leaves, merkle, receipts
from broker.protocol.errors import BadInput, NarrowgateError, Unavailable, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.log import ConsistencyPath, LeafPage, LoggedRecord, RecordPage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import AdmissionRecord
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.log_key_entries import ChangedLogKeys, kept_checkpoint
from clients.home import Home
from clients.mirror import PAGE_ENTRIES, Mirror
from clients.transport import Caller, Clock

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class AuditReport:
    """What an audit came to. `first_bad_index` is the first entry whose leaf or record is wrong."""

    origin: str
    entries: int
    size: int
    root: bytes
    verified: bool
    fork: bool
    first_bad_index: int | None
    trial: bool
    kinds: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    erased: int = 0
    """Records that the broker has erased; their leaves stand."""


class AuditFailed(VerificationFailed):
    """The log does not verify. `evidence` is the path of the file that proves it, where one can."""

    def __init__(self, detail: str, report: AuditReport, evidence: str | None = None) -> None:
        super().__init__(detail)
        self.report = report
        self.evidence = evidence


@dataclass(frozen=True)
class Entry:
    """One entry as mirrored; `record` is None once erased."""

    index: int
    content: leaves.LeafContent
    record: bytes | None = field(repr=False)


class Auditor:
    """Audits the log of one space's broker.

    Args:
        home: the auditor's folder; the mirror lies in it.
        space: the pinned space document; it carries the log's origin and key.
        caller: signs with the auditor's key: records are for auditors only.

    The checkpoint must be cosigned by as many of the space's witnesses as it says: the log that an auditor verifies is
    then the one that permits and disclosures rest on.
    """

    def __init__(self, home: Home, space: Space, caller: Caller, clock: Clock) -> None:
        self._home = home
        self._space = space
        self._caller = caller
        self._clock = clock
        self._mirror = Mirror(home.vault, space.space_id)
        self._changed_keys = ChangedLogKeys()

    def verify(self, progress: Progress | None = None) -> AuditReport:
        """Mirror what is new and verify all of the log.

        Raises AuditFailed with the report, Unreachable, or RemoteProblem (such as not being an auditor here).
        """
        latest, note = self._latest()
        self._mirror_leaves(latest, note, progress)
        kinds = self._check_leaves(latest)
        erased = self._check_records(latest, progress)
        return self._report(latest, verified=True, kinds=MappingProxyType(kinds), erased=erased)

    def decisions(self) -> Iterator[tuple[int, str]]:
        """Index and text of every decision in the mirrored records; a release that was decided under two bundles of
        rules has two, the one under the rules in force first. Raises VerificationFailed."""
        for index, logged in enumerate(self._mirror.records()):
            for text in recorded_decisions(logged.record):
                yield index, text

    def entry(self, index: int) -> Entry:
        """One mirrored entry. Raises NotFound."""
        content = leaves.parse_leaf(self._mirror.leaf_at(index))
        return Entry(index, content, self._mirror.record_at(index).record)

    # --- step 1 ---

    def _latest(self) -> tuple[notes.Checkpoint, str]:
        note = self._caller.get_text(f"{self._space.broker_origin}/checkpoint")
        latest = self._checkpoint(note)
        last = self._last()
        if last is not None and (
            latest.size < last.size or (latest.size == last.size and latest.root != last.root)
        ):
            raise self._fork(latest, note)
        return latest, note

    def _checkpoint(self, note: str) -> notes.Checkpoint:
        space = self._space
        return receipts.verify_checkpoint(
            note, space.log_origin, space.log_key, space.witness_keys, space.witness_quorum
        )

    def _last(self) -> notes.Checkpoint | None:
        note = self._mirror.checkpoint()
        return None if note is None else kept_checkpoint(self._home, self._space, note)

    # --- step 2 ---

    def _mirror_leaves(self, latest: notes.Checkpoint, note: str, progress: Progress | None) -> None:
        last = self._last()
        start = 0 if last is None else last.size
        frontier = merkle.Frontier()
        for leaf in self._mirror.leaves(start):
            frontier.append(merkle.leaf_hash(leaf))
        if last is not None and frontier.root() != last.root:
            raise VerificationFailed(
                "The mirrored leaves do not give the last root any more: the mirror in this home is damaged. "
                "Move its folder away as evidence and mirror anew."
            )
        fresh: list[bytes] = []
        while start + len(fresh) < latest.size:
            fresh += self._leaf_page(start + len(fresh), latest.size)
            if progress is not None:
                progress(start + len(fresh), latest.size)
        for leaf in fresh:
            frontier.append(merkle.leaf_hash(leaf))
        if frontier.root() != latest.root:
            raise self._mismatch(last, latest, note)
        self._mirror.keep(start, fresh, note)

    def _leaf_page(self, start: int, size: int) -> tuple[bytes, ...]:
        end = min(start + PAGE_ENTRIES, size)
        url = f"{self._space.broker_origin}/v1/log/leaves?start={start}&end={end}"
        page = self._caller.get(url, LeafPage)
        if page.start != start or not 1 <= len(page.leaves) <= end - start:
            raise VerificationFailed("The broker served other leaves than were asked for.")
        return page.leaves

    def _mismatch(self, last: notes.Checkpoint | None, latest: notes.Checkpoint, note: str) -> AuditFailed:
        if last is not None and last.size and not self._consistent(last, latest):
            return self._fork(latest, note)
        return AuditFailed(
            "The leaves that the broker served do not give the root that it signed. Tell the broker's operator; "
            "the checkpoint is kept as evidence.",
            self._report(latest, verified=False),
            self._mirror.keep_evidence(f"evidence-{self._clock()}.txt", note),
        )

    def _consistent(self, last: notes.Checkpoint, latest: notes.Checkpoint) -> bool:
        url = f"{self._space.broker_origin}/v1/log/consistency?old={last.size}&new={latest.size}"
        try:
            path = self._caller.get(url, ConsistencyPath).path
            merkle.verify_consistency(last.size, latest.size, path, last.root, latest.root)
        except Unavailable:
            raise  # no answer is no proof of a fork
        except NarrowgateError:
            return False
        return True

    def _fork(self, latest: notes.Checkpoint, note: str) -> AuditFailed:
        evidence = (
            "Two checkpoints of one log, both signed by its key, of which neither continues the other.\n\n"
            f"--- seen before ---\n{self._mirror.checkpoint()}\n--- seen at {self._clock()} ---\n{note}"
        )
        return AuditFailed(
            "The broker showed two different logs: its log was cut or rewritten since the last audit. Both signed "
            "checkpoints are kept as evidence; tell the members and key holders of the space.",
            self._report(latest, verified=False, fork=True),
            self._mirror.keep_evidence(f"evidence-{self._clock()}.txt", evidence),
        )

    # --- step 3 ---

    def _check_leaves(self, latest: notes.Checkpoint) -> dict[str, int]:
        known, kinds = {kind.value for kind in RecordKind}, dict[str, int]()
        for index, leaf in enumerate(self._mirror.leaves(latest.size)):
            try:
                kind = leaves.parse_leaf(leaf).kind
            except VerificationFailed as error:
                raise self._bad_entry(latest, index, error.detail) from error
            if kind not in known:
                raise self._bad_entry(latest, index, "The entry is of a kind that is not known here.")
            kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    # --- step 4 ---

    def _check_records(self, latest: notes.Checkpoint, progress: Progress | None) -> int:
        erased = 0
        self._changed_keys = ChangedLogKeys()
        known = zip(self._mirror.leaves(latest.size), self._mirror.records(), strict=False)
        for index, (leaf, logged) in enumerate(known):
            erased += self._check_record(latest, index, leaf, logged)
        start = self._mirror.records_kept()
        rest = itertools.islice(self._mirror.leaves(latest.size), start, None)
        while start < latest.size:
            page = self._record_page(start, latest.size)
            for logged in page.records:
                erased += self._check_record(latest, logged.index, next(rest), logged)
            self._mirror.keep_records(page)
            start += len(page.records)
            if progress is not None:
                progress(start, latest.size)
        return erased

    def _record_page(self, start: int, size: int) -> RecordPage:
        end = min(start + PAGE_ENTRIES, size)
        url = f"{self._space.broker_origin}/v1/audit/records?start={start}&end={end}"
        page = self._caller.get(url, RecordPage)
        expected = list(range(start, start + len(page.records)))
        in_order = [record.index for record in page.records] == expected
        if page.start != start or not in_order or not 1 <= len(page.records) <= end - start:
            raise VerificationFailed("The broker served other records than were asked for.")
        return page

    def _check_record(self, latest: notes.Checkpoint, index: int, leaf: bytes, logged: LoggedRecord) -> int:
        """Returns 1 for an erased record, 0 for one that opens its leaf."""
        if logged.record is None and logged.salt is None:
            return 1
        try:
            leaves.verify_record(leaf, logged.record or b"", logged.salt or b"")
            kind = leaves.parse_leaf(leaf).kind
            if kind == RecordKind.ADMITTED:
                _check_admission(logged.record or b"")
            if kind == RecordKind.LOG_KEY_ROTATED:
                self._changed_keys.check(self._space.log_origin, index, logged.record or b"")
        except (VerificationFailed, BadInput) as error:
            raise self._bad_entry(latest, index, error.detail) from error
        return 0

    # --- reports ---

    def _bad_entry(self, latest: notes.Checkpoint, index: int, detail: str) -> AuditFailed:
        return AuditFailed(
            f"Entry {index} does not verify. {detail}",
            self._report(latest, verified=False, first_bad_index=index),
        )

    def _report(
        self,
        latest: notes.Checkpoint,
        *,
        verified: bool,
        fork: bool = False,
        first_bad_index: int | None = None,
        kinds: Mapping[str, int] = MappingProxyType({}),
        erased: int = 0,
    ) -> AuditReport:
        return AuditReport(
            origin=latest.origin,
            entries=latest.size,
            size=latest.size,
            root=latest.root,
            verified=verified,
            fork=fork,
            first_bad_index=first_bad_index,
            trial=self._space.trial,
            kinds=kinds,
            erased=erased,
        )


def _check_admission(record: bytes) -> None:
    admission = decode(AdmissionRecord, record)
    if hashlib.sha256(admission.decision.encode()).digest() != admission.terms.decision_digest:
        raise VerificationFailed("The permit names another decision than the one recorded.")


def recorded_decisions(record: bytes | None) -> tuple[str, ...]:
    """The decisions in a record, whatever its kind: an auditor needs no knowledge of the broker's own types."""
    if record is None:
        return ()
    try:
        members = json.loads(record)
    except ValueError:
        return ()
    if not isinstance(members, dict):
        return ()
    found = (members.get("decision"), members.get("earlier_decision"))
    return tuple(text for text in found if isinstance(text, str))
