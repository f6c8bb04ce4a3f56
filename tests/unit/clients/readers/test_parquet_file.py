"""Parquet streams, and what it cannot say in one value is refused."""

import contextlib
import datetime
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from broker.protocol.errors import BadInput
from clients.readers import ColumnMapping, Reading, RefusedRow, Signal, read_file, read_parquet


def written(folder: Path, columns: dict[str, object], **options: object) -> Path:
    path = folder / "table.parquet"
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def test_rows_are_read_over_row_groups_and_numbered_from_one(tmp_path: Path) -> None:
    numbers = [f"+4477009{number:05d}" for number in range(2100)]
    path = written(tmp_path, {"phone": numbers, "note": ["x"] * 2100}, row_group_size=700)
    signals = [row for row in read_file(path) if isinstance(row, Signal)]
    assert [signal.canonical.value for signal in signals] == numbers
    assert [signal.line for signal in signals] == list(range(1, 2101))


def test_numbers_dates_and_missing_values_are_what_they_are(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "msisdn": [447700900123, None, 15],
            "mobile": [447700900124.0, None, 4.5],
            "seen": [datetime.date(2026, 1, 2), None, None],
            "weight": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
        },
    )
    rows = list(read_parquet(path, default_region="gb"))
    signals = [row for row in rows if isinstance(row, Signal)]
    assert [signal.canonical.value for signal in signals] == ["+447700900123", "+447700900124"]
    assert signals[0].attributes == (("seen", "2026-01-02"), ("weight", "a"))
    refused = [(row.line, row.column) for row in rows if isinstance(row, RefusedRow)]
    assert refused == [(2, None), (3, 1), (3, 2)]


def test_a_nested_column_is_refused_in_words_unless_it_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, {"phone": ["+447700900123"], "tags": [["+447700900124"]]})
    with pytest.raises(BadInput, match="Column 2 holds lists") as refusal:
        list(read_file(path))
    assert "7700900" not in refusal.value.detail
    mapping = ColumnMapping(identifiers=(("phone", "phone"),), ignored=("Tags",))
    (signal,) = read_file(path, Reading(mapping))
    assert isinstance(signal, Signal)
    assert signal.attributes == ()


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    column = pyarrow.array(["+447700900123"])
    parquet.write_table(pyarrow.Table.from_arrays([column, column], names=["phone", "phone"]), path)
    with pytest.raises(BadInput, match="two columns of one name"):
        list(read_file(path))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"phone\n+447700900123\n", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_a_file_that_is_not_parquet_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not Parquet") as refusal:
        list(read_file(path))
    assert "7700900" not in refusal.value.detail


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no row"):
        list(read_file(written(tmp_path, {"phone": pyarrow.array([], pyarrow.string())})))


@given(st.integers(0, 2**32), st.integers(1, 255))
def test_a_damaged_file_gives_rows_refusals_or_a_plain_refusal(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    path = written(
        tmp_path_factory.getbasetemp(), {"phone": ["+447700900123"] * 9, "note": list("abcdefghi")}
    )
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= change
    path.write_bytes(data)
    with contextlib.suppress(BadInput):
        list(read_file(path))


def test_numbers_that_lost_digits_in_a_column_of_fractions_are_refused(tmp_path: Path) -> None:
    columns = {
        "phone": pyarrow.array([447700900123.0, 4.47701e11, None, 4.477009001234567e18], pyarrow.float64()),
        "mobile": pyarrow.array([447700900124.0, None, 12345.0, None], pyarrow.float32()),
        "seen": pyarrow.array([2.5, None, 3.0, None], pyarrow.float32()),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    rows = list(read_parquet(tmp_path / "a.parquet", default_region="GB"))
    signals = [row for row in rows if isinstance(row, Signal)]
    assert [(row.line, row.canonical.value, row.attributes) for row in signals] == [
        (1, "+447700900123", (("seen", "2.5"),))
    ]
    refused = {(row.line, row.column): row.reason for row in rows if isinstance(row, RefusedRow)}
    assert refused.keys() == {(1, 2), (2, 1), (3, 2), (4, 1)}
    # 32 bits keep seven digits: what stands there is another's number.
    assert all("power of ten" in refused[place] for place in ((1, 2), (2, 1)))
    assert "15 digits" in refused[4, 1]
