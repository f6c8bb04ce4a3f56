"""What an auditor checks where a log's key was changed: each change in the log itself, and its own older checkpoint.

Rule (decision 0018): every entry LOG_KEY_ROTATED is signed by the key before and by the new one, stands where its
statement says, and goes on from the change before it: a second successor of one key is a fault that is told. An entry
without the old key's signature says so, and is for people to accept.

It follows no key: which one the log has now, the pinned roster says.
"""

from broker.protocol import checkpoint as notes
from broker.protocol import log_keys, receipts
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.parties import Space
from clients.home import Home
from clients.log_key_change import under_any


class ChangedLogKeys:
    """The changes met so far, in the log's order."""

    def __init__(self) -> None:
        self._key: bytes | None = None

    def check(self, origin: str, index: int, record: bytes) -> None:
        """Check the next change's record. Raises VerificationFailed or BadInput."""
        statement = log_keys.check_record(record, origin, index)
        if self._key is not None and statement.old_key != self._key:
            raise VerificationFailed(
                "The log's key was changed from another key than the one it had: somebody made two successors of one "
                "key. Tell the members, key holders and witnesses."
            )
        self._key = statement.new_key


def kept_checkpoint(home: Home, space: Space, note: str) -> notes.Checkpoint:
    """The mirror's last checkpoint, which verified when it was kept, perhaps under a key of an earlier roster.

    Raises VerificationFailed as under the newest."""

    def verify(roster: Space) -> notes.Checkpoint:
        return receipts.verify_checkpoint(
            note, roster.log_origin, roster.log_key, roster.witness_keys, roster.witness_quorum
        )

    return under_any((space, *home.rosters(space.space_id)), verify)
