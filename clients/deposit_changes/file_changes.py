"""What differs between a nightly file and what is deposited, and whether that is too much to be meant.

Rule (decision 0036): a file that would change much at once is refused unless that is said to be meant: half an export
must not take back the other half. What differs is found by `clients.deposit_changes.index_comparison`, in one reading
of the file and of the indexes; memory is in proportion to the change.

It changes nothing: see `clients.deposit_changes.syncing`.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from broker.protocol.errors import BadInput
from clients.deposit_changes.index_comparison import compare
from clients.depositing import deposit_index
from clients.depositing.masked_deposit import Row
from clients.vault import Vault

LARGE_SHARE = 10
"""One in so many changed is a large change, and not meant unless it is said."""
_SMALL = 100
"""So few are no large change, unless more than half of what is deposited would go."""


@dataclass
class Found:
    """What differs: hashes of new rows, tokens gone by deposit, changed rows by deposit."""

    new: set[bytes] = field(default_factory=set)
    gone: dict[bytes, list[bytes]] = field(default_factory=dict)
    replaced: dict[bytes, list[Row]] = field(default_factory=dict)
    renamed: int = 0
    """Records without payload that only this home calls otherwise now."""


class Limits:
    """How much of so many deposited identifiers may change without a word that it is meant."""

    def __init__(self, deposited: int) -> None:
        self._most_changed = max(_SMALL, deposited // LARGE_SHARE)
        # One that goes is never half an export.
        self._most_gone = max(1, deposited // 2)
        self._changed = self._gone = 0

    def count(self, *, gone: bool) -> None:
        """Count one that is gone, or has other content. Raises BadInput where it is one too many."""
        self._changed += 1
        self._gone += gone
        if self._changed > self._most_changed:
            raise BadInput(
                f"More than {self._most_changed:,} of the identifiers deposited are not in this file, or have other "
                "content in it, so nothing was changed. If the export is whole and this is meant, add --large-change. "
                "Content that names the file changes with the file's name: then give --source each night."
            )
        if self._gone > self._most_gone:
            raise BadInput(
                "More than half of the identifiers deposited are not in this file, so nothing was changed. If the "
                "export is whole and this is meant, add --large-change."
            )


def find(
    vault: Vault,
    deposit_ids: Iterable[bytes],
    rows: Iterable[Row],
    *,
    with_payload: bool,
    limits: Limits | None,
    untouched: Collection[bytes],
    leaving: Collection[bytes],
    check: Callable[[Row], None],
) -> Found:
    """What differs between deposits, together, and rows in order of their salted hashes.

    Args:
        with_payload: whether records have content that may differ; else what they are called here may.
        limits: None where a large change is meant.
        untouched, leaving: as of `clients.deposit_changes.syncing`.
        check: raises for a row that may not go in.

    Raises BadInput (a large change), NotFound (a deposit without an index), VerificationFailed, or what `check` does.
    """
    found = Found()
    indexes = [(each, deposit_index.rows(vault, each)) for each in deposit_ids]
    for each in compare(rows, indexes, with_payload=with_payload):
        if each.row is not None:
            check(each.row)
        if each.place is None:
            if each.row is not None:
                found.new.add(each.row.salted_hash)
            continue
        if each.row is None and each.place.key in untouched:
            continue
        if each.row is None:
            found.gone.setdefault(each.place.deposit_id, []).append(each.place.token)
        elif not with_payload:
            found.renamed += 1
            continue
        else:
            found.replaced.setdefault(each.place.deposit_id, []).append(each.row)
        if limits is not None and not (each.row is None and each.place.key in leaving):
            limits.count(gone=each.row is None)
    return found
