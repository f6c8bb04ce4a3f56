"""The choice of a reader by a file's ending."""

from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.readers import Signal, read_file


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.tsv", "a.txt", "a.ndjson", "a.jsonl"])
def test_a_file_is_read_by_its_ending(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(
        '{"phone":"+447700900123"}\n' if "j" in name else "phone\n+447700900123\n", encoding="utf-8"
    )
    rows = list(read_file(path))
    assert [row.canonical.value for row in rows if isinstance(row, Signal)] == ["+447700900123"]


def test_an_ending_without_a_reader_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        BadInput, match=r"\.csv, \.json, \.jsonl, \.misp, \.ndjson, \.ods, \.parquet"
    ) as refusal:
        read_file(Path("447700900123.pdf"))
    assert "7700900123" not in refusal.value.detail
