"""Mutants of rules: every kind of slip is made, each by a name of its own, and none that could not be loaded."""

import json
from collections.abc import Mapping
from typing import Any

import cedarpy
import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.testing.mutants.attributes import Attributes, read_attributes
from broker.gate.testing.mutants.expressions import places, put, text
from broker.gate.testing.mutants.rules import RuleMutant, rule_mutants
from broker.gate.testing.mutants.slips import mutations
from tests.gate_world import BUNDLE


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def mutants(bundle: Bundle) -> tuple[RuleMutant, ...]:
    return rule_mutants(bundle)


@pytest.fixture(scope="module")
def attributes(bundle: Bundle) -> Attributes:
    return read_attributes(bundle.schema)


def body(condition: str) -> Any:
    """A condition as the engine's JSON."""
    rule = f"permit (principal, action, resource) when {{ {condition} }};"
    [policy] = json.loads(cedarpy.policies_to_json_str(rule))["staticPolicies"].values()
    return policy["conditions"][0]["body"]


def slips(condition: str, attributes: Attributes) -> set[str]:
    """What becomes of a condition by one slip anywhere in it."""
    whole = body(condition)
    return {
        text(put(whole, at, changed))
        for at, node in places(whole)
        for _, changed in mutations(node, attributes)
    }


def test_a_comparison_slips_to_every_other_and_its_number_to_its_neighbours(attributes: Attributes) -> None:
    assert {
        "context.people.approvers > 2",
        "context.people.approvers <= 2",
        "context.people.approvers < 2",
        "context.people.approvers == 2",
        "context.people.approvers != 2",
        "context.people.approvers >= 1",
        "context.people.approvers >= 3",
        "context.people.reviewers >= 2",
        "context.people.refusers >= 2",
    } == slips("context.people.approvers >= 2", attributes)


def test_of_and_each_side_is_dropped_and_it_becomes_or(attributes: Attributes) -> None:
    found = slips("context.escalated && principal.suspended", attributes)
    assert {
        "context.escalated || principal.suspended",
        "context.escalated",
        "principal.suspended",
        "!(context.escalated && principal.suspended)",
        "!context.escalated && principal.suspended",
        "context.escalated && !principal.suspended",
        "context.readerInUnion && principal.suspended",
        "context.contributorInUnion && principal.suspended",
    } == found


def test_a_set_loses_each_element_and_gains_each_word_of_its_vocabulary(attributes: Attributes) -> None:
    found = slips('["court", "judge"].contains(context.verified.facts.basis.issuedBy)', attributes)
    where = ".contains(context.verified.facts.basis.issuedBy)"
    assert {f'["court"]{where}', f'["judge"]{where}', f'!["court", "judge"]{where}'} <= found
    assert f'["court", "judge", "prosecutor"]{where}' in found
    assert '["court", "judge"].contains(context.verified.facts.basis.validatedBy)' in found


def test_a_negation_is_lost_and_branches_change_places(attributes: Attributes) -> None:
    assert "context.escalated" in slips("!context.escalated", attributes)
    swapped = "if context.escalated then false else principal.suspended"
    assert swapped in slips("if context.escalated then principal.suspended else false", attributes)


def test_siblings_stand_in_the_same_record_and_have_the_same_type(attributes: Attributes) -> None:
    assert attributes.siblings(body("context.derived.hits90d > 1")[">"]["left"]) == (
        "identifiers30d",
        "overdueReviews",
        "priorDecidedAt",
        "queries90d",
    )
    assert attributes.siblings(body("context.claimed.facts == context.claimed.facts")["=="]["left"]) == ()
    assert attributes.type_of(body("resource.retainUntil > 1")[">"]["left"]) == "Long"
    assert attributes.type_of(body("resource.nothing > 1")[">"]["left"]) is None


def test_every_rule_can_be_deleted_and_turned_round(bundle: Bundle, mutants: tuple[RuleMutant, ...]) -> None:
    names = {mutant.name for mutant in mutants}
    for rule, policy in bundle.syntax.items():
        assert f"{rule}, deleted" in names
        other = "forbid" if policy["effect"] == "permit" else "permit"
        assert f"{rule}, {other} instead" in names


def test_a_clause_is_lost_or_turned_round_where_the_rest_still_fits_the_schema(
    mutants: tuple[RuleMutant, ...],
) -> None:
    names = {mutant.name for mutant in mutants}
    assert {"L05, clause 1: deleted", "L05, clause 2: deleted", "L05, clause 1: unless instead"} <= names
    assert "L05, clause 2: when instead" in names
    assert "G2, clause 1: deleted" not in names, "the clauses after it read what it makes sure is there"


def test_a_rule_for_two_actions_is_narrowed_and_one_for_one_is_widened(
    mutants: tuple[RuleMutant, ...],
) -> None:
    names = {mutant.name for mutant in mutants}
    assert {"G2, not for admit", "G2, not for release", "L16, also for admit"} <= names
    assert "D2, also for admit" in names
    assert "L12, also for deposit" not in names, "a rule for deposits cannot read what matching knows"


def test_each_mutant_has_a_name_of_its_own_and_another_rule(
    bundle: Bundle, mutants: tuple[RuleMutant, ...]
) -> None:
    assert len({mutant.name for mutant in mutants}) == len(mutants) > 2000
    written = {(mutant.rule, json.dumps(mutant.policy)) for mutant in mutants}
    assert len(written) == len(mutants)
    assert not any(mutant.policy == bundle.syntax[mutant.rule] for mutant in mutants)


def test_equal_bundles_have_equal_mutants(mutants: tuple[RuleMutant, ...]) -> None:
    assert rule_mutants(load(BUNDLE)) == mutants


def test_every_mutant_fits_the_schema(bundle: Bundle, mutants: tuple[RuleMutant, ...]) -> None:
    for mutant in mutants[::97]:
        if mutant.policy is not None:
            rules: Mapping[str, Any] = {
                "staticPolicies": {"one": mutant.policy},
                "templates": {},
                "templateLinks": [],
            }
            rule = cedarpy.policies_from_json_str(json.dumps(rules))
            assert cedarpy.validate_policies(rule, bundle.schema).validation_passed, mutant.name


def test_a_mutated_bundle_has_a_digest_that_no_bundle_has(
    bundle: Bundle, mutants: tuple[RuleMutant, ...]
) -> None:
    mutated = mutants[0].applied(bundle)
    assert mutated.digest == bytes(32) != bundle.digest
    assert mutated.syntax != bundle.syntax
