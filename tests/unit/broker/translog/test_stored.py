"""Entries opened one by one: what is wrong with each is told, and that a clock went back the log has to say itself."""

from collections.abc import Sequence

import pytest

from broker.audit.records import ClockWentBack, DepositCompleted
from broker.protocol import leaves
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, encode
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.storage import Head
from broker.translog.stored import Entry, Finding, Forms, StoredEntry, open_entry, rows_of, walk

DEPOSIT = DepositCompleted(deposit_id=bytes(32), records=1, root=bytes(32))
STEP = ClockWentBack(index=1, from_at=1000, to_at=500)
FORMS: Forms = {RecordKind.DEPOSIT_COMPLETED: DepositCompleted, RecordKind.CLOCK_WENT_BACK: ClockWentBack}


def stored(index: int, at: int, record: Message = DEPOSIT, kind: str | None = None) -> StoredEntry:
    named = RecordKind.CLOCK_WENT_BACK if isinstance(record, ClockWentBack) else RecordKind.DEPOSIT_COMPLETED
    made = leaves.compose(kind or named, at, encode(record), bytes(32))
    return StoredEntry(index, made.leaf, True, made.record, made.salt)


def findings(rows: Sequence[StoredEntry]) -> list[str]:
    walked = list(walk(rows, Head(len(rows), bytes(32)), FORMS))
    assert sum(isinstance(each, Entry) for each in walked) <= len(rows)
    return [str(each) for each in walked if isinstance(each, Finding)]


UNTOLD = (
    "log entry 1 (DEPOSIT_COMPLETED): its time is well before that of the entry before it, and no entry says"
)


@pytest.mark.parametrize(
    ("rows", "untold"),
    [
        ([stored(0, 1000), stored(1, 940)], False),
        ([stored(0, 1000), stored(1, 500), stored(2, 500, STEP), stored(3, 501)], False),
        ([stored(0, 1000), stored(1, 500)], True),
        ([stored(0, 1000), stored(1, 500), stored(2, 500)], True),
        ([stored(0, 1000), stored(1, 500), stored(3, 500, STEP)], True),
    ],
    ids=["a little", "told of", "at the end", "another entry follows", "the entry that told of it is gone"],
)
def test_a_clock_that_went_back_is_told_of_by_the_very_next_entry(
    rows: list[StoredEntry], untold: bool
) -> None:
    found = findings(rows)
    assert [each[: len(UNTOLD)] for each in found] == ([UNTOLD] if untold else [])


def test_an_entry_that_cannot_be_read_is_told_once_and_the_next_is_read() -> None:
    broken = StoredEntry(1, b"{}", True, b"{}", bytes(32))
    (finding,) = findings([stored(0, 1000), broken, stored(2, 400)])
    assert finding.startswith("log entry 1: ")


def test_a_kind_that_the_service_does_not_write_is_no_entry_of_it() -> None:
    for kind in (RecordKind.EVALUATED.value, "SOMETHING_ELSE"):
        with pytest.raises(BadInput, match="no service of this sort"):
            open_entry(stored(0, 1, kind=kind), FORMS)


def test_a_log_of_seven_entries_has_so_many_rows() -> None:
    assert rows_of(Head(7, bytes(32))) == {"log_leaves": 7, "log_records": 7}
