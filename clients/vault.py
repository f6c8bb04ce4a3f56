"""Files of one party at rest: durable writes, and secrets sealed under a home key.

Rule: a folder has mode 0700, a file 0600; a write is whole or not there (written beside, fsynced, renamed, folder
fsynced); what a killed process left half-written is swept. A secret is ChaCha20-Poly1305 (RFC 8439) under the home key
with a random nonce and its own name as AAD, so that no sealed file can stand in for another. The home key lies in
`home.key`, or under scrypt (RFC 7914) of a passphrase. Names come from this program, never from outside, and are
checked all the same.

It knows nothing of what the files mean: see `clients.home`. Erasing overwrites once; whether the disk keeps an older
copy is the disk's, which is why the passphrase exists.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field

from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.base import Blob, Message, MessageT, RandomBytes, encode, read

KEY_FILE = "home.key"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}){0,5}\Z")
_HALF_WRITTEN = re.compile(r"\.[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}\.[0-9a-f]{8}\Z")
_NONCE_BYTES = 12
_KEY_BYTES = 32
_SCRYPT_LOG2_N = 17
_SCRYPT_R = 8
_SCRYPT_P = 1
_DAMAGED = (
    "A sealed file of the home folder is damaged, or belongs to another home. Restore it from a backup."
)


class _KeyFile(Message):
    """`home.key`: the home key itself, or sealed under a key that scrypt draws from a passphrase."""

    v: Literal[1] = 1
    kdf: Literal["none", "scrypt"]
    key: Annotated[Blob, Field(repr=False)]
    salt: Blob = b""
    log2_n: Annotated[int, Field(ge=0, le=20)] = 0


class Vault:
    """The files of one folder. Made by `create_vault` and `open_vault`; has no repr that tells anything."""

    SEAL_OVERHEAD_BYTES = _NONCE_BYTES + 16
    """What `seal_part` adds: nonce and tag."""

    def __init__(self, directory: Path, key: bytes, random_bytes: RandomBytes) -> None:
        self.directory = directory
        self._cipher = ChaCha20Poly1305(key)
        self._random_bytes = random_bytes

    def path(self, name: str) -> Path:
        """Where the file of that name lies. Raises BadInput for a name this program would not write."""
        if not _NAME.match(name):
            raise BadInput("A file name in the home folder is not one this program writes.")
        return self.directory / name

    def exists(self, name: str) -> bool:
        """Whether a file or folder of that name is there."""
        return self.path(name).exists()

    def names(self, folder: str) -> tuple[str, ...]:
        """The names in a folder, sorted, without half-written files; empty if there is no such folder."""
        try:
            return tuple(
                sorted(item.name for item in self.path(folder).iterdir() if not item.name.startswith("."))
            )
        except FileNotFoundError:
            return ()

    def write(self, name: str, data: bytes) -> None:
        """Write a file durably: after this returns, it survives a power cut."""
        with self.writing(name) as file:
            file.write(data)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A file to write into; it takes its name, durably, when the block ends without an error."""
        path = self.path(name)
        _make_folders(self.directory, path.parent)
        temporary, descriptor = self._begin(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                # Before it is closed, which gives up the lock.
                temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _begin(self, path: Path) -> tuple[Path, int]:
        """A file beside `path`, locked for as long as it is open, so that nobody takes it for a killed process's."""
        while True:
            temporary = path.with_name(f".{path.name}.{self._random_bytes(4).hex()}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return temporary, descriptor
            # It was swept between the two lines above.
            os.close(descriptor)

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises NotFound."""
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                "The home folder has no such file. Check that the step before was taken."
            ) from None

    def write_message(self, name: str, message: Message) -> None:
        """Write a message as canonical JSON."""
        self.write(name, encode(message))

    def read_message(self, kind: type[MessageT], name: str) -> MessageT:
        """Read what `write_message` wrote. Raises NotFound or BadInput."""
        return read(kind, self.read(name))

    def write_text(self, name: str, text: str) -> None:
        """Write text as UTF-8, such as a signed document."""
        self.write(name, text.encode("utf-8"))

    def read_text(self, name: str) -> str:
        """Read what `write_text` wrote. Raises NotFound."""
        return self.read(name).decode("utf-8")

    def write_secret(self, name: str, secret: bytes) -> None:
        """Seal and write. The file is `nonce (12) || ciphertext || tag (16)`."""
        nonce = self._random_bytes(_NONCE_BYTES)
        self.write(name, nonce + self._cipher.encrypt(nonce, secret, _aad(name)))

    def read_secret(self, name: str) -> bytes:
        """Open what `write_secret` wrote under that very name. Raises NotFound, or VerificationFailed if damaged."""
        data = self.read(name)
        try:
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _aad(name))
        except (InvalidTag, ValueError) as error:
            raise VerificationFailed(_DAMAGED) from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process of this folder at a time, so that nothing is lost, or counted once for twice, between reading and
        writing. It is not to be entered again within."""
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def seal_part(self, name: str, part: bytes, data: bytes) -> bytes:
        """Seal a part of the file of that name, bound to what `part` calls it: `nonce (12) || ciphertext || tag (16)`.

        For files of many parts, written with `writing` and opened one by one."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, _aad(name) + b"\x00" + part)

    def open_part(self, name: str, part: bytes, sealed: bytes) -> bytes:
        """Open what `seal_part` sealed for that very file and part. Raises VerificationFailed if damaged."""
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _aad(name) + b"\x00" + part
            )
        except (InvalidTag, ValueError) as error:
            raise VerificationFailed(_DAMAGED) from error

    def erase(self, name: str) -> None:
        """Overwrite a file once, then remove it durably. Nothing happens if it is not there."""
        path = self.path(name)
        try:
            with path.open("r+b") as file:
                _overwrite(file)
        except FileNotFoundError:
            return
        path.unlink()
        sync_folder(path.parent)

    def sweep_half_written(self) -> int:
        """Erase, in the whole folder, the files that a killed process had not finished writing: how many.

        Those that are being written now are left, whoever writes them: their locks are the kernel's."""
        swept = 0
        # Not by `rglob`, which breaks off where another command removes its working folder meanwhile.
        found = (Path(folder, name) for folder, _, names in os.walk(self.directory) for name in names)
        for item in found:
            if not _HALF_WRITTEN.match(item.name) or item.is_symlink():
                continue
            with contextlib.suppress(FileNotFoundError, BlockingIOError), item.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if item.exists():
                    _overwrite(file)
                    item.unlink()
                    sync_folder(item.parent)
                    swept += 1
        return swept

    def sweep(self, folder: str) -> None:
        """Remove the half-written files of a folder, for whoever knows that nobody is writing in it."""
        path = self.path(folder)
        for item in path.iterdir() if path.is_dir() else ():
            if item.name.startswith(".") and item.is_file():
                item.unlink()

    def remove(self, name: str) -> None:
        """Remove a file of no secrets durably, as it is: cut short, it is there whole or gone."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        if path.parent.exists():
            sync_folder(path.parent)


def create_vault(directory: Path, random_bytes: RandomBytes, passphrase: str | None = None) -> Vault:
    """A new folder with a fresh home key. Raises Conflict if one is there."""
    if (directory / KEY_FILE).exists():
        raise Conflict("There is a home in this folder already. Choose another folder.")
    _make_folders(directory.parent, directory)
    directory.chmod(0o700)
    key = random_bytes(_KEY_BYTES)
    vault = Vault(directory, key, random_bytes)
    if passphrase is None:
        vault.write_message(KEY_FILE, _KeyFile(kdf="none", key=key))
        return vault
    salt, nonce = random_bytes(16), random_bytes(_NONCE_BYTES)
    sealing_key = _stretch(passphrase, salt, _SCRYPT_LOG2_N)
    sealed = nonce + ChaCha20Poly1305(sealing_key).encrypt(nonce, key, _aad(KEY_FILE))
    vault.write_message(KEY_FILE, _KeyFile(kdf="scrypt", key=sealed, salt=salt, log2_n=_SCRYPT_LOG2_N))
    return vault


def open_vault(directory: Path, random_bytes: RandomBytes, passphrase: str | None = None) -> Vault:
    """Open a folder that `create_vault` made.

    Raises NotFound (no home there), VerificationFailed (wrong passphrase), BadInput (none given).
    """
    try:
        stored = read(_KeyFile, (directory / KEY_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            "This folder is not a Narrowgate home. Make one with: narrowgate agency init FOLDER --id ... --name ..."
        ) from None
    if stored.kdf == "none":
        return Vault(directory, _checked(stored.key), random_bytes)
    if passphrase is None:
        raise BadInput(
            "This home is locked by a passphrase. Set NARROWGATE_PASSPHRASE and run the command again."
        )
    sealing_key = _stretch(passphrase, stored.salt, stored.log2_n)
    try:
        key = ChaCha20Poly1305(sealing_key).decrypt(
            stored.key[:_NONCE_BYTES], stored.key[_NONCE_BYTES:], _aad(KEY_FILE)
        )
    except (InvalidTag, ValueError) as error:
        raise VerificationFailed(
            "The passphrase in NARROWGATE_PASSPHRASE does not open this home."
        ) from error
    return Vault(directory, _checked(key), random_bytes)


def _checked(key: bytes) -> bytes:
    if len(key) != _KEY_BYTES:
        raise VerificationFailed("The home's key file is damaged. Restore it from a backup.")
    return key


def _stretch(passphrase: str, salt: bytes, log2_n: int) -> bytes:
    kdf = Scrypt(salt=salt, length=_KEY_BYTES, n=1 << log2_n, r=_SCRYPT_R, p=_SCRYPT_P)
    return kdf.derive(passphrase.encode("utf-8"))


def _aad(name: str) -> bytes:
    return b"narrowgate/v1/home\x00" + name.encode("ascii")


def _overwrite(file: BinaryIO) -> None:
    size = os.fstat(file.fileno()).st_size
    for start in range(0, size, 1 << 20):
        file.write(bytes(min(1 << 20, size - start)))
    file.flush()
    os.fsync(file.fileno())


def _make_folders(root: Path, folder: Path) -> None:
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for item in reversed(missing):
        item.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(item.parent)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's list of names is on the disk: a rename is durable only then (fsync(2)). Raises OSError.

    Windows offers no such call on a folder, and nothing is waited for."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
