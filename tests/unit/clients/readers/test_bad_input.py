"""Files that nobody should have to wait for: each is refused, or read, in bounded memory and with a clear report.

Memory is measured in a process of its own (`tests.bounded_memory`). Two gigabytes are a hole in a file, which takes no
room on the disk.
"""

import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from clients.readers.text_lines import MAXIMUM_SKIPPED_BYTES
from tests.bounded_memory import Outcome, read_apart
from tests.unit.clients.readers.spreadsheets import test_ods_file as ods
from tests.unit.clients.readers.spreadsheets.test_excel_file import (
    SHEET,
    repacked,
    rows_of,
    sheet_xml,
    written,
)

pytestmark = pytest.mark.all_only

BOUND = 40
"""MB that reading may add to what the imports take."""
TWO_GIGABYTES = 2 * 1024**3
GENERATOR = random.Random(6)


def check(outcome: Outcome, words: str) -> None:
    assert words in outcome.error
    assert outcome.grown < BOUND


@pytest.mark.parametrize(
    ("name", "start", "words"),
    [
        ("zeros.csv", lambda: b"", "no line break"),
        ("rows-then-zeros.csv", lambda: b"phone\n" + b"+447700900123\n" * 50, "no line break"),
        ("bytes.csv", lambda: b"phone\n" + GENERATOR.randbytes(8 * 1024**2), "not UTF-8"),
        ("late-bytes.csv", lambda: b"phone\n" + b"\n" * 70_000 + GENERATOR.randbytes(8 * 1024**2), "damaged"),
        ("words.csv", lambda: b"phone\n" + b"an ordinary text\n" * 110_000, "identifiers in a row"),
        ("empty-lines.csv", lambda: b"phone\n" + b"\n" * 1_100_000, "only empty lines"),
        ("quotes.csv", lambda: b"phone\n" + b'"a\n' * 200_000, "damaged"),
        ("no.ndjson", lambda: b"[1,\n" * 200_000, "damaged"),
    ],
)
def test_two_gigabytes_of_garbage_are_given_up_early(
    tmp_path: Path, name: str, start: Callable[[], bytes], words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(start())
    os.truncate(path, TWO_GIGABYTES)
    check(read_apart(path), words)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_field_of_a_hundred_megabytes_costs_its_row_only(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "field.csv"
    with path.open("wb") as file:
        file.write("\ufeffphone,note\n+447700900123,a\n+447700900124,".encode(encoding))
        for _ in range(100):
            file.write(("x" * 1024**2).encode(encoding))
        file.write("\n+447700900125,b\n".encode(encoding))
    outcome = read_apart(path)
    check(outcome, "")
    assert (outcome.signals, outcome.refused) == (2, 1)
    assert MAXIMUM_SKIPPED_BYTES > 200 * 1024**2


WIDE = [f"column {number}" for number in range(10_000)]


def wide_workbook(path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(WIDE)
    sheet.append(["x"] * len(WIDE))
    book.save(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("wide.csv", lambda path: path.write_text(",".join(WIDE) + "\n" + "x," * len(WIDE) + "\n")),
        ("wide.xlsx", wide_workbook),
        (
            "wide.parquet",
            lambda path: pyarrow.parquet.write_table(pyarrow.table({name: ["x"] for name in WIDE}), path),
        ),
    ],
)
def test_ten_thousand_columns_are_counted_and_refused(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    write(tmp_path / name)
    check(read_apart(tmp_path / name), "10,000 columns")


def test_json_lines_of_ten_thousand_members_cost_themselves_alone(tmp_path: Path) -> None:
    path = tmp_path / "wide.ndjson"
    with path.open("w") as file:
        for line in range(50):
            file.write(json.dumps({"phone": "+447700900123"} | {f"{name} {line}": 1 for name in WIDE}) + "\n")
        file.write('{"phone": "+447700900123"}\n')
    outcome = read_apart(path)
    check(outcome, "")
    assert (outcome.signals, outcome.refused) == (1, 50)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b" " * 900_000_000, "memory"),
        (lambda: sheet_xml("<row/>" * 30_000_000), "memory"),
        (
            lambda: sheet_xml("".join(f'<row r="{n}"/>' for n in [*range(1, 250_000), 1_048_577])),
            "save it anew",
        ),
    ],
)
def test_a_workbook_that_unpacks_to_hundreds_of_megabytes_is_not_kept(
    tmp_path: Path, content: Callable[[], bytes], words: str
) -> None:
    path = repacked(written(tmp_path, rows_of(["phone"])), {SHEET: content()})
    check(read_apart(path), words)


def test_a_workbook_of_many_rows_is_streamed(tmp_path: Path) -> None:
    head = '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>'
    rows = "".join(
        f'<row r="{n}" ht="15" customHeight="1"><c r="A{n}"><v>{447700900000 + n % 1000}</v></c></row>'
        for n in range(2, 10_002)
    )
    path = repacked(written(tmp_path, rows_of(["phone"])), {SHEET: sheet_xml(head + rows)})
    outcome = read_apart(path)
    check(outcome, "")
    assert outcome.signals == 10_000


def test_an_archive_of_too_many_parts_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "parts.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(60_000):
            archive.writestr(f"xl/{number}.xml", b"")
    check(read_apart(path), "save it anew")


def test_an_opendocument_sheet_of_many_rows_is_read_in_little_memory(tmp_path: Path) -> None:
    cells = (ods.text(f"+4477009{GENERATOR.randrange(10**5):05}") for _ in range(60_000))
    rows = (ods.row(cell, ods.text(GENERATOR.randbytes(20).hex())) for cell in cells)
    sheet = ods.sheet(ods.row(ods.text("phone"), ods.text("note")), *rows)
    outcome = read_apart(ods.written(tmp_path, ods.content(sheet)))
    assert (outcome.signals + outcome.refused, outcome.error) == (60_000, "")
    assert outcome.grown < BOUND


def test_a_few_bytes_that_stand_for_fifty_thousand_rows_take_no_memory(tmp_path: Path) -> None:
    repeated = ods.row(ods.text("+447700900123"), more=' table:number-rows-repeated="50000"')
    outcome = read_apart(ods.written(tmp_path, ods.content(ods.sheet(ods.row(ods.text("phone")), repeated))))
    assert outcome.signals == 50_000
    assert outcome.grown < BOUND
