"""Every deposit's records against the root its contributor signed, and what must be gone of those that are gone.

Rule (DESIGN 2.3, decisions 0006 and 0008): the rows of a whole deposit, in order of their tokens, give the root of the
newest signed statement; while it is uploaded, that of its running tree. Of a deposit that is withdrawn or expired no
record, match or sketch is left. No token is ever told.
"""

from collections.abc import Callable, Iterator

from broker.protocol import sealing
from broker.protocol.documents import unverified_payload
from broker.protocol.errors import BadInput, NarrowgateError
from broker.protocol.merkle import Frontier, leaf_hash
from broker.protocol.messages.deposits import SEAL_OVERHEAD_BYTES, TOKEN_BYTES, DepositDeclaration
from broker.protocol.messages.roots import RecordReplacement, RecordWithdrawal, RootChange
from broker.recovery.findings import Finding, named
from broker.roots import WHOLE_STATES
from broker.store import deposits as rows
from broker.store import whole
from broker.store.database import Connection

_GONE_WITH_IT = ("records", "batches", "matches", "counted_sets", "released_records", "told_records")


def check(connection: Connection, progress: Callable[[str, int, int], None]) -> Iterator[Finding]:
    """Every deposit, and rows that belong to none."""
    total = whole.number(connection, "deposits")
    for done, deposit in enumerate(whole.rows(connection, "deposits")):
        progress("deposits", done, total)
        if deposit["state"] in rows.GONE_STATES:
            yield from _gone(connection, deposit)
        else:
            yield from _held(connection, deposit)
        yield from _numbered(connection, deposit)
    for table in (*_GONE_WITH_IT, "root_changes", "release_asks"):
        for stray in whole.strays(connection, table, "deposit_number", "deposits"):
            yield Finding(
                named(table, {"deposit_number": stray}), "there is no such deposit: no entry explains it."
            )
    for series_id in whole.strays(connection, "deposits", "series_id", "series"):
        yield Finding(named("deposits", {"series_id": series_id}), "there is no such series.")


def _gone(connection: Connection, deposit: whole.Row) -> Iterator[Finding]:
    number = deposit["deposit_number"]
    for table in _GONE_WITH_IT:
        left = whole.number(connection, table, deposit_number=number)
        if left:
            yield Finding(
                named("deposits", deposit),
                f"is {deposit['state']}, and table {table} still has {left:,} rows of it. Personal data that should "
                "be gone: take them out, and tell the contributor.",
            )
    asked = whole.some(connection, "release_asks", deposit_number=number)
    if deposit["frontier"] or any(each["tokens"] for each in asked):
        yield Finding(named("deposits", deposit), f"is {deposit['state']}, and frontier or tokens are kept.")


def _held(connection: Connection, deposit: whole.Row) -> Iterator[Finding]:
    where, number = named("deposits", deposit), deposit["deposit_number"]
    frontier, wrong_size = Frontier(), 0
    for token, version, sealed in rows.all_records(connection, number):
        wrong_size += len(token) != TOKEN_BYTES or len(sealed) != deposit["size_class"] + SEAL_OVERHEAD_BYTES
        try:
            frontier.append(leaf_hash(sealing.record_leaf(token, sealed, version)))
        except (NarrowgateError, ValueError, OverflowError):
            yield Finding(where, "a record is of no form that can be in a tree.")
            return
    if wrong_size:
        yield Finding(where, f"{wrong_size:,} records are not of the deposit's size.")
    if frontier.size != deposit["records_stored"]:
        yield Finding(
            where, f"has {frontier.size:,} records, and says that it has {deposit['records_stored']:,}."
        )
    if frontier.to_bytes() != deposit["frontier"]:
        yield Finding(where, "its records do not give its frontier: some were changed, or are missing.")
    if deposit["state"] in WHOLE_STATES:
        try:
            signed = _signed_root(connection, deposit)
        except BadInput as error:
            yield Finding(where, error.detail)
            return
        if signed != (frontier.size, frontier.root()):
            yield Finding(where, "its records do not give the root that its contributor signed last.")
    batches = whole.some(connection, "batches", deposit_number=number)
    if sorted(each["batch_number"] for each in batches) != list(range(deposit["next_batch"])):
        yield Finding(where, "its batches are not those numbered up to next_batch.")


def _signed_root(connection: Connection, deposit: whole.Row) -> tuple[int, bytes]:
    """Number and root of the newest statement. Signatures are `broker.recovery.signed`'s."""
    changes = whole.some(connection, "root_changes", deposit_number=deposit["deposit_number"])
    if not changes:
        declared = unverified_payload(DepositDeclaration, deposit["declaration"])
        return declared.records, declared.root
    newest = max(changes, key=lambda each: int(each["number"]))["document"]
    said: RootChange
    try:
        said = unverified_payload(RecordWithdrawal, newest)
    except BadInput:
        said = unverified_payload(RecordReplacement, newest)
    return said.records, said.root


def _numbered(connection: Connection, deposit: whole.Row) -> Iterator[Finding]:
    changes = whole.some(connection, "root_changes", deposit_number=deposit["deposit_number"])
    if sorted(each["number"] for each in changes) != list(range(1, len(changes) + 1)):
        yield Finding(named("deposits", deposit), "its signed changes are not numbered from 1 without a gap.")
