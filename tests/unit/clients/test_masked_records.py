"""Masked records on disk: sorted, counted, rooted, and cut into the same batches each time."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import merkle, sealing
from broker.protocol.errors import BadInput
from broker.protocol.messages.deposits import Record, decode_batch
from clients import masked_records
from clients.vault import Vault, create_vault

SIZE_CLASS = 512


def _record(token: bytes) -> Record:
    return Record(token, 1, token[:1] * (SIZE_CLASS + 28))


def _decoded(vault: Vault, masked: masked_records.MaskedRecords, start: int = 0) -> list[Record]:
    batches = masked_records.remaining(vault, masked, start)
    return [record for _, data in batches for record in decode_batch(data, SIZE_CLASS)]


@settings(max_examples=25)
@given(tokens=st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=30, unique=True))
def test_records_in_any_order_give_one_file_and_one_root(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[bytes]
) -> None:
    vault = create_vault(tmp_path_factory.mktemp("home"), os.urandom)
    there = masked_records.write_sorted(vault, "deposits/a", map(_record, tokens), SIZE_CLASS)
    back = masked_records.write_sorted(vault, "deposits/b", map(_record, reversed(tokens)), SIZE_CLASS)
    assert vault.read("deposits/a") == vault.read("deposits/b")
    assert there.root == back.root
    expected = [_record(token) for token in sorted(tokens)]
    assert _decoded(vault, there) == expected
    leaves = [
        merkle.leaf_hash(sealing.record_leaf(token, sealed, version)) for token, version, sealed in expected
    ]
    assert there.root == merkle.root_of(leaves)


def test_a_token_that_comes_twice_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    with pytest.raises(BadInput, match="twice"):
        masked_records.write_sorted(vault, "deposits/a", [_record(bytes(16))] * 2, SIZE_CLASS)
    assert vault.names("deposits") == ()


def test_an_upload_goes_on_at_the_batch_it_is_told(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    per_batch = masked_records.per_batch(SIZE_CLASS)
    tokens = [number.to_bytes(16, "big") for number in range(2 * per_batch + 3)]
    masked = masked_records.write_sorted(vault, "deposits/a", map(_record, tokens), SIZE_CLASS)
    numbered = list(masked_records.remaining(vault, masked, 0))
    assert [number for number, _ in numbered] == [0, 1, 2]
    assert all(len(data) <= masked_records.BATCH_BYTES for _, data in numbered)
    assert list(masked_records.remaining(vault, masked, 1)) == numbered[1:]
    assert [record.token for record in _decoded(vault, masked)] == tokens
