"""Workbooks as people keep them, and as nobody should send them."""

import datetime
import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from broker.protocol.errors import BadInput
from clients.readers import Reading, RefusedRow, Signal, read_excel, read_file
from clients.readers.spreadsheets.excel_package import MAXIMUM_PART_BYTES

DRAMA = "+447700900123"
SHEET = "xl/worksheets/sheet1.xml"


def written(folder: Path, fill: Callable[[Worksheet], object], name: str = "book.xlsx") -> Path:
    book = openpyxl.Workbook()
    fill(book.active)
    book.save(folder / name)
    return folder / name


def rows_of(*rows: list[Any]) -> Callable[[Worksheet], object]:
    return lambda sheet: [sheet.append(row) for row in rows]


def repacked(path: Path, changes: dict[str, bytes]) -> Path:
    """The workbook with some parts changed or added."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**parts, **changes}.items():
            archive.writestr(name, content)
    return path


def sheet_xml(rows: str) -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def with_sheet(folder: Path, rows: str) -> Path:
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>'
    return repacked(written(folder, rows_of(["x"])), {SHEET: sheet_xml(header + rows)})


def read(path: Path, **choices: Any) -> tuple[list[Signal], list[RefusedRow], list[str]]:
    remarks: list[str] = []
    rows = list(read_file(path, Reading(**choices, say=remarks.append)))
    signals = [row for row in rows if isinstance(row, Signal)]
    return signals, [row for row in rows if isinstance(row, RefusedRow)], remarks


# --- as people keep them ---


def test_text_numbers_and_dates_are_read_with_the_sheets_own_row_numbers(tmp_path: Path) -> None:
    day = datetime.datetime.fromisoformat("2026-01-02")
    path = written(
        tmp_path,
        rows_of(
            [],
            ["Telefon", "E-Mail", "gesehen"],
            [DRAMA, "a@example.org", day],
            [],
            [447700900124, None, "x"],
            [447700900125.0, None, 2.5],
        ),
    )
    signals = [row for row in read_excel(path, default_region="GB") if isinstance(row, Signal)]
    assert [(signal.line, signal.canonical.value, signal.attributes) for signal in signals] == [
        (3, DRAMA, (("gesehen", "2026-01-02"),)),
        (3, "a@example.org", (("gesehen", "2026-01-02"),)),
        (5, "+447700900124", (("gesehen", "x"),)),
        (6, "+447700900125", (("gesehen", "2.5"),)),
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (4.477009001234567e18, "15 digits"),
        ("4.477E+11", "power of ten"),
        (datetime.date(2026, 1, 2), "made a date"),
        (True, "TRUE or FALSE"),
        ("=A1&B1", "formula"),
        ("#N/A", "error"),
        (0.5, "fraction"),
    ],
)
def test_what_a_spreadsheet_spoilt_is_refused_with_its_row_column_and_reason(
    tmp_path: Path, value: object, words: str
) -> None:
    signals, refused, _ = read(written(tmp_path, rows_of(["note", "phone"], ["n", value], ["n", DRAMA])))
    assert [signal.line for signal in signals] == [3]
    assert [(row.line, row.column) for row in refused] == [(2, 2)]
    assert words in refused[0].reason
    assert "447" not in refused[0].reason


def test_a_title_above_the_names_is_said_with_the_row_where_they_stand(tmp_path: Path) -> None:
    rows: tuple[list[Any], ...] = (
        ["Calls of unit 7"],
        ["made", datetime.date(2026, 1, 2)],
        [],
        ["Phone", "Note"],
        [DRAMA, "a"],
    )
    with pytest.raises(BadInput, match="line 4 seems to"):
        read(written(tmp_path, rows_of(*rows)))


def test_a_number_stored_with_a_power_of_ten_is_read_only_if_all_digits_are_there(tmp_path: Path) -> None:
    path = with_sheet(
        tmp_path,
        '<row r="2"><c r="A2"><v>4.47700900123E11</v></c></row><row r="3"><c><v>4.477E+11</v></c></row>',
    )
    signals, refused, _ = read(path, default_region="GB")
    assert [signal.canonical.value for signal in signals] == [DRAMA]
    assert [row.line for row in refused] == [3]


def test_a_formula_counts_with_the_result_that_was_kept_and_that_is_said(tmp_path: Path) -> None:
    kept = f'<row r="2"><c r="A2" t="str"><f>B1</f><v>{DRAMA}</v></c></row>'
    empty = '<row r="3"><c r="A3" t="str"><f>B1</f><v></v></c></row>'
    signals, refused, remarks = read(with_sheet(tmp_path, kept + empty))
    assert [signal.canonical.value for signal in signals] == [DRAMA]
    assert refused == []
    assert any("formulas (2)" in remark for remark in remarks)


def test_hidden_rows_and_columns_are_read_and_said_and_hidden_sheets_are_not_read(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        rows_of(["phone", "note"], [DRAMA, "a"], ["+447700900124", "b"])(sheet)
        sheet.row_dimensions[2].hidden = True
        sheet.column_dimensions["B"].hidden = True
        hidden = sheet.parent.create_sheet("Archive")
        hidden.append(["phone"])
        hidden.sheet_state = "hidden"

    path = written(tmp_path, fill)
    signals, _, remarks = read(path)
    assert len(signals) == 2
    assert ["hidden sheets (1)" in remarks[0], "hidden rows (1)" in remarks[1], "(2, " in remarks[2]] == [
        True
    ] * 3
    with pytest.raises(BadInput, match="no row"):
        read(path, sheet="archive")


def test_of_several_sheets_a_person_names_one(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        rows_of(["phone"], [DRAMA])(sheet)
        rows_of(["phone"], ["+447700900124"])(sheet.parent.create_sheet("Second"))
        sheet.parent.create_sheet("Empty")

    path = written(tmp_path, fill)
    with pytest.raises(BadInput, match="3 sheets"):
        read(path)
    for sheet in ("2", "second", " Second "):
        assert read(path, sheet=sheet)[0][0].canonical.value == "+447700900124"
    for sheet in ("4", "0", "Third"):
        with pytest.raises(BadInput, match="no sheet of that name or number"):
            read(path, sheet=sheet)


def test_an_empty_sheet_beside_a_full_one_is_not_asked_about(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        rows_of(["phone"], [DRAMA])(sheet)
        sheet.parent.create_sheet("Sheet2")

    assert len(read(written(tmp_path, fill))[0]) == 1


def test_a_workbook_that_a_writer_without_dimensions_made_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (["phone", "note"], [DRAMA, "x"]):
        sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    assert len(read(tmp_path / "book.xlsx")[0]) == 1


# --- what is no workbook ---


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", b"", "empty"),
        ("a.xlsx", b"<html><table>", "none; many web sites"),
        ("a.xlsx", b"PK\x03\x04" + bytes(100), "cannot be unpacked"),
        ("a.zip", b"", "Unpack it"),
        ("a.csv", b"PK\x03\x04" + bytes(100), "right ending"),
    ],
)
def test_what_is_no_workbook_of_today_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        list(read_file(path))


def test_an_empty_workbook_and_one_with_names_alone_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty"):
        read(written(tmp_path, rows_of()))
    with pytest.raises(BadInput, match="no row below"):
        read(written(tmp_path, rows_of(["phone"])))


# --- as nobody should send them ---


def test_a_part_that_unpacks_to_far_more_than_it_is_packed_to_is_a_bomb(tmp_path: Path) -> None:
    path = repacked(written(tmp_path, rows_of(["phone"])), {SHEET: b" " * 20_000_000})
    with pytest.raises(BadInput, match="fill this computer's memory"):
        read(path)


def test_a_bomb_that_declares_a_small_size_is_stopped_by_what_comes_out(tmp_path: Path) -> None:
    path = repacked(written(tmp_path, rows_of(["phone"])), {SHEET: sheet_xml("<row/>" * 600_000)})
    data = bytearray(path.read_bytes())
    # The central directory's record of the part: its real size stands 24 bytes in, its name 46.
    entry = data.rindex(SHEET.encode()) - 46
    assert data[entry : entry + 4] == b"PK\x01\x02"
    data[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    path.write_bytes(data)
    with pytest.raises(BadInput, match="cannot be unpacked"):
        read(path)


def test_parts_that_lie_within_one_another_are_a_bomb(tmp_path: Path) -> None:
    path = written(tmp_path, rows_of(["phone"], [DRAMA]))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        big = io.BytesIO(bytes(range(256)) * 300).getvalue()
        archive.writestr("xl/media/image1.png", big)
        info = archive.getinfo("xl/media/image1.png")
        for number in range(2, 60):
            copy = zipfile.ZipInfo(f"xl/media/image{number}.png")
            copy.header_offset, copy.CRC = info.header_offset, info.CRC
            copy.compress_size, copy.file_size, copy.compress_type = info.compress_size * 9, info.file_size, 8
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
    with pytest.raises(BadInput, match=r"memory|unpacked"):
        read(path)


@pytest.mark.parametrize(
    "changes",
    [
        {SHEET: b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet/>'},
        {"xl/sharedStrings.xml": "<sst/>".encode("utf-16")},
        {"xl/sharedStrings.xml": b'<?xml version="1.0" encoding="cp037"?><sst/>'},
        {"xl/media/image1.png": b'<?xml version="1.0"?><!DOCTYPE svg><svg/>'},
        {"[Content_Types].xml": b'<Types><Override PartName="/xl/worksheets/s.xml" ContentType="styles"/></Types>'},
        {SHEET: sheet_xml('<row r="5"/><row r="5"/>')},
        {SHEET: sheet_xml('<row r="99999999"/>')},
        {SHEET: sheet_xml('<row r="1"><c r="ZZZ1"/></row>')},
        {SHEET: sheet_xml('<row r="1"><c r="A1" t="s"><v>7</v></c></row>')},
        {SHEET: b"<worksheet><sheetData>"},
    ],
)  # fmt: skip
def test_what_excel_does_not_write_is_not_opened(tmp_path: Path, changes: dict[str, bytes]) -> None:
    with pytest.raises(BadInput, match="save it anew"):
        read(repacked(written(tmp_path, rows_of(["phone"], [DRAMA])), changes))


def test_a_part_that_would_be_kept_in_memory_has_a_smaller_bound_than_a_sheet(tmp_path: Path) -> None:
    rows = b"<x/>".join(
        random.Random(8).randbytes(50_000).hex().encode() for _ in range(MAXIMUM_PART_BYTES // 90_000)
    )
    with pytest.raises(BadInput, match="larger than is read"):
        read(
            repacked(written(tmp_path, rows_of(["phone"], [DRAMA])), {"xl/theme/theme2.xml": b"<x/>" + rows})
        )


def test_a_row_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    generator = random.Random(6)
    cells = "".join(f"<c><f>{generator.randbytes(30_000).hex()}</f></c>" for _ in range(100))
    with pytest.raises(BadInput, match="as Excel writes them"):
        read(with_sheet(tmp_path, f'<row r="2">{cells}</row>'))


def test_a_number_in_a_cell_that_shows_powers_of_ten_counts_only_with_more_digits(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        # As Excel keeps them when it opens a CSV file in which they stand so.
        rows_of(["phone"], [447701000000], [447700900123], [447700900124], [442070000000])(sheet)
        for cell, shown in (("A2", "0.00E+00"), ("A3", "##0.0E+0"), ("A4", "0.000000E+00")):
            sheet[cell].number_format = shown

    signals, refused, _ = read(written(tmp_path, fill), default_region="GB")
    assert [signal.canonical.value for signal in signals] == [DRAMA, "+447700900124", "+442070000000"]
    assert [(row.line, "power of ten" in row.reason) for row in refused] == [(2, True)]
