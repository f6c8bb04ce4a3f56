"""A title above the names of columns: pointed out, never skipped in silence; read where a person says the line."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from broker.protocol.errors import BadInput
from clients.readers import Reading, RefusedRow, Signal, read_file
from clients.readers.columns.header_row import MAXIMUM_HEADER_ROW

ROWS: list[list[Any]] = [["Cases 2026"], [], ["Handy", "Note"], ["+447700900123", "a"], ["12", "b"]]


def workbook(folder: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / "titled.xlsx")
    return folder / "titled.xlsx"


def semicolons(folder: Path, rows: list[list[Any]]) -> Path:
    path = folder / "titled.csv"
    path.write_text("".join(";".join(map(str, row)) + "\n" for row in rows))
    return path


def padded(folder: Path, rows: list[list[Any]]) -> Path:
    """As Excel writes CSV: each line with as many cells as the widest."""
    return semicolons(folder, [[*row, *[""] * (3 - len(row))] for row in rows])


Written = Callable[[Path, list[list[Any]]], Path]
each_format = pytest.mark.parametrize("written", [workbook, semicolons, padded])


def read(path: Path, header_row: int | None) -> tuple[list[Signal], list[RefusedRow], list[str]]:
    remarks: list[str] = []
    items = list(read_file(path, Reading(header_row=header_row, say=remarks.append)))
    signals = [item for item in items if isinstance(item, Signal)]
    return signals, [item for item in items if isinstance(item, RefusedRow)], remarks


@each_format
def test_the_line_that_a_person_names_is_read_and_lines_keep_their_numbers(
    tmp_path: Path, written: Written
) -> None:
    signals, refused, remarks = read(written(tmp_path, ROWS), 3)
    assert [(each.line, each.canonical.value, each.attributes) for each in signals] == [
        (4, "+447700900123", (("Note", "a"),))
    ]
    assert [row.line for row in refused] == [5]
    assert remarks == ["The columns are named in line 3. What stands above it was left out."]


@each_format
def test_without_it_the_file_is_refused_with_the_line_and_what_to_say(
    tmp_path: Path, written: Written
) -> None:
    path = written(tmp_path, ROWS)
    with pytest.raises(BadInput, match=r"line 3 seems to\..*--header-row 3 ") as refusal:
        read(path, None)
    assert "Cases" not in refusal.value.detail


@each_format
@pytest.mark.parametrize(
    "title",
    [
        ["Phone"],  # is itself what people call a column
        ["Report", "2026-01-02"],  # holds what looks like an identifier
        ["Helpline", "+44 7700 900199"],
    ],
)
def test_a_title_that_looks_like_names_or_like_an_identifier_is_pointed_out_too(
    tmp_path: Path, written: Written, title: list[str]
) -> None:
    path = written(tmp_path, [title, ["Name", "Phone", "Town"], ["A", "+447700900123", "Leeds"]])
    with pytest.raises(BadInput, match="--header-row 2 ") as refusal:
        read(path, None)
    assert "900199" not in refusal.value.detail
    (signal,), _, _ = read(path, 2)
    assert signal.canonical.value == "+447700900123"


@each_format
@pytest.mark.parametrize("line", [2, 6, 900])
def test_a_line_that_is_empty_or_not_there_is_refused(tmp_path: Path, written: Written, line: int) -> None:
    if written is padded and line == 2:
        # A line of semicolons alone has no names either.
        with pytest.raises(BadInput, match="No column"):
            read(written(tmp_path, ROWS), line)
        return
    with pytest.raises(BadInput, match=f"--header-row {line} names a line that is empty"):
        read(written(tmp_path, ROWS), line)


@each_format
def test_a_line_of_values_is_no_line_of_names(tmp_path: Path, written: Written) -> None:
    with pytest.raises(BadInput, match=r"Line 4 holds an identifier in column 1 and not") as refusal:
        read(written(tmp_path, ROWS), 4)
    assert "7700900" not in refusal.value.detail


@each_format
def test_the_first_line_may_be_named_and_nothing_is_said_of_it(tmp_path: Path, written: Written) -> None:
    signals, refused, remarks = read(written(tmp_path, ROWS[2:]), 1)
    assert (len(signals), len(refused), remarks) == (1, 1, [])


def test_a_row_with_a_cell_too_many_is_no_line_of_names(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("phone,app\n+447700900123,Telegram\n+447700900124,Telegram,x\n")
    signals, refused, _ = read(path, None)
    assert [each.line for each in signals] == [2]
    assert [each.line for each in refused] == [3]


def test_a_title_in_another_encoding_and_a_declared_delimiter_stand_above(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"sep=;\n" + b"x" * 70_000 + b"\n\xff\xfe title\nphone;note\n+447700900123;a,b\n")
    (signal,), _, remarks = read(path, 4)
    assert signal.attributes == (("note", "a,b"),)
    assert "line 4" in remarks[0]


def test_a_date_in_the_title_row_of_a_workbook_is_no_name_and_no_obstacle(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["As of", datetime.date(2026, 1, 2)], ["Phone"], ["+447700900123"]])
    with pytest.raises(BadInput, match="--header-row 2 "):
        read(path, None)
    assert len(read(path, 2)[0]) == 1


def test_what_has_no_line_of_names_takes_no_header_row(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"phone": ["+447700900123"]}), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="Parquet file names its columns itself"):
        read(tmp_path / "a.parquet", 1)
    for wrong in (0, -1, MAXIMUM_HEADER_ROW + 1):
        with pytest.raises(BadInput, match="from 1 to 1,000"):
            read(semicolons(tmp_path, ROWS), wrong)
