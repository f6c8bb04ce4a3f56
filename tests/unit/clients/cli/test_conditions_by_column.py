"""Conditions of which columns give some answers: what class a row is of, and what no row may say."""

import json
from pathlib import Path
from typing import Any

import pytest

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import encode
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Subject, Tier
from clients.cli.conditions import read_conditions
from clients.cli.conditions_by_column import MAXIMUM_CLASSES, ConditionsByColumn, read_conditions_by_column
from clients.identifiers import canonicalise
from clients.readers.signals import Signal
from tests.contributor_case import CONDITIONS

EMAIL = canonicalise("email", "a@example.org", None)
ABOUT = {"column": "About", "words": {"Pimp": "suspect", "nobody knows": "other"}, "otherwise": "other"}


def _written(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps({**json.loads(encode(CONDITIONS)), **changes}))
    return path


def _of(template: ConditionsByColumn, **cells: str) -> Conditions | str:
    return template.of(Signal(2, EMAIL, tuple(cells.items())))


def test_a_word_of_a_column_stands_for_an_answer_and_several_answers_hang_on_one_column(
    tmp_path: Path,
) -> None:
    tier = {"column": "about", "words": {"pimp": "payload", "nobody knows": "hits"}, "otherwise": "hits"}
    template = read_conditions_by_column(_written(tmp_path / "c.json", subject=ABOUT, highest_tier=tier))
    expected = CONDITIONS.model_copy(update={"subject": Subject.SUSPECT, "highest_tier": Tier.PAYLOAD})
    assert _of(template, about=" PIMP ") == expected
    unknown = CONDITIONS.model_copy(update={"subject": Subject.OTHER, "highest_tier": Tier.HITS})
    assert _of(template, about="nobody knows") == _of(template, note="x") == unknown


def test_a_row_whose_text_stands_for_nothing_is_refused_without_the_text(tmp_path: Path) -> None:
    template = read_conditions_by_column(_written(tmp_path / "c.json", subject=ABOUT))
    reason = _of(template, about="my neighbour")
    assert isinstance(reason, str)
    assert "About" in reason
    assert "neighbour" not in reason
    without = read_conditions_by_column(_written(tmp_path / "c.json", subject={"column": "about"}))
    assert _of(without, note="x") == (
        'The column "about" is empty, and the conditions name no answer for that.'
    )
    assert isinstance(_of(without, about="my neighbour"), str)
    assert _of(without, about="suspect") == CONDITIONS


@pytest.mark.parametrize(("cell", "percent"), [("87", 80), ("100 %", 100), ("9%", 0)])
def test_confidence_is_rounded_down_to_tens(tmp_path: Path, cell: str, percent: int) -> None:
    template = read_conditions_by_column(_written(tmp_path / "c.json", confidence_percent={"column": "sure"}))
    assert _of(template, sure=cell) == CONDITIONS.model_copy(update={"confidence_percent": percent})
    assert isinstance(_of(template, sure="quite"), str)


def test_no_column_says_who_the_contributor_is(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="about you"):
        read_conditions_by_column(_written(tmp_path / "c.json", established_in={"column": "country"}))


def test_a_column_that_no_row_has_is_named(tmp_path: Path) -> None:
    template = read_conditions_by_column(_written(tmp_path / "c.json", subject=ABOUT))
    _of(template, note="x")
    with pytest.raises(BadInput, match='"About", which no row has'):
        template.check_columns()


def test_more_classes_than_anybody_keeps_keys_for_are_refused(tmp_path: Path) -> None:
    template = read_conditions_by_column(_written(tmp_path / "c.json", inclusion_criterion={"column": "why"}))
    for number in range(MAXIMUM_CLASSES):
        assert isinstance(_of(template, why=f"reason {number}"), Conditions)
    with pytest.raises(BadInput, match="more than 64 deposits"):
        _of(template, why="one more reason")


def test_where_there_is_no_file_of_signals_a_column_answers_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"subject: .*deposit add"):
        read_conditions(_written(tmp_path / "c.json", subject=ABOUT))
