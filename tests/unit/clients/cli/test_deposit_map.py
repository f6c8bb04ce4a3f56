"""`narrowgate deposit map`: what a file's columns are read as is shown, corrected, saved, and then used."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.cli.main import app
from clients.cli.reading_options import Options, settle_reading
from clients.home import Home, Persona
from clients.readers import Signal, read_file
from tests.unit.clients.readers.spreadsheets import test_ods_file as ods

TABLE = """Handy;Kontakt;Notiz
+447700900123;a@example.org;first
12345;b@example.org;second
+447700900124;c@example.org;third
"""

Command = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    persona = Persona("north-helpline", "North Helpline", Role.AGENCY, "GB", AgencyKind.HELPLINE)
    return Home.create(tmp_path / "home", persona, now=1_767_225_600, random_bytes=os.urandom)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def map_columns(home: Home) -> Command:
    def command(file: Path, *options: str | Path, expect: int = 0) -> Result:
        arguments = ["deposit", "map", home.vault.directory, file, *options]
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == expect, result.output
        return result

    return command


def read(home: Home, file: Path, **options: Any) -> list[Signal]:
    rows = read_file(file, settle_reading(home, file, Options(**options)))
    return [row for row in rows if isinstance(row, Signal)]


def test_columns_are_shown_with_counts_and_reasons_and_no_value(map_columns: Command, file: Path) -> None:
    shown = map_columns(file).stdout
    assert "1. Handy: phone: 2 accepted, 1 refused" in shown
    assert "refused 1: " in shown
    assert "LOOK: 3 of its first 3 values look like email" in shown
    assert "Nothing was saved" in shown
    for value in ("7700900", "12345", "example.org", "second"):
        assert value not in shown


def test_json_has_the_same(map_columns: Command, file: Path) -> None:
    answer = json.loads(map_columns(file, "--json").stdout)
    assert [(each["holds"], each["accepted"], each["refused"]) for each in answer["columns"]] == [
        ("phone", 2, 1),
        ("attribute", 0, 0),
        ("attribute", 0, 0),
    ]
    assert [each["looks_like"] for each in answer["columns"]] == [None, "email", None]
    assert (answer["rows"], answer["saved"]) == (3, None)


def test_a_corrected_mapping_is_saved_and_used_for_the_same_columns(
    map_columns: Command, home: Home, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_columns(file, "--column", "Kontakt=email", "--column", "Notiz=ignore", "--save", "export")
    signals = read(home, file)
    assert "mapping export" in capsys.readouterr().err
    assert [signal.canonical.type for signal in signals] == ["phone", "email", "email", "phone", "email"]
    assert {signal.attributes for signal in signals} == {()}
    assert read(home, file, mapping="export") == signals


def test_a_title_above_the_names_is_pointed_out_by_the_line_of_the_names(
    map_columns: Command, tmp_path: Path
) -> None:
    path = tmp_path / "titled.csv"
    path.write_text("Contacts of unit 7\n\nHandy;Kontakt\n+447700900123;a@example.org\n")
    shown = map_columns(path).stdout
    assert "the first line does not name the columns, and line 3 seems to" in shown
    assert "--header-row 3" in shown
    assert json.loads(map_columns(path, "--json").stdout)["names_at"] == 3
    path.write_text("Contacts of unit 7\n" + "some;text\n" * 30 + "Handy;Kontakt\n")
    assert json.loads(map_columns(path, "--json").stdout)["names_at"] is None


def test_an_encoding_and_a_region_are_saved_with_it(map_columns: Command, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes("Handynummer;Gerät\n07700 900123;Prüfgerät\n".encode("cp1252"))
    assert "--encoding windows-1252" in map_columns(path, expect=6).stderr
    options = ("--encoding", "windows-1252", "--default-region", "GB", "--save", "old-system")
    map_columns(path, *options)
    (signal,) = read(home, path)
    assert (signal.canonical.value, signal.attributes) == ("+447700900123", (("Gerät", "Prüfgerät"),))


def test_a_mapping_travels_as_a_file(map_columns: Command, home: Home, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "mapping.json"
    map_columns(file, "--column", "Kontakt=email", "--out", out)
    assert len(read(home, file, mapping=str(out))) == 5


def test_a_sheet_is_chosen_and_saved(map_columns: Command, home: Home, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["something"])
    for row in (["phone"], ["+447700900123"]):
        (book["Cases"] if "Cases" in book.sheetnames else book.create_sheet("Cases")).append(row)
    book.save(tmp_path / "book.xlsx")
    assert "2 sheets" in map_columns(tmp_path / "book.xlsx", expect=6).stderr
    map_columns(tmp_path / "book.xlsx", "--sheet", "Cases", "--save", "cases")
    assert len(read(home, tmp_path / "book.xlsx")) == 1


def test_a_new_column_is_refused_under_a_named_mapping_and_guessed_without_one(
    map_columns: Command, home: Home, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_columns(file, "--column", "Notiz=ignore", "--save", "export")
    wider = file.with_name("wider.csv")
    wider.write_text("Handy;Kontakt;Notiz;Diagnose\n+447700900123;;;x\n")
    assert "column 4" in map_columns(wider, "--mapping", "export", expect=6).stderr
    assert len(read(home, wider)) == 1
    assert "sealed with them: 2, 3, 4" in capsys.readouterr().err


def test_two_mappings_for_the_same_columns_are_not_chosen_between(
    map_columns: Command, home: Home, file: Path
) -> None:
    map_columns(file, "--save", "one")
    map_columns(file, "--mapping", "one", "--column", "Kontakt=email", "--save", "two")
    assert "Several saved mappings" in map_columns(file, expect=6).stderr
    assert len(read(home, file, mapping="two")) == 5


def test_marks_of_direction_in_names_change_nothing_and_are_not_shown(
    map_columns: Command, home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "export.csv"
    path.write_text(
        "\u200fphone\u200e,\u202enote\u202c,\u2067رقم\u2069\n+447700900123,x,y\n", encoding="utf-8"
    )
    assert "1. phone: phone: 1 accepted" in map_columns(path).stdout
    (signal,) = read(home, path)
    assert [name for name, _ in signal.attributes] == ["note", "رقم"]


def test_a_first_line_of_identifiers_is_not_shown_as_names(map_columns: Command, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("+447700900123,x\n+447700900124,y\n")
    shown = map_columns(path, expect=6)
    assert "holds an identifier" in shown.stderr
    assert "7700900" not in shown.output


def test_a_file_that_says_itself_what_it_holds_has_no_columns_to_show(
    map_columns: Command, tmp_path: Path
) -> None:
    path = tmp_path / "export.json"
    path.write_text('{"type":"bundle","objects":[]}\n')
    assert "no columns to show" in map_columns(path, expect=6).stderr
    assert "are for tables" in map_columns(path, "--column", "a=phone", expect=6).stderr


def test_a_header_row_is_saved_with_the_mapping_and_used_for_the_next_file(
    map_columns: Command, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "titled.csv"
    path.write_text("Cases 2026\n\nHandy;Note\n+447700900123;x\n")
    assert "--header-row 3" in map_columns(path).stdout
    map_columns(path, "--header-row", "3", "--column", "Note=ignore", "--save", "titled")
    (signal,) = read(home, path)
    assert (signal.line, signal.attributes) == (4, ())
    said = capsys.readouterr().err
    assert "mapping titled" in said
    assert said.count("What stands above it was left out") == 1
    # The next file has a longer title: its third line has no such names, so the mapping is not for it.
    path.write_text("Cases 2026\nsecond half\n\nHandy;Note\n+447700900123;x\n")
    with pytest.raises(BadInput, match="--header-row 4 "):
        read(home, path)
    lines = tmp_path / "a.ndjson"
    lines.write_text('{"phone":"+447700900123"}\n')
    with pytest.raises(BadInput, match="--header-row is for tables"):
        read(home, lines, header_row=1)


def test_a_file_about_several_people_is_shown_and_taken_only_as_somebody_said(
    map_columns: Command, home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "both.csv"
    path.write_text("victim_phone,suspect_phone,town\n+447700900123,+447700900124,Leeds\n")
    shown = map_columns(path)
    assert "about several people: victim (column 1) and suspect (column 2)" in shown.stdout
    assert json.loads(map_columns(path, "--json").stdout)["about_several"] == {"victim": [1], "suspect": [2]}
    with pytest.raises(BadInput, match="several people"):
        read(home, path)
    with pytest.raises(BadInput, match="several people"):
        read(home, path, columns=("town=ignore",))
    (signal,) = read(home, path, columns=("suspect_phone=ignore",))
    assert signal.canonical.value == "+447700900123"
    map_columns(path, "--save", "both")
    assert len(read(home, path)) == 2


def test_members_of_json_lines_are_mapped_saved_and_read_as_columns_are(
    map_columns: Command, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export.ndjson"
    path.write_text(
        '{"Handy":"+447700900123","Kontakt":"a@example.org"}\n'
        '{"Given":"Amina","Family":"Karimova","Born":"2050-12-31"}\n'
    )
    assert "1. Handy: phone: 1 accepted" in map_columns(path).stdout
    assert len(read(home, path)) == 1
    assert "1 as phone; sealed with them: 2, 3, 4, 5" in capsys.readouterr().err
    held = ("Kontakt=email", "Given=person-name", "Family=person-name", "Born=birth-date")
    options = [word for each in held for word in ("--column", each)]
    map_columns(path, *options, "--save", "lines")
    found = [signal.canonical.text for signal in read(home, path)]
    assert found == ["phone/1|+447700900123", "email/1|a@example.org", "person/1|AMINA KARIMOVA;2050-12-31"]
    assert "mapping lines" in capsys.readouterr().err
    # Tomorrow's lines lack some of the members, and one has a member more.
    path.write_text('{"Handy":"+447700900124"}\n{"Handy":"+447700900125","Diagnosis":"x"}\n')
    (signal,) = read(home, path, mapping="lines")
    assert signal.canonical.value == "+447700900124"


def test_an_opendocument_spreadsheet_with_a_title_is_mapped_and_read_as_a_workbook_is(
    map_columns: Command, home: Home, tmp_path: Path
) -> None:
    titled = ods.sheet(
        ods.row(ods.text("Cases 2026")),
        ods.row(ods.text("victim_phone"), ods.text("Town")),
        ods.row(ods.text("+447700900123"), ods.text("Leeds")),
    )
    path = ods.written(tmp_path, ods.content(titled))
    assert "--header-row 2" in map_columns(path).stdout
    assert (
        "1. victim_phone: phone: 1 accepted"
        in map_columns(path, "--header-row", "2", "--save", "cases").stdout
    )
    (signal,) = read(home, path)
    assert (signal.line, signal.attributes) == (3, (("Town", "Leeds"),))
