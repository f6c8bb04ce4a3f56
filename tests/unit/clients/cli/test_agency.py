"""`narrowgate agency`, as a person at a small organisation would use it."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from clients.cli.main import app

NAMES = ("--id", "north-helpline", "--name", "North Helpline", "--jurisdiction", "GB")


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_helpline_makes_its_keys_and_shows_who_it_is(tmp_path: Path) -> None:
    made = _run("agency", "init", tmp_path / "home", *NAMES, "--kind", "helpline", "--json")
    assert made.exit_code == 0, made.output
    identity = json.loads(made.stdout)
    shown = json.loads(_run("agency", "show", tmp_path / "home", "--json").stdout)
    assert shown["kid"] == identity["kid"]
    assert (shown["party_id"], shown["kind"], shown["spaces"]) == ("north-helpline", "helpline", [])


def test_somebody_else_checks_the_enrolment_file_by_its_thumbprint(tmp_path: Path) -> None:
    _run("agency", "init", tmp_path / "home", *NAMES, "--kind", "helpline")
    shown = json.loads(_run("agency", "show", tmp_path / "home", "--json").stdout)
    checked = _run("agency", "check", tmp_path / "home" / "enrolment.jws")
    assert checked.exit_code == 0
    assert shown["kid"] in checked.stdout


def test_a_damaged_enrolment_file_does_not_verify(tmp_path: Path) -> None:
    _run("agency", "init", tmp_path / "home", *NAMES, "--kind", "helpline")
    text = (tmp_path / "home" / "enrolment.jws").read_text()
    other = "A" if text[-10] != "A" else "B"
    (tmp_path / "damaged.jws").write_text(text[:-10] + other + text[-9:])
    assert _run("agency", "check", tmp_path / "damaged.jws").exit_code == 4


def test_a_second_home_is_not_made_over_the_first(tmp_path: Path) -> None:
    assert _run("agency", "init", tmp_path, *NAMES, "--kind", "helpline").exit_code == 0
    assert _run("agency", "init", tmp_path, *NAMES, "--kind", "helpline").exit_code == 6


def test_an_agency_without_a_kind_is_told_the_kinds(tmp_path: Path) -> None:
    result = _run("agency", "init", tmp_path / "home", *NAMES)
    assert result.exit_code == 6
    assert "helpline" in result.stderr


def test_a_folder_that_is_no_home_is_bad_input(tmp_path: Path) -> None:
    result = _run("agency", "show", tmp_path)
    assert result.exit_code == 6
    assert "agency init" in result.stderr


def test_a_broker_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    _run("agency", "init", tmp_path / "home", *NAMES, "--kind", "helpline")
    result = _run("agency", "enrol", tmp_path / "home", "--broker", "http://127.0.0.1:9")
    assert result.exit_code == 5
