"""Every invariant of the bundle is proved, and would not be if the rules had a hole: one is planted for each."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from broker.gate import lint
from broker.gate.bundle import Bundle, load, policy_set
from broker.gate.decide import decide_text
from broker.gate.proving.invariants import Invariant, read_invariants
from broker.gate.proving.prove import Prover
from broker.gate.proving.relations import RELATIONS
from broker.gate.proving.space import Space
from broker.gate.proving.witness import members_of
from broker.protocol.errors import BadInput, VerificationFailed
from tests.gate_world import BUNDLE
from tests.planted_holes import GONE, HOLES, Slip


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def invariants(bundle: Bundle) -> Mapping[str, Invariant]:
    return read_invariants(BUNDLE, bundle)


@pytest.fixture(scope="module")
def space(bundle: Bundle) -> Space:
    return Space([bundle])


def stopped_clock() -> float:
    return 0.0


def with_slips(bundle: Bundle, slips: tuple[Slip, ...]) -> Bundle:
    """The bundle as an author would have left it who made these slips; each rule still fits the schema."""
    syntax = dict(bundle.syntax)
    for rule in {rule for rule, _, _ in slips}:
        text = text_of_rule(rule)
        for _, old, new in (slip for slip in slips if slip[0] == rule):
            if old == GONE:
                text = ""
                break
            assert old in text, f"{rule} has no longer: {old}"
            text = text.replace(old, new)
        del syntax[rule]
        if text:
            lint.check_against_schema(rule, text, bundle.schema)
            syntax |= lint.named_policies(rule, text)
    return replace(bundle, syntax=MappingProxyType(syntax), policies=policy_set(syntax))


def text_of_rule(rule: str) -> str:
    for path in BUNDLE.rglob("*.cedar"):
        for text in re.split(r"^(?=@id\()", path.read_text(), flags=re.MULTILINE):
            if text.startswith(f'@id("{rule}")'):
                return text
    raise AssertionError(f"no rule {rule}")


def test_every_invariant_holds_for_every_request(bundle: Bundle, invariants: Mapping[str, Invariant]) -> None:
    results = list(Prover.of(bundle, invariants).prove_all(stopped_clock))
    assert {result.name for result in results} == {*invariants, *RELATIONS}
    assert [result.name for result in results if not result.proved] == []


def test_there_is_a_hole_for_every_invariant(invariants: Mapping[str, Invariant]) -> None:
    assert set(HOLES) == {*invariants, *RELATIONS}


@pytest.mark.parametrize("name", HOLES)
def test_the_prover_finds_the_planted_hole_and_the_engine_confirms_it(
    bundle: Bundle, space: Space, invariants: Mapping[str, Invariant], name: str
) -> None:
    slipped = with_slips(bundle, HOLES[name])
    found = Prover(space, slipped, invariants).prove(name, stopped_clock).counterexample
    assert found is not None
    if name == "no_rule_ever_errs":
        assert "ENGINE" in found.decision.rules
        return
    assert found.decision.allowed
    kept = json.dumps(members_of(found.case)).encode()
    assert decide_text(slipped, kept).text == found.decision.text
    if found.other_case is None:
        # The rules without the slip refuse what it let through.
        assert not decide_text(bundle, kept).allowed
    else:
        assert found.other_decision is not None
        assert not found.other_decision.allowed


# --- invariants that are none ---


def test_an_unknown_invariant_is_no_proof(
    bundle: Bundle, invariants: Mapping[str, Invariant], space: Space
) -> None:
    with pytest.raises(BadInput, match="no invariant of that name"):
        Prover(space, bundle, invariants).prove("never_anything", stopped_clock)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('@id("never_x") @law("l") forbid (principal, action, resource);', "no @reason"),
        ('@id("never_x") @reason("r") forbid (principal, action, resource);', "no @law"),
        ('@id("NeverX") @reason("r") @law("l") forbid (principal, action, resource);', "small letters"),
        (
            '@id("never_x") @reason("r") @law("l") @needs_1("n") permit (principal, action, resource) when { true };',
            "permit",
        ),
        (
            '@id("never_x") @reason("r") @law("l") forbid (principal, action, resource) when { context.nope };',
            "schema",
        ),
        (
            '@id("never_passed_on") @reason("r") @law("l") forbid (principal, action, resource);',
            "Two invariants",
        ),
        ("// n\u0435ver", "ASCII"),
        ("forbid (", "does not parse"),
    ],
)
def test_a_file_of_invariants_with_a_fault_is_refused(
    bundle: Bundle, tmp_path: Path, text: str, says: str
) -> None:
    folder = tmp_path / "invariants"
    folder.mkdir()
    (folder / "contributors.cedar").write_bytes((BUNDLE / "invariants" / "contributors.cedar").read_bytes())
    (folder / "faulty.cedar").write_text(text)
    with pytest.raises(BadInput, match=says):
        read_invariants(tmp_path, bundle)


def test_a_bundle_without_invariants_proves_nothing(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to prove"):
        read_invariants(tmp_path, bundle)


def test_invariants_do_not_count_for_the_digest(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "policies"
    shutil.copytree(BUNDLE, target)
    (target / "invariants" / "more.cedar").write_text("// nothing yet")
    assert load(target).digest == bundle.digest
    assert set(load(target).rules) == set(bundle.rules)


def test_an_operator_that_the_prover_cannot_read_is_refused_and_not_passed_over(
    bundle: Bundle, space: Space
) -> None:
    text = text_of_rule("L03").replace(
        "context.claimed.facts.purpose)", 'context.claimed.facts.purpose) || principal.kind like "*"'
    )
    syntax = {**bundle.syntax, **lint.named_policies("L03", text)}
    with pytest.raises(BadInput, match="Rule L03: It uses like, which the prover cannot read"):
        Prover(space, replace(bundle, syntax=syntax), {}).prove("no_rule_ever_errs", stopped_clock)


def test_where_model_and_engine_disagree_nothing_is_proved(
    bundle: Bundle, space: Space, invariants: Mapping[str, Invariant]
) -> None:
    """The rules of the model have a hole that those of the engine lack: the counterexample is not shown as one."""
    slipped = with_slips(bundle, HOLES["never_passed_on"])
    with pytest.raises(VerificationFailed, match="disagree"):
        Prover(space, replace(slipped, policies=bundle.policies), invariants).prove(
            "never_passed_on", stopped_clock
        )
