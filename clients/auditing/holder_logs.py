"""The entries of a key holder's own log in an auditor's mirror, verified again as they are read.

Rule (AUDIT 1): as for the broker's log (`clients.auditing.mirrored`): the checkpoint must verify under the key that the
pinned space document names, the leaves give its root, each record open its leaf, and the log's own key be the one that
was handed on. Nothing is fetched. Of a record
only the members named here are read, whatever else it holds.

It compares nothing with the broker's log: see `clients.auditing.reconcile`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from broker.protocol import leaves, merkle
from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.messages.log import LoggedRecord
from broker.protocol.messages.parties import Holder, Space
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing import holder_log_keys
from clients.auditing.log_key_entries import ChangedLogKeys
from clients.auditing.logged import Logged, Repeated
from clients.home import Home
from clients.mirrors.mirror import DAMAGED, Mirror
from clients.mirrors.watched_log import holder_log

ANSWERED = (RecordKind.EVALUATED.value, RecordKind.OPENED.value)


class Evaluation(Logged):
    """The record of EVALUATED or OPENED. Ids and digests are hexadecimal text."""

    permit_id: str
    space_id: Repeated
    requester: Repeated
    request_digest: str
    series_id: Repeated
    quorum: tuple[int, ...]
    batch_root: str
    points: int
    decision_digest: str
    bundle_digest: Repeated
    admitted_index: int


@dataclass(frozen=True, slots=True)
class HolderEntry:
    """One entry. `evaluation` is None for entries of other kinds, and where the record was erased (`erased`)."""

    index: int
    recorded_at: int
    kind: str
    erased: bool
    evaluation: Evaluation | None = field(repr=False)


class MirroredHolderLog:
    """A key holder's log as the auditor mirrored it.

    Raises NotFound before the first `audit verify-holders`, or VerificationFailed for a checkpoint that is not the
    log's."""

    def __init__(self, home: Home, space: Space, holder: Holder) -> None:
        log = holder_log(space, holder)
        self.holder = holder
        self._mirror = Mirror(home.vault, log.folder)
        self._log, note = log, self._mirror.checkpoint()
        if note is None:
            raise NotFound(
                "That key holder's log is not mirrored in this home. Use: narrowgate audit verify-holders"
            )
        self._note, self.checkpoint = note, log.verify_checkpoint(note)

    @property
    def cosigned_by(self) -> tuple[str, ...]:
        """The names of the space's witnesses that cosigned the checkpoint."""
        return tuple(sorted(each.witness for each in self.checkpoint.cosignatures))

    def entries(self) -> Iterator[HolderEntry]:
        """Every entry up to the checkpoint, in the log's order.

        Raises VerificationFailed as `clients.auditing.mirrored.MirroredLog.entries`."""
        size, frontier, changed = self.checkpoint.size, merkle.Frontier(), ChangedLogKeys()
        if self._mirror.records_kept() < size:
            raise VerificationFailed(
                "The last audit of this key holder ended before all records were fetched. Use: narrowgate audit "
                "verify-holders"
            )
        for leaf, logged in zip(self._mirror.leaves(0, size), self._mirror.records(), strict=False):
            frontier.append(merkle.leaf_hash(leaf))
            entry = _entry(leaf, logged)
            if entry.kind == RecordKind.LOG_KEY_ROTATED:
                if logged.record is None:
                    raise VerificationFailed(holder_log_keys.ERASED)
                changed.check(self._log.origin, entry.index, logged.record)
            yield entry
        if frontier.root() != self.checkpoint.root:
            raise VerificationFailed(DAMAGED)
        # A mirror of an earlier release has no first checkpoint yet: the newest is then the first it knows of.
        holder_log_keys.check(self._log, self._mirror.first() or self._note, self._note, changed.changes)


def _entry(leaf: bytes, logged: LoggedRecord) -> HolderEntry:
    content = leaves.parse_leaf(leaf)
    erased = logged.record is None or logged.salt is None
    evaluation = None
    if logged.record is not None and logged.salt is not None:
        leaves.verify_record(leaf, logged.record, logged.salt)
        if content.kind in ANSWERED:
            try:
                evaluation = Evaluation.model_validate_json(logged.record)
            except ValidationError:
                raise VerificationFailed(
                    f"The record of entry {logged.index} of the key holder's log is not what its kind should hold."
                ) from None
    return HolderEntry(logged.index, content.recorded_at, content.kind, erased, evaluation)
