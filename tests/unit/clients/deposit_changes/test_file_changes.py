"""What differs between a file and two deposits' indexes, and how much of it may differ unsaid."""

from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, NotFound
from clients.deposit_changes.file_changes import Found, Limits, find
from clients.depositing import deposit_index
from clients.depositing.deposit_index import IndexRow, content_digest, reference_digest
from clients.depositing.masked_deposit import Row
from clients.vault import Vault, create_vault

FIRST, SECOND = bytes(32), bytes([1]) * 32


def _key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _rows(numbers: Iterable[int], content: bytes = b"{}") -> list[Row]:
    return [Row(_key(number) * 2, content, f"H-{number}") for number in numbers]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """One deposit of numbers below 200, one of those from there to 300, each record's token its key."""
    made = create_vault(tmp_path, bytes)
    for deposit_id, numbers in ((FIRST, range(200)), (SECOND, range(200, 300))):
        rows = (IndexRow(_key(each), _key(each), content_digest(b"{}")) for each in numbers)
        deposit_index.write(made, deposit_id, rows)
    return made


def _found(
    vault: Vault,
    rows: Iterable[Row],
    limits: Limits | None = None,
    untouched: Collection[bytes] = (),
    leaving: Collection[bytes] = (),
    *,
    with_payload: bool = True,
) -> Found:
    return find(
        vault,
        (FIRST, SECOND),
        rows,
        with_payload=with_payload,
        limits=limits,
        untouched=untouched,
        leaving=leaving,
        check=lambda _: None,
    )


def test_what_is_new_gone_and_of_other_content_is_told_by_deposit(vault: Vault) -> None:
    rows = sorted([*_rows(range(2, 299)), *_rows([400])])
    rows[10] = rows[10]._replace(plaintext=b"other")
    found = _found(vault, rows)
    assert found.new == {_key(400) * 2}
    assert found.gone == {FIRST: [_key(0), _key(1)], SECOND: [_key(299)]}
    assert found.replaced == {FIRST: [rows[10]]}


def test_what_is_untouched_is_not_gone(vault: Vault) -> None:
    assert _found(vault, _rows(range(298)), untouched={_key(298)}).gone == {SECOND: [_key(299)]}


def test_more_than_a_hundred_or_a_tenth_or_half_is_refused_unless_it_is_meant(vault: Vault) -> None:
    assert len(_found(vault, _rows(range(100, 300)), Limits(300)).gone[FIRST]) == 100
    with pytest.raises(BadInput, match="More than 100 "):
        _found(vault, _rows(range(101, 300)), Limits(300))
    with pytest.raises(BadInput, match="More than half"):
        _found(vault, _rows(range(60, 300)), Limits(100))
    assert len(_found(vault, _rows(range(101, 300))).gone[FIRST]) == 101
    limits = Limits(2_000)
    for _ in range(200):
        limits.count(gone=False)
    with pytest.raises(BadInput, match="More than 200 "):
        limits.count(gone=False)


def test_what_is_meant_to_leave_is_gone_and_not_counted(vault: Vault) -> None:
    leaving = {_key(each) for each in range(50)}
    assert len(_found(vault, _rows(range(150, 300)), Limits(300), leaving=leaving).gone[FIRST]) == 150


def test_without_payload_another_name_is_no_change(vault: Vault) -> None:
    called = (IndexRow(_key(each), _key(each), reference_digest(f"H-{each}")) for each in range(200))
    deposit_index.write(vault, FIRST, called)
    rows = [row._replace(reference="H-1") for row in _rows(range(300))]
    found = _found(vault, rows, Limits(300), with_payload=False)
    assert (found.gone, found.replaced, found.renamed) == ({}, {}, 299)


def test_a_new_row_that_may_not_go_in_is_found_and_so_is_a_missing_index(vault: Vault) -> None:
    def refuse(row: Row) -> None:
        raise BadInput("Agreed to less.")

    with pytest.raises(BadInput, match="Agreed to less"):
        find(
            vault,
            (FIRST,),
            _rows([400]),
            with_payload=True,
            limits=None,
            untouched=(),
            leaving=(),
            check=refuse,
        )
    vault.erase(deposit_index.index_name(SECOND))
    with pytest.raises(NotFound, match="no index"):
        _found(vault, _rows(range(300)))
