"""OpenDocument spreadsheets: as LibreOffice and Excel write them, and as nobody should send them."""

import contextlib
import random
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput
from clients.readers import Reading, RefusedRow, Signal, read_file
from clients.readers.spreadsheets.ods_sheet import MAXIMUM_COLUMNS, MAXIMUM_ROWS

DRAMA = "+447700900123"
SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"
SPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (
        ("office", "office"),
        ("table", "table"),
        ("text", "text"),
        ("style", "style"),
        ("draw", "drawing"),
    )
)
CALC = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
STYLES = (
    '<style:style style:name="ta1" style:family="table"><style:table-properties table:display="true"/></style:style>'
    '<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/></style:style>'
)


def text(content: str, **repeated: int) -> str:
    times = "".join(f' table:number-columns-repeated="{count}"' for count in repeated.values())
    return (
        f'<table:table-cell office:value-type="string"{times}><text:p>{content}</text:p></table:table-cell>'
    )


def cell(attributes: str, shown: str) -> str:
    return f"<table:table-cell {attributes}><text:p>{shown}</text:p></table:table-cell>"


def number(value: str, shown: str = "", more: str = "") -> str:
    return (
        f'<table:table-cell office:value-type="float" office:value="{value}"{more}>'
        f"<text:p>{shown or value}</text:p></table:table-cell>"
    )


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row{more}>{''.join(cells)}</table:table-row>"


def sheet(*rows: str, name: str = "Sheet1", style: str = "ta1", before: str = "") -> str:
    return (
        f'<table:table table:name="{name}" table:style-name="{style}">{before}{"".join(rows)}</table:table>'
    )


def content(*sheets: str, before: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document-content {SPACES} {CALC} office:version="1.3">'
        f"<office:automatic-styles>{STYLES}</office:automatic-styles><office:body><office:spreadsheet>{before}"
        f"{''.join(sheets)}</office:spreadsheet></office:body></office:document-content>"
    )


def written(folder: Path, xml: str | bytes, **parts: str | bytes) -> Path:
    path = folder / "book.ods"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", parts.pop("mimetype", SPREADSHEET), zipfile.ZIP_STORED)
        archive.writestr("content.xml", xml)
        archive.writestr("META-INF/manifest.xml", parts.pop("manifest", "<manifest/>"))
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


def read(path: Path, **choices: Any) -> tuple[list[Signal], list[RefusedRow], list[str]]:
    remarks: list[str] = []
    items = list(read_file(path, Reading(**choices, say=remarks.append)))
    signals = [item for item in items if isinstance(item, Signal)]
    return signals, [item for item in items if isinstance(item, RefusedRow)], remarks


# --- as programs write them ---


def test_rows_and_cells_keep_their_places_where_equal_ones_are_written_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        content(
            sheet(
                row(
                    '<table:table-cell table:number-columns-repeated="3"/>',
                    more=' table:number-rows-repeated="2"',
                ),
                row(text("Telefon"), '<table:table-cell table:number-columns-repeated="2"/>', text("Note")),
                row(text(DRAMA), text("x", times=3)),
                row(
                    '<table:table-cell table:number-columns-repeated="4"/>',
                    more=' table:number-rows-repeated="7"',
                ),
                row(text("+447700900124"), more=' table:number-rows-repeated="3"'),
                row(
                    f'<table:table-cell table:number-columns-repeated="{MAXIMUM_COLUMNS}"/>',
                    more=f' table:number-rows-repeated="{MAXIMUM_ROWS - 14}"',
                ),
            )
        ),
    )
    signals, refused, remarks = read(path)
    assert [(each.line, each.canonical.value) for each in signals] == [
        (4, DRAMA),
        (12, "+447700900124"),
        (13, "+447700900124"),
        (14, "+447700900124"),
    ]
    assert signals[0].attributes == (("column 2", "x"), ("column 3", "x"), ("Note", "x"))
    assert (refused, remarks) == ([], [])
    assert len([item for item in read_file(path) if isinstance(item, Signal)]) == 4


