"""Whether a key holder's log is signed with the log key that each one before it handed on (decision 0047).

No document names a holder's log key: who pinned a space has the signing key, which signs each checkpoint too, and that
is what a mirror verifies by. So the log key is followed from the first checkpoint that this auditor saw:

    1 each entry LOG_KEY_ROTATED is signed by its old and its new key, and goes on from the one before
      (`clients.auditing.log_key_entries`)
    2 the first checkpoint, and the newest, are signed by the key that the entries name for their sizes
    3 no other key signed either under the log's name; while a key is changed, the one before it may too
    4 while there is no such entry, both name the same key, by its id

Rule: a key that the old one did not hand on is told, each time. Of a key that was never changed only the id of four
bytes is known, which can be matched by search: witnesses have pinned it whole. Once it is changed the entry tells it
whole, and the first checkpoint is verified under it.
"""

from collections.abc import Sequence

from broker.protocol import checkpoint as notes
from broker.protocol.checkpoint import ED25519, VerifierKey
from broker.protocol.errors import VerificationFailed
from clients.auditing.log_key_entries import KeyChanged
from clients.mirrors.watched_log import WatchedLog

_TELL = "Ask the holder's operator and its witnesses which key it has: one of its keys may be stolen. Keep both notes."

ERASED = (
    "Its record was erased, so it is not known which key the log was changed to. No honest holder erases it."
)


def check(log: WatchedLog, first: str, newest: str, changes: Sequence[KeyChanged]) -> None:
    """Check the keys that signed two checkpoints of a key holder's log.

    Args:
        first: the note of the first checkpoint that was verified in this home.
        newest: the note of the newest.
        changes: the log's changes of key up to the newest, in order, each verified.

    Raises VerificationFailed naming the key that nobody handed on."""
    if changes:
        for note in (first, newest):
            _check_signed(log, note, changes)
    elif _log_key_ids(log, first) != _log_key_ids(log, newest):
        raise VerificationFailed(
            f"The {log.served_by}'s log is signed with another log key ({_named(_log_key_ids(log, newest))}) than at "
            f"first ({_named(_log_key_ids(log, first))}), and no entry of the log hands it on. {_TELL}"
        )


def _check_signed(log: WatchedLog, note: str, changes: Sequence[KeyChanged]) -> None:
    size, _ = notes.read_unverified(note.encode())
    made = [each for each in changes if each.from_size <= size]
    key = VerifierKey(log.origin, ED25519, made[-1].new_key if made else changes[0].old_key)
    try:
        notes.parse_and_verify(note.encode(), log.origin, key)
    except VerificationFailed as error:
        raise VerificationFailed(
            f"The {log.served_by}'s checkpoint of {size} entries is not signed with the log key that the log had then, "
            f"{key.short}, but with {_named(_log_key_ids(log, note))}. {_TELL}"
        ) from error
    allowed = {key.key_id}
    if made:
        # It may go on signing for a while.
        allowed.add(VerifierKey(log.origin, ED25519, made[-1].old_key).key_id)
    others = _log_key_ids(log, note) - allowed
    if others:
        raise VerificationFailed(
            f"The {log.served_by}'s checkpoint of {size} entries is also signed, in the log's name, with a key that "
            f"nobody handed on: {_named(others)}. {_TELL}"
        )


def _log_key_ids(log: WatchedLog, note: str) -> frozenset[bytes]:
    """The ids of the keys that signed in the log's name, but for the pinned signing key."""
    _, lines = notes.read_unverified(note.encode())
    pinned = VerifierKey(log.origin, ED25519, log.key)
    return frozenset(notes.key_ids(log.origin, lines)) - {pinned.key_id}


def _named(ids: frozenset[bytes]) -> str:
    return ", ".join(sorted(each.hex() for each in ids)) or "none"
