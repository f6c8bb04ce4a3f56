"""Conditions of which a column of the file gives some answers, so that one file becomes deposits of one class each.

Rule (DESIGN 2.3): all records of a deposit share one class. In the file of conditions an answer may be a column:

    "subject": {"column": "about", "words": {"child": "minor", "pimp": "suspect"}, "otherwise": "other"}

The column's text is the answer, or stands for one under `words`; `otherwise` is for an empty cell. A row whose text
stands for no answer is refused by line and reason, never guessed. Several answers may hang on one column: so a row
about a child can have another highest tier too. Confidence from a column is rounded down to tens. Who you are, and
where, no column can say.

It opens no file of signals and deposits nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.protocol.errors import BadInput
from broker.protocol.messages.series import Conditions
from clients.cli.conditions import conditions_from, read_answers
from clients.readers.signals import Signal

MAXIMUM_CLASSES = 64
"""Each class has a series, and keys, of its own."""
_OF_THE_CONTRIBUTOR = ("contributor_kind", "established_in")
_MEMBERS = {"column", "words", "otherwise"}
_STEP_PERCENT = 10


@dataclass(frozen=True)
class _Column:
    """Where the answer to a question comes from."""

    name: str
    words: Mapping[str, Any] | None
    otherwise: Any


@dataclass
class ConditionsByColumn:
    """The conditions of each row. `answers` are the same for all, `columns` by the question they answer."""

    answers: Mapping[str, Any]
    columns: Mapping[str, _Column]
    _known: dict[tuple[str, ...], Conditions | str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def of(self, signal: Signal) -> Conditions | str:
        """The conditions of a signal's row, or the reason why it has none. Raises BadInput for too many classes."""
        cells = {name.strip().casefold(): value.strip().casefold() for name, value in signal.attributes}
        self._seen.update(column.name for column in self.columns.values() if column.name.casefold() in cells)
        key = tuple(cells.get(column.name.casefold(), "") for column in self.columns.values())
        if key not in self._known:
            self._known[key] = self._decided(key)
        return self._known[key]

    def check_columns(self) -> None:
        """That each column was there. Raises BadInput for one that no row has."""
        for column in self.columns.values():
            if column.name not in self._seen:
                raise BadInput(
                    f'The conditions take an answer from the column "{column.name}", which no row has.'
                )

    def _decided(self, cells: tuple[str, ...]) -> Conditions | str:
        if len(self._known) >= 100 * MAXIMUM_CLASSES:
            raise BadInput(
                "The columns that the conditions name have too many different texts. Choose others."
            )
        answers = dict(self.answers)
        for cell, (question, column) in zip(cells, self.columns.items(), strict=True):
            try:
                answers[question] = _answer(question, column, cell)
            except BadInput as error:
                return error.detail
        try:
            found = conditions_from(answers)
        except BadInput:
            names = ", ".join(sorted({column.name for column in self.columns.values()}))
            return f"What the row says under {names} is no answer of the conditions."
        if found not in self._known.values():
            classes = {each for each in self._known.values() if not isinstance(each, str)}
            if len(classes) >= MAXIMUM_CLASSES:
                raise BadInput(
                    f"The file would become more than {MAXIMUM_CLASSES} deposits of one class each. Take fewer answers "
                    "from columns, or let `words` bring them together."
                )
        return found


def read_conditions_by_column(path: Path) -> ConditionsByColumn:
    """Read a filled-in file of conditions, with or without columns. Raises BadInput as `read_conditions`."""
    answers = read_answers(path)
    columns = {name: _column(name, answer) for name, answer in answers.items() if isinstance(answer, dict)}
    fixed = {name: answer for name, answer in answers.items() if name not in columns}
    if not columns:
        # What is wrong with them is said at once, and not once for each row.
        conditions_from(fixed)
    return ConditionsByColumn(fixed, columns)


def _column(question: str, answer: Mapping[str, Any]) -> _Column:
    name, words = answer.get("column"), answer.get("words")
    if question in _OF_THE_CONTRIBUTOR:
        raise BadInput(f"{question}: this is about you, so no column of the file can answer it.")
    fits = isinstance(name, str) and name.strip() and (words is None or isinstance(words, dict))
    if not fits or not set(answer) <= _MEMBERS:
        raise BadInput(
            f'{question}: to take it from a column write {{"column": "its name"}}, and if need be "words" with what '
            'each text in it stands for, and "otherwise" for empty cells.'
        )
    folded = None if words is None else {text.strip().casefold(): meant for text, meant in words.items()}
    return _Column(str(name).strip(), folded, answer.get("otherwise"))


def _answer(question: str, column: _Column, cell: str) -> Any:
    if not cell:
        if column.otherwise is None:
            raise BadInput(
                f'The column "{column.name}" is empty, and the conditions name no answer for that.'
            )
        return column.otherwise
    if column.words is not None:
        if cell not in column.words:
            raise BadInput(
                f'The column "{column.name}" has a text that is not among the words of {question} in the conditions.'
            )
        return column.words[cell]
    if question == "confidence_percent":
        digits = cell.removesuffix("%").strip()
        if not (digits.isascii() and digits.isdigit() and int(digits) <= 100):
            raise BadInput(f'The column "{column.name}" has no whole number from 0 to 100.')
        return int(digits) // _STEP_PERCENT * _STEP_PERCENT
    if cell in ("true", "false"):
        return json.loads(cell)
    return cell