def test_numbers_texts_and_dates_are_read_as_they_are_stored(tmp_path: Path) -> None:
    day = cell('office:value-type="date" office:date-value="2026-01-02"', "2 Jan")
    link = cell('office:value-type="string"', "<text:a>a@example.org</text:a>")
    noted = (
        '<table:table-cell office:value-type="string"><office:annotation><text:p>+447700900199</text:p>'
        '</office:annotation><text:p>+44<text:s/>7700<text:s text:c="1"/><text:span>900</text:span>125</text:p>'
        "</table:table-cell>"
    )
    path = written(
        tmp_path,
        content(
            sheet(
                row(text("phone"), text("email"), text("seen")),
                row(number("447700900123"), link, day),
                row(number("447700900124.0", "4.47700900124E+11"), text(""), number("2.5")),
                row(noted),
            )
        ),
    )
    signals, refused, _ = read(path, default_region="GB")
    assert [(each.line, each.canonical.value, each.attributes) for each in signals] == [
        (2, DRAMA, (("seen", "2026-01-02"),)),
        (2, "a@example.org", (("seen", "2026-01-02"),)),
        (3, "+447700900124", (("seen", "2.5"),)),
        (4, "+447700900125", ()),
    ]
    assert refused == []


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (number("447701000000", "4.47701E+11"), "power of ten"),
        (number("4.477E+11"), "power of ten"),
        (text("4.477E+11"), "power of ten"),
        (number("1234567890123456"), "15 digits"),
        (number("0.5"), "fraction"),
        ('<table:table-cell office:value-type="date" office:date-value="2026-01-02"/>', "made a date"),
        (cell('office:value-type="date" office:date-value="x"', "x"), "made a date"),
        (cell('office:value-type="time" office:time-value="PT3H"', "3:00"), "made a date"),
        ('<table:table-cell office:value-type="boolean" office:boolean-value="true"/>', "TRUE or FALSE"),
        ('<table:table-cell table:formula="of:=[.A1]"/>', "formula"),
        ('<table:table-cell table:formula="of:=[.A1]" office:value-type="float"/>', "formula"),
        (
            '<table:table-cell table:formula="of:=[.A1]" office:value-type="string" calcext:value-type="error">'
            "<text:p>#N/A</text:p></table:table-cell>",
            "error",
        ),
        (
            cell('table:formula="of:=1/0" office:value-type="string"', "Err:502"),
            "error",
        ),
        (text("=A1&amp;B1"), "formula"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_spoilt_is_refused_with_its_row_column_and_reason(
    tmp_path: Path, cell: str, words: str
) -> None:
    rows = row(text("note"), text("phone")), row(text("n"), cell), row(text("n"), text(DRAMA))
    signals, refused, _ = read(written(tmp_path, content(sheet(*rows))), default_region="GB")
    assert [signal.line for signal in signals] == [3]
    assert [(each.line, each.column) for each in refused] == [(2, 2)]
    assert words in refused[0].reason
    assert "447" not in refused[0].reason


def test_formulas_hidden_rows_and_columns_and_sheets_are_said(tmp_path: Path) -> None:
    formula = number("447700900123", more=' table:formula="of:=[.C1]"')
    first = sheet(
        row(text("phone"), text("note")),
        row(formula, text("a"), more=' table:visibility="filter"'),
        before="<table:table-column/>"
        '<table:table-column table:visibility="collapse" table:number-columns-repeated="16383"/>',
    )
    archived = sheet(row(text("phone")), row(text("+447700900124")), name="Archive", style="ta2")
    path = written(tmp_path, content(first, archived))
    signals, _, remarks = read(path, default_region="GB")
    assert [signal.canonical.value for signal in signals] == [DRAMA]
    for part, words in zip(
        remarks, ("hidden sheets (1)", "hidden rows (1)", "(2, counted", "formulas (1)"), strict=True
    ):
        assert words in part
    assert read(path, sheet="archive")[0][0].canonical.value == "+447700900124"


def test_of_several_sheets_a_person_names_one_and_an_empty_one_is_not_asked_about(tmp_path: Path) -> None:
    one, two = (sheet(row(text("phone")), row(text(f"+44770090012{at}")), name=f"S{at}") for at in (1, 2))
    path = written(tmp_path, content(one, two))
    with pytest.raises(BadInput, match="2 sheets"):
        read(path)
    assert (
        read(path, sheet="2")[0][0].canonical.value
        == read(path, sheet="s2")[0][0].canonical.value
        == "+447700900122"
    )
    assert len(read(written(tmp_path, content(sheet(row()), one)))[0]) == 1
    with pytest.raises(BadInput, match="empty"):
        read(written(tmp_path, content(sheet())))
    with pytest.raises(BadInput, match="no sheet"):
        read(written(tmp_path, content()))


def test_a_title_is_pointed_out_and_the_named_row_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path, content(sheet(row(text("Cases 2026")), row(), row(text("phone")), row(text(DRAMA))))
    )
    with pytest.raises(BadInput, match="--header-row 3 "):
        read(path)
    assert [signal.line for signal in read(path, header_row=3)[0]] == [4]


def test_only_rows_of_the_sheet_itself_count(tmp_path: Path) -> None:
    other = sheet(row(text("+447700900199")), name="Inner")
    drawn = f"<table:shapes><draw:frame>{other}</draw:frame></table:shapes>"
    within = (
        f'<table:table-cell office:value-type="string"><text:p>{DRAMA}</text:p>{other}</table:table-cell>'
    )
    deleted = row(text("+447700900199"))
    noted = f"<table:tracked-changes><table:deletion>{deleted}</table:deletion></table:tracked-changes>"
    grouped = (
        f"<table:table-row-group><table:table-rows>{row(within)}</table:table-rows></table:table-row-group>"
    )
    header = f"<table:table-header-rows>{row(text('phone'))}</table:table-header-rows>"
    path = written(tmp_path, content(sheet(header, grouped, before=drawn), before=noted))
    signals, refused, _ = read(path)
    assert [(signal.line, signal.canonical.value) for signal in signals] == [(2, DRAMA)]
    assert refused == []


