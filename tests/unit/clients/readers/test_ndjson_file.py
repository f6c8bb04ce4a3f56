"""NDJSON: each line is a row of its own, with members of its own."""

from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.readers import (
    ColumnMapping,
    Reading,
    RefusedRow,
    Signal,
    guess_mapping,
    open_table,
    read_file,
    read_ndjson,
)
from clients.readers.columns.column_report import report_columns
from clients.readers.columns.roles import roles_of
from clients.readers.ndjson_file import member_names


def read(folder: Path, content: str, mapping: ColumnMapping | None = None) -> list[Signal | RefusedRow]:
    path = folder / "rows.ndjson"
    path.write_text(content, encoding="utf-8")
    return list(read_ndjson(path, mapping=mapping, default_region="GB"))


def test_members_are_columns_and_may_differ_from_line_to_line(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        '{"phone":"07700 900123","seen":{"b":1,"a":[true]},"empty":null,"n":3}\n\n'
        '{"type":"email","raw":"A@example.org","reference":"case 7"}\n'
        '{"mobile":"0532 123 45 67","email":"b@example.org","region":"TR"}\n'
        '{"phone":447700900123,"region":"CH"}\n',
    )
    assert [(row.line, row.canonical.text, row.attributes) for row in rows if isinstance(row, Signal)] == [
        (1, "phone/1|+447700900123", (("seen", '{"a":[true],"b":1}'), ("n", "3"))),
        (3, "email/1|a@example.org", (("reference", "case 7"),)),
        (4, "phone/1|+905321234567", ()),
        (4, "email/1|b@example.org", ()),
    ]
    assert [row.line for row in rows if isinstance(row, RefusedRow)] == [5]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not valid JSON"),
        ("[" * 50_000, "not valid JSON"),
        ('["07700 900123"]', "not a JSON object"),
        ('{"phone":"07700 900123","phone":"07700 900124"}', "twice"),
        ('{"phone":["07700 900123"]}', "must be text"),
        ('{"phone":true}', "must be text"),
        ('{"note":"07700 900123"}', "No column"),
        ('{"phone":"07700 900123","note":NaN}', "cannot be kept"),
        ('{"phone":"07700 900123","note":"\\ud800"}', "half of a character"),
        ('{"phone":"07700 900123","\\u0000":"x"}', "damaged"),
        ('{"phone":"07700 900123","note":"' + "x" * 70_000 + '"}', "longer than"),
    ],
)
def test_a_malformed_line_is_refused_and_its_neighbours_go_in(tmp_path: Path, line: str, words: str) -> None:
    rows = read(tmp_path, f'{{"phone":"07700 900125"}}\n{line}\n{{"phone":"07700 900126"}}\n')
    assert [(row.line, type(row)) for row in rows] == [(1, Signal), (2, RefusedRow), (3, Signal)]
    refused = rows[1]
    assert isinstance(refused, RefusedRow)
    assert words in refused.reason
    assert "900" not in refused.reason


def test_a_mapping_holds_for_lines_that_lack_some_of_its_members(tmp_path: Path) -> None:
    mapping = ColumnMapping(identifiers=(("a", "phone"), ("b", "email")))
    rows = read(tmp_path, '{"a":"07700 900123"}\n{"b":"a@example.org"}\n{"c":"x"}\n', mapping)
    assert [type(row) for row in rows] == [Signal, Signal, RefusedRow]


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        next(read_ndjson(tmp_path / "none.ndjson"))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("4.477E+11", "power of ten"),
        ("4.47701e11", "power of ten"),
        ("447701000000.0", "power of ten"),
        ("4.477009001234567e18", "15 digits"),
        ("12.5", "fraction"),
    ],
)
def test_a_number_that_lost_digits_is_refused_and_the_lines_others_go_in(
    tmp_path: Path, written: str, words: str
) -> None:
    rows = read(tmp_path, f'{{"phone":{written},"email":"a@example.org","n":2.50}}\n')
    (refused,) = [row for row in rows if isinstance(row, RefusedRow)]
    assert (refused.line, refused.column, refused.damaged) == (1, 1, False)
    assert words in refused.reason
    assert "447" not in refused.reason
    (signal,) = [row for row in rows if isinstance(row, Signal)]
    assert (signal.canonical.text, signal.attributes) == ("email/1|a@example.org", (("n", "2.5"),))


