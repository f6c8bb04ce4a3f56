"""The glossary: every word that a person meets in help and problems is in it, and near words are found."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.protocol.messages.vocabulary import Tier
from broker.protocol.problems import PROBLEMS
from clients.cli.main import SUBJECTS, app
from clients.cli.run import ExitCode
from clients.glossary.find import find
from clients.glossary.terms import TERMS
from tests.world import policies

HELP_WORDS = (
    *("agency", "approval", "auditor", "blind", "broker", "bundle", "canonicalise", "checkpoint", "claims"),
    *(
        "conditions",
        "contributor",
        "cosign",
        "deposit",
        "enrolment",
        "evaluate",
        "finding",
        "founder",
        "home",
    ),
    *(
        "identifier",
        "key holder",
        "legal desk",
        "log",
        "mask",
        "outcome",
        "payload",
        "permit",
        "pin",
        "quorum",
    ),
    *("receipt", "release", "replay", "request", "retention", "review", "roster", "rules", "salt", "series"),
    *("share", "signal", "sources", "space", "statistics", "tier", "token", "trial", "withdraw", "witness"),
)
"""Words of the help of commands and of the titles of problems that a person may not know."""
COMMANDS = Path(__file__).parents[4] / "docs" / "commands.md"


def test_each_word_once_and_each_meaning_is_a_sentence() -> None:
    names = [name.casefold() for term in TERMS for name in (term.name, *term.also)]
    assert len(names) == len(set(names))
    assert all(term.words[0].isupper() and term.words.endswith(".") for term in TERMS)


@pytest.mark.parametrize("word", [*Tier, *(f"exit code {code.value}" for code in ExitCode), *PROBLEMS])
def test_tiers_exit_codes_and_problems_are_explained(word: str) -> None:
    assert find(word, {}).words


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda each: each.slug)
def test_a_problem_is_found_by_the_title_that_a_person_saw(problem: Any) -> None:
    found = find(problem.title, {})
    assert found.name == problem.slug
    assert found.words is not None
    assert problem.what_to_do in found.words


def test_every_subject_of_the_program_that_is_a_thing_is_explained() -> None:
    things = set(SUBJECTS) - {"audit", "canonicalise", "case", "demo", "doctor", "explain", "policy"}
    assert [
        name for name in sorted(things) if find(name.replace("keyholder", "key holder"), {}).words is None
    ] == []


@pytest.mark.parametrize("word", HELP_WORDS)
def test_every_word_of_the_list_is_in_the_help_and_explained(word: str) -> None:
    text = COMMANDS.read_text(encoding="utf-8") + "".join(subject.help for subject in SUBJECTS.values())
    assert word in text.lower()
    assert find(word, {}).words is not None


def test_every_rule_of_the_bundle_is_explained_with_its_law() -> None:
    rules = policies().rules
    for name, rule in rules.items():
        words = find(name, rules).words
        assert words is not None
        assert rule.reason in words
        assert rule.law in words


@pytest.mark.parametrize(
    ("typed", "near"), [("qorum", "quorum"), ("witnes", "witness"), ("depozit", "deposit")]
)
def test_near_words_are_offered(typed: str, near: str) -> None:
    found = find(typed, {})
    assert found.words is None
    assert near in found.near


def test_the_command_explains_lists_and_says_what_it_does_not_know() -> None:
    def called(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["explain", *arguments])

    assert called("Key", "Holders").stdout.startswith("key holder: One of several")
    assert "space" in called().stdout.splitlines()
    unknown = called("qorum", "--bundle", "no-such-folder")
    assert unknown.exit_code == ExitCode.BAD_INPUT
    assert "Near it: quorum" in unknown.stderr
    assert "qorum" not in unknown.stderr.replace("quorum", "")
