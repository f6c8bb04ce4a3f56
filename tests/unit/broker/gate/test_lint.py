"""What a bundle is refused for although the engine would take it: names and letters that would mislead a reader."""

import shutil
from pathlib import Path

import pytest

from broker.gate.bundle import load
from broker.gate.computed import COMPUTED
from broker.protocol.errors import BadInput
from tests.gate_world import BUNDLE

RULE = '@id("{id}") @reason("r") @law("l") forbid (principal, action, resource) when {{ {when} }};'


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "policies"))


def add_rule(directory: Path, identifier: str = "X1", when: str = "principal.suspended") -> None:
    (directory / "limits" / "more.cedar").write_text(RULE.format(id=identifier, when=when))


def test_the_rule_these_tests_spoil_is_taken(copy: Path) -> None:
    add_rule(copy)
    assert "X1" in load(copy).rules


def test_two_rules_of_one_id_in_two_files_are_refused_and_both_are_found(copy: Path) -> None:
    add_rule(copy, "L06")
    with pytest.raises(BadInput, match=r"Two rules have the id L06, the second in limits/"):
        load(copy)


@pytest.mark.parametrize("identifier", [r"\u{41b}06", "l06", "L06/1", "L 06", "-"])
def test_an_id_that_reads_like_another_is_refused(copy: Path, identifier: str) -> None:
    add_rule(copy, identifier)
    with pytest.raises(BadInput, match=r"limits/more\.cedar"):
        load(copy)


def test_a_look_alike_written_as_an_escape_in_a_condition_is_refused(copy: Path) -> None:
    add_rule(copy, when=r'principal.kind == "p\u{43e}lice"')
    with pytest.raises(BadInput, match="as an escape"):
        load(copy)


def test_a_look_alike_in_the_schema_is_refused(copy: Path) -> None:
    schema = copy / "schema.cedarschema"
    schema.write_text(schema.read_text() + "// п\n")
    with pytest.raises(BadInput, match=r"schema\.cedarschema has letters outside ASCII"):
        load(copy)


@pytest.mark.parametrize("name", [name for name in COMPUTED if name[0] == "L"])
def test_no_rule_takes_a_name_that_the_gate_itself_uses(copy: Path, name: str) -> None:
    add_rule(copy, name)
    with pytest.raises(BadInput, match="gate itself uses"):
        load(copy)


def test_a_rule_about_facts_that_do_not_exist_is_refused_by_its_name_and_file(copy: Path) -> None:
    add_rule(copy, when="context.nothing > 0")
    with pytest.raises(BadInput, match=r"limits/more\.cedar does not fit the schema in rule X1"):
        load(copy)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lanes.toml", '["G4"]', '["G44"]'),
        ("lanes.toml", '"G3"', '"g3"'),
    ],
)
def test_a_gateway_that_no_rule_is_may_not_be_named(copy: Path, name: str, old: str, new: str) -> None:
    file = copy / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(BadInput, match=f"{name} names a gateway that no rule is"):
        load(copy)


@pytest.mark.parametrize("name", ["lanes.toml", "limits.toml", "regions.toml", "vocabulary.toml"])
def test_a_bundle_without_one_of_its_tables_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BadInput, match=f"no {name}"):
        load(copy)


def test_a_gateway_without_any_condition_is_refused(copy: Path) -> None:
    (copy / "gateways" / "more.cedar").write_text(
        '@id("G9") @reason("r") @law("l") permit (principal, action, resource);'
    )
    with pytest.raises(BadInput, match="Gateway G9 needs @needs_1"):
        load(copy)
