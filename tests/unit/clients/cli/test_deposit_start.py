"""The questions of `narrowgate deposit start`: each answerable by number, word or option, and none guessed."""

import datetime
import json
from pathlib import Path

import pytest
import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import read
from broker.protocol.messages.series import Conditions
from clients.cli import deposit_start
from clients.cli.conditions import REMARKS
from clients.cli.conditions_questions import QUESTIONS, answered, ask_until_understood, offered_for
from tests.gate_world import conditions

BY_NAME = {question.name: question for question in QUESTIONS}


def test_every_field_of_the_conditions_is_asked_but_for_who_contributes() -> None:
    assert set(BY_NAME) | {"contributor_kind", "established_in"} == set(REMARKS)


def test_every_word_of_the_choices_is_one_that_conditions_know() -> None:
    usual = conditions().model_dump(mode="json")
    for question in QUESTIONS:
        for value in question.choices:
            answer = answered(question, value)
            page = {**usual, question.name: answer}
            assert isinstance(read(Conditions, json.dumps(page).encode()), Conditions)


@pytest.mark.parametrize(
    ("name", "typed", "answer"),
    [
        ("reviewed_by_person", "Y", True),
        ("reviewed_by_person", " no ", False),
        ("subject", "1", "victim"),
        ("subject", "minor", "minor"),
        ("permitted_purposes", "2, 1,2", ["locate_missing", "identify_victim"]),
        ("permitted_jurisdictions", "nl, de", ["NL", "DE"]),
        ("confidence_percent", "90 %", 90),
        ("retain_until", "2027-03-31", "2027-03-31"),
    ],
)
def test_numbers_words_and_letters_are_understood(name: str, typed: str, answer: object) -> None:
    assert answered(BY_NAME[name], typed) == answer
    assert answered(BY_NAME[name], offered_for(BY_NAME[name], answer)) == answer


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("reviewed_by_person", "maybe"),
        ("reviewed_by_person", ""),
        ("subject", "9"),
        ("subject", "1,2"),
        ("permitted_readers", ""),
        ("permitted_jurisdictions", "Netherlands"),
        ("confidence_percent", "101"),
        ("confidence_percent", "-1"),
        ("retain_until", "31.3.2027"),
        ("inclusion_criterion", "  "),
    ],
)
def test_what_is_no_answer_is_refused_and_never_repeated(name: str, typed: str) -> None:
    with pytest.raises(BadInput) as caught:
        answered(BY_NAME[name], typed)
    assert len(typed.strip()) < 3 or typed not in caught.value.detail


def test_a_question_is_asked_again_until_it_is_understood() -> None:
    typed = iter(["perhaps", "yes"])
    said: list[str] = []
    answer = ask_until_understood(
        BY_NAME["notice_duty"], None, lambda words, offered: next(typed), said.append
    )
    assert answer is True
    assert said[-1] == "notice_duty: answer with yes or no."


def test_nobody_at_the_terminal_is_told_which_question_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(words: str, offered: str | None) -> str:
        raise typer.Abort

    monkeypatch.setattr(deposit_start, "_prompt", nobody)
    path = tmp_path / "conditions.json"
    today = datetime.date(2027, 1, 1).isoformat()
    fresh = {question.name: next(iter(question.choices), today) for question in QUESTIONS}
    with pytest.raises(BadInput, match="Not answered: lawful_ground"):
        deposit_start._answers(path, {**fresh, "lawful_ground": "FILL IN"}, {})
    path.write_text('{"subject": "victim"}')
    with pytest.raises(BadInput, match="something else"):
        deposit_start._answers(path, fresh, {})


def test_an_option_for_no_question_lists_the_questions() -> None:
    with pytest.raises(BadInput, match=r"Questions are: lawful_ground, collection"):
        deposit_start._beforehand(["ground=consent"])
