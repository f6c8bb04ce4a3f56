"""Which identifiers a deposit holds, for its contributor alone: by salted hash, the token and a digest of the content.

    file  = blocks, each u32 length || ChaCha20-Poly1305 of rows, bound to the block's number; the last one is empty
    row   = the salted hash's first 16 bytes || token (16) || the first 16 bytes of SHA-256(plaintext), or, without
            payload, of SHA-256(local reference)

Rule (decision 0036): rows are sorted by the hash over the whole file, so that two lists of identifiers, tonight's file
and what is deposited, are compared side by side in constant memory and nothing is masked to find out what changed.
Sealed under the home's key, since whoever has the salt could test guesses against it; no identifier and no content is
in it. It goes with the list of leaves: with the deposit, and with the keys of its series.
"""

import hashlib
import itertools
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.messages.deposits import TOKEN_BYTES
from clients.vault import Vault

KEY_BYTES = 16
CONTENT_BYTES = 16
ROW_BYTES = KEY_BYTES + TOKEN_BYTES + CONTENT_BYTES
_BLOCK_ROWS = 16_384
_DAMAGED = (
    "The home's index of a deposit is damaged. Restore a backup, or withdraw the deposit and add it anew."
)


class IndexRow(NamedTuple):
    """One identifier of a deposit. Sorts by `key`, the beginning of its salted hash."""

    key: bytes
    token: bytes
    content: bytes


def index_name(deposit_id: bytes) -> str:
    """The name of the file in the home."""
    return f"deposits/{deposit_id.hex()}/index"


def content_digest(plaintext: bytes) -> bytes:
    """Tells the same content of a record again. 16 bytes."""
    return hashlib.sha256(plaintext).digest()[:CONTENT_BYTES]


def reference_digest(reference: str | None) -> bytes:
    """Tells again what a record without payload is called here. 16 bytes."""
    return content_digest((reference or "").encode("utf-8", errors="replace"))


def sealed_block(vault: Vault, deposit_id: bytes, number: int, rows: Iterable[IndexRow]) -> bytes:
    """One block of the file, from 0, with its length before it."""
    sealed = vault.seal_part(index_name(deposit_id), _part(number), b"".join(b"".join(row) for row in rows))
    return struct.pack(">I", len(sealed)) + sealed


def rows(vault: Vault, deposit_id: bytes) -> Iterator[IndexRow]:
    """The rows, in order, a block at a time. Raises NotFound if there is none, VerificationFailed if it is damaged."""
    name = index_name(deposit_id)
    try:
        with vault.path(name).open("rb") as file:
            for number in itertools.count():
                data = vault.open_part(name, _part(number), _read_block(file))
                if not data:
                    return
                for at in range(0, len(data), ROW_BYTES):
                    row = data[at : at + ROW_BYTES]
                    yield IndexRow(
                        row[:KEY_BYTES], row[KEY_BYTES : KEY_BYTES + TOKEN_BYTES], row[-CONTENT_BYTES:]
                    )
    except FileNotFoundError:
        raise NotFound(
            "This home keeps no index of that deposit: it was made by an earlier version, or its series is closed."
        ) from None


def change(
    vault: Vault,
    deposit_id: bytes,
    *,
    gone: Collection[bytes] = (),
    new: Mapping[bytes, bytes] | None = None,
) -> None:
    """Leave out the rows of some tokens, and give others the digest of their new content. Again, it changes nothing.

    Nothing happens where no index is kept. Errors as `rows`."""
    changed = new or {}
    if not vault.exists(index_name(deposit_id)):
        return
    left = (
        row._replace(content=changed.get(row.token, row.content))
        for row in rows(vault, deposit_id)
        if row.token not in gone
    )
    write(vault, deposit_id, left)


def write(vault: Vault, deposit_id: bytes, ordered: Iterable[IndexRow]) -> None:
    """Write the file from rows in order."""
    remaining = iter(ordered)
    with vault.writing(index_name(deposit_id)) as file:
        for number in itertools.count():
            block = list(itertools.islice(remaining, _BLOCK_ROWS))
            file.write(sealed_block(vault, deposit_id, number, block))
            if not block:
                break


def _part(number: int) -> bytes:
    return struct.pack(">I", number)


def _read_block(file: BinaryIO) -> bytes:
    header = file.read(4)
    sealed = file.read(struct.unpack(">I", header)[0]) if len(header) == 4 else b""
    if len(header) != 4 or len(sealed) != struct.unpack(">I", header)[0]:
        raise VerificationFailed(_DAMAGED)
    return sealed
