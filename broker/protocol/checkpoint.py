"""Checkpoints: a log's signed statement of its size and root, and witnesses' cosignatures under it.

Formats of C2SP signed-note, tlog-checkpoint and tlog-cosignature. An example, with one witness:

    example.org/narrowgate
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.org/narrowgate <base64 of key id and Ed25519 signature over the three lines>
    — witness.example.org/w1 <base64 of key id, 8-byte time and Ed25519 signature over time and lines>

Which algorithms there are, and what each signs, is `broker.protocol.note_algorithms`'s one table.

This module signs and checks; it does not know whether a checkpoint is the newest, nor whether it is
consistent with an earlier one (`broker.protocol.merkle` proves that), nor whether a witness's clock is
right.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import note_algorithms
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from broker.protocol.note_algorithms import ED25519 as ED25519
from broker.protocol.note_algorithms import ED25519_COSIGNATURE as ED25519_COSIGNATURE
from broker.protocol.note_algorithms import ML_DSA_44_COSIGNATURE as ML_DSA_44_COSIGNATURE
from broker.protocol.note_algorithms import PrivateKey, Signing

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURE_LINES = 100

_KEY_ID_BYTES = 4
_SIGNATURE_PREFIX = "— "
_KEY_NAME = re.compile(r"[^\s\x00-\x1f+]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key that signs notes under a name. `algorithm` is ED25519 for a log, ED25519_COSIGNATURE or
    ML_DSA_44_COSIGNATURE for a witness.

    Raises BadInput for a name, algorithm or key length that no note could carry.
    """

    name: str
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        _check_key_name(self.name)
        known = note_algorithms.ALGORITHMS.get(self.algorithm)
        if known is None or known.public_key_bytes != len(self.public_key):
            raise BadInput("A verifier key has a known algorithm byte and a public key of its length.")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that, with the name, tell which key made a signature."""
        return key_id(self.name, self.algorithm, self.public_key)

    @property
    def short(self) -> str:
        """Name and key id, by which people and hints tell keys apart; no evidence."""
        return f"{self.name}+{self.key_id.hex()}"

    def __str__(self) -> str:
        return verifier_key(self.name, self.public_key, self.algorithm)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's verified cosignature: its key's name, and when it cosigned (Unix seconds UTC, by its own
    clock).
    """

    witness: str
    cosigned_at: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint. `text` is the exact signed body; `cosignatures` holds one entry for each known
    witness.
    """

    origin: str
    size: int
    root: bytes
    text: bytes
    cosignatures: tuple[Cosignature, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class _SignatureLine:
    name: str
    key_id: bytes
    signature: bytes


def key_id(name: str, algorithm_byte: int, public_key: bytes) -> bytes:
    """Returns SHA-256(name || 0x0A || algorithm || public key)[:4] (C2SP signed-note, "Signatures")."""
    preimage = name.encode() + b"\n" + bytes([algorithm_byte]) + public_key
    return hashlib.sha256(preimage).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, public_key: bytes, algorithm: int = ED25519) -> str:
    """Returns the text form of a key, `name+<key id in hex>+<base64 of algorithm byte and key>` (a "vkey").

    Raises BadInput if the name, or the key's length for its algorithm, is not allowed.
    """
    key = VerifierKey(name, algorithm, public_key)
    return f"{name}+{key.key_id.hex()}+{base64.b64encode(bytes([algorithm]) + public_key).decode()}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Reads a key's text form. Raises BadInput if it is malformed or its key id is not that of name and key."""
    name, separator, rest = text.partition("+")
    identifier, second_separator, encoded = rest.partition("+")
    material = _decode_base64(encoded)
    if not separator or not second_separator or not material:
        raise BadInput("A verifier key reads name+key id+key: copy the whole line from its owner.")
    key = VerifierKey(name, material[0], material[1:])
    if key.key_id.hex() != identifier:
        raise BadInput("The verifier key's id does not match its name and key: copy it again from its owner.")
    return key


