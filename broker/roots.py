"""The root under which a deposit's records prove their origin now, and each record's place under it.

Rule (DESIGN 2.3, decisions 0006 and 0008): the contributor signed the root in its declaration, and anew in every
statement that took records back or replaced them; the newest holds. What is given out is the documents as they were
received, so that a requester need not take this broker's word. The rows are walked in order of their tokens, a thousand
in memory at a time. It decides about no release and signs nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass

from broker.protocol import sealing
from broker.protocol.errors import Conflict, NotFound, Unavailable
from broker.protocol.inclusion import InclusionWalk
from broker.protocol.merkle import Frontier, leaf_hash
from broker.protocol.messages.roots import RecordInclusion
from broker.store import deposits as rows
from broker.store import roots as changes
from broker.store.database import Connection

WHOLE_STATES = ("complete", "serving")
"""States of a deposit in which all of its records are here."""


@dataclass(frozen=True)
class SignedRoot:
    """A deposit's newest root, and the signed documents it follows from.

    `change` is the newest RecordWithdrawal or RecordReplacement, None before the first; `number` is that document's."""

    deposit_id: bytes
    root: bytes
    records: int
    declaration: str
    change: str | None
    number: int


def signed_root(connection: Connection, deposit: rows.StoredDeposit) -> SignedRoot:
    """The root that holds now. Raises Conflict unless all records of the deposit are here."""
    _require_whole(deposit)
    number = changes.number_of_changes(connection, deposit.deposit_number)
    newest = changes.change(connection, deposit.deposit_number, number) if number else None
    frontier = Frontier.from_bytes(deposit.frontier)
    return SignedRoot(
        deposit_id=deposit.deposit_id,
        root=frontier.root(),
        records=frontier.size,
        declaration=deposit.declaration,
        change=None if newest is None else newest.document,
        number=number,
    )


def inclusion(connection: Connection, deposit: rows.StoredDeposit, token: bytes) -> RecordInclusion:
    """One record's path under the newest root. Errors as `inclusions`, which walks the rows once for many."""
    return inclusions(connection, deposit, (token,))[token]


def inclusions(
    connection: Connection, deposit: rows.StoredDeposit, tokens: Collection[bytes]
) -> dict[bytes, RecordInclusion]:
    """The paths of some records under the newest root, by token; one walk over all rows, some 13 seconds a million.

    Raises NotFound (a token the deposit does not hold), Conflict (as `signed_root`), or Unavailable when the rows do
    not give the root that was signed: nothing of the deposit may be released then."""
    _require_whole(deposit)
    wanted, walk = set(tokens), InclusionWalk()
    found: dict[bytes, int] = {}
    for token, version, sealed in rows.all_records(connection, deposit.deposit_number):
        if token in wanted:
            found[token] = walk.frontier.size
        walk.append(leaf_hash(sealing.record_leaf(token, sealed, version)), watch=token in wanted)
    if walk.frontier.to_bytes() != deposit.frontier:
        raise Unavailable("The stored records do not give the root that was signed. Nothing was disclosed.")
    if wanted - set(found):
        raise NotFound("The deposit holds no record of one of these tokens.")
    paths = walk.paths()
    return {token: RecordInclusion(index=index, path=paths[index]) for token, index in found.items()}


def derived(connection: Connection, deposit_number: int) -> Frontier:
    """The tree over the rows as they stand in this transaction."""
    frontier = Frontier()
    for token, version, sealed in rows.all_records(connection, deposit_number):
        frontier.append(leaf_hash(sealing.record_leaf(token, sealed, version)))
    return frontier


def _require_whole(deposit: rows.StoredDeposit) -> None:
    if deposit.state not in WHOLE_STATES:
        raise Conflict("The deposit is not complete, is withdrawn, or its retention is over.")
