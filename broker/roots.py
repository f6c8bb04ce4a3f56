"""The root that a deposit's contributor signed last, and the place of records in it.

Rule (DESIGN 2.3): a record that is released proves its origin by its path to the newest signed root, so an older
version of a record, or one that was taken back, has none. The paths are made from the stored rows; rows that do not
give the signed root are not served. Signatures are checked when a statement comes in, and by whoever reads it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from broker.protocol import sealing
from broker.protocol.documents import unverified_payload
from broker.protocol.errors import NotFound, Unavailable
from broker.protocol.merkle import inclusion_paths, leaf_hash
from broker.protocol.messages.deposits import DepositDeclaration, Record, RecordWithdrawal
from broker.store import deposits as rows
from broker.store.database import Connection


@dataclass(frozen=True)
class SignedRoot:
    """The newest root of a deposit, with the contributor's documents that bear it; `change` is None while the declared
    root stands."""

    root: bytes
    declaration: str
    change: str | None


@dataclass(frozen=True)
class Placed:
    """A record's place in the newest root (RFC 9162 2.1.3)."""

    record: Record
    index: int
    path: tuple[bytes, ...]


def signed_root(connection: Connection, deposit: rows.StoredDeposit) -> SignedRoot:
    """The newest signed root of a deposit."""
    changes = rows.record_withdrawals_of(connection, deposit.deposit_number)
    newest = rows.record_withdrawal(connection, deposit.deposit_number, changes) if changes else None
    if newest is None:
        root = unverified_payload(DepositDeclaration, deposit.declaration).root
        return SignedRoot(root, deposit.declaration, None)
    root = unverified_payload(RecordWithdrawal, newest.document).root
    return SignedRoot(root, deposit.declaration, newest.document)


def places(
    connection: Connection, deposit: rows.StoredDeposit, tokens: Collection[bytes]
) -> tuple[SignedRoot, tuple[Placed, ...]]:
    """The records of these tokens with their paths, by token. Walks the deposit once, about a microsecond a record.

    Raises NotFound when a token has no record, Unavailable when the stored records do not give the signed root."""
    signed = signed_root(connection, deposit)
    wanted, found = set(tokens), dict[int, Record]()
    indices = rows.positions(connection, deposit.deposit_number, wanted)
    if len(indices) != len(wanted):
        raise NotFound("A record was withdrawn meanwhile.")

    def leaves() -> Iterator[bytes]:
        for index, record in enumerate(rows.all_records(connection, deposit.deposit_number)):
            if index in indices:
                found[index] = record
            yield leaf_hash(sealing.record_leaf(record.token, record.sealed, record.record_version))

    root, paths = inclusion_paths(leaves(), indices)
    if root != signed.root:
        raise Unavailable(
            "The stored records of a deposit are not those its contributor signed. Tell the operator."
        )
    return signed, tuple(Placed(found[index], index, paths[index]) for index in sorted(found))
