"""A log that somebody watches: where it is read, what it is called, and whose word on it counts.

Rule: name, key and witnesses come from a document that was pinned from a file, never from the service that serves the
log. The broker's log is one such log, each key holder's own is another; who mirrors either needs no more than this.

It fetches nothing: see `clients.mirrors.mirroring`.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from broker.protocol import checkpoint as notes
from broker.protocol import receipts
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.parties import Holder, Space


@dataclass(frozen=True)
class WatchedLog:
    """One log.

    `address` is where it is read, as `https://broker.example.org`; `origin` its name in checkpoints; `key` its raw
    Ed25519 key. `quorum` of the witnesses must have cosigned a checkpoint before it counts; 0 is a log that nobody
    witnesses. `folder` is that of its mirror in a home, below `mirror/`."""

    address: str
    origin: str
    key: bytes
    folder: str
    witness_keys: tuple[notes.VerifierKey, ...] = ()
    quorum: int = 0
    served_by: str = "broker"
    """Whose log it is, in words for people."""
    earlier: tuple["WatchedLog", ...] = ()
    """The same log as earlier rosters named it, the newest first: under another key, or with other witnesses."""
    has_own_key: bool = False
    """Whether a log key that no document names signs it too, beside `key`: followed from the first one seen."""

    def verify_checkpoint(self, note: str) -> notes.Checkpoint:
        """What a note says. Raises VerificationFailed unless this log signed it and enough witnesses cosigned."""
        return receipts.verify_checkpoint(note, self.origin, self.key, self.witness_keys, self.quorum)

    def verify_kept(self, note: str) -> notes.Checkpoint:
        """What a note says that verified when it was kept here, perhaps under an earlier roster.

        Never for what a service shows now. Raises VerificationFailed as `verify_checkpoint`."""
        try:
            return self.verify_checkpoint(note)
        except VerificationFailed as error:
            for each in self.earlier:
                with suppress(VerificationFailed):
                    return each.verify_checkpoint(note)
            raise error


def broker_log(space: Space, earlier: Iterable[Space] = ()) -> WatchedLog:
    """The log of a space's broker, as the pinned space document names it, and as `earlier` rosters did."""
    return WatchedLog(
        address=space.broker_origin,
        origin=space.log_origin,
        key=space.log_key,
        folder=mirror_folder(space.space_id),
        witness_keys=tuple(space.witness_keys),
        quorum=space.witness_quorum,
        earlier=tuple(broker_log(each) for each in earlier),
    )


def mirror_folder(space_id: bytes) -> str:
    """The folder of the mirror of a space's broker's log in an auditor's home, below `mirror/`."""
    return space_id.hex()


def holder_log(space: Space, holder: Holder) -> WatchedLog:
    """A key holder's own log: its checkpoint bears the signature of the key that the pinned space document names.

    Whom a holder's operator asks to cosign, no document says: the space's witnesses are known here, and none of them is
    needed. How many did is told beside (`clients.auditing.holder_logs`)."""
    return WatchedLog(
        address=holder.origin,
        origin=holder.log_origin,
        key=holder.signing_key,
        folder=f"{mirror_folder(space.space_id)}-{holder.holder_id}",
        witness_keys=tuple(space.witness_keys),
        served_by="key holder",
        has_own_key=True,
    )
