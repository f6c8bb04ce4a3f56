"""The key holder's identity and secrets: signing, log, wrapping and storage key, in DIR/keys.json.

Rule: the file has mode 0600 and is written durably before anything is signed with its keys; with a passphrase the
secrets in it are sealed under scrypt (RFC 7914). The wrapping key opens the broker's sealed records; shares come
wrapped to one-time prekeys instead (`clients.keyholder.prekeys`). Secrets have no repr.

It draws no key after `create_keys` but a next log key, when that is changed (`clients.keyholder.log_keys`): a holder
whose other keys are lost takes part anew under another name.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field, ValidationError

from broker.protocol import documents, wrapping
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.base import (
    Blob,
    Jurisdiction,
    Message,
    Name,
    RandomBytes,
    Seconds,
    Slug,
    encode,
    explain,
    read,
)
from broker.protocol.messages.parties import Enrolment, Origin, holder_log_origin
from broker.protocol.messages.vocabulary import Role
from clients.keyholder.durable_file import write_durably
from clients.keyholder.store.sealing import STORAGE_KEY_BYTES, StorageKey

KEY_FILE = "keys.json"
ENROLMENT_FILE = "enrolment.jws"
_SEED_BYTES = 32
_SECRET_BYTES = 2 * _SEED_BYTES + wrapping.PRIVATE_BYTES + STORAGE_KEY_BYTES
_NONCE_BYTES = 12
_SCRYPT_LOG2_N = 17


@dataclass(frozen=True)
class Persona:
    """What the operator chooses before there are keys. `origin` is scheme, host and port of the service."""

    holder_id: str
    name: str
    jurisdiction: str
    origin: str


@dataclass(frozen=True)
class HolderKeys:
    """Who this holder is, with its secrets. Made by `create_keys` and `open_keys`."""

    holder_id: str
    origin: str
    signing_key: Ed25519PrivateKey = field(repr=False)
    log_key: Ed25519PrivateKey = field(repr=False)
    wrapping: wrapping.WrappingKeyPair
    storage_key: StorageKey
    next_log_key: Ed25519PrivateKey | None = field(default=None, repr=False)
    """The key that the log is being changed to; from the entry that says so, both sign."""

    @property
    def signing_public(self) -> bytes:
        """The 32 raw bytes under which acceptances, evaluations and receipts verify."""
        return documents.public_bytes(self.signing_key)

    @property
    def log_origin(self) -> str:
        """The name of the holder's own log in its checkpoints."""
        return holder_log_origin(self.origin, self.holder_id)


class _KeyFile(Message):
    v: Literal[1] = 1
    holder_id: Slug
    name: Name
    jurisdiction: Jurisdiction
    origin: Origin
    created_at: Seconds
    kdf: Literal["none", "scrypt"]
    kdf_salt: Blob = b""
    log2_n: Annotated[int, Field(ge=0, le=20)] = 0
    secrets: Annotated[Blob, Field(repr=False)]
    """Signing seed, log seed, private wrapping key, storage key, and while the log's key is changed the next log seed.
    With kdf scrypt: `nonce || ciphertext || tag`."""


def create_keys(
    directory: Path,
    persona: Persona,
    *,
    now: int,
    random_bytes: RandomBytes,
    passphrase: str | None = None,
) -> HolderKeys:
    """Fresh keys in a new or empty folder, and the signed enrolment in DIR/enrolment.jws.

    Raises Conflict if there are keys already, BadInput for a persona that no enrolment may bear."""
    if (directory / KEY_FILE).exists():
        raise Conflict("There is a key holder in this folder already. Choose another folder.")
    pair = wrapping.generate_key_pair()
    drawn = random_bytes(2 * _SEED_BYTES), random_bytes(STORAGE_KEY_BYTES)
    secrets = drawn[0] + pair.private + drawn[1]
    try:
        stored = _seal(persona, secrets, now, random_bytes, passphrase)
    except ValidationError as error:
        raise BadInput(explain(error)) from None
    keys = _keys_of(stored, secrets)
    enrolment = Enrolment(
        party_id=persona.holder_id,
        name=persona.name,
        role=Role.KEY_HOLDER,
        jurisdiction=persona.jurisdiction,
        signing_key=keys.signing_public,
        wrapping_key=pair.public,
        origin=persona.origin,
        created_at=now,
    )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    write_durably(directory / ENROLMENT_FILE, documents.sign(enrolment, keys.signing_key).document.encode())
    # Last: a folder without keys.json is one whose making was cut short, and may be made again.
    write_durably(directory / KEY_FILE, encode(stored))
    return keys


def open_keys(directory: Path, passphrase: str | None = None) -> HolderKeys:
    """The keys that `create_keys` made.

    Raises NotFound (no holder there), BadInput (a passphrase is needed), VerificationFailed (wrong or damaged)."""
    return _keys_of(*_opened(directory, passphrase))


