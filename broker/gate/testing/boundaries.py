"""The boundary cases of a bundle, written down: what the rules come to right at their edges.

Rule (issue 4): each line of `scenarios/boundaries.json` is a story with a few facts changed, and what the rules come to
then. The lines are generated, and what is expected of them was the bundle's own decision on that day: they do not say
that a rule is right, they make a changed rule show as changed lines, which a reviewer reads. They are never made anew
in silence: `narrowgate policy boundaries --write` does it, and `narrowgate policy test` only compares.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from broker.gate.decide import Expected
from broker.gate.testing.changes import changed, document
from broker.gate.testing.scenarios import Scenario
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, explain

FILE = "scenarios/boundaries.json"
ANEW = "Generate the file anew with `narrowgate policy boundaries --write`."


class Each(Message):
    """Values that some facts take in turn, all of them the same one, each making a case of its own."""

    paths: tuple[str, ...]
    values: tuple[JsonValue, ...]


class Boundary(Message):
    """One line of the file: a story by its name, what is changed in it, and what the rules come to."""

    base: str
    change: dict[str, JsonValue]
    each: Each | None = None
    expected: Expected


_LINES: TypeAdapter[tuple[Boundary, ...]] = TypeAdapter(tuple[Boundary, ...])


def read_boundaries(directory: Path) -> tuple[Boundary, ...]:
    """The boundary cases of the bundle in `directory`; none where there is no such file. Raises BadInput."""
    path = directory / FILE
    if not path.is_file():
        return ()
    try:
        return _LINES.validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInput(f"{FILE}: {explain(error)}") from None


def cases(boundaries: Iterable[Boundary], stories: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """Each case of each line in full. Raises BadInput for a line whose story or facts are not there."""
    told = {story.name: document(story.case) for story in stories}
    found = []
    for line in boundaries:
        if line.base not in told:
            raise BadInput(f"{FILE} starts from a story {line.base} that is not there. {ANEW}")
        for change in changes(line):
            try:
                case = changed(told[line.base], change)
            except BadInput as error:
                raise BadInput(f"{FILE}, from {line.base}: {error.detail} {ANEW}") from None
            found.append(Scenario(named(line.base, change), case, line.expected))
    return tuple(found)


def changes(line: Boundary) -> Iterator[Mapping[str, JsonValue]]:
    """What is changed in each case of a line."""
    if line.each is None:
        yield line.change
    else:
        for value in line.each.values:
            yield {**line.change, **dict.fromkeys(line.each.paths, value)}


def named(base: str, change: Mapping[str, JsonValue]) -> str:
    """What a boundary case is called."""
    return f"{base} with {', '.join(f'{path} = {json.dumps(value)}' for path, value in change.items())}"


def written(boundaries: Iterable[Boundary]) -> str:
    """The file's text: one line for each, so that a changed rule shows as changed lines."""
    # Null is a value of a change, and of a deposit's tier: only what a line does not have is left out.
    lines = [
        json.dumps(line.model_dump(mode="json", exclude={"each"} if line.each is None else None))
        for line in boundaries
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def compact(boundaries: Iterable[Boundary]) -> tuple[Boundary, ...]:
    """Lines that differ in the value of their last change alone, made one line; in the order of stories and changes."""
    merged: dict[str, tuple[Boundary, tuple[str, ...], list[JsonValue]]] = {}
    for line in boundaries:
        last = list(line.change.values())[-1]
        paths = tuple(path for path, value in line.change.items() if value == last)
        rest = {path: value for path, value in line.change.items() if path not in paths}
        alike = json.dumps([line.base, paths, rest, line.expected.model_dump(mode="json")])
        merged.setdefault(alike, (line, paths, []))[2].append(last)
    lines = [
        line if len(values) == 1 else _one_line(line, paths, values)
        for line, paths, values in merged.values()
    ]
    return tuple(sorted(lines, key=lambda line: (line.base, json.dumps(line.model_dump(mode="json")))))


def _one_line(line: Boundary, paths: tuple[str, ...], values: list[JsonValue]) -> Boundary:
    rest = {path: value for path, value in line.change.items() if path not in paths}
    ordered = tuple(
        sorted(
            values,
            key=lambda value: (
                isinstance(value, str),
                value if isinstance(value, int | str) else json.dumps(value),
            ),
        )
    )
    return Boundary(
        base=line.base, change=rest, each=Each(paths=paths, values=ordered), expected=line.expected
    )
