"""A bundle is loaded whole and checked, or not at all; its digest names its exact files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.gate.bundle import load
from broker.protocol.errors import BadInput
from tests.gate_world import BUNDLE


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "policies"
    shutil.copytree(BUNDLE, target)
    return target


def test_a_copy_has_the_same_digest_and_another_rule_another(copy: Path) -> None:
    assert load(copy).digest == load(BUNDLE).digest
    file = copy / "limits" / "purpose.cedar"
    file.write_text(file.read_text() + "\n")
    assert load(copy).digest != load(BUNDLE).digest


def test_a_number_changes_the_digest(copy: Path) -> None:
    file = copy / "limits.toml"
    file.write_text(file.read_text().replace("hits_identifiers = 500", "hits_identifiers = 501"))
    assert load(copy).digest != load(BUNDLE).digest


def test_every_rule_says_why_and_by_what_law() -> None:
    for rule in load(BUNDLE).rules.values():
        assert rule.reason.endswith(".")
        assert rule.law
        assert rule.id.isascii()


def append(text: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        file = directory / "deposits.cedar"
        file.write_text(file.read_text() + "\n" + text)

    return change


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        file = directory / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (append('@id("L01") @reason("r") @law("l") forbid (principal, action, resource);'), "Two rules"),
        (append('@reason("r") @law("l") forbid (principal, action, resource);'), "without @id"),
        (append('@id("Z") @law("l") forbid (principal, action, resource);'), "no @reason"),
        (append('@id("Z") @reason("r") forbid (principal, action, resource);'), "no @law"),
        (
            append('@id("Z") @reason("r") @law("l") permit (principal, action, resource) when { true };'),
            "needs_1",
        ),
        (append("// сommittee"), "ASCII"),
        (append("forbid (principal"), "does not parse"),
        (
            append(
                '@id("Z") @reason("r") @law("l") forbid (principal, action, resource) when { context.nope };'
            ),
            "schema",
        ),
        (
            append('@id("Z") @reason("r") @law("l") forbid (principal == ?principal, action, resource);'),
            "template",
        ),
        (replace("limits.toml", "hits_identifiers = 500", 'hits_identifiers = "many"'), "hits_identifiers"),
        (replace("limits.toml", "count_contributors = 3", "count_contributors = 1"), "count_contributors"),
        (replace("limits.toml", "answer_days = 365", ""), "answer_days"),
        (replace("limits.toml", "answer_days = 365", "answer_days = 365\nanswer_dayz = 1"), "limits.toml"),
        (replace("limits.toml", "answer_days = 365", "answer_days = "), "TOML"),
        (replace("lanes.toml", "[bank]", "[banque]"), "lanes.toml"),
        (replace("packs/eu.toml", '"prosecutor"', '"sheriff"'), r"packs/eu\.toml: instrument"),
        (replace("vocabulary.toml", "locate_missing", "locate_someone"), "vocabulary.toml"),
        (replace("vocabulary.toml", "disrupt_advert = ", "# "), "no term for disrupt_advert"),
        (replace("lanes.toml", "Lanes", "L\N{CYRILLIC SMALL LETTER A}nes"), r"lanes\.toml has letters"),
        (lambda directory: (directory / "instruments.toml").write_text(""), "no table of a bundle"),
        (replace("schema.cedarschema", "namespace Narrowgate {", "namespace Narrowgate ("), "does not parse"),
        (lambda directory: (directory / "schema.cedarschema").unlink(), "no schema"),
    ],
)
def test_a_bundle_with_a_fault_is_refused_and_the_fault_is_named(
    copy: Path, change: Callable[[Path], None], says: str
) -> None:
    change(copy)
    with pytest.raises(BadInput, match=says):
        load(copy)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no bundle"):
        load(tmp_path / "nothing")
