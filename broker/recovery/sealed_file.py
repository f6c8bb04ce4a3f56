"""A file under a passphrase, written and read as one stream, in which nothing can be changed, moved or cut off unseen.

    "narrowgate-broker-backup-v1\\n"
    u32 length, header: canonical JSON of v, kdf, log2_n and salt (16 bytes)
    chunks of 64 KiB, each ChaCha20-Poly1305 (RFC 8439); the last is shorter, or as long, and marked as the last

Rule: the key is scrypt (RFC 7914) of the passphrase under the file's own salt, so that no two files share one, and a
chunk's nonce can be its number; nonce and associated data bind number, whether it is the last, and the header (the
STREAM construction). It knows nothing of what is in it.
"""

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, BinaryIO, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field

from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import Blob, Message, RandomBytes, decode, encode

MAGIC = b"narrowgate-broker-backup-v1\n"
CHUNK_BYTES = 64 * 1024
MINIMUM_PASSPHRASE = 12
_TAG_BYTES = 16
_LOG2_N = 17
_MAXIMUM_HEADER_BYTES = 1024
_NOT_OPENED = (
    "The backup does not open: the passphrase is another, or the file is damaged or cut short. Try the passphrase of "
    "the time it was made, then another copy."
)


class _Header(Message):
    """How the key follows from the passphrase."""

    v: Literal[1] = 1
    kdf: Literal["scrypt"] = "scrypt"
    log2_n: Annotated[int, Field(ge=1, le=20)]
    salt: Annotated[Blob, Field(min_length=16, max_length=16)]


class Writer:
    """What is written is sealed chunk by chunk; made by `sealing`."""

    def __init__(self, file: BinaryIO, cipher: ChaCha20Poly1305, bound: bytes) -> None:
        self._file, self._cipher, self._bound = file, cipher, bound
        self._number, self._pending = 0, bytearray()

    def write(self, data: bytes) -> None:
        """Go on with these bytes."""
        self._pending += data
        # A full chunk waits for what follows: it may be the last.
        while len(self._pending) > CHUNK_BYTES:
            self._seal(last=False)

    def finish(self) -> None:
        """Seal what is left as the last chunk."""
        self._seal(last=True)

    def _seal(self, last: bool) -> None:
        chunk = bytes(self._pending[:CHUNK_BYTES])
        del self._pending[:CHUNK_BYTES]
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), chunk, self._bound))
        self._number += 1


class Reader:
    """What was sealed, from its beginning; made by `opening`."""

    def __init__(self, file: BinaryIO, cipher: ChaCha20Poly1305, bound: bytes) -> None:
        self._file, self._cipher, self._bound = file, cipher, bound
        self._number, self._opened, self._ended = 0, bytearray(), False
        self._ahead = file.read(CHUNK_BYTES + _TAG_BYTES)

    def read(self, size: int) -> bytes:
        """So many bytes. Raises VerificationFailed when there are fewer, or they are not those that were written."""
        while len(self._opened) < size:
            if self._ended:
                raise VerificationFailed(_NOT_OPENED)
            self._open()
        data = bytes(self._opened[:size])
        del self._opened[:size]
        return data

    def check_end(self) -> None:
        """Raises VerificationFailed unless everything was read."""
        while not self._ended:
            self._open()
        if self._opened:
            raise VerificationFailed(
                "The backup goes on after its manifest. It is not one this program wrote."
            )

    def _open(self) -> None:
        sealed, self._ahead = self._ahead, self._file.read(CHUNK_BYTES + _TAG_BYTES)
        self._ended = not self._ahead
        try:
            self._opened += self._cipher.decrypt(_nonce(self._number, self._ended), sealed, self._bound)
        except (InvalidTag, ValueError) as error:
            raise VerificationFailed(_NOT_OPENED) from error
        self._number += 1


@contextmanager
def sealing(file: BinaryIO, passphrase: str, random_bytes: RandomBytes) -> Iterator[Writer]:
    """A writer into a new file; the last chunk is written when the block ends without an error.

    Raises BadInput for a passphrase of fewer than 12 characters."""
    if len(passphrase) < MINIMUM_PASSPHRASE:
        raise BadInput(
            f"A backup's passphrase has at least {MINIMUM_PASSPHRASE} characters: five unusual words are good."
        )
    header = encode(_Header(log2_n=_LOG2_N, salt=random_bytes(16)))
    start = MAGIC + struct.pack(">I", len(header)) + header
    file.write(start)
    writer = Writer(file, _cipher(passphrase, header), hashlib.sha256(start).digest())
    yield writer
    writer.finish()


def opening(file: BinaryIO, passphrase: str) -> Reader:
    """A reader from the beginning of a file. Raises BadInput (no backup) or VerificationFailed."""
    if file.read(len(MAGIC)) != MAGIC:
        raise BadInput("This file is no backup of a broker, or one of a newer release.")
    length = file.read(4)
    if len(length) < 4 or int.from_bytes(length, "big") > _MAXIMUM_HEADER_BYTES:
        raise VerificationFailed(_NOT_OPENED)
    header = file.read(int.from_bytes(length, "big"))
    try:
        cipher = _cipher(passphrase, header)
    except BadInput as error:
        raise VerificationFailed(_NOT_OPENED) from error
    return Reader(file, cipher, hashlib.sha256(MAGIC + length + header).digest())


def _cipher(passphrase: str, header: bytes) -> ChaCha20Poly1305:
    said = decode(_Header, header)
    kdf = Scrypt(salt=said.salt, length=32, n=1 << said.log2_n, r=8, p=1)
    return ChaCha20Poly1305(kdf.derive(passphrase.encode("utf-8")))


def _nonce(number: int, last: bool) -> bytes:
    return struct.pack(">QxxxB", number, last)
