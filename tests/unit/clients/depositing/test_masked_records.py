"""Masked records on disk: merged from sorted runs, counted, rooted, and cut into the same batches each time."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import merkle, sealing
from broker.protocol.errors import BadInput
from broker.protocol.messages.deposits import Record, decode_batch, encode_batch
from clients.depositing import masked_records
from clients.depositing.masked_records import MaskedRecords
from clients.vault import Vault, create_vault

SIZE_CLASS = 512


def _record(token: bytes) -> Record:
    return Record(token, 1, token[:1] * (SIZE_CLASS + 28))


def _written(vault: Vault, name: str, runs: Sequence[Sequence[bytes]]) -> MaskedRecords:
    paths = []
    for number, tokens in enumerate(runs):
        run = f"{name}-run-{number}"
        vault.write(run, encode_batch(map(_record, sorted(tokens))))
        paths.append(vault.path(run))
    return masked_records.write_merged(vault, name, paths, SIZE_CLASS)


def _decoded(vault: Vault, masked: MaskedRecords, first: int = 0) -> list[Record]:
    batches = masked_records.remaining(vault, masked, first)
    return [record for data in batches for record in decode_batch(data, SIZE_CLASS)]


@settings(max_examples=25)
@given(
    tokens=st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=150, unique=True),
    cuts=st.lists(st.integers(0, 150), max_size=4),
)
def test_records_in_whatever_runs_give_one_file_and_one_root(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[bytes], cuts: list[int]
) -> None:
    vault = create_vault(tmp_path_factory.mktemp("home"), os.urandom)
    whole = _written(vault, "deposits/a", [tokens])
    edges = sorted([0, *(min(cut, len(tokens)) for cut in cuts), len(tokens)])
    parts = [tokens[start:end] for start, end in itertools.pairwise(edges)]
    merged = _written(vault, "deposits/b", parts)
    assert vault.read("deposits/a") == vault.read("deposits/b")
    assert (whole.root, whole.records) == (merged.root, merged.records)
    expected = [_record(token) for token in sorted(tokens)]
    assert _decoded(vault, merged) == expected
    leaves = [
        merkle.leaf_hash(sealing.record_leaf(token, sealed, version)) for token, version, sealed in expected
    ]
    assert whole.root == merkle.root_of(leaves)


def test_a_token_that_comes_twice_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    with pytest.raises(BadInput, match="twice"):
        _written(vault, "deposits/a", [[bytes(16)], [bytes(16)]])
    assert not vault.exists("deposits/a")


def test_an_upload_goes_on_at_the_record_it_is_told(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    per_batch = masked_records.per_batch(SIZE_CLASS)
    tokens = [number.to_bytes(16, "big") for number in range(2 * per_batch + 3)]
    masked = _written(vault, "deposits/a", [tokens])
    batches = list(masked_records.remaining(vault, masked))
    assert len(batches) == 3
    assert all(len(data) <= masked_records.BATCH_BYTES for data in batches)
    assert list(masked_records.remaining(vault, masked, per_batch)) == batches[1:]
    assert masked_records.batch(vault, masked, 7, 2) == encode_batch(map(_record, tokens[7:9]))
    assert [record.token for record in _decoded(vault, masked, 5)] == tokens[5:]
