"""Every command that reads a file of identifiers takes the same options, and is handed what they say."""

from pathlib import Path
from typing import Annotated

import typer
from typer.testing import CliRunner

from clients.cli.reading_options import Options, reading_options
from tests.unit.test_documented import commands

OPTIONS = {"--default-region", "--mapping", "--column", "--encoding", "--sheet"}
READING = {
    "access-request answer",
    "access-request find",
    "audit draw-check",
    "deposit add",
    "deposit map",
    "deposit replace",
    "deposit start",
    "deposit sync",
    "deposit withdraw-identifiers",
    "request climb",
    "request confirm",
    "request prepare",
    "request report",
}


def test_each_command_that_reads_a_file_has_all_of_them_and_no_other_has_one() -> None:
    having = {}
    for name, command in commands().items():
        options = {option for each in command.params for option in each.opts} & OPTIONS
        if options:
            having[name.removeprefix("narrowgate ")] = options
    assert having == dict.fromkeys(READING, OPTIONS)


def test_the_options_stand_where_the_parameter_stood_and_come_as_one_value() -> None:
    app, handed = typer.Typer(), list[tuple[Path, Options, bool]]()

    @app.command()
    @reading_options
    def look(
        file: Annotated[Path, typer.Argument()], reading: Options = Options(), aloud: bool = False
    ) -> None:
        """Look at a file."""
        handed.append((file, reading, aloud))

    words = (
        "a.csv --column A=phone --column B=email --mapping x --sheet 2 --encoding utf-16 --default-region GB"
    )
    for line in (words, "b.csv --aloud"):
        result = CliRunner().invoke(app, line.split())
        assert result.exit_code == 0, result.output
    assert handed == [
        (Path("a.csv"), Options("x", ("A=phone", "B=email"), "GB", "utf-16", "2"), False),
        (Path("b.csv"), Options(), True),
    ]
    shown = CliRunner().invoke(app, ["--help"]).output
    assert shown.index("--default-region") < shown.index("--sheet") < shown.index("--aloud")
    assert "Look at a file." in shown
    assert "--reading" not in shown

    look(Path("c.csv"), reading=Options("y"), aloud=True)
    assert handed[-1] == (Path("c.csv"), Options("y"), True)