@pytest.mark.parametrize("written", ["447700900123.0", "4.47700900123e11", "447700900123"])
def test_a_number_with_all_its_digits_is_read(tmp_path: Path, written: str) -> None:
    (signal,) = read(tmp_path, f'{{"phone":{written}}}\n')
    assert isinstance(signal, Signal)
    assert signal.canonical.value == "+447700900123"


PEOPLE = (
    '{"First name":"Amina","Last name":"Karimova","DOB":"2050-12-31","phone":"+447700900123"}\n'
    '{"phone":"+447700900124","DOB":"31.12.2050","Last name":"KARIMOVA"}\n'
    '{"First name":"Amina","Last name":"Karimova","phone":"+447700900125"}\n'
    '{"phone":"+447700900126"}\n'
)
AMINA = "person/1|AMINA KARIMOVA;2050-12-31"


@pytest.mark.parametrize("mapped", [True, False])
def test_members_that_name_a_person_together_are_joined_as_columns_are(tmp_path: Path, mapped: bool) -> None:
    path = tmp_path / "people.ndjson"
    path.write_text(PEOPLE)
    names = member_names(path)
    assert names == ("First name", "Last name", "DOB", "phone")
    mapping = guess_mapping(names, persons=True) if mapped else None
    rows = list(read_file(path, Reading(mapping, columns=names, persons=True)))
    signals = [(row.line, row.canonical.text) for row in rows if isinstance(row, Signal)]
    assert (1, AMINA) in signals
    assert [line for line, text in signals if text.startswith("phone")] == [1, 2, 3, 4]
    # What lacks a part is refused by that part, and no part of it becomes an attribute of the phone number.
    reasons = {row.line: row.reason for row in rows if isinstance(row, RefusedRow)}
    assert reasons.keys() == {2, 3}
    assert "birth date is missing" in reasons[3]
    assert {row.attributes for row in rows if isinstance(row, Signal)} == {()}

    table = tmp_path / "people.csv"
    table.write_text("First name,Last name,DOB,phone\nAmina,Karimova,2050-12-31,+447700900123\n")
    of_table = list(read_file(table, Reading(guess_mapping(names, persons=True))))
    assert [row.canonical.text for row in of_table if isinstance(row, Signal)] == [
        text for line, text in signals if line == 1
    ]


def test_a_member_that_a_mapping_does_not_know_is_refused_and_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    path.write_text('{"a":"+447700900123"}\n{"a":"+447700900124","diagnosis":"x"}\n{}\n')
    mapping = ColumnMapping(identifiers=(("a", "phone"),))
    rows = list(read_file(path, Reading(mapping, columns=("a",))))
    assert [(row.line, type(row)) for row in rows] == [(1, Signal), (2, RefusedRow), (3, RefusedRow)]
    refused = rows[1]
    assert isinstance(refused, RefusedRow)
    assert "member that the mapping does not know" in refused.reason


def test_a_line_about_several_people_is_refused(tmp_path: Path) -> None:
    rows = read(tmp_path, '{"victim_phone":"07700 900123","suspect_phone":"07700 900124"}\n')
    assert [type(row) for row in rows] == [RefusedRow]


def test_members_are_shown_and_their_values_counted(tmp_path: Path) -> None:
    path = tmp_path / "people.ndjson"
    path.write_text(PEOPLE + "[]\n" + '{"late":1}\n' * 3)
    with open_table(path, Reading()) as table:
        mapping = guess_mapping(table.names, persons=True)
        report = report_columns(table, roles_of(table.names, mapping), mapping, Reading(), 100)
    assert [(column.name, column.accepted, column.refused) for column in report.columns] == [
        ("First name", 0, 0),
        ("Last name", 0, 0),
        ("DOB", 1, 2),
        ("phone", 4, 0),
        ("late", 0, 0),
    ]
    (tmp_path / "none.ndjson").write_text("[]\n{}\n")
    with pytest.raises(BadInput, match="No line"), open_table(tmp_path / "none.ndjson", Reading()):
        pass