# --- what is no spreadsheet ---


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"manifest": "<manifest><encryption-data/></manifest>"}, "protected by a password"),
        ({"encrypted-package": "x"}, "protected by a password"),
        ({"mimetype": "application/vnd.oasis.opendocument.text"}, "no spreadsheet"),
        ({"[Content_Types].xml": "<Types/>"}, "ending .xlsx"),
    ],
)
def test_what_is_no_spreadsheet_or_has_a_password_says_what_to_do(
    tmp_path: Path, parts: dict[str, str], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        read(written(tmp_path, content(sheet(row(text("phone")))), **parts))


def test_an_ods_that_is_called_xlsx_is_told_so(tmp_path: Path) -> None:
    path = written(tmp_path, content(sheet(row(text("phone")))))
    with pytest.raises(BadInput, match=r"ending \.ods"):
        read(path.rename(tmp_path / "book.xlsx"))
    (tmp_path / "a.ods").write_bytes(b"phone\n")
    with pytest.raises(BadInput, match="but it is none"):
        read(tmp_path / "a.ods")


# --- as nobody should send them ---


@pytest.mark.parametrize(
    "xml",
    [
        content(sheet(row(text("phone")), row(text(DRAMA), more=' table:number-rows-repeated="1048577"'))),
        content(sheet(row(text("phone")), row(text(DRAMA), more=' table:number-rows-repeated="1048576"'))),
        content(sheet(row(text("phone")), row(text(DRAMA), more=' table:number-rows-repeated="99999999999"'))),
        content(sheet(row(text("phone")), row(text(DRAMA), more=' table:number-rows-repeated="0"'))),
        content(sheet(row(text("phone")), row(text(DRAMA), more=' table:number-rows-repeated="x"'))),
        content(sheet(row(text("phone"), text("x", times=MAXIMUM_COLUMNS)))),
        content(sheet(row(f'<table:table-cell table:number-columns-repeated="{MAXIMUM_COLUMNS}"/>', text("x")))),
        content(sheet(row("<table:table-cell>" + "<text:p>" * 200 + "</text:p>" * 200 + "</table:table-cell>"))),
        content(sheet(row(text("phone"))))[:-60],
        '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + content(sheet(row(text("phone")))),
        content(sheet(row(text("phone")))).encode("utf-16"),
        content(*[sheet(name=str(at)) for at in range(1001)]),
        content(sheet(row(text("phone")))).replace(STYLES, "".join(STYLES.replace("ta2", f"t{at}") for at in
    range(1001))), ],
)  # fmt: skip
def test_what_libreoffice_does_not_write_is_not_read_to_its_end(tmp_path: Path, xml: str | bytes) -> None:
    with pytest.raises(BadInput, match=r"as LibreOffice writes them|save it anew as \.ods"):
        read(written(tmp_path, xml))


def test_a_row_that_is_repeated_to_a_gigabyte_is_a_bomb_and_takes_no_memory(tmp_path: Path) -> None:
    wide = row(text("phone"), text("a", times=900))
    path = written(
        tmp_path,
        content(
            sheet(wide, row(text(DRAMA), text("x", times=900), more=' table:number-rows-repeated="1000000"'))
        ),
    )
    tracemalloc.start()
    with pytest.raises(BadInput, match="fill this computer's memory"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 32 * 1024**2
    tracemalloc.stop()


def test_a_part_that_unpacks_to_far_more_than_it_is_packed_to_is_a_bomb(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="fill this computer's memory"):
        read(written(tmp_path, content(sheet(row(text("phone")))) + " " * 20_000_000))


def test_a_row_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    generator = random.Random(6)
    cells = "".join(text(generator.randbytes(30_000).hex()) for _ in range(100))
    with pytest.raises(BadInput, match="as LibreOffice writes them"):
        read(written(tmp_path, content(sheet(row(text("phone")), row(cells)))))


def test_spaces_that_stand_for_many_are_bounded(tmp_path: Path) -> None:
    many = '<text:s text:c="999999999"/>' * 200
    path = written(
        tmp_path, content(sheet(row(text("phone"), text("n")), row(text(DRAMA), text(f"a{many}b"))))
    )
    _, refused, _ = read(path)
    assert "longer than 4,096 characters" in refused[0].reason


SMALL = content(
    sheet(row(text("phone"), text("n")), row(number("447700900123"), text("x", times=2)))
).encode()


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 40), st.binary(max_size=12))
def test_whatever_is_changed_in_a_sheet_it_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, at: int, gone: int, put: bytes
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    with contextlib.suppress(BadInput):
        list(read_file(written(folder, SMALL[:at] + put + SMALL[at + gone :]), default_region="GB"))
