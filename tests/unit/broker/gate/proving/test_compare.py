"""Two sets of rules are told apart by a request that the engine decides differently, or proved to decide alike."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from broker.gate.bundle import Bundle, load, policy_set
from broker.gate.decide import decide_case
from broker.gate.decision import Action
from broker.gate.lint import Policy
from broker.gate.proving.compare import Distinguisher
from tests.gate_world import BUNDLE


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def distinguisher(bundle: Bundle) -> Distinguisher:
    return Distinguisher(bundle)


def without(bundle: Bundle, name: str) -> dict[str, Policy]:
    return {rule: policy for rule, policy in bundle.syntax.items() if rule != name}


def changed(bundle: Bundle, name: str, old: Any, new: Any) -> dict[str, Policy]:
    """The rules with every expression `old` of one of them made `new`."""

    def swap(body: Any) -> Any:
        if body == old:
            return copy.deepcopy(new)
        if isinstance(body, dict):
            return {key: swap(each) for key, each in body.items()}
        return [swap(each) for each in body] if isinstance(body, list) else body

    policy = swap(bundle.syntax[name])
    assert policy != bundle.syntax[name]
    return {**bundle.syntax, name: policy}


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ("L03", "admit"),
        ("L10", "release"),
        ("L16", "release"),
        ("L19", "release"),
        ("D5", "deposit"),
        ("G5", "admit"),
    ],
)
def test_a_rule_that_is_gone_shows_in_a_request(
    bundle: Bundle, distinguisher: Distinguisher, rule: str, action: Action
) -> None:
    after = without(bundle, rule)
    case = distinguisher.distinguish(bundle.syntax, after, action)
    assert case is not None
    loosened = replace(bundle, policies=policy_set(after))
    assert decide_case(bundle, case).outcome != decide_case(loosened, case).outcome


def test_a_boundary_shows_in_a_request_that_lies_on_it(bundle: Bundle, distinguisher: Distinguisher) -> None:
    limit = {
        ".": {"left": {".": {"left": {"Var": "context"}, "attr": "limit"}}, "attr": "payloadIdentifiers"}
    }
    identifiers = {".": {"left": {"Var": "context"}, "attr": "identifiers"}}
    over = {">": {"left": identifiers, "right": limit}}
    after = changed(bundle, "L06", over, {">=": over[">"]})
    case = distinguisher.distinguish(bundle.syntax, after, "admit")
    assert case is not None
    assert case.admit is not None
    assert case.admit.identifiers == bundle.limits.payload_identifiers


def test_a_word_that_no_rule_used_before_is_told_apart_too(
    bundle: Bundle, distinguisher: Distinguisher
) -> None:
    after = changed(bundle, "L02", {"Value": "EU"}, {"Value": "QQ"})
    assert distinguisher.distinguish(bundle.syntax, after, "admit") is not None
    after = changed(bundle, "L05", {"Value": "hits"}, {"Value": "heats"})
    assert distinguisher.distinguish(bundle.syntax, after, "admit") is not None


def test_rules_that_say_the_same_in_other_words_are_proved_equal(
    bundle: Bundle, distinguisher: Distinguisher
) -> None:
    """Without L01a nothing is allowed either, since every gateway asks for a finding."""
    assert distinguisher.distinguish(bundle.syntax, without(bundle, "L01a"), "admit") is None
    assert distinguisher.distinguish(bundle.syntax, without(bundle, "D4"), "release") is None


def test_a_rule_that_may_err_is_told_apart_since_an_error_refuses(
    bundle: Bundle, distinguisher: Distinguisher
) -> None:
    now = {".": {"left": {"Var": "context"}, "attr": "now"}}
    huge = {"*": {"left": now, "right": {"Value": 2**40}}}
    after = {
        **bundle.syntax,
        "L99": {
            **bundle.syntax["L09a"],
            "conditions": [{"kind": "when", "body": {"==": {"left": huge, "right": {"Value": -1}}}}],
        },
    }
    case = distinguisher.distinguish(bundle.syntax, after, "admit")
    assert case is not None
    assert decide_case(replace(bundle, policies=policy_set(after)), case).rules == ("ENGINE",)
