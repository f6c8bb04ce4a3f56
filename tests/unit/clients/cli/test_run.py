"""One place turns errors into exit codes and words: nothing else of the command line may."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from broker.protocol.errors import BadInput, NarrowgateError, VerificationFailed
from broker.protocol.problems import PROBLEMS, URN_PREFIX
from clients.cli import run
from clients.transport import Answer, Unreachable, problem_of

NUMBER = "+44 7700 900123"


def _program(work: Callable[[], None]) -> typer.Typer:
    app = run.application("A test's commands.")

    @app.command()
    def act(as_json: run.Json = False) -> None:
        """Do it."""
        work()
        run.show({"done": True}, "Done.", as_json=as_json)

    @app.command()
    def other() -> None:
        """Another, so that this is a group."""

    return app


def _failing(error: Exception) -> typer.Typer:
    def work() -> None:
        raise error

    return _program(work)


def _remote(slug: str, **extensions: Any) -> NarrowgateError:
    body = json.dumps({"type": URN_PREFIX + slug, "detail": "It is so.", **extensions}).encode()
    return problem_of(Answer(400, (), body), 1_790_000_000)


def test_the_exit_codes_are_those_scripts_rely_on() -> None:
    codes = {
        "refused": 3,
        "verification-failed": 4,
        "unavailable": 5,
        "too-many-calls": 5,
        "bad-input": 6,
        "unauthenticated": 6,
        "not-permitted": 6,
        "not-found": 6,
        "conflict": 6,
        "consistency-needed": 6,
        "expired": 6,
        "too-large": 6,
        "fault": 1,
    }
    assert set(codes) == set(PROBLEMS)
    runner = CliRunner()
    assert {slug: runner.invoke(_failing(_remote(slug)), ["act"]).exit_code for slug in codes} == codes


@pytest.mark.parametrize(
    ("error", "code"), [(BadInput("x"), 6), (VerificationFailed("x"), 4), (Unreachable("x"), 5)]
)
def test_a_local_error_ends_like_the_remote_problem_of_its_name(error: Exception, code: int) -> None:
    assert CliRunner().invoke(_failing(error), ["act"]).exit_code == code


def test_done_is_zero_and_a_wrong_option_two() -> None:
    app = _program(lambda: None)
    assert CliRunner().invoke(app, ["act"]).exit_code == 0
    assert CliRunner().invoke(app, ["act", "--no-such"]).exit_code == 2


def test_an_expected_error_is_words_on_standard_error_and_no_traceback() -> None:
    result = CliRunner().invoke(_failing(BadInput("Write the day as YYYY-MM-DD.")), ["act"])
    assert result.stdout == ""
    assert result.stderr == "Write the day as YYYY-MM-DD.\n"


def test_a_refusal_names_rules_reasons_law_and_what_would_be_needed() -> None:
    told = {
        "rules": ["L03"],
        "reasons": ["Never against the victim."],
        "law": ["CoE 26"],
        "missed": ["A consent."],
    }
    result = CliRunner().invoke(_failing(_remote("refused", **told)), ["act"])
    assert result.exit_code == 3
    assert "  L03: Never against the victim. (CoE 26)\n" in result.stderr
    assert "  needed: A consent.\n" in result.stderr


def test_with_json_a_refusal_is_one_object_alone_on_standard_output() -> None:
    told = {
        "rules": ["L03"],
        "reasons": ["Never against the victim."],
        "law": ["CoE 26"],
        "proof": {"index": 7},
    }
    result = CliRunner().invoke(_failing(_remote("refused", **told)), ["act", "--json"])
    answer = json.loads(result.stdout)
    assert (answer["problem"], answer["rules"], answer["proof"]) == ("refused", ["L03"], {"index": 7})


def test_with_json_an_answer_is_alone_on_standard_output() -> None:
    result = CliRunner().invoke(_program(lambda: run.say("a remark")), ["act", "--json"])
    assert json.loads(result.stdout) == {"done": True}
    assert result.stderr == "a remark\n"


def test_what_others_wrote_moves_no_cursor_and_turns_no_words_round() -> None:
    hostile = "fine\x1b[2K\x1b]0;title\x07\r\x9b2K\u202eevil\nnext"

    def show() -> None:
        run.say(hostile)
        run.show({"words": hostile}, hostile, as_json=False)
        run.show({"words": hostile}, hostile, as_json=True)

    result = CliRunner().invoke(_program(show), ["act"])
    shown = result.stdout + result.stderr
    assert not set(shown) & set("\x1b\x07\r\x9b\u202e")
    assert "fine\\u001b[2K" in shown
    assert hostile in [json.loads(part)["words"] for part in [result.stdout[result.stdout.index("{") :][:-6]]]


@pytest.mark.parametrize("arguments", [["act"], ["act", "--json"]])
def test_an_unexpected_error_tells_its_place_and_never_its_text(arguments: list[str]) -> None:
    result = CliRunner().invoke(_failing(ValueError(f"cannot parse {NUMBER}")), arguments)
    assert result.exit_code == 1
    assert "ValueError" in result.stderr
    assert "test_run.py" in result.stderr
    assert NUMBER not in result.output


def test_a_progress_bar_never_touches_standard_output() -> None:
    def work() -> None:
        with run.progress("Masking") as update:
            update(1, 2)

    result = CliRunner().invoke(_program(work), ["act", "--json"])
    assert json.loads(result.stdout) == {"done": True}


def test_an_id_on_the_command_line_is_checked_without_being_repeated() -> None:
    assert run.identifier("ab" * 32, 32, "SERIES") == b"\xab" * 32
    for text in ("xyz", "ab" * 31):
        with pytest.raises(BadInput, match="64 hexadecimal digits") as caught:
            run.identifier(text, 32, "SERIES")
        assert text not in caught.value.detail
