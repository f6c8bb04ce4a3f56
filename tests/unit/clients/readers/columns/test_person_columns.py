"""A person in several columns: joined to one identifier, and only where somebody compares persons."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from broker.protocol.errors import BadInput
from clients.readers import Reading, RefusedRow, Signal, open_table, read_file
from clients.readers.columns.column_report import report_columns
from clients.readers.columns.mapping import guess_mapping, settle
from clients.readers.columns.person_columns import _BIRTH_WORDS, _PART_WORDS, _WHOLE_WORDS
from clients.readers.columns.roles import corrected, mapping_of, roles_of

AMINA = "person/1|AMINA KARIMOVA;2050-12-31"


def read(path: Path, *corrections: str) -> tuple[list[Signal], list[RefusedRow]]:
    with open_table(path, Reading()) as table:
        names = table.names
    mapping = guess_mapping(names, persons=True)
    mapping = mapping_of(names, corrected(names, roles_of(names, mapping), corrections))
    rows = list(read_file(path, Reading(mapping)))
    signals = [row for row in rows if isinstance(row, Signal)]
    return signals, [row for row in rows if isinstance(row, RefusedRow)]


@pytest.mark.parametrize(
    "names",
    [
        ("First name", "Last name", "DOB"),
        ("given_names", "SURNAME", "Date of birth"),
        ("Vorname", "Nachname", "Geburtsdatum"),
        ("Prénom", "Nom de famille", "Date de naissance"),
        ("Nombre", "Apellidos", "Fecha de nacimiento"),
        ("Nome", "Cognome", "Data di nascita"),
        ("Voornaam", "Achternaam", "Geboortedatum"),
        ("Ad", "Soyadı", "Doğum Tarihi"),
        ("Имя", "Фамилия", "Дата рождения"),
        ("Prenume", "Nume de familie", "Data nașterii"),
        ("الاسم الأول", "اسم العائلة", "تاريخ الميلاد"),
        ("Jina la kwanza", "Jina la ukoo", "Tarehe ya kuzaliwa"),
    ],
)
def test_common_spellings_of_given_family_and_birth_columns_are_guessed(names: tuple[str, ...]) -> None:
    mapping = guess_mapping(names, persons=True)
    assert roles_of(names, mapping) == ("person-name", "person-name", "birth-date")
    assert settle(names, mapping).attributes == ()


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("Name", "DOB"), ("person-name", "birth-date")),
        (
            ("First name", "Middle name", "Surname", "Birthday"),
            ("person-name", "person-name", "person-name", "birth-date"),
        ),
        # Once more as a whole: as an attribute it would hand the person on with the phone number.
        (
            ("phone", "Full name", "First name", "Surname", "DOB"),
            ("phone", "ignore", "person-name", "person-name", "birth-date"),
        ),
        # Not all that a person needs, or two dates: nothing is guessed.
        (("phone", "First name", "Surname"), ("phone", "attribute", "attribute")),
        (("phone", "First name", "DOB"), ("phone", "attribute", "attribute")),
        (("phone", "DOB"), ("phone", "attribute")),
        (
            ("phone", "Name", "DOB", "Date of birth"),
            ("phone", "attribute", "attribute", "attribute"),
        ),
    ],
)
def test_a_guess_needs_names_and_one_birth_date(names: Sequence[str], roles: Sequence[str]) -> None:
    assert roles_of(names, guess_mapping(names, persons=True)) == roles


def test_where_nobody_compares_persons_names_and_dates_are_attributes_as_before() -> None:
    names = ("phone", "First name", "Last name", "DOB")
    assert roles_of(names, guess_mapping(names)) == ("phone", "attribute", "attribute", "attribute")
    assert roles_of(names, None) == roles_of(names, guess_mapping(names))


def test_no_word_is_both_a_name_and_a_birth_date_or_a_part_and_the_whole() -> None:
    assert not _BIRTH_WORDS & (_PART_WORDS | _WHOLE_WORDS)
    assert not _PART_WORDS & _WHOLE_WORDS


def test_a_csv_files_columns_come_to_the_form_that_one_column_has(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "Phone,First name,Last name,DOB,City\n"
        "+447700900123,Amina,Karimova,2050-12-31,Leeds\n"
        ",amina,KARIMOVA,31.12.2050,York\n"
        "+447700900124,,,,Hull\n"
    )
    signals, refused = read(path)
    assert [(each.line, each.canonical.text) for each in signals] == [
        (2, "phone/1|+447700900123"),
        (2, AMINA),
        (3, AMINA),
        (4, "phone/1|+447700900124"),
    ]
    assert {each.attributes for each in signals} == {
        (("City", "Leeds"),),
        (("City", "York"),),
        (("City", "Hull"),),
    }
    assert refused == []

    single = tmp_path / "single.csv"
    single.write_text('person\n"Karimova, Amina; 2050-12-31"\n')
    (signal,) = read_file(single)
    assert isinstance(signal, Signal)
    assert signal.canonical.text == AMINA


def test_a_row_that_lacks_a_part_is_refused_in_words_and_its_other_identifiers_go_in(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "phone,name,dob\n"
        "+447700900123,Amina Karimova,\n"
        ",,2050-12-31\n"
        ",Amina Karimova,31.12.50\n"
        ',"Amina; Karimova",2050-12-31\n'
        ",Amina Karimova,03/04/2050\n"
    )
    signals, refused = read(path)
    assert [each.canonical.type for each in signals] == ["phone"]
    words = ["birth date is missing", "name is missing", "two digits", "one semicolon", "day-first"]
    assert [each.line for each in refused] == [2, 3, 4, 5, 6]
    for row, said in zip(refused, words, strict=True):
        assert said in row.reason
        assert "Karimova" not in row.reason
        # The reason says which part is meant; one number of a column could not.
        assert row.column is None

    signals, refused = read(path, "dob=birth-date:day-first")
    assert [each.canonical.value for each in signals] == ["+447700900123", "AMINA KARIMOVA;2050-04-03"]
    assert len(refused) == 4


def test_a_workbooks_dates_are_birth_dates_there_and_no_identifiers_elsewhere(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Vorname", "Nachname", "Geburtsdatum", "Handy"],
        ["Amina", "Karimova", datetime.date(2050, 12, 31), "+447700900123"],
        ["Amina", "Karimova", "31.12.2050", datetime.date(2050, 12, 31)],
        ["Amina", 12, datetime.date(2050, 12, 31), None],
        [True, "Karimova", "2050-12-31", None],
    ):
        sheet.append(row)
    book.save(tmp_path / "people.xlsx")
    signals, refused = read(tmp_path / "people.xlsx")
    assert [(each.line, each.canonical.text) for each in signals] == [
        (2, "phone/1|+447700900123"),
        (2, AMINA),
        (3, AMINA),
    ]
    assert [(each.line, each.column) for each in refused] == [(3, 4), (4, None), (5, None)]
    assert "made a date of the value" in refused[0].reason
    assert "TRUE or FALSE" in refused[2].reason


def test_a_parquet_files_typed_dates_are_read(tmp_path: Path) -> None:
    table = pyarrow.table(
        {"name": ["Amina Karimova"], "dob": pyarrow.array([datetime.date(2050, 12, 31)], pyarrow.date32())}
    )
    pyarrow.parquet.write_table(table, tmp_path / "people.parquet")
    signals, _ = read(tmp_path / "people.parquet")
    assert [each.canonical.text for each in signals] == [AMINA]


def test_a_report_counts_a_person_at_the_birth_date(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("first name,surname,dob\nAmina,Karimova,2050-12-31\nAmina,Karimova,\n")
    with open_table(path, Reading()) as table:
        mapping = guess_mapping(table.names, persons=True)
        found = report_columns(table, roles_of(table.names, mapping), mapping, Reading(), 10)
    assert [(column.accepted, column.refused) for column in found.columns] == [(0, 0), (0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("corrections", "words"),
    [
        (("DOB=attribute",), "none the birth date"),
        (("Name=attribute",), "none the names"),
        (("Note=birth-date",), "Two columns are said to hold the birth-date"),
        (("DOB=birth-date:year-first",), "birth-date:day-first or birth-date:month-first"),
    ],
)
def test_half_a_person_and_two_birth_dates_are_refused_with_what_to_say(
    corrections: tuple[str, ...], words: str
) -> None:
    names = ("Name", "DOB", "Note")
    roles = roles_of(names, guess_mapping(names, persons=True))
    with pytest.raises(BadInput, match=words):
        mapping_of(names, corrected(names, roles, corrections))


def test_what_no_guess_finds_a_person_says_and_half_of_it_is_undone_in_one_go() -> None:
    names = ("Kunde", "Tag", "Note")
    roles = corrected(names, roles_of(names, None), ["Kunde=person-name", "Tag=birth-date:day-first"])
    mapping = mapping_of(names, roles)
    assert settle(names, mapping).person is not None
    assert roles_of(names, mapping) == ("person-name", "birth-date:day-first", "attribute")
