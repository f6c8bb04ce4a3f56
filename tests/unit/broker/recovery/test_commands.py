"""`narrowgate broker fsck`, `backup` and `restore` as an operator runs them: words, JSON, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from broker import folder
from broker.recovery import commands, sealed_file
from broker.store.database import Database
from clients.cli.main import app
from tests import rules
from tests.recovery_case import PASSPHRASE


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A broker's folder, with rules in force."""
    monkeypatch.setattr(sealed_file, "_LOG2_N", 1)
    monkeypatch.setenv(commands.LOCK_VARIABLE, PASSPHRASE)
    assert run("init", tmp_path / "broker").exit_code == 0
    rules.activate_in_folder(tmp_path / "broker")
    return tmp_path / "broker"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["broker", *map(str, arguments)], prog_name="narrowgate")


def answer(result: Result) -> Any:
    return json.loads(result.stdout)


def damage(directory: Path, *statements: str) -> None:
    database = Database(folder.read_settings(directory).database_url)
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))
    database.close()


def test_a_sound_broker_is_clean_and_what_is_wrong_is_told_with_exit_code_4(broker: Path) -> None:
    result = run("fsck", broker, "--json")
    assert (result.exit_code, answer(result)) == (0, {"clean": True, "number": 0, "findings": []})
    damage(
        broker,
        "UPDATE log_records SET salt = NULL",
        "UPDATE bundle_activations SET log_index = 7",
    )
    result = run("fsck", broker, "--json")
    assert result.exit_code == 4
    assert [each["where"] for each in answer(result)["findings"]] == [
        "log entry 0",
        "table bundle_activations, activation 1",
    ]
    result = run("fsck", broker)
    assert result.exit_code == 4
    assert "log entry 0: Of record and salt one is erased and the other is not." in result.stdout
    assert "Findings: 2. Nothing was changed." in result.stdout


def test_there_is_no_repair_and_the_help_says_why(broker: Path) -> None:
    assert run("fsck", broker, "--repair").exit_code == 2
    assert "There is no --repair" in " ".join(run("fsck", "--help").stdout.split())


def test_while_a_broker_runs_it_says_so(broker: Path) -> None:
    running = Database(folder.read_settings(broker).database_url)
    result = run("fsck", broker)
    running.close()
    assert result.exit_code == 6
    assert "Another process owns this database" in result.stderr


def test_a_file_that_is_no_database_is_a_finding(broker: Path) -> None:
    path = broker / folder.DATABASE_FILE
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    result = run("fsck", broker, "--json")
    assert result.exit_code == 4
    assert answer(result)["findings"][-1]["where"] == "the database"


def test_a_backup_is_written_and_put_back(broker: Path, tmp_path: Path) -> None:
    written = answer(run("backup", broker, tmp_path / "file", "--json"))
    assert (written["size"], written["bytes"]) == (1, (tmp_path / "file").stat().st_size)
    result = run("restore", tmp_path / "file", tmp_path / "restored", "--json")
    assert result.exit_code == 0, result.stderr
    restored = answer(result)
    assert (restored["root"], restored["witnesses"]) == (written["root"], "nobody")
    assert run("fsck", tmp_path / "restored").exit_code == 0
    assert answer(run("describe", broker, "--json")) == answer(
        run("describe", tmp_path / "restored", "--json")
    )


def test_what_does_not_pass_is_not_put_in_place(broker: Path, tmp_path: Path) -> None:
    damage(broker, "UPDATE bundle_activations SET log_index = 7")
    assert run("backup", broker, tmp_path / "file").exit_code == 0
    result = run("restore", tmp_path / "file", tmp_path / "restored")
    assert result.exit_code == 4
    assert "nothing of it was left in place" in result.stdout
    assert list((tmp_path / "restored").iterdir()) == []
    result = run("restore", tmp_path / "file", tmp_path / "restored", "--despite-findings", "--json")
    assert (result.exit_code, answer(result)["in_place"]) == (4, True)


def test_without_a_passphrase_or_with_another_nothing_happens(
    broker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", broker, tmp_path / "file")
    monkeypatch.setenv(commands.LOCK_VARIABLE, "another passphrase than that")
    result = run("restore", tmp_path / "file", tmp_path / "restored")
    assert result.exit_code == 4
    assert "passphrase is another" in result.stderr
    monkeypatch.setenv(commands.LOCK_VARIABLE, "short")
    assert run("backup", broker, tmp_path / "other").exit_code == 6
    monkeypatch.delenv(commands.LOCK_VARIABLE)
    result = run("backup", broker, tmp_path / "other")
    assert result.exit_code == 6
    assert commands.LOCK_VARIABLE in result.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["broker", "file"]
