"""What its contributor remembers of a deposit's records once they are with the broker: token, version, leaf of each.

Rule (decisions 0006, 0008): who takes some records back, or replaces them, signs the root over all that are there then,
so it needs the leaves of the rest, and has them from nobody but itself. 52 bytes a record, in order of the tokens, as
declared; no record and no identifier. They go when no record can be named any more: with the deposit, and with the keys
of its series.
"""

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping

from broker.protocol import merkle, sealing
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.deposits import TOKEN_BYTES, Record, decode_batch
from clients import masked_records
from clients.masked_records import MaskedRecords
from clients.vault import Vault

_VERSION_BYTES = 4
_ROW_BYTES = TOKEN_BYTES + _VERSION_BYTES + merkle.HASH_BYTES

Leaves = dict[bytes, bytes]
"""By token, in order: u32 record version || leaf hash. About 175 bytes of memory a record."""


def leaves_name(deposit_id: bytes) -> str:
    """The name of the file in the home."""
    return f"deposits/{deposit_id.hex()}/leaves"


def keep(vault: Vault, deposit_id: bytes, masked: MaskedRecords) -> None:
    """Write the leaves of records that were just masked."""
    _write(vault, deposit_id, _leaves(vault, masked))


def load(vault: Vault, deposit_id: bytes, *roots: bytes) -> Leaves:
    """The leaves as they were kept.

    Raises NotFound when they are gone, VerificationFailed when they give none of the roots."""
    data = vault.read(leaves_name(deposit_id))
    found = {
        data[at : at + TOKEN_BYTES]: data[at + TOKEN_BYTES : at + _ROW_BYTES]
        for at in range(0, len(data), _ROW_BYTES)
    }
    if len(data) % _ROW_BYTES or root_over(found) not in roots:
        raise VerificationFailed("The home's list of a deposit's records is damaged. Withdraw it whole.")
    return found


def replace(vault: Vault, deposit_id: bytes, leaves: Mapping[bytes, bytes]) -> None:
    """Write the leaves that there are now."""
    _write(vault, deposit_id, leaves.items())


def root_over(leaves: Mapping[bytes, bytes]) -> bytes:
    """The RFC 6962 root over the leaves."""
    return merkle.root_of(each[_VERSION_BYTES:] for each in leaves.values())


def version_of(leaves: Mapping[bytes, bytes], token: bytes) -> int:
    """The version of the record of a token that is among them."""
    return int.from_bytes(leaves[token][:_VERSION_BYTES], "big")


def without(leaves: Mapping[bytes, bytes], tokens: Collection[bytes]) -> Leaves:
    """The leaves of all other tokens, in the same order."""
    return {token: leaf for token, leaf in leaves.items() if token not in tokens}


def with_new(leaves: Mapping[bytes, bytes], records: Iterable[Record]) -> Leaves:
    """The leaves once these records, whose tokens are among them, have taken the place of the old ones."""
    return {**leaves, **dict(map(_leaf, records))}


def _leaf(record: Record) -> tuple[bytes, bytes]:
    token, version, sealed = record
    leaf = merkle.leaf_hash(sealing.record_leaf(token, sealed, version))
    return token, struct.pack(">I", version) + leaf


def _leaves(vault: Vault, masked: MaskedRecords) -> Iterator[tuple[bytes, bytes]]:
    for _, data in masked_records.remaining(vault, masked, 0):
        yield from map(_leaf, decode_batch(data, masked.size_class))


def _write(vault: Vault, deposit_id: bytes, leaves: Iterable[tuple[bytes, bytes]]) -> None:
    with vault.writing(leaves_name(deposit_id)) as file:
        for token, leaf in leaves:
            file.write(token + leaf)
