"""A log in memory that changes its key, as an honest operator does it and as a dishonest one might; and its witnesses.

Every argument that a test leaves out is as it should be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint, documents, leaves
from broker.protocol.checkpoint import VerifierKey
from broker.protocol.documents import public_bytes
from broker.protocol.log_keys import WitnessQuorum
from broker.protocol.messages.base import encode
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink, LogKeyRecord, LogKeyRotation
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage

ORIGIN = "log.example.org/broker"
NOW = 1_900_000_000
WITNESSES = ("w1.example.org", "w2.example.org")


def key_of(name: str) -> Ed25519PrivateKey:
    """The private key of that name, always the same."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"log key case {name}".encode()).digest())


def log_key(name: str, origin: str = ORIGIN) -> VerifierKey:
    """The public key of that name, of the log."""
    return VerifierKey(origin, checkpoint.ED25519, public_bytes(key_of(name)))


def quorum(needed: int = 2) -> WitnessQuorum:
    """So many of both witnesses."""
    keys = [
        VerifierKey(name, checkpoint.ED25519_COSIGNATURE, public_bytes(key_of(name))) for name in WITNESSES
    ]
    return WitnessQuorum(tuple(keys), needed)


@dataclass(frozen=True)
class Changed:
    """An entry that changes the key."""

    index: int
    record: bytes
    salt: bytes
    old: str
    new: str


class KeyedLog:
    """A log that a test grows; its key goes by name."""

    def __init__(self, story: str = "", entries: int = 5) -> None:
        self.story = story
        self.storage = MemoryStorage()
        self.grow(entries)

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.storage.head().size

    def grow(self, entries: int) -> "KeyedLog":
        """Append so many entries that are about something else."""
        for number in range(entries):
            record = f"{self.story} {self.size} {number}".encode()
            translog.append(self.storage, [leaves.compose("ADMITTED", NOW, record, bytes(32)).leaf])
        return self

    def note(self, *keys: str, size: int | None = None, witnesses: Sequence[str] = WITNESSES) -> str:
        """A checkpoint that these keys signed and these witnesses cosigned."""
        at = self.size if size is None else size
        root = translog.root_at(self.storage, at)
        note = checkpoint.sign(ORIGIN, at, root, [key_of(key) for key in keys], ORIGIN)
        text = checkpoint.body(ORIGIN, at, root)
        return (
            note + b"".join(checkpoint.cosign(text, NOW, key_of(name), name) for name in witnesses)
        ).decode()

    def change(
        self,
        old: str,
        new: str,
        *,
        by_old: str | None = "",
        by_new: str = "",
        origin: str = ORIGIN,
        from_size: int = 0,
        signed_reason: str = "It is time.",
        kind: str = RecordKind.LOG_KEY_ROTATED,
    ) -> Changed:
        """Append the entry that changes the key; `by_old` and `by_new` name other signers, None for nobody."""
        statement = LogKeyRotation(
            log_origin=origin,
            old_key=public_bytes(key_of(old)),
            new_key=public_bytes(key_of(new)),
            from_size=from_size or self.size + 1,
            reason="It is time.",
            rotated_at=NOW,
        )
        signed_by_old = statement.model_copy(update={"reason": signed_reason})
        record = LogKeyRecord(
            old_key=statement.old_key,
            new_key=statement.new_key,
            from_size=statement.from_size,
            reason=statement.reason,
            by_old_key=None
            if by_old is None
            else documents.sign(signed_by_old, key_of(by_old or old)).document,
            by_new_key=documents.sign(statement, key_of(by_new or new)).document,
        )
        salt = sha256(new.encode()).digest()
        leaf = leaves.compose(kind, NOW, encode(record), salt)
        index = translog.append(self.storage, [leaf.leaf]).first_index
        return Changed(index, encode(record), salt, old, new)

    def link(
        self,
        changed: Changed,
        *,
        keys: Sequence[str] = (),
        witnesses: Sequence[str] = WITNESSES,
        size: int | None = None,
        last: str | None = None,
        last_size: int = 0,
    ) -> LogKeyLink:
        """The proof of a change under a checkpoint, by both keys unless `keys` says others."""
        at = self.size if size is None else size
        signers = keys or (changed.new, changed.old)
        proof = LogProof(
            index=changed.index,
            leaf=next(iter(self.storage.leaves(changed.index, changed.index + 1))),
            path=translog.inclusion_proof(self.storage, changed.index, at),
            checkpoint=self.note(*signers, size=at, witnesses=witnesses),
        )
        path = translog.consistency_proof(self.storage, last_size, at) if last is not None else ()
        return LogKeyLink(
            record=changed.record, salt=changed.salt, proof=proof, last_checkpoint=last, consistency=path
        )

    def rotate(self, old: str, new: str) -> LogKeyLink:
        """Change the key as it should be done."""
        return self.link(self.change(old, new))


def chain(*links: LogKeyLink, origin: str = ORIGIN) -> LogKeyChain:
    """A file of log keys."""
    return LogKeyChain(log_origin=origin, links=links)
