"""Follow a log from a key that was pinned to the one it is signed with now, by the file of log keys (decision 0018).

    1 the record opens its leaf, and the leaf is of the right kind
    2 the statement is signed by the old key and by the new one, about this log
    3 the entry stands where it says, under a checkpoint that both keys signed and enough witnesses cosigned
    4 one change begins with the key that the one before ended with, and later in the log
    5 the key that was pinned is one of them

Rule: who pinned a key comes to another one by this alone, never by a broker's word; a change without the old key's
signature (it was lost) counts only where the caller says that people accepted it. An old key signs for the sizes up to
the change and for none above: so a stolen one extends no log for anybody who followed.

It decides for nobody to follow: a person gives the file to a command.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol import checkpoint as notes
from broker.protocol import documents, leaves, merkle
from broker.protocol.checkpoint import ED25519, Checkpoint, VerifierKey
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import decode, read
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink, LogKeyRecord, LogKeyRotation
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import RecordKind

_ASK = (
    "Ask the log's operator for the newest file of log keys; if it is this one, keep it and tell an auditor."
)


@dataclass(frozen=True)
class WitnessQuorum:
    """How many of which witnesses must have cosigned."""

    keys: tuple[VerifierKey, ...] = ()
    needed: int = 0


@dataclass(frozen=True)
class KeyPeriod:
    """A key, and the sizes of the log for which its signature counts; `until_size` None for the newest."""

    key: VerifierKey
    from_size: int
    until_size: int | None


@dataclass(frozen=True)
class FollowedKeys:
    """Evidence that these keys follow one another in one log, the oldest first, and that a pinned one is among them.

    `lost` says whether a key after the pinned one came without the signature of the one before."""

    periods: tuple[KeyPeriod, ...]
    lost: bool

    @property
    def newest(self) -> VerifierKey:
        """The key that the log is signed with now."""
        return self.periods[-1].key

    def key_for(self, note: str) -> VerifierKey:
        """The key under which a note of this log has to verify, by its size and its signature lines.

        Raises VerificationFailed for one that only a key signed whose time was over."""
        size, lines = notes.read_unverified(note.encode())
        signed = [each for each in self.periods if notes.line_of(each.key, lines) is not None]
        for period in reversed(signed):
            if period.from_size <= size and (period.until_size is None or size <= period.until_size):
                return period.key
        if signed:
            raise VerificationFailed(
                "The checkpoint is signed with a key that this log no longer had at that size. Such a key may be a "
                "stolen one: keep the file, tell an auditor, and ask the log's operator for a new receipt."
            )
        return self.newest


@dataclass(frozen=True)
class KeyChange:
    """Evidence of one change of key, with the checkpoint that proves it."""

    old: VerifierKey
    new: VerifierKey
    from_size: int
    checkpoint: Checkpoint
    lost: bool


def read_chain(data: bytes) -> LogKeyChain:
    """The file of log keys; nothing in it is believed yet. Raises BadInput."""
    try:
        return read(LogKeyChain, data)
    except BadInput as error:
        raise BadInput(
            "This is no file of log keys. The log's operator makes it with: narrowgate broker rotate-log-key"
        ) from error


def quorum_of(space: Space) -> WitnessQuorum:
    """The witnesses that a space names."""
    return WitnessQuorum(space.witness_keys, space.witness_quorum)


def follow(
    chain: LogKeyChain,
    pinned: VerifierKey,
    quorums: Sequence[WitnessQuorum],
    *,
    accept_lost: bool = False,
) -> FollowedKeys:
    """Verify a file of log keys from a pinned key, whose name is the log's origin.

    Args:
        quorums: of one of these enough must have cosigned each change. Keys from before the pinned one are followed
            back as far as that is so; they tell only for which sizes an old receipt's key was right.
        accept_lost: whether people accepted that a key was lost, so that the old one signed nothing.

    Raises VerificationFailed or BadInput."""
    if chain.log_origin != pinned.name:
        raise VerificationFailed("The file of log keys is of another log. Check that it is the right file.")
    records = [decode(LogKeyRecord, link.record) for link in chain.links]
    if any(before.new_key != after.old_key for before, after in itertools.pairwise(records)):
        raise VerificationFailed(f"The changes in the file of log keys do not follow one another. {_ASK}")
    if pinned.public_key not in [each.old_key for each in records] + [records[-1].new_key]:
        raise VerificationFailed(
            "The file of log keys does not lead from the key that is pinned here. If a newer file does not either, "
            "somebody made two successors of one key: keep both files and tell an auditor."
        )
    at = next((at for at, each in enumerate(records) if each.old_key == pinned.public_key), len(records))
    later = [check_link(link, chain.log_origin, quorums) for link in chain.links[at:]]
    if any(change.lost for change in later) and not accept_lost:
        raise VerificationFailed(
            "The log's old key was lost, so it did not sign this change. Ask the founder of the space, by another way "
            "than the file came, whether it is true; then say so with --accept-lost-key."
        )
    changes = [*_earlier(chain.links[:at], pinned, quorums), *later]
    if any(before.from_size >= after.from_size for before, after in itertools.pairwise(changes)):
        raise VerificationFailed(f"The changes in the file of log keys do not follow one another. {_ASK}")
    return FollowedKeys(_periods(changes, pinned), any(change.lost for change in later))


def _earlier(
    links: Sequence[LogKeyLink], pinned: VerifierKey, quorums: Sequence[WitnessQuorum]
) -> list[KeyChange]:
    """The changes that led to the pinned key, back to the first that does not verify: its key nobody vouches for."""
    found: list[KeyChange] = []
    for link in reversed(links):
        try:
            change = check_link(link, pinned.name, quorums)
        except VerificationFailed:
            break
        found.insert(0, change)
    return found


def check_link(link: LogKeyLink, origin: str, quorums: Sequence[WitnessQuorum]) -> KeyChange:
    """Verify one change of key by itself, steps 1 to 3. Raises VerificationFailed or BadInput."""
    # 1.
    leaves.verify_record(link.proof.leaf, link.record, link.salt)
    if leaves.parse_leaf(link.proof.leaf).kind != RecordKind.LOG_KEY_ROTATED:
        raise VerificationFailed("The entry that is to change the log's key is of another kind.")
    # 2.
    statement = check_record(link.record, origin, link.proof.index)
    old, new = (VerifierKey(origin, ED25519, key) for key in (statement.old_key, statement.new_key))
    lost = decode(LogKeyRecord, link.record).by_old_key is None
    # 3.
    note = link.proof.checkpoint
    checkpoint = _cosigned(note, new, quorums)
    if not lost:
        _cosigned(note, old, (WitnessQuorum(),))
    else:
        _check_goes_on(link, old, checkpoint, quorums)
    merkle.verify_inclusion(
        merkle.leaf_hash(link.proof.leaf),
        link.proof.index,
        checkpoint.size,
        list(link.proof.path),
        checkpoint.root,
    )
    return KeyChange(old, new, statement.from_size, checkpoint, lost)


def check_record(record: bytes, origin: str, index: int) -> LogKeyRotation:
    """The statement in the record of entry `index` of this log, once both keys signed it.

    A lost old key did not, and then the record says so. Raises VerificationFailed or BadInput."""
    kept = decode(LogKeyRecord, record)
    said = documents.verify(LogKeyRotation, kept.by_new_key, kept.new_key)
    if kept.by_old_key is not None:
        by_old = documents.verify(LogKeyRotation, kept.by_old_key, kept.old_key)
        if by_old.payload_digest != said.payload_digest:
            raise VerificationFailed("The old key and the new one signed different statements.")
    statement = said.payload
    recorded = (kept.old_key, kept.new_key, kept.from_size, kept.reason)
    if (statement.old_key, statement.new_key, statement.from_size, statement.reason) != recorded:
        raise VerificationFailed("The record of the change of the log's key is not what the keys signed.")
    if statement.log_origin != origin or statement.from_size != index + 1:
        raise VerificationFailed("The change of the log's key is of another log, or of another place in it.")
    return statement


def _cosigned(note: str, key: VerifierKey, quorums: Sequence[WitnessQuorum]) -> Checkpoint:
    failed: VerificationFailed | None = None
    for quorum in quorums:
        try:
            return notes.parse_and_verify(note.encode(), key.name, key, quorum.keys, quorum.needed)
        except VerificationFailed as error:
            failed = error
    raise VerificationFailed(
        f"A checkpoint in the file of log keys does not verify. {failed.detail if failed else ''}".rstrip()
    )


def _check_goes_on(
    link: LogKeyLink, old: VerifierKey, checkpoint: Checkpoint, quorums: Sequence[WitnessQuorum]
) -> None:
    """That the log under the new key continues what the lost one signed last."""
    if link.last_checkpoint is None:
        raise VerificationFailed(
            f"The file of log keys does not say how far the log came under the lost key. {_ASK}"
        )
    last = _cosigned(link.last_checkpoint, old, quorums)
    if last.size > link.proof.index:
        raise VerificationFailed(f"The lost key signed a log that was longer than this one. {_ASK}")
    if last.size:
        merkle.verify_consistency(last.size, checkpoint.size, link.consistency, last.root, checkpoint.root)


def _periods(changes: Sequence[KeyChange], pinned: VerifierKey) -> tuple[KeyPeriod, ...]:
    starts = [0, *(change.from_size for change in changes)]
    ends = [*(change.from_size for change in changes), None]
    keys = [changes[0].old if changes else pinned, *(change.new for change in changes)]
    return tuple(map(KeyPeriod, keys, starts, ends))
