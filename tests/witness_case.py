"""A log that a test grows and forks, and a real witness that watches it: what tests of witnesses stand on.

The log is the project's own in memory; the witness is the whole service behind `tests.asgi`, on a clock that is set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint, witnessing
from broker.protocol.checkpoint import Checkpoint, VerifierKey
from broker.protocol.documents import public_bytes
from broker.protocol.witnessing import AddCheckpoint
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from clients.witness.api import create_app
from clients.witness.context import Witness, open_witness
from clients.witness.cosigning import pin_log
from clients.witness.keys import Algorithm, create_keys
from tests.asgi import InMemoryClient

ORIGIN = "log.example.org/broker"
ADDRESS = "http://witness.example.org"
NOW = 1_900_000_000


def key_of(name: str) -> Ed25519PrivateKey:
    """The private key of that name, always the same."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"witness case {name}".encode()).digest())


class GrownLog:
    """A log with its key. `leaves` differ with `story`, so that two stories fork from the first leaf on."""

    def __init__(self, story: str = "", origin: str = ORIGIN, key: str = "log") -> None:
        self.origin, self.key, self.story = origin, key_of(key), story
        self.storage = MemoryStorage()

    @property
    def verifier_key(self) -> VerifierKey:
        """The log's public key."""
        return VerifierKey(self.origin, checkpoint.ED25519, public_bytes(self.key))

    def grow(self, to: int, story: str | None = None) -> "GrownLog":
        """Append leaves up to the size `to`."""
        told = self.story if story is None else story
        size = self.storage.head().size
        if to > size:
            translog.append(self.storage, [f"{told} {index}".encode() for index in range(size, to)])
        return self

    def note(self, size: int | None = None) -> str:
        """The signed checkpoint of `size`, else of all."""
        wanted = self.storage.head().size if size is None else size
        root = translog.root_at(self.storage, wanted)
        return checkpoint.sign(self.origin, wanted, root, self.key, self.origin).decode()

    def call(self, old: int, size: int | None = None, path: Sequence[bytes] | None = None) -> bytes:
        """The body by which a log asks for a cosignature on `size`, from `old` on."""
        wanted = self.storage.head().size if size is None else size
        proof = translog.consistency_proof(self.storage, old, wanted) if path is None else path
        return witnessing.write_call(AddCheckpoint(old, tuple(proof), self.note(wanted)))


@dataclass
class WitnessCase:
    """One witness in a folder, its clock, and the calls to it."""

    folder: Path
    name: str = "witness.example.org/w1"
    now: int = NOW
    algorithm: Algorithm = Algorithm.ED25519

    def __post_init__(self) -> None:
        if not (self.folder / "keys.json").exists():
            seed = sha256(self.name.encode()).digest()
            create_keys(self.folder, self.name, lambda size: seed[:size], self.algorithm)
        self.start()

    def start(self) -> None:
        """Open the folder and answer."""
        self.witness: Witness = open_witness(self.folder, lambda: self.now)
        self.client = InMemoryClient(create_app(self.witness))

    def stop(self) -> None:
        """Give the folder up."""
        self.witness.close()

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The witness's public keys, Ed25519 first."""
        return self.witness.keys.verifier_keys

    @property
    def verifier_key(self) -> VerifierKey:
        """The first of them."""
        return self.verifier_keys[0]

    def pin(self, log: GrownLog) -> None:
        """The operator pins a log."""
        pin_log(self.witness, log.verifier_key)

    def post(self, body: bytes) -> tuple[int, str, str]:
        """Status, media type and text of the answer to one call."""
        status, lines, answer = self.client.send("POST", f"{ADDRESS}{witnessing.ADD_CHECKPOINT}", {}, body)
        return status, dict(lines).get("content-type", ""), answer.decode()

    def cosigned(self, log: GrownLog, old: int, size: int | None = None) -> Checkpoint:
        """The checkpoint as cosigned: verified under both keys."""
        status, _, line = self.post(log.call(old, size))
        assert status == 200, line
        note = (log.note(size) + line).encode()
        return checkpoint.parse_and_verify(note, log.origin, log.verifier_key, [self.verifier_key], 1)