def body(origin: str, size: int, root: bytes) -> bytes:
    """Returns the text a log signs: origin, size and base64 root, a line each (C2SP tlog-checkpoint, "Note
    text").

    Raises BadInput if the origin is empty or holds control characters, the size is out of range, or the root
    is not 32 bytes or not that of an empty log where the size is 0.
    """
    if not origin or any(character < " " for character in origin):
        raise BadInput("A log's origin is one line of text.")
    if not 0 <= size <= MAX_SIZE or len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT):
        raise BadInput("A checkpoint needs a log's size and the 32-byte root of that size.")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def sign(
    origin: str,
    size: int,
    root: bytes,
    private_key: Ed25519PrivateKey | Sequence[Ed25519PrivateKey],
    key_name: str,
) -> bytes:
    """Returns the checkpoint note, signed with the log's key, or with each of several in their order. Raises
    BadInput as `body` does, or for the key's name.
    """
    text = body(origin, size, root)
    signing = Signing(text, origin, size, root, key_name)
    lines = []
    for each in (private_key,) if isinstance(private_key, Ed25519PrivateKey) else private_key:
        key = VerifierKey(key_name, ED25519, note_algorithms.public_key_of(each))
        lines.append(_signature_line(key, note_algorithms.signature(ED25519, each, signing)))
    return text + b"\n" + b"".join(lines)


def cosign(text: bytes, cosigned_at: int, private_key: PrivateKey, key_name: str) -> bytes:
    """Returns the signature line by which a witness cosigns a checkpoint's text (C2SP tlog-cosignature), of
    the algorithm of its key.

    The witness must have verified the log's signature and consistency before, and append the line to the
    note after. `cosigned_at` is Unix seconds UTC. Raises BadInput for a time below 0 or a key name that no
    note could carry, VerificationFailed for a text that is no checkpoint.
    """
    byte = note_algorithms.cosignature_byte(private_key)
    key = VerifierKey(key_name, byte, note_algorithms.public_key_of(private_key))
    origin, size, root = _parse_text(text)
    signing = Signing(text, origin, size, root, key_name, cosigned_at)
    return _signature_line(key, note_algorithms.signature(byte, private_key, signing))


def parse_and_verify(
    note: bytes, origin: str, log_key: VerifierKey, witness_keys: Sequence[VerifierKey] = (), quorum: int = 0
) -> Checkpoint:
    """Checks a checkpoint note and returns what it says.

    Args:
        note: the whole signed note.
        origin: the log's identity, as the caller pinned it.
        log_key: the log's key (algorithm ED25519). Its signature is required.
        witness_keys: keys of witnesses the caller trusts. Two of one name are one witness's, of two algorithms.
        quorum: how many different ones of these witnesses must have cosigned. An ML-DSA-44 cosignature of time
            0 does not count: it does not say that the witness saw no larger tree.

    Raises VerificationFailed if the note is malformed, names another log, lacks the log's signature or the
    quorum, or carries a bad signature of any known key; BadInput if the keys given cannot serve.
    """
    _check_keys(log_key, witness_keys)
    # 1. The note is well formed, and a checkpoint; nothing in it is believed yet.
    text, lines = _split_note(note)
    told_origin, size, root = _parse_text(text)
    # 2. Every signature of a known key holds. A key is known by name and id together; all others are passed
    # over.
    known = {(key.name, key.key_id): key for key in (log_key, *witness_keys)}
    log_signed = False
    cosigned: dict[str, int] = {}
    for line in lines:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        signing = Signing(text, told_origin, size, root, key.name)
        cosigned_at = note_algorithms.verify(key.algorithm, key.public_key, line.signature, signing)
        if cosigned_at is None:
            log_signed = True
        elif cosigned_at or key.algorithm != ML_DSA_44_COSIGNATURE:
            cosigned[key.name] = max(cosigned_at, cosigned.get(key.name, 0))
    # 3. The log itself signed.
    if not log_signed:
        raise VerificationFailed(
            "The checkpoint is not signed with the log's key that is pinned here. If the log's key was changed, take "
            "the change over from the founder's newest file (witnesses: from the operator's file of log keys)."
        )
    # 4. Enough different witnesses cosigned.
    if len(cosigned) < quorum:
        raise VerificationFailed("Too few of the known witnesses cosigned the checkpoint.")
    # 5. It is of this log.
    if told_origin != origin:
        raise VerificationFailed("The checkpoint is of another log.")
    return Checkpoint(origin, size, root, text, tuple(Cosignature(name, at) for name, at in cosigned.items()))


def read_origin(note: bytes) -> str:
    """Returns the first line of a note, of which nothing is believed yet. Raises VerificationFailed if it is no
    well-formed note.
    """
    text, _ = _split_note(note)
    return text.decode("utf-8").partition("\n")[0]


