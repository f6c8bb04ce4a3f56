"""The auditor: mirror a broker's log, re-derive its root, and open every record.

Rule (AUDIT 1, DESIGN 1): nothing is believed but the keys that were pinned by file. First the log: checkpoint, growth,
root and leaves, as `clients.mirrors.mirroring` says. Then every record opens its leaf's digest; an ADMITTED record
holds the very decision that its permit names.

It decides nothing again: that is `clients.replay`, which the command line feeds with `decisions`. Reading records is
itself an entry of the log; mirroring is not, and asks nobody who reads.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from broker.protocol import checkpoint as notes
from broker.protocol import leaves
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.log import LoggedRecord, RecordPage
from broker.protocol.messages.requests import AdmissionRecord
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing import holder_log_keys
from clients.auditing.log_key_entries import ChangedLogKeys, KeyChanged
from clients.mirrors.mirror import PAGE_ENTRIES, Mirror
from clients.mirrors.mirroring import AuditFailed, AuditReport, Mirroring, Progress
from clients.mirrors.watched_log import WatchedLog
from clients.transport import Caller, Clock
from clients.vault import Vault

__all__ = [
    "AuditFailed",
    "AuditReport",
    "Auditor",
    "Entry",
    "NoDecision",
    "Undecidable",
    "recorded_decisions",
]

DECISIONS = frozenset(
    {
        RecordKind.DEPOSIT_ADMITTED,
        RecordKind.DEPOSIT_REFUSED,
        RecordKind.ADMITTED,
        RecordKind.REFUSED,
        RecordKind.RELEASE,
    }
)
"""Kinds of entries whose records hold a decision."""


@dataclass(frozen=True)
class Entry:
    """One entry as mirrored; `record` is None once erased."""

    index: int
    content: leaves.LeafContent
    record: bytes | None = field(repr=False)


class NoDecision(StrEnum):
    """Why the mirror has no decision of an entry whose kind should hold one."""

    ERASED = "erased"
    NOT_FETCHED = "not-fetched"
    """Its leaf is mirrored and its record is not: `audit mirror` fetches leaves alone."""
    NOT_IN_RECORD = "not-in-record"
    """The record opens its leaf, and no decision is found in it."""


@dataclass(frozen=True)
class Undecidable:
    """An entry that cannot be decided again, for want of a decision."""

    index: int
    kind: str
    reason: NoDecision


class Auditor:
    """Audits one log.

    Args:
        vault: the files of the auditor's home; the mirror lies in it.
        log: which log, and whose word on it counts (`clients.mirrors.watched_log.broker_log` of a pinned space).
        caller: signs with the auditor's key: records are for auditors only.
    """

    def __init__(self, vault: Vault, log: WatchedLog, caller: Caller, clock: Clock) -> None:
        self._log = log
        self._caller = caller
        self._clock = clock
        self._mirror = Mirror(vault, log.folder)
        self._changed_keys = ChangedLogKeys()
        self._mirroring = Mirroring(log, self._mirror, caller, clock)

    def mirror(self, progress: Progress | None = None) -> AuditReport:
        """Mirror what is new in the log and verify its leaves and root, but no record. Raises as `verify`."""
        with self._reported():
            found = self._mirroring.update(progress)
        return self._mirroring.report(found.checkpoint, verified=True, mirrored=found)

    def verify(self, progress: Progress | None = None) -> AuditReport:
        """Mirror what is new and verify all of the log, records too.

        Raises AuditFailed with the report, Unreachable, or RemoteProblem (such as not being an auditor here).
        """
        with self._reported():
            if self._log.has_own_key:
                # A home of an earlier release has none: the last that it verified is the first it knows of.
                self._keep_first()
            found = self._mirroring.update(progress)
            erased = self._check_records(found.checkpoint, progress)
            if self._log.has_own_key:
                self._keep_first()
                self._check_own_key(found.checkpoint)
        return self._mirroring.report(found.checkpoint, verified=True, mirrored=found, erased=erased)

    def decisions(self) -> Iterator[tuple[int, str]]:
        """Index and text of every decision in the mirrored records; a release that was decided under two bundles of
        rules has two, the one under the rules in force first. Raises VerificationFailed."""
        for index, logged in enumerate(self._mirror.records()):
            for text in recorded_decisions(logged.record):
                yield index, text

    def undecidable(self) -> Iterator[Undecidable]:
        """Every mirrored entry whose kind holds a decision, and which has none in `decisions`: in the log's order.

        Raises VerificationFailed."""
        note = self._mirror.checkpoint()
        size = 0 if note is None else self._log.verify_kept(note).size
        kept = itertools.islice(self._mirror.records(), size)
        for index, (leaf, logged) in enumerate(itertools.zip_longest(self._mirror.leaves(0, size), kept)):
            kind = leaves.parse_leaf(leaf).kind
            if kind not in DECISIONS or (logged is not None and recorded_decisions(logged.record)):
                continue
            reason = NoDecision.NOT_IN_RECORD
            if logged is None:
                reason = NoDecision.NOT_FETCHED
            elif logged.record is None:
                reason = NoDecision.ERASED
            yield Undecidable(index, kind, reason)

    def entries(self) -> Iterator[Entry]:
        """Every entry whose record was fetched, in the log's order. Raises VerificationFailed."""
        kept = self._mirror.leaves(0, self._mirror.records_kept())
        for logged, leaf in zip(self._mirror.records(), kept, strict=True):
            yield Entry(logged.index, leaves.parse_leaf(leaf), logged.record)

    def entry(self, index: int) -> Entry:
        """One mirrored entry. Raises NotFound."""
        content = leaves.parse_leaf(self._mirror.leaf_at(index))
        return Entry(index, content, self._mirror.record_at(index).record)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Whatever does not verify is an AuditFailed with a report, even where there is little to report."""
        try:
            yield
        except AuditFailed:
            raise
        except VerificationFailed as error:
            raise AuditFailed(error.detail, self._mirroring.report(None, verified=False)) from error

    @property
    def changed_keys(self) -> Sequence[KeyChanged]:
        """The changes of the log's key that the last `verify` met, in the log's order."""
        return tuple(self._changed_keys.changes)

    # --- the key of a log that no document names ---

    def _keep_first(self) -> None:
        verified = self._mirror.checkpoint()
        if verified is not None and self._mirror.first() is None:
            self._mirror.keep_first(verified)

    def _check_own_key(self, latest: notes.Checkpoint) -> None:
        first, newest = self._mirror.first(), self._mirror.checkpoint()
        if first is None or newest is None:
            return
        try:
            holder_log_keys.check(self._log, first, newest, self.changed_keys)
        except VerificationFailed as error:
            parts = (
                "A log key that nobody handed on.",
                "",
                "--- seen first ---",
                first,
                "--- newest ---",
                newest,
            )
            evidence = self._mirror.keep_evidence(f"evidence-{self._clock()}.txt", "\n".join(parts))
            report = self._mirroring.report(latest, verified=False)
            raise AuditFailed(error.detail, report, evidence) from error

    # --- records ---

    def _check_records(self, latest: notes.Checkpoint, progress: Progress | None) -> int:
        erased = 0
        self._changed_keys = ChangedLogKeys()
        known = zip(self._mirror.leaves(0, latest.size), self._mirror.records(), strict=False)
        for index, (leaf, logged) in enumerate(known):
            erased += self._check_record(latest, index, leaf, logged)
        start = self._mirror.records_kept()
        rest = self._mirror.leaves(start, latest.size)
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
        url = f"{self._log.address}/v1/audit/records?start={start}&end={end}"
        page = self._caller.get(url, RecordPage)
        expected = list(range(start, start + len(page.records)))
        in_order = [record.index for record in page.records] == expected
        if page.start != start or not in_order or not 1 <= len(page.records) <= end - start:
            raise VerificationFailed(f"The {self._log.served_by} served other records than were asked for.")
        return page

    def _check_record(self, latest: notes.Checkpoint, index: int, leaf: bytes, logged: LoggedRecord) -> int:
        """Returns 1 for an erased record, 0 for one that opens its leaf."""
        if logged.record is None and logged.salt is None:
            if self._log.has_own_key and leaves.parse_leaf(leaf).kind == RecordKind.LOG_KEY_ROTATED:
                raise self._mirroring.bad_entry(latest, index, holder_log_keys.ERASED)
            return 1
        try:
            leaves.verify_record(leaf, logged.record or b"", logged.salt or b"")
            kind = leaves.parse_leaf(leaf).kind
            if kind == RecordKind.ADMITTED:
                _check_admission(logged.record or b"")
            if kind == RecordKind.LOG_KEY_ROTATED:
                self._changed_keys.check(self._log.origin, index, logged.record or b"")
        except (VerificationFailed, BadInput) as error:
            raise self._mirroring.bad_entry(latest, index, error.detail) from error
        return 0


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
