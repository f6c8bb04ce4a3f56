"""The witness's identity: its name and its one cosigning key, in DIR/keys.json.

Rule: the file has mode 0600, is written durably before anything is cosigned, and is refused when others may read it. A
key is drawn once: a witness whose memory is lost takes part anew under another name and key, because an old key that
has forgotten what it cosigned could cosign a second history (C2SP tlog-cosignature).
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from broker.protocol.checkpoint import ED25519_COSIGNATURE, VerifierKey
from broker.protocol.documents import public_bytes
from broker.protocol.errors import Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import Bytes32, Message, Name, RandomBytes, encode, read
from clients.keyholder.durable_file import write_durably

KEY_FILE = "keys.json"


@dataclass(frozen=True)
class WitnessKeys:
    """Who this witness is, with its secret."""

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)

    @property
    def verifier_key(self) -> VerifierKey:
        """The public key, under which cosignatures verify: what founders pin."""
        return VerifierKey(self.name, ED25519_COSIGNATURE, public_bytes(self.private_key))


class _KeyFile(Message):
    v: Literal[1] = 1
    name: Name
    seed: Bytes32 = Field(repr=False)


def create_keys(directory: Path, name: str, random_bytes: RandomBytes) -> WitnessKeys:
    """A fresh key in a new or empty folder. Raises Conflict if there is one, BadInput for a name no note may bear."""
    if (directory / KEY_FILE).exists():
        raise Conflict("There is a witness in this folder already. Choose another folder.")
    stored = _KeyFile(name=name, seed=random_bytes(32))
    keys = WitnessKeys(name, Ed25519PrivateKey.from_private_bytes(stored.seed))
    _ = keys.verifier_key  # refuses a name with spaces or a plus sign before anything is written
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
    try:
        return WitnessKeys(stored.name, Ed25519PrivateKey.from_private_bytes(stored.seed))
    except ValueError as error:
        raise VerificationFailed("The witness's key file is damaged.") from error
