"""Bundles and events of any size are read in bounded memory, and no garbage is read for hours."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from tests.bounded_memory import Outcome, read_apart

pytestmark = pytest.mark.all_only

OBJECTS = 30_000


def _bundle(file: TextIO) -> None:
    file.write('{"type": "bundle", "objects": [\n')
    things = (
        {"type": "phone-number", "id": f"phone-number--{number}", "value": f"+44 7700 90{number % 10_000:04}"}
        for number in range(OBJECTS)
    )
    sightings = (
        {"type": "sighting", "id": f"sighting--{number}", "sighting_of_ref": f"phone-number--{number % 1000}"}
        for number in range(OBJECTS)
    )
    _listed(file, things)
    file.write(",\n")
    _listed(file, sightings)
    file.write("]}")


def _event(file: TextIO) -> None:
    file.write('{"Event": {"Attribute": [\n')
    _listed(
        file,
        (
            {"type": "phone-number", "value": f"+44 7700 90{number % 10_000:04}", "comment": "x" * 1000}
            for number in range(OBJECTS)
        ),
    )
    file.write('], "Tag": [{"name": "tlp:green"}]}}')


def _listed(file: TextIO, things: Iterator[object]) -> None:
    for number, thing in enumerate(things):
        file.write((",\n" if number else "") + json.dumps(thing))


def _one_text(file: TextIO) -> None:
    file.write('{"type": "bundle", "objects": [{"x": "')
    for _ in range(200):
        file.write("y" * 1024 * 1024)
    file.write('"}]}')


def _brackets(file: TextIO) -> None:
    file.write('{"type": "bundle", "objects": [')
    for _ in range(10):
        file.write("[" * 1024 * 1024)


def read(tmp_path: Path, write: Callable[[TextIO], None]) -> Outcome:
    path = tmp_path / "large.json"
    with path.open("w", encoding="utf-8") as file:
        write(file)
    return read_apart(path)


@pytest.mark.parametrize("write", [_bundle, _event])
def test_a_large_export_is_read_in_little_memory(tmp_path: Path, write: Callable[[TextIO], None]) -> None:
    outcome = read(tmp_path, write)
    assert (outcome.signals, outcome.refused, outcome.error) == (OBJECTS, 0, "")
    assert outcome.grown < 40


def test_a_text_of_200_megabytes_costs_its_object_alone(tmp_path: Path) -> None:
    outcome = read(tmp_path, _one_text)
    assert (outcome.signals, outcome.refused, outcome.error) == (0, 1, "")
    assert outcome.grown < 40


def test_ten_million_brackets_are_an_end_that_is_missing(tmp_path: Path) -> None:
    outcome = read(tmp_path, _brackets)
    assert "breaks off" in outcome.error
    assert outcome.grown < 40
