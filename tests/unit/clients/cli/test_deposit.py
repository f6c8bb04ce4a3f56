"""`narrowgate space` and `narrowgate deposit` as agencies use them, against a real broker and real holders."""

import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.cli import deposit_file
from clients.cli.main import app
from clients.readers import Reading, RefusedRow, Signal, read_file
from tests.contributor_case import CONDITIONS, ContributorCase

FILE = """phone,email,note
07700 900101,,seen twice
+44 7700 900101,,the same in another spelling
07700 900102,a@example.org,
call me,,not a number
,,
"""

Command = Callable[..., Result]


@pytest.fixture
def case(tmp_path: Path, commands_reach: Callable[[ContributorCase], None]) -> Iterator[ContributorCase]:
    made = ContributorCase(tmp_path)
    commands_reach(made)
    yield made
    made.close()


@pytest.fixture
def narrowgate() -> Command:
    def command(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return command


@pytest.fixture
def paths(case: ContributorCase) -> dict[str, Path]:
    """The company's folder in a founded space, a file of signals, and its conditions."""
    case.found()
    signals, conditions = case.folder / "signals.csv", case.folder / "conditions.json"
    signals.write_text(FILE)
    conditions.write_bytes(encode(CONDITIONS))
    return {"home": case.company.vault.directory, "signals": signals, "conditions": conditions}


def _add(narrowgate: Command, paths: dict[str, Path], *more: str) -> Any:
    arguments = ("--conditions", paths["conditions"], "--default-region", "GB", "--json", *more)
    result = narrowgate("deposit", "add", paths["home"], paths["signals"], *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_file_goes_in_by_type_and_bad_rows_are_named_by_line(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    arguments = ("--conditions", paths["conditions"], "--default-region", "GB")
    result = narrowgate("deposit", "add", paths["home"], paths["signals"], *arguments)
    assert result.exit_code == 0, result.output
    assert "2 phone, 1 email" in result.stdout
    assert "TRIAL" in result.stdout
    assert "line 5: " in result.stderr
    assert "call me" not in result.output
    assert "900101" not in result.output


def test_json_holds_every_refused_row_and_a_deposit_for_each_type(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    answer = _add(narrowgate, paths)
    assert [row["line"] for row in answer["refused"]] == [5]
    assert answer["refused_rows"] == 1
    assert {item["identifier_type"]: item["records"] for item in answer["deposits"]} == {
        "phone": 2,
        "email": 1,
    }


def test_a_workbook_goes_in_by_a_saved_mapping_and_its_refused_rows_into_a_file(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path]
) -> None:
    book = openpyxl.Workbook()
    for row in (["Kontakt", "Notiz"], [447700900103, "a"], ["4.477E+11", "b"], ["+447700900104", "c"]):
        book.active.append(row)
    paths["signals"] = case.folder / "signals.xlsx"
    book.save(paths["signals"])
    mapped = narrowgate(
        "deposit", "map", paths["home"], paths["signals"], "--column", "Kontakt=phone", "--save", "contacts"
    )
    assert mapped.exit_code == 0, mapped.output
    refused = case.folder / "refused.csv"
    answer = _add(narrowgate, paths, "--mapping", "contacts", "--refused", str(refused))
    assert (answer["identifiers"], answer["refused_rows"]) == ({"phone": 2}, 1)
    assert answer["refused"][0]["column"] == 1
    lines = refused.read_text().splitlines()
    assert lines[0] == "line,column,reason"
    assert lines[1].startswith("3,1,")
    assert "4.477" not in lines[1]


PEOPLE = """Handynummer;Vorname;Nachname;Geburtsdatum
07700 900101;Amina;Karimova;31.12.2050
07700 900102;Anna;van der Berg;2051-02-03
;Anna;;2051-02-03
"""


def test_a_type_that_the_space_does_not_compare_is_refused_with_the_way_to_leave_its_column_out(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    paths["signals"].write_text("phone,IBAN\n+447700900101,DE89370400440532013000\n")
    arguments = ("deposit", "add", paths["home"], paths["signals"], "--conditions", paths["conditions"])
    refused = narrowgate(*arguments)
    assert refused.exit_code == 6
    assert "does not compare iban" in refused.stderr
    assert '--column "ITS NAME=ignore"' in refused.stderr
    assert narrowgate("deposit", "list", paths["home"], "--json").stdout.count("deposit_id") == 0
    assert _add(narrowgate, paths, "--column", "IBAN=ignore")["identifiers"] == {"phone": 1}


def test_where_persons_are_not_compared_a_file_with_names_and_dates_goes_in_as_before(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    paths["signals"].write_text(PEOPLE)
    answer = _add(narrowgate, paths, "--dry-run")
    assert (answer["identifiers"], answer["refused_rows"]) == ({"phone": 2}, 1)
    shown = narrowgate("deposit", "map", paths["home"], paths["signals"], "--json")
    assert [each["holds"] for each in json.loads(shown.stdout)["columns"]] == ["phone", *["attribute"] * 3]


def test_where_persons_are_compared_their_columns_are_joined_shown_saved_and_deposited(
    narrowgate: Command, case: ContributorCase
) -> None:
    case.found(identifier_types=["phone", "person"])
    paths = {"home": case.company.vault.directory, "signals": case.folder / "people.csv"}
    paths["conditions"] = case.folder / "conditions.json"
    paths["conditions"].write_bytes(encode(CONDITIONS))
    paths["signals"].write_text(PEOPLE)

    mapping = ("deposit", "map", paths["home"], paths["signals"], "--default-region", "GB")
    shown = narrowgate(*mapping, "--save", "people")
    assert "2. Vorname: name; with the birth date of the row a person\n" in shown.stdout
    assert (
        "4. Geburtsdatum: birth date; with the names of the row a person: 2 accepted, 1 refused"
        in shown.stdout
    )
    assert "two names at least" in shown.stdout
    assert "Karimova" not in shown.stdout

    answer = _add(narrowgate, paths)
    assert answer["identifiers"] == {"phone": 2, "person": 2}
    assert {item["identifier_type"]: item["records"] for item in answer["deposits"]} == {
        "phone": 2,
        "person": 2,
    }
    assert [row["line"] for row in answer["refused"]] == [4]

    # A workbook of the same columns is read by the same mapping, and its dates are dates of birth.
    book = openpyxl.Workbook()
    book.active.append(["Handynummer", "Vorname", "Nachname", "Geburtsdatum"])
    book.active.append([None, "AMINA", "Karimova", datetime.date(2050, 12, 31)])
    paths["signals"] = case.folder / "people.xlsx"
    book.save(paths["signals"])
    result = narrowgate(
        "deposit", "add", paths["home"], paths["signals"], "--conditions", paths["conditions"], "--json"
    )
    assert "mapping people" in result.stderr
    (again,) = json.loads(result.stdout)["deposits"]
    assert (again["identifier_type"], again["records"]) == ("person", 1)


def test_a_file_that_changes_while_it_is_read_leaves_nothing_deposited(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = len(case.wire.calls)
    paths["signals"].write_text(FILE + "07700 900105,,more\n" * 40)

    def meddled(file: Path, reading: Reading) -> Iterator[Signal | RefusedRow]:
        for item in read_file(file, reading):
            yield item
            file.write_text(FILE + "07700 900105,,late\n")

    monkeypatch.setattr(deposit_file, "read_file", meddled)
    arguments = ("--conditions", paths["conditions"], "--default-region", "GB")
    result = narrowgate("deposit", "add", paths["home"], paths["signals"], *arguments)
    assert result.exit_code == 6
    assert "changed while it was read" in result.stderr
    assert len(case.wire.calls) == calls


def test_a_dry_run_sends_nothing(narrowgate: Command, case: ContributorCase, paths: dict[str, Path]) -> None:
    calls = len(case.wire.calls)
    answer = _add(narrowgate, paths, "--dry-run")
    assert answer["identifiers"] == {"phone": 2, "email": 1}
    assert answer["deposits"] == []
    assert len(case.wire.calls) == calls


def test_the_same_file_again_deposits_nothing_new(narrowgate: Command, paths: dict[str, Path]) -> None:
    first, again = _add(narrowgate, paths), _add(narrowgate, paths)
    assert {item["deposit_id"] for item in first["deposits"]} == {
        item["deposit_id"] for item in again["deposits"]
    }
    assert all(item["repeated"] for item in again["deposits"])
    listed = json.loads(narrowgate("deposit", "list", paths["home"], "--json").stdout)
    assert [series["state"] for series in listed["series"]] == ["open", "open"]


def test_a_series_is_withdrawn_by_the_id_that_the_list_shows(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    series_id = _add(narrowgate, paths)["deposits"][0]["series_id"]
    arguments = ("--reason", "Blocked by mistake", "--json")
    result = narrowgate("deposit", "withdraw", paths["home"], series_id, *arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["destruction_receipts"] == 3
    listed = json.loads(narrowgate("deposit", "list", paths["home"], "--json").stdout)["series"]
    assert {item["series_id"]: item["state"] for item in listed}[series_id] == "withdrawn"


def test_a_deposit_the_rules_refuse_ends_with_three(narrowgate: Command, paths: dict[str, Path]) -> None:
    careless = CONDITIONS.model_copy(update={"reviewed_by_person": False})
    paths["conditions"].write_bytes(encode(careless))
    arguments = ("--conditions", paths["conditions"], "--default-region", "GB", "--json")
    result = narrowgate("deposit", "add", paths["home"], paths["signals"], *arguments)
    assert result.exit_code == 3
    refusal = json.loads(result.stdout)
    assert refusal["problem"] == "refused"
    assert refusal["rules"]


def test_a_file_without_one_usable_row_is_bad_input(narrowgate: Command, paths: dict[str, Path]) -> None:
    paths["signals"].write_text("phone\ncall me\n")
    result = narrowgate(
        "deposit", "add", paths["home"], paths["signals"], "--conditions", paths["conditions"]
    )
    assert result.exit_code == 6


def test_neither_conditions_nor_series_is_bad_input(narrowgate: Command, paths: dict[str, Path]) -> None:
    result = narrowgate("deposit", "add", paths["home"], paths["signals"], "--default-region", "GB")
    assert result.exit_code == 6
    assert "--conditions" in result.stderr


def test_a_deposit_under_a_named_series_takes_only_its_type(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    arguments = ("--type", "phone", "--conditions", paths["conditions"], "--json")
    opened = narrowgate("deposit", "open-series", paths["home"], *arguments)
    series_id = json.loads(opened.stdout)["series_id"]
    with_email = narrowgate("deposit", "add", paths["home"], paths["signals"], "--series", series_id)
    assert with_email.exit_code == 6
    assert "email" in with_email.stderr
    paths["signals"].write_text("phone\n+44 7700 900103\n")
    alone = narrowgate("deposit", "add", paths["home"], paths["signals"], "--series", series_id, "--json")
    assert json.loads(alone.stdout)["deposits"][0]["series_id"] == series_id


def test_a_closed_series_takes_nothing_more(narrowgate: Command, paths: dict[str, Path]) -> None:
    series_id = _add(narrowgate, paths)["deposits"][0]["series_id"]
    assert narrowgate("deposit", "close", paths["home"], series_id).exit_code == 0
    assert json.loads(narrowgate("deposit", "resume", paths["home"], "--json").stdout) == {"deposits": []}
    again = _add(narrowgate, paths)
    assert again["deposits"][0]["series_id"] != series_id


def test_a_template_of_conditions_knows_who_asks(narrowgate: Command, paths: dict[str, Path]) -> None:
    out = paths["home"].parent / "mine.json"
    assert narrowgate("deposit", "conditions", paths["home"], "--out", out).exit_code == 0
    page = json.loads(out.read_text())
    assert (page["contributor_kind"], page["established_in"]) == ("company", "IE")
    unfilled = narrowgate("deposit", "open-series", paths["home"], "--type", "phone", "--conditions", out)
    assert unfilled.exit_code == 6
    assert "lawful_ground" in unfilled.stderr


def test_a_space_is_founded_and_joined_from_files(narrowgate: Command, case: ContributorCase) -> None:
    folder = case.folder
    (folder / "broker.json").write_bytes(encode(case.description))
    files: list[str | Path] = []
    for home in (case.company, case.partner):
        files += ["--member", home.vault.directory / "enrolment.jws"]
    for x in (1, 2, 3):
        files += ["--holder", folder / f"holder-{x}" / "enrolment.jws"]
    files += ["--desk", case.desk.vault.directory / "enrolment.jws", "--bundle", Path("policies")]
    rules = ("--threshold", "2", "--type", "phone", "--out", folder / "space.jws", "--json")
    founders = case.company.vault.directory
    found = ("space", "found", founders, "--broker-description", folder / "broker.json")
    founded = narrowgate(*found, *files, *rules)
    assert founded.exit_code == 0, founded.output
    founder = founders / "enrolment.jws"
    for member in (case.company, case.partner):
        arguments = ("--space", folder / "space.jws", "--founder", founder, "--json")
        joined = json.loads(narrowgate("space", "join", member.vault.directory, *arguments).stdout)
        assert joined["space_id"] == json.loads(founded.stdout)["space_id"]
        assert joined["salt"]
    shown = narrowgate("space", "show", case.partner.vault.directory)
    assert "TRIAL" in shown.stdout
    assert "Payments company" in shown.stdout


def test_one_deposit_is_withdrawn_by_the_id_that_the_list_shows(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    deposits = _add(narrowgate, paths)["deposits"]
    deposit_id = deposits[0]["deposit_id"]
    assert deposit_id in narrowgate("deposit", "list", paths["home"]).stdout
    result = narrowgate("deposit", "withdraw", paths["home"], deposit_id, "--reason", "By mistake", "--json")
    assert json.loads(result.stdout) == {"deposit_id": deposit_id, "series_id": deposits[0]["series_id"]}
    listed = json.loads(narrowgate("deposit", "list", paths["home"], "--json").stdout)["series"]
    states = {each["deposit_id"]: each["state"] for series in listed for each in series["deposits"]}
    assert states == {deposit_id: "withdrawn", deposits[1]["deposit_id"]: "serving"}
    assert {series["state"] for series in listed} == {"open"}


def test_identifiers_in_a_file_are_taken_back_and_not_printed(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    deposit_id = _add(narrowgate, paths)["deposits"][0]["deposit_id"]
    numbers = paths["home"].parent / "numbers.txt"
    numbers.write_text("phone\n+44 7700 900101\n+44 7700 900999\n")
    arguments = ("deposit", "withdraw-identifiers", paths["home"], numbers, "--reason", "By mistake")
    result = narrowgate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    (taken,) = json.loads(result.stdout)["deposits"]
    assert (taken["deposit_id"], taken["records"], taken["identifiers_left"]) == (deposit_id, 1, 1)
    again = narrowgate(*arguments)
    assert "0 records from 0 deposits" in again.stdout
    assert "900101" not in result.output + again.output


def test_one_line_that_cannot_be_read_takes_nothing_back(narrowgate: Command, paths: dict[str, Path]) -> None:
    _add(narrowgate, paths)
    numbers = paths["home"].parent / "numbers.txt"
    numbers.write_text("phone\n+44 7700 900101\ncall me\n")
    result = narrowgate("deposit", "withdraw-identifiers", paths["home"], numbers, "--reason", "By mistake")
    assert result.exit_code == 6
    assert "nothing was taken back" in result.stderr
    assert "call me" not in result.output
    listed = json.loads(narrowgate("deposit", "list", paths["home"], "--json").stdout)["series"]
    assert sorted(each["records"] for series in listed for each in series["deposits"]) == [1, 2]


# --- the life of a deposit ---

DAY_SECONDS = 86_400


def _list(narrowgate: Command, paths: dict[str, Path]) -> dict[str, Any]:
    listed = json.loads(narrowgate("deposit", "list", paths["home"], "--json").stdout)["series"]
    return {series["series_id"]: series for series in listed}


def test_a_second_file_extends_the_same_series_and_the_command_says_which(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path]
) -> None:
    first = _add(narrowgate, paths)["deposits"]
    shares = len([call for call in case.wire.calls if call == "POST /v1/series"])
    paths["signals"].write_text("phone\n+44 7700 900150\n")
    (second,) = _add(narrowgate, paths)["deposits"]
    (same,) = [item for item in first if item["series_id"] == second["series_id"]]
    assert (same["identifier_type"], same["deposit_id"] == second["deposit_id"]) == ("phone", False)
    assert (same["deposits_in_series"], second["deposits_in_series"]) == (1, 2)
    assert len([call for call in case.wire.calls if call == "POST /v1/series"]) == shares
    again = narrowgate("deposit", "add", paths["home"], paths["signals"], "--conditions", paths["conditions"])
    assert f"Series {second['series_id']} of 2026-Q3, which has 2 deposits" in again.stdout


def test_in_the_next_quarter_a_file_opens_the_next_series_and_the_last_goes_on(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path]
) -> None:
    before = _add(narrowgate, paths)["deposits"]
    case.now += 20 * DAY_SECONDS
    paths["signals"].write_text("phone\n+44 7700 900150\n")
    arguments = ("--conditions", paths["conditions"])
    result = narrowgate("deposit", "add", paths["home"], paths["signals"], *arguments)
    assert result.exit_code == 0, result.output
    assert "of 2026-Q4, its first deposit" in result.stdout
    assert all(f"Series {item['series_id']} of 2026-Q3 goes on serving" in result.stderr for item in before)
    listed = _list(narrowgate, paths)
    assert sorted(series["quarter"] for series in listed.values()) == ["2026-Q3", "2026-Q3", "2026-Q4"]
    assert all(listed[item["series_id"]]["state"] == "open" for item in before)
    named = narrowgate("deposit", "add", paths["home"], paths["signals"], "--series", before[0]["series_id"])
    assert named.exit_code == 6
    assert "earlier quarter" in named.stderr


def test_what_has_had_its_time_is_erased_at_the_next_command(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path]
) -> None:
    deposits = _add(narrowgate, paths)["deposits"]
    files = {name for item in deposits for name in (f"series/{item['series_id']}/keys", _references(item))}
    vault = case.company.vault
    assert all(vault.exists(name) for name in files)
    case.now = CONDITIONS.retain_until
    result = narrowgate("deposit", "list", paths["home"])
    assert result.stderr.count("retention") == 2
    assert not any(vault.exists(name) for name in files)
    assert {series["state"] for series in _list(narrowgate, paths).values()} == {"expired"}
    assert narrowgate("deposit", "list", paths["home"]).stderr == ""


def _references(deposit: dict[str, Any]) -> str:
    return f"deposits/{deposit['deposit_id']}/references"


def test_a_corrected_file_replaces_what_it_names(narrowgate: Command, paths: dict[str, Path]) -> None:
    with_payload = CONDITIONS.model_copy(update={"payload_category": PayloadCategory.OWN_REPORT})
    paths["conditions"].write_bytes(encode(with_payload))
    deposit_id = _add(narrowgate, paths)["deposits"][0]["deposit_id"]
    paths["signals"].write_text("phone,note\n+44 7700 900101,corrected\n+44 7700 900190,never seen\n")
    arguments = (
        "deposit",
        "replace",
        paths["home"],
        paths["signals"],
        "--reason",
        "The report was corrected",
    )
    result = narrowgate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert [(item["deposit_id"], item["records"]) for item in answer["deposits"]] == [(deposit_id, 1)]
    assert (answer["not_held"], answer["closed"], answer["without_payload"]) == (1, [], [])
    again = narrowgate(*arguments)
    assert "the same file as before" in again.stdout
    assert "1 of the identifiers are in none" in again.stdout
    assert "900101" not in result.output + again.output
    paths["signals"].write_text("phone\n+44 7700 900101\ncall me\n")
    refused = narrowgate(*arguments)
    assert refused.exit_code == 6
    assert "nothing was replaced" in refused.stderr


# --- a space over time ---


def _join(narrowgate: Command, home: Path, space: Path, founder: Path) -> Result:
    result = narrowgate("space", "join", home, "--space", space, "--founder", founder / "enrolment.jws")
    assert result.exit_code == 0, result.output
    return result


def test_the_salt_is_changed_and_everybody_is_told_what_to_do(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path]
) -> None:
    partner = {**paths, "home": case.partner.vault.directory}
    before = {item["series_id"] for item in _add(narrowgate, partner)["deposits"]}
    out = case.folder / "space-2.jws"
    rotated = narrowgate("space", "rotate-salt", paths["home"], "--out", out)
    assert rotated.exit_code == 0, rotated.output
    assert "roster version 2" in rotated.stdout
    assert "deposit its files anew" in rotated.stderr
    joined = _join(narrowgate, partner["home"], out, paths["home"])
    assert all(f"Series {series_id}" in joined.stderr for series_id in before)
    assert "salt is here" in joined.stdout
    case.pin(case.company.space())
    listed = _list(narrowgate, partner)
    assert {name for name, series in listed.items() if series["older_salt"]} == before
    added = narrowgate(
        "deposit", "add", partner["home"], paths["signals"], "--conditions", paths["conditions"]
    )
    assert added.exit_code == 0, added.output
    assert added.stderr.count("deposit its file anew") == 0
    assert added.stderr.count("Deposit its file anew") == len(before)
    for series_id in before:
        arguments = ("--reason", "Under the old salt")
        assert narrowgate("deposit", "withdraw", partner["home"], series_id, *arguments).exit_code == 0
    listed = _list(narrowgate, partner)
    assert sorted((series["state"], series["older_salt"]) for series in listed.values()) == [
        ("open", False),
        ("open", False),
        ("withdrawn", False),
        ("withdrawn", False),
    ]


def test_a_member_is_removed_with_a_new_salt_in_one_version(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path]
) -> None:
    out = case.folder / "space-2.jws"
    arguments = ("--agency", "payments-company", "--rotate-salt", "--out", out, "--json")
    result = narrowgate("space", "remove-member", paths["home"], *arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["roster_version"] == 2
    shown = json.loads(narrowgate("space", "show", paths["home"], "--json").stdout)["space"]
    assert [member["agency_id"] for member in shown["members"]] == ["adverts-company"]
    left = _join(narrowgate, case.partner.vault.directory, out, paths["home"])
    assert "no member" in left.stdout
    unknown = narrowgate("space", "remove-member", paths["home"], "--agency", "nobody", "--out", out)
    assert unknown.exit_code == 6


def test_a_file_becomes_a_deposit_for_each_class_that_a_column_says_and_the_same_file_changes_nothing(
    narrowgate: Command, paths: dict[str, Path]
) -> None:
    page = json.loads(encode(CONDITIONS))
    page["subject"] = {"column": "who", "words": {"pimp": "suspect", "?": "other"}}
    paths["conditions"].write_text(json.dumps(page))
    paths["signals"].write_text(
        "phone,who\n07700 900101,pimp\n07700 900102,?\n07700 900103,pimp\n07700 900101,?\n07700 900104,a friend\n"
    )
    answer = _add(narrowgate, paths)
    assert [row["line"] for row in answer["refused"]] == [6]
    assert "friend" not in json.dumps(answer)
    assert sorted(item["records"] for item in answer["deposits"]) == [2, 2]
    assert len({item["series_id"] for item in answer["deposits"]}) == 2
    again = _add(narrowgate, paths)
    assert all(item["repeated"] for item in again["deposits"])


def test_a_nightly_file_is_made_what_is_deposited(narrowgate: Command, paths: dict[str, Path]) -> None:
    options = ("--conditions", paths["conditions"], "--default-region", "GB", "--json")
    arguments = (*options, "--reason", "Nightly export")

    def sync(text: str) -> Any:
        paths["signals"].write_text(text)
        result = narrowgate("deposit", "sync", paths["home"], paths["signals"], *arguments)
        assert result.exit_code == 0, result.output
        (series,) = json.loads(result.stdout)["series"]
        return [series[name] for name in ("new", "gone", "replaced", "unchanged")]

    assert sync("phone\n07700 900101\n07700 900102\n") == [2, 0, 0, 0]
    assert sync("phone\n07700 900102\n07700 900103\n07700 900104\n") == [2, 1, 0, 1]
    assert sync("phone\n07700 900102\n07700 900103\n07700 900104\n") == [0, 0, 0, 3]


def test_a_nightly_file_with_a_line_that_cannot_be_read_changes_nothing(
    narrowgate: Command, case: ContributorCase, paths: dict[str, Path]
) -> None:
    calls = len(case.wire.calls)
    arguments = ("--conditions", paths["conditions"], "--default-region", "GB", "--reason", "Nightly export")
    result = narrowgate("deposit", "sync", paths["home"], paths["signals"], *arguments)
    assert result.exit_code == 6
    assert "is not gone" in result.output
    assert len(case.wire.calls) == calls
