"""The root of the command line: all subjects listed, each imported only when it is used."""

import json
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.cli import main
from clients.cli.main import SUBJECTS, Subject, app

PARSERS = (
    "duckdb",
    "email_validator",
    "openpyxl",
    "phonenumbers",
    "precis_i18n",
    "pyarrow",
    "schwifty",
    "stdnum",
)


def _in_a_fresh_process(*arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, standard output, and the modules that were imported: the project's, and those that take long."""
    watched = ("broker", "clients", "httpx", *PARSERS)
    program = (
        "import json, sys\n"
        "from clients.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        f"    names = [name for name in sys.modules if name.split('.')[0] in {watched}]\n"
        "    sys.stderr.write(json.dumps(names)); sys.exit(end.code)\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, json.loads(done.stderr.splitlines()[-1])


def test_the_help_lists_every_subject_and_imports_none() -> None:
    code, output, imported = _in_a_fresh_process("--help")
    assert code == 0
    assert all(f"  {name} " in output for name in SUBJECTS)
    assert not {subject.module for subject in SUBJECTS.values()} & set(imported)
    assert "httpx" not in imported


def test_canonicalising_a_line_needs_no_network_code() -> None:
    code, _, imported = _in_a_fresh_process("canonicalise", "--help")
    assert code == 0
    assert "clients.cli.canonicalise" in imported
    assert not {"httpx", "clients.transport", "clients.cli.deposit"} & set(imported)


@pytest.mark.parametrize("command", ["request", "deposit", "space", "approve", "desk"])
def test_a_command_starts_without_the_libraries_that_read_files_and_identifiers(command: str) -> None:
    code, _, imported = _in_a_fresh_process(command, "--help")
    assert code == 0
    assert f"clients.cli.{command}" in imported
    assert not {name.split(".")[0] for name in imported} & {*PARSERS, "httpx"}


def test_a_subject_that_is_not_there_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["nonsense"])
    assert result.exit_code == 2


def test_a_part_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    absent: dict[str, Any] = {**SUBJECTS, "keyholder": Subject("clients.no_such_module", "Run a key holder.")}
    monkeypatch.setattr(main, "SUBJECTS", absent)
    result = CliRunner().invoke(app, ["keyholder"])
    assert result.exit_code == 6
    assert "not installed" in result.stderr


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.strip().count(".") == 2
