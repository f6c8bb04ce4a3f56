"""The page for operators, docs/how-to-keep-a-broker.md, as written: its commands in order, and what they print.

A block marked `sh` is run line by line in a folder with a broker that was just made; a block without a mark, right
after it, is what it prints, where `...` stands for what differs. Other blocks are for other programs, and not run.
"""

import fnmatch
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.recovery import commands, sealed_file
from clients.cli.main import app
from tests import rules
from tests.recovery_case import PASSPHRASE

PAGE = Path(__file__).parents[2] / "docs" / "how-to-keep-a-broker.md"


def called(command: str) -> str:
    program, *arguments = shlex.split(command)
    assert program == "narrowgate"
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, f"{command}\n{result.output}\n{result.stderr}"
    return result.stdout


def test_the_page_is_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sealed_file, "_LOG2_N", 1)
    monkeypatch.setenv(commands.LOCK_VARIABLE, PASSPHRASE)
    called("narrowgate broker init var/broker")
    rules.activate_in_folder(Path("var/broker"))
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    printed: list[str] = []
    ran = 0
    for mark, text in blocks:
        if mark == "sh":
            ran += 1
            printed = [line for command in text.splitlines() for line in called(command).splitlines()]
        elif mark == "":
            for expected, line in zip(text.splitlines(), printed, strict=True):
                assert fnmatch.fnmatchcase(line, expected.replace("[", "[[]").replace("...", "*")), line
    assert ran == 4