def draw_next_log_key(
    directory: Path, random_bytes: RandomBytes, passphrase: str | None = None
) -> HolderKeys:
    """The keys with a next log key, drawn and on the disk; one that was drawn before stays. Raises as `open_keys`."""
    stored, secrets = _opened(directory, passphrase)
    if len(secrets) == _SECRET_BYTES:
        secrets += random_bytes(_SEED_BYTES)
        _replace(directory, stored, secrets, random_bytes, passphrase)
    return _keys_of(stored, secrets)


def drop_old_log_key(directory: Path, random_bytes: RandomBytes, passphrase: str | None = None) -> HolderKeys:
    """Let the next log key be the only one. Raises Conflict (none was drawn), or as `open_keys`."""
    stored, secrets = _opened(directory, passphrase)
    if len(secrets) == _SECRET_BYTES:
        raise Conflict("The log's key is not being changed, so there is no old one to drop.")
    following = secrets[_SECRET_BYTES:]
    secrets = secrets[:_SEED_BYTES] + following + secrets[2 * _SEED_BYTES : _SECRET_BYTES]
    _replace(directory, stored, secrets, random_bytes, passphrase)
    return _keys_of(stored, secrets)


def _opened(directory: Path, passphrase: str | None) -> tuple[_KeyFile, bytes]:
    """The key file and the secrets in it."""
    try:
        stored = read(_KeyFile, (directory / KEY_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            "This folder is not a key holder's. Make one with: narrowgate keyholder init DIR --holder-id ..."
        ) from None
    if stored.kdf == "none":
        return stored, stored.secrets
    if passphrase is None:
        raise BadInput("These keys are locked by a passphrase. Set NARROWGATE_PASSPHRASE and try again.")
    cipher = _stretch(passphrase, stored.kdf_salt, stored.log2_n)
    nonce, sealed = stored.secrets[:_NONCE_BYTES], stored.secrets[_NONCE_BYTES:]
    try:
        return stored, cipher.decrypt(nonce, sealed, _context(stored.holder_id))
    except (InvalidTag, ValueError) as error:
        raise VerificationFailed(
            "The passphrase in NARROWGATE_PASSPHRASE does not open these keys."
        ) from error


def _replace(
    directory: Path, stored: _KeyFile, secrets: bytes, random_bytes: RandomBytes, passphrase: str | None
) -> None:
    """Put the file with other secrets in its place, locked as it was, and overwrite the one that was there."""
    persona = Persona(stored.holder_id, stored.name, stored.jurisdiction, stored.origin)
    locked_by = None if stored.kdf == "none" else passphrase
    changed = _seal(persona, secrets, stored.created_at, random_bytes, locked_by)
    with (directory / KEY_FILE).open("r+b") as old:
        write_durably(directory / KEY_FILE, encode(changed))
        # The name is the new file's by now; what it was before is only reached through this descriptor.
        old.write(bytes(os.fstat(old.fileno()).st_size))
        old.flush()
        os.fsync(old.fileno())


def _seal(
    persona: Persona, secrets: bytes, now: int, random_bytes: RandomBytes, passphrase: str | None
) -> _KeyFile:
    def key_file(kdf: Literal["none", "scrypt"], kept: bytes, salt: bytes, log2_n: int) -> _KeyFile:
        return _KeyFile(**vars(persona), created_at=now, kdf=kdf, kdf_salt=salt, log2_n=log2_n, secrets=kept)

    if passphrase is None:
        return key_file("none", secrets, b"", 0)
    salt, nonce = random_bytes(16), random_bytes(_NONCE_BYTES)
    cipher = _stretch(passphrase, salt, _SCRYPT_LOG2_N)
    sealed = nonce + cipher.encrypt(nonce, secrets, _context(persona.holder_id))
    return key_file("scrypt", sealed, salt, _SCRYPT_LOG2_N)


def _keys_of(stored: _KeyFile, secrets: bytes) -> HolderKeys:
    following = secrets[_SECRET_BYTES:]
    if len(secrets) < _SECRET_BYTES or len(following) not in (0, _SEED_BYTES):
        raise VerificationFailed("The key holder's key file is damaged. Restore it from a backup.")
    private = secrets[2 * _SEED_BYTES : _SECRET_BYTES - STORAGE_KEY_BYTES]
    make: Callable[[bytes], Ed25519PrivateKey] = Ed25519PrivateKey.from_private_bytes
    return HolderKeys(
        holder_id=stored.holder_id,
        origin=stored.origin,
        signing_key=make(secrets[:_SEED_BYTES]),
        log_key=make(secrets[_SEED_BYTES : 2 * _SEED_BYTES]),
        wrapping=wrapping.WrappingKeyPair(private, wrapping.public_of(private)),
        storage_key=StorageKey(secrets[_SECRET_BYTES - STORAGE_KEY_BYTES : _SECRET_BYTES]),
        next_log_key=make(following) if following else None,
    )


def _stretch(passphrase: str, salt: bytes, log2_n: int) -> ChaCha20Poly1305:
    kdf = Scrypt(salt=salt, length=32, n=1 << log2_n, r=8, p=1)
    return ChaCha20Poly1305(kdf.derive(passphrase.encode()))


def _context(holder_id: str) -> bytes:
    return b"narrowgate/v1/keyholder-keys\x00" + holder_id.encode()
