"""docs/identifier-types.md and the code say the same: a section for each registered type, and its examples are run."""

import re
from pathlib import Path

import pytest

from clients.identifiers import registered_types
from tests.identifier_case import form_or_reason

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "identifier-types.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([a-z_]+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
FLAGS = re.findall(r"^\| `([a-z-]+)` \|", PAGE.partition("## Flags")[2], re.MULTILINE)


def examples(section: str) -> list[list[str]]:
    """The cells of the rows of a section's table, without its head."""
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row[1:].rstrip("|").split("|")] for row in rows]


ROWS = [(kind, cells) for kind, section in SECTIONS.items() for cells in examples(section)]


def test_each_registered_type_has_a_section_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(registered_types())


@pytest.mark.parametrize("kind", sorted(SECTIONS))
def test_a_section_tells_the_version_what_is_refused_and_what_is_flagged(kind: str) -> None:
    section = SECTIONS[kind]
    assert all(words in section for words in ("\nVersion ", "**Refused:**", "**Flagged:**"))
    answers = [cells[2].startswith("refused: ") for cells in examples(section)]
    assert {True, False} == set(answers)


@pytest.mark.parametrize(
    ("kind", "cells"), ROWS, ids=[f"{kind} {place}" for place, (kind, _) in enumerate(ROWS)]
)
def test_an_example_comes_to_what_the_page_says(kind: str, cells: list[str]) -> None:
    written, hint, outcome, flags = cells
    form, reason = form_or_reason(kind, written.strip("`"), hint.strip("`") or None)
    if outcome.startswith("refused: "):
        assert form is None
        assert outcome.removeprefix("refused: ").casefold() in reason.casefold()
    else:
        version = re.search(r"^Version ([0-9]+)\.", SECTIONS[kind], re.MULTILINE)
        assert version is not None
        assert form is not None, reason
        assert form.text == f"{kind}/{version[1]}|{outcome.strip('`')}"
        assert sorted(form.flags) == sorted(re.findall(r"`([^`]+)`", flags))


def test_the_table_of_flags_holds_those_of_the_code_and_each_is_shown_in_an_example() -> None:
    modules = (ROOT / "clients" / "identifiers").glob("*.py")
    # Of the constants of these modules, flags alone have a hyphen.
    constant = re.compile(r'^[A-Z_]+ = "([a-z]+(?:-[a-z]+)+)"', re.MULTILINE)
    flags = {flag for module in modules for flag in constant.findall(module.read_text(encoding="utf-8"))}
    assert sorted(flags) == FLAGS
    shown = {flag for _, cells in ROWS for flag in re.findall(r"`([^`]+)`", cells[3])}
    assert shown == flags


@pytest.mark.parametrize("kind", sorted(SECTIONS))
def test_a_section_names_the_flags_that_its_examples_show(kind: str) -> None:
    prose = SECTIONS[kind].partition("**Flagged:**")[2].partition("| written")[0]
    shown = {flag for cells in examples(SECTIONS[kind]) for flag in re.findall(r"`([^`]+)`", cells[3])}
    assert shown == set(re.findall(r"`([a-z-]+)`", prose)) & set(FLAGS)
