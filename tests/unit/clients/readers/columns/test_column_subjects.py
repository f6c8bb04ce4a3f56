"""Words that say whose a column is: seen through, never lost, and two people are never made one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.readers import Reading, Signal, guess_mapping, read_file
from clients.readers.columns.column_subjects import _OF_NOBODY, _SUBJECTS, readings, subject_of
from clients.readers.columns.mapping import guess_column, settle
from clients.readers.columns.person_columns import _BIRTH_WORDS, _NAME_WORDS
from clients.readers.columns.roles import roles_of
from clients.readers.columns.several_people import check_one_subject, several_people


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("victim_phone", "phone"),
        ("suspect phone no.", "phone"),
        ("suspect's e-mail", "email"),
        ("phone_1", "phone"),
        ("tel2", "phone"),
        ("phone 2 (home)", "phone"),
        ("suspect1_phone", "phone"),
        ("suspect_1_phone", "phone"),
        ("victim 2 phone 1", "phone"),
        ("phoneOfVictim", "phone"),
        ("suspectPhoneNumber", "phone"),
        ("Contact number", "phone"),
        ("emergency contact phone", "phone"),
        ("business email", "email"),
        ("user_email", "email"),
        ("reported username", "handle"),
        ("suspect Telegram", "handle:telegram"),
        ("victim_sha256", "file_hash"),
        ("Téléphone de la victime", "phone"),
        ("Telefon Opfer", "phone"),
        ("teléfono del cliente", "phone"),
        ("هاتف الضحية", "phone"),
        ("телефон потерпевшего", "phone"),
        # What means another thing.
        ("phone type", None),
        ("email subject", None),
        ("phone contact", None),
        ("email sent", None),
        ("date of phone call", None),
        ("client id", None),
        ("client line", None),
        ("client", None),
        ("victim 1", None),
        ("victim dob", None),
        ("business name", None),
    ],
)
def test_a_column_is_known_by_what_is_left_when_words_of_whose_it_is_are_off(
    name: str, kind: str | None
) -> None:
    assert guess_column(name) == kind


def test_a_word_of_whose_it_is_means_nothing_else() -> None:
    words = set(_SUBJECTS) | _OF_NOBODY
    assert not words & (_NAME_WORDS | _BIRTH_WORDS)
    # A column that is called so by itself is of that type; before another word it says nothing.
    assert [word for word in words if guess_column(word)] == ["person"]
    assert not set(_SUBJECTS) & _OF_NOBODY


def test_a_name_keeps_whom_it_is_about_and_which_of_several() -> None:
    last = readings("Victim 2: first name")[-1]
    assert (last.word, last.subject, last.number) == ("firstname", "victim", "2")
    assert [subject_of(name) for name in ("phone", "Beschuldigter Tel.", "tel. opfer", "victim")] == [
        "",
        "suspect",
        "victim",
        "",
    ]


NAME, BIRTH, GONE, ATTRIBUTE = "person-name", "birth-date", "ignore", "attribute"


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("victim_first_name", "victim_last_name", "victim_dob"), (NAME, NAME, BIRTH)),
        (("First name", "Surname", "Client DOB"), (NAME, NAME, BIRTH)),
        (("Client name", "Date of birth"), (NAME, BIRTH)),
        (("Vorname Opfer", "Nachname Opfer", "Geburtsdatum Opfer"), (NAME, NAME, BIRTH)),
        (("first_name_1", "last_name_1", "dob_1"), (NAME, NAME, BIRTH)),
        # Another's name beside a whole person: never joined to it, nor handed on with it.
        (("Name", "Father's name", "DOB"), (NAME, GONE, BIRTH)),
        (("suspect_name", "victim_name", "victim_dob"), (GONE, NAME, BIRTH)),
        (("Officer", "client name", "dob"), (ATTRIBUTE, NAME, BIRTH)),
        # Two persons, or names and a birth date of two: nothing is joined.
        (("victim_name", "victim_dob", "suspect_name", "suspect_dob"), (ATTRIBUTE,) * 4),
        (("suspect1_name", "suspect1_dob", "suspect2_name", "suspect2_dob"), (ATTRIBUTE,) * 4),
        (("victim_first_name", "suspect_last_name", "dob"), (ATTRIBUTE,) * 3),
        (("victim_first_name", "victim_last_name", "suspect_dob"), (ATTRIBUTE,) * 3),
        (("first_name", "victim_last_name", "suspect_dob"), (ATTRIBUTE,) * 3),
        (("victim_name", "suspect_name", "dob"), (ATTRIBUTE,) * 3),
        (("business name", "dob"), (ATTRIBUTE,) * 2),
        (("username", "first user name", "dob"), ("handle", ATTRIBUTE, ATTRIBUTE)),
    ],
)
def test_a_person_is_joined_of_what_is_about_one_alone(names: Sequence[str], roles: Sequence[str]) -> None:
    with_phone = ("phone", *names)
    assert roles_of(with_phone, guess_mapping(with_phone, persons=True)) == ("phone", *roles)


@pytest.mark.parametrize(
    ("names", "about"),
    [
        (("victim_phone", "suspect_phone"), {"victim": (1,), "suspect": (2,)}),
        (("reporter email", "reported username"), {"reporter": (1,), "suspect": (2,)}),
        (("phone", "emergency contact phone"), {"": (1,), "relative": (2,)}),
        # No identifier itself, but sealed with one of another's.
        (("suspect_phone", "victim_first_name"), {"suspect": (1,), "victim": (2,)}),
        (("victim_phone", "victim_email", "town"), {}),
        (("phone", "client dob", "client name"), {}),
        (("caller_phone", "town of victim"), {}),
        (("phone", "father's name"), {}),
        (("phone", "email", "name"), {}),
    ],
)
def test_a_table_about_several_people_is_told(
    names: Sequence[str], about: dict[str, tuple[int, ...]]
) -> None:
    mapping = guess_mapping(names)
    assert several_people(names, roles_of(names, mapping)) == about
    if about:
        with pytest.raises(BadInput, match=r"several people: .*=ignore.*--save NAME"):
            check_one_subject(names, mapping)
    else:
        check_one_subject(names, mapping)


def test_such_a_table_is_read_only_by_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "both.csv"
    path.write_text("victim_phone,suspect_phone\n+447700900123,+447700900124\n")
    with pytest.raises(BadInput, match=r"victim \(column 1\) and suspect \(column 2\)") as refusal:
        list(read_file(path))
    assert "7700900" not in refusal.value.detail
    mapping = guess_mapping(("victim_phone", "suspect_phone"))
    rows = list(read_file(path, Reading(mapping)))
    assert [type(row) for row in rows] == [Signal, Signal]


def test_a_second_column_of_a_guess_is_no_attribute() -> None:
    names = ("phone", "phone_1", "Phone (home)", "note")
    assert [name for _, name in settle(names, None).attributes] == ["note"]
