"""What its contributor remembers of a deposit's records once they are with the broker: token and leaf of each.

Rule (decision 0006): who takes some records back signs the root over the rest, so it needs the leaves of the rest, and
has them from nobody but itself. 48 bytes a record, in order of the tokens, as declared; no record and no identifier.
They go when no record can be named any more: with the deposit, and with the keys of its series.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from broker.protocol import merkle, sealing
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.deposits import TOKEN_BYTES, decode_batch
from clients import masked_records
from clients.masked_records import MaskedRecords
from clients.vault import Vault

_LEAF_BYTES = 32
_ROW_BYTES = TOKEN_BYTES + _LEAF_BYTES


def leaves_name(deposit_id: bytes) -> str:
    """The name of the file in the home."""
    return f"deposits/{deposit_id.hex()}/leaves"


def keep(vault: Vault, deposit_id: bytes, masked: MaskedRecords) -> None:
    """Write the leaves of records that were just masked."""
    _write(vault, deposit_id, _leaves(vault, masked))


def load(vault: Vault, deposit_id: bytes, *roots: bytes) -> dict[bytes, bytes]:
    """Leaf by token, in order. About 170 bytes of memory a record.

    Raises NotFound when they are gone, VerificationFailed when they give none of the roots."""
    data = vault.read(leaves_name(deposit_id))
    found = {
        data[at : at + TOKEN_BYTES]: data[at + TOKEN_BYTES : at + _ROW_BYTES]
        for at in range(0, len(data), _ROW_BYTES)
    }
    if len(data) % _ROW_BYTES or merkle.root_of(found.values()) not in roots:
        raise VerificationFailed("The home's list of a deposit's records is damaged. Withdraw it whole.")
    return found


def replace(vault: Vault, deposit_id: bytes, leaves: Mapping[bytes, bytes]) -> None:
    """Write the leaves that remain."""
    _write(vault, deposit_id, leaves.items())


def without(leaves: Mapping[bytes, bytes], tokens: Collection[bytes]) -> dict[bytes, bytes]:
    """The leaves of all other tokens, in the same order."""
    return {token: leaf for token, leaf in leaves.items() if token not in tokens}


def _leaves(vault: Vault, masked: MaskedRecords) -> Iterator[tuple[bytes, bytes]]:
    for _, data in masked_records.remaining(vault, masked, 0):
        for token, version, sealed in decode_batch(data, masked.size_class):
            yield token, merkle.leaf_hash(sealing.record_leaf(token, sealed, version))


def _write(vault: Vault, deposit_id: bytes, leaves: Iterable[tuple[bytes, bytes]]) -> None:
    with vault.writing(leaves_name(deposit_id)) as file:
        for token, leaf in leaves:
            file.write(token + leaf)
