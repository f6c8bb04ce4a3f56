"""What an auditor checks where a log's key was changed: each change in the log itself, and its own older checkpoint.

Rule (decision 0018): every entry LOG_KEY_ROTATED is signed by the key before and by the new one, stands where its
statement says, and goes on from the change before it: a second successor of one key is a fault that is told. An entry
without the old key's signature says so, and is for people to accept.

It follows no key: which one the broker's log has now, the pinned roster says; of a key holder's see
`clients.auditing.holder_log_keys`.
"""

from dataclasses import dataclass

from broker.protocol import log_keys
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.log_keys import LogKeyRecord
from broker.protocol.messages.parties import Space
from clients.home import Home


@dataclass(frozen=True)
class KeyChanged:
    """One change of a log's key, as its entry `index` says. `lost`: the old key did not sign it."""

    index: int
    old_key: bytes
    new_key: bytes
    reason: str
    lost: bool

    @property
    def from_size(self) -> int:
        """How many entries the log had with this one."""
        return self.index + 1


class ChangedLogKeys:
    """The changes met so far, in the log's order."""

    def __init__(self) -> None:
        self._key: bytes | None = None
        self.changes: list[KeyChanged] = []

    def check(self, origin: str, index: int, record: bytes) -> None:
        """Check the next change's record. Raises VerificationFailed or BadInput."""
        statement = log_keys.check_record(record, origin, index)
        if self._key is not None and statement.old_key != self._key:
            raise VerificationFailed(
                "The log's key was changed from another key than the one it had: somebody made two successors of one "
                "key. Tell the members, key holders and witnesses."
            )
        self._key = statement.new_key
        lost = decode(LogKeyRecord, record).by_old_key is None
        self.changes.append(KeyChanged(index, statement.old_key, statement.new_key, statement.reason, lost))


def earlier_rosters(home: Home, space: Space) -> tuple[Space, ...]:
    """The other pinned rosters of a space, the newest first: a mirror may have verified under one of them."""
    found = [signed.payload for signed in home.rosters() if signed.payload.space_id == space.space_id]
    return tuple(each for each in reversed(found) if each != space)
