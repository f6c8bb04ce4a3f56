"""`narrowgate deposit start`: one command from a spreadsheet to a deposit, with questions in plain words.

Rule: nothing is sent before the person saw what was read, what they agreed to and said yes. What they answer is
written to a file of conditions, so that next time only what is new is asked. Where nobody is at the terminal, a
question that no option answers stops the command by name.

It reads and deposits nothing itself: that is `deposit add`.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from clients.cli import run
from clients.cli.conditions import UNFILLED, read_conditions, template
from clients.cli.conditions_questions import (
    QUESTIONS,
    YES_OR_NO,
    Question,
    answered,
    ask_until_understood,
    offered_for,
)
from clients.cli.reading_options import Options, RefusedFile, reading_options

_NONE = "none"
_QUESTION_OF = {question.name: question for question in QUESTIONS}


@reading_options
def start(
    directory: run.HomeFolder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your spreadsheet, or any file `add` reads.")],
    conditions: Annotated[
        Path, typer.Option("--conditions", metavar="FILE", help="Where your answers are kept for next time.")
    ] = Path("conditions.json"),
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="NAME=ANSWER", help="Answer a question beforehand; repeat it."),
    ] = None,
    reading: Options = Options(),
    refused: RefusedFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking once more.")] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Share a spreadsheet for the first time: reads it, asks you on what terms in plain words, and sends it masked.

    Nothing leaves this computer before you said yes. Your answers are kept in a file, and the next spreadsheet is
    shared with the same command and no questions.
    """
    from clients.cli import deposit  # which lists this command among its own

    home = run.open_home(directory)
    beforehand = _beforehand(answer or [])
    region = reading.default_region or _region(home.identity.jurisdiction, yes)
    reading = replace(reading, default_region=None if region == _NONE else region)
    if not yes:
        deposit.add(directory, file, reading=reading, refused=refused, dry_run=True, space_id=space_id)
    page = _answers(conditions, template(home.identity, run.clock()), beforehand)
    run.write_output(conditions, json.dumps(page, indent=2, ensure_ascii=False) + "\n")
    read_conditions(conditions)
    run.say(f"\nYour answers are kept in {conditions}. This is what you agree to:")
    for line in _agreed(page):
        run.say(f"  {line}")
    if not yes and not _sure():
        run.show({"sent": False}, "Nothing was sent.", as_json=as_json)
        return
    deposit.add(
        directory, file, conditions, reading=reading, refused=refused, space_id=space_id, as_json=as_json
    )
    if not as_json:
        typer.echo("Keep the spreadsheet: with it you can correct or take back what you shared.")


def _beforehand(answers: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in answers:
        field, equals, words = each.partition("=")
        question = _QUESTION_OF.get(field.strip())
        if question is None or not equals:
            raise BadInput(
                "--answer is the name of a question, = and the answer, such as --answer reviewed_by_person=yes. "
                f"Questions are: {', '.join(_QUESTION_OF)}."
            )
        found[question.name] = answered(question, words)
    return found


def _answers(path: Path, fresh: dict[str, Any], beforehand: dict[str, Any]) -> dict[str, Any]:
    """The page of conditions: what an earlier time, the options and the person at the terminal say, in that order."""
    page = _earlier(path, fresh)
    again = page is not fresh
    if again:
        run.say(f"\nYour answers of {path} are used again. To answer anew, give --conditions another name.")
    page |= beforehand
    for question in QUESTIONS:
        offered = page[question.name]
        open_still = UNFILLED in (offered if isinstance(offered, list) else [offered])
        if question.name not in beforehand and (open_still or not again):
            page[question.name] = _asked(question, None if open_still else offered_for(question, offered))
    return page


def _earlier(path: Path, fresh: dict[str, Any]) -> dict[str, Any]:
    if not path.exists():
        return fresh
    try:
        page = json.loads(run.read_input(path, "the conditions"))
    except ValueError:
        page = None
    if not isinstance(page, dict) or not all(question.name in page for question in QUESTIONS):
        raise BadInput(
            "The file for your answers is there, and holds something else. Give --conditions another name."
        )
    return page


def _asked(question: Question, offered: str | None) -> Any:
    try:
        return ask_until_understood(question, offered, _prompt, run.say)
    except typer.Abort:
        raise BadInput(
            f"Not answered: {question.name}. Nothing was sent. Run the command at a terminal, or add --answer "
            f"{question.name}=..."
        ) from None


def _region(own: str, yes: bool) -> str:
    if yes:
        return _NONE
    run.say(
        "\nPhone numbers that do not begin with + : of which country are they? Two letters, or none if there are none."
    )
    try:
        return _prompt("Country", own)
    except typer.Abort:
        raise BadInput("Not answered: the country of phone numbers. Add --default-region, or none.") from None


def _sure() -> bool:
    question = Question("send", "Send it, masked, on these terms?", YES_OR_NO)
    try:
        return bool(ask_until_understood(question, "no", _prompt, run.say))
    except typer.Abort:
        raise BadInput("Not answered: whether to send it. Nothing was sent. Add --yes.") from None


def _prompt(words: str, offered: str | None) -> str:
    # On standard error: with --json nothing but JSON is on standard output.
    return str(typer.prompt(words, default=offered, err=True))


def _agreed(page: dict[str, Any]) -> list[str]:
    """The main terms in words, for a last look."""

    def words(field: str) -> str:
        question, answer = _QUESTION_OF[field], page[field]
        each = answer if isinstance(answer, list) else [answer]
        return ", ".join(question.choices.get(one, str(one)) for one in each)

    return [
        f"Who may ask: {words('permitted_readers')}; from {words('permitted_jurisdictions')}.",
        f"For what: {words('permitted_purposes')}; in cases of {words('permitted_offences')}.",
        f"How much they learn: {words('highest_tier')}.",
        f"Sealed with each identifier: {words('payload_category')}.",
        f"Until: {words('retain_until')}.",
    ]
