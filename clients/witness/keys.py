"""The witness's identity: its name and its cosigning keys, in DIR/keys.json: Ed25519, ML-DSA-44, or one of each.

Rule: the file has mode 0600, is written durably before anything is cosigned, and is refused when others may read it. A
key is drawn once: a witness whose memory is lost takes part anew under another name and key, because an old key that
has forgotten what it cosigned could cosign a second history (C2SP tlog-cosignature).
"""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from pydantic import Field

from broker.protocol.checkpoint import VerifierKey
from broker.protocol.errors import Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import Bytes32, Message, Name, RandomBytes, encode, read
from broker.protocol.note_algorithms import PrivateKey, cosignature_byte, public_key_of
from clients.keyholder.durable_file import write_durably

KEY_FILE = "keys.json"


class Algorithm(StrEnum):
    """With which signatures a witness cosigns."""

    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    BOTH = "both"


@dataclass(frozen=True)
class WitnessKeys:
    """Who this witness is, with its secrets: one key of an algorithm, Ed25519 first."""

    name: str
    private_keys: tuple[PrivateKey, ...] = field(repr=False)

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The public keys, under which cosignatures verify: of them a founder pins one."""
        return tuple(
            VerifierKey(self.name, cosignature_byte(each), public_key_of(each)) for each in self.private_keys
        )


class _KeyFile(Message):
    v: Literal[1] = 1
    name: Name
    seed: Bytes32 | None = Field(default=None, repr=False)
    """Of Ed25519 (RFC 8032)."""
    ml_dsa_44_seed: Bytes32 | None = Field(default=None, repr=False)
    """Of ML-DSA-44 (FIPS 204)."""


def create_keys(
    directory: Path, name: str, random_bytes: RandomBytes, algorithm: Algorithm = Algorithm.ED25519
) -> WitnessKeys:
    """Fresh keys in a new or empty folder. Raises Conflict if there are some, BadInput for a name no note may bear."""
    if (directory / KEY_FILE).exists():
        raise Conflict("There is a witness in this folder already. Choose another folder.")
    stored = _KeyFile(
        name=name,
        seed=None if algorithm is Algorithm.ML_DSA_44 else random_bytes(32),
        ml_dsa_44_seed=None if algorithm is Algorithm.ED25519 else random_bytes(32),
    )
    keys = _keys_of(stored)
    _ = keys.verifier_keys  # refuses a name with spaces or a plus sign before anything is written
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    write_durably(directory / KEY_FILE, encode(stored))
    return keys


def open_keys(directory: Path) -> WitnessKeys:
    """The key that `create_keys` made. Raises NotFound, NotPermitted (others may read it) or VerificationFailed."""
    try:
        with (directory / KEY_FILE).open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise NotPermitted("The witness's key file may be read by others. Set its mode to 0600.")
            stored = read(_KeyFile, file.read())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            "This folder is not a witness's. Make one with: narrowgate witness init DIR --name NAME"
        ) from None
    keys = _keys_of(stored)
    if not keys.private_keys:
        raise VerificationFailed("The witness's key file is damaged.")
    return keys


def _keys_of(stored: _KeyFile) -> WitnessKeys:
    keys: list[PrivateKey] = []
    if stored.seed is not None:
        keys.append(Ed25519PrivateKey.from_private_bytes(stored.seed))
    if stored.ml_dsa_44_seed is not None:
        keys.append(MLDSA44PrivateKey.from_seed_bytes(stored.ml_dsa_44_seed))
    return WitnessKeys(stored.name, tuple(keys))
