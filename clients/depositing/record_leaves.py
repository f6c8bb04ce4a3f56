"""What its contributor remembers of a deposit's records once they are with the broker: token, version, leaf of each.

Rule (decisions 0006, 0008): who takes some records back, or replaces them, signs the root over all that are there then,
so it needs the leaves of the rest, and has them from nobody but itself. 52 bytes a record, in order of the tokens, as
declared; no record and no identifier. They are read from beginning to end, once for a question, in constant memory.
They go when no record can be named any more: with the deposit, and with the keys of its series.
"""

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from broker.protocol import merkle, sealing
from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.messages.deposits import TOKEN_BYTES, Record, decode_batch
from clients.depositing import masked_records
from clients.depositing.masked_records import MaskedRecords
from clients.vault import Vault

_VERSION_BYTES = 4
_ROW_BYTES = TOKEN_BYTES + _VERSION_BYTES + merkle.HASH_BYTES
_READ_ROWS = 16_384


@dataclass(frozen=True)
class Tree:
    """A tree over leaves: how many, and its RFC 6962 root."""

    records: int
    root: bytes


def leaves_name(deposit_id: bytes) -> str:
    """The name of the file in the home."""
    return f"deposits/{deposit_id.hex()}/leaves"


def keep(vault: Vault, deposit_id: bytes, masked: MaskedRecords) -> None:
    """Write the leaves of records that were just masked."""
    with vault.writing(leaves_name(deposit_id)) as file:
        for data in masked_records.remaining(vault, masked):
            for record in decode_batch(data, masked.size_class):
                file.write(_row(record))


def versions(vault: Vault, deposit_id: bytes, tokens: Collection[bytes], *roots: bytes) -> dict[bytes, int]:
    """The version of the record of each of these tokens that is among the leaves.

    Raises NotFound when they are gone, VerificationFailed when they give none of the roots."""
    found = {}
    for row in _checked(vault, deposit_id, roots):
        if row[:TOKEN_BYTES] in tokens:
            found[row[:TOKEN_BYTES]] = int.from_bytes(row[TOKEN_BYTES : TOKEN_BYTES + _VERSION_BYTES], "big")
    return found


def changed(
    vault: Vault,
    deposit_id: bytes,
    *roots: bytes,
    gone: Collection[bytes] = (),
    new: Iterable[Record] = (),
) -> Tree:
    """The tree once the records of some tokens are gone and others have taken the place of the old ones. Errors as
    `versions`."""
    frontier = merkle.Frontier()
    for row in _changed(_checked(vault, deposit_id, roots), gone, _by_token(new)):
        frontier.append(row[TOKEN_BYTES + _VERSION_BYTES :])
    return Tree(frontier.size, frontier.root())


def change(
    vault: Vault,
    deposit_id: bytes,
    *roots: bytes,
    gone: Collection[bytes] = (),
    new: Iterable[Record] = (),
) -> None:
    """Write the leaves as `changed` counts them. Again, it changes nothing. Errors as `versions`."""
    with vault.writing(leaves_name(deposit_id)) as file:
        for row in _changed(_checked(vault, deposit_id, roots), gone, _by_token(new)):
            file.write(row)


def _by_token(records: Iterable[Record]) -> dict[bytes, bytes]:
    return {record.token: _row(record) for record in records}


def _changed(rows: Iterable[bytes], gone: Collection[bytes], new: Mapping[bytes, bytes]) -> Iterator[bytes]:
    for row in rows:
        token = row[:TOKEN_BYTES]
        if token not in gone:
            yield new.get(token, row)


def _checked(vault: Vault, deposit_id: bytes, roots: Collection[bytes]) -> Iterator[bytes]:
    """The rows as they were kept. Raises at the end, so nothing may be concluded before it is reached."""
    damaged = VerificationFailed(
        "The home's list of a deposit's records is damaged. Withdraw the deposit whole."
    )
    frontier = merkle.Frontier()
    try:
        with vault.path(leaves_name(deposit_id)).open("rb") as file:
            while data := file.read(_ROW_BYTES * _READ_ROWS):
                if len(data) % _ROW_BYTES:
                    raise damaged
                for at in range(0, len(data), _ROW_BYTES):
                    row = data[at : at + _ROW_BYTES]
                    frontier.append(row[TOKEN_BYTES + _VERSION_BYTES :])
                    yield row
    except FileNotFoundError:
        raise NotFound("The home has no list of this deposit's records any more.") from None
    if frontier.root() not in roots:
        raise damaged


def _row(record: Record) -> bytes:
    token, version, sealed = record
    leaf = merkle.leaf_hash(sealing.record_leaf(token, sealed, version))
    return token + struct.pack(">I", version) + leaf