def read_unverified(note: bytes) -> tuple[int, tuple[str, ...]]:
    """Returns the size and the signature lines of a note, of which nothing is believed yet. Raises
    VerificationFailed if it is no well-formed checkpoint.
    """
    text, _ = _split_note(note)
    _, size, _ = _parse_text(text)
    return size, tuple(note.decode("utf-8").rpartition("\n\n")[2].splitlines())


def key_ids(name: str, lines: Sequence[str]) -> tuple[bytes, ...]:
    """Returns the ids of the keys that these signature lines name under `name`, in order; nothing in them is
    believed yet."""
    start = f"{_SIGNATURE_PREFIX}{name} "
    return tuple(
        _decode_base64(line.removeprefix(start))[:_KEY_ID_BYTES] for line in lines if line.startswith(start)
    )


def line_of(key: VerifierKey, lines: Sequence[str]) -> str | None:
    """Returns the first of these signature lines that names this very key, of which nothing is believed yet."""
    start = f"{_SIGNATURE_PREFIX}{key.name} "
    for line in lines:
        if not line.startswith(start):
            continue
        if _decode_base64(line.removeprefix(start))[:_KEY_ID_BYTES] == key.key_id:
            return line
    return None


def _check_keys(log_key: VerifierKey, witness_keys: Sequence[VerifierKey]) -> None:
    witnesses = {key.algorithm for key in witness_keys}
    if log_key.algorithm not in note_algorithms.SIGNS_LOGS or witnesses - note_algorithms.SIGNS_AS_WITNESS:
        raise BadInput("A log's key has algorithm byte 1, a witness's key algorithm byte 4 or 6.")
    # An Ed25519 cosignature does not commit to the witness's name, so one key under two names would count as
    # two witnesses.
    if len({key.public_key for key in (log_key, *witness_keys)}) != 1 + len(witness_keys):
        raise BadInput("The log and each witness need a public key of their own.")


def _check_key_name(name: str) -> None:
    if not _KEY_NAME.fullmatch(name):
        raise BadInput("A key's name is not empty and holds no spaces and no plus sign.")


def _split_note(note: bytes) -> tuple[bytes, list[_SignatureLine]]:
    """Returns the signed text, with its final newline, and the signature lines (C2SP signed-note, "Format")."""
    malformed = VerificationFailed("The checkpoint is not a well-formed signed note.")
    try:
        readable = note.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed from None
    # The last empty line separates, so that a text could hold empty lines of its own.
    text, separator, signatures = readable.rpartition("\n\n")
    lines = signatures.split("\n")
    if len(note) > MAX_NOTE_BYTES or any(character < " " and character != "\n" for character in readable):
        raise malformed
    if not separator or lines.pop() != "" or not 1 <= len(lines) <= MAX_SIGNATURE_LINES:
        raise malformed
    parsed = []
    for line in lines:
        name, space, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
        decoded = _decode_base64(encoded)
        if not line.startswith(_SIGNATURE_PREFIX) or not space or len(decoded) <= _KEY_ID_BYTES:
            raise malformed
        try:
            _check_key_name(name)
        except BadInput:
            raise malformed from None
        parsed.append(_SignatureLine(name, decoded[:_KEY_ID_BYTES], decoded[_KEY_ID_BYTES:]))
    return f"{text}\n".encode(), parsed


def _parse_text(text: bytes) -> tuple[str, int, bytes]:
    """Returns origin, size and root; extension lines are allowed, and given no meaning."""
    lines = text.decode("utf-8").split("\n")[:-1]
    if len(lines) < 3 or not all(lines) or not _DECIMAL.fullmatch(lines[1]):
        raise VerificationFailed("The signed note is not a checkpoint.")
    size, root = int(lines[1]), _decode_base64(lines[2])
    if size > MAX_SIZE or len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT):
        raise VerificationFailed("The checkpoint's size and root are not those of a log.")
    return lines[0], size, root


def _signature_line(key: VerifierKey, signature: bytes) -> bytes:
    return f"{_SIGNATURE_PREFIX}{key.name} {base64.b64encode(key.key_id + signature).decode()}\n".encode()


def _decode_base64(text: str) -> bytes:
    """Returns the bytes, or b"" if the text is not the one standard encoding of some bytes (RFC 4648 section
    4).
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return decoded if base64.b64encode(decoded).decode() == text else b""
