"""Take over what a file calls its records now, where the records themselves are as they were: nothing is sent.

Rule (DESIGN 2.8): the local reference says whose record it is, so that what one person gave can be followed and taken
back. A record without payload holds no reference: when a row's is corrected, the home's own list alone tells, and must
do so before anybody withdraws by it. Rows are found by the index, side by side with the file, as many at a time as
memory allows. A crash in between leaves the rest to the next run.

Records with payload hold their reference, so another one is other content: see `clients.deposit_changes.replacing`.
"""

from collections.abc import Iterable, Iterator, Sequence

from clients.deposit_changes.index_comparison import compare
from clients.depositing import deposit_index, local_references
from clients.depositing.deposit_index import reference_digest
from clients.depositing.masked_deposit import Row
from clients.vault import Vault

_AT_ONCE = 50_000
"""References held in memory, some 15 MB."""


def take_over(vault: Vault, deposits: Sequence[bytes], rows: Iterable[Row]) -> None:
    """Let the lists of deposits without payload call the records of these rows as the rows do; others stay as they are.

    Args:
        rows: in order of the salted hashes, once each.

    Again, it changes nothing, nor does it where no references are kept. Raises VerificationFailed (a damaged list)."""
    held: dict[bytes, dict[bytes, str]] = {}
    for count, (deposit_id, token, reference) in enumerate(_renamed(vault, deposits, rows), start=1):
        held.setdefault(deposit_id, {})[token] = reference
        if count % _AT_ONCE == 0:
            _keep(vault, held)
            held = {}
    _keep(vault, held)


def _renamed(
    vault: Vault, deposits: Sequence[bytes], rows: Iterable[Row]
) -> Iterator[tuple[bytes, bytes, str]]:
    indexes = [
        (deposit_id, deposit_index.rows(vault, deposit_id))
        for deposit_id in deposits
        if vault.exists(local_references.references_name(deposit_id))
        and vault.exists(deposit_index.index_name(deposit_id))
    ]
    for each in compare(rows, indexes, with_payload=False):
        if each.row is not None and each.place is not None and each.row.reference is not None:
            yield each.place.deposit_id, each.place.token, each.row.reference


def _keep(vault: Vault, renamed: dict[bytes, dict[bytes, str]]) -> None:
    for deposit_id, texts in renamed.items():
        local_references.change(vault, deposit_id, new=texts)
        # Last: a row that is not taken over yet still differs.
        digests = {token: reference_digest(text) for token, text in texts.items()}
        deposit_index.change(vault, deposit_id, new=digests)
