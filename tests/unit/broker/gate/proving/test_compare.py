"""Two sets of rules are told apart by a request that the engine decides differently, or proved to decide alike."""

import copy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.gate.bundle import Bundle, load, policy_set
from broker.gate.decide import decide_case
from broker.gate.decision import Action
from broker.gate.lint import Policy
from broker.gate.proving.compare import Distinguisher, differences
from tests.gate_world import BUNDLE

pytestmark = pytest.mark.all_only


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


# --- two bundles ---


def loosened(tmp_path: Path, name: str, old: str, new: str) -> Bundle:
    """A copy of the bundle with one text in one file changed."""
    target = tmp_path / "policies"
    shutil.copytree(BUNDLE, target)
    file = target / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    return load(target)


def ways(old: Bundle, new: Bundle) -> set[tuple[str, str]]:
    return {(each.action, f"{each.old.outcome} to {each.new.outcome}") for each in differences(old, new)}


def test_a_bundle_and_its_copy_are_proved_equal(bundle: Bundle) -> None:
    assert list(differences(bundle, load(BUNDLE))) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("limits.toml", "payload_identifiers = 5 ", "payload_identifiers = 6 ", {"admit", "release"}),
        ("limits.toml", "company_records = 5000000 ", "company_records = 5000001 ", {"deposit"}),
        ("lanes.toml", 'police = ["G5"]', 'police = ["G5", "G2"]', {"admit", "release"}),
        ("regions.toml", 'union = ["AT", ', 'union = ["AT", "GB", ', {"admit", "release"}),
    ],
)
def test_a_looser_number_lane_or_region_turns_deny_to_allow_and_never_back(
    bundle: Bundle, tmp_path: Path, name: str, old: str, new: str, expected: set[str]
) -> None:
    after = loosened(tmp_path, name, old, new)
    assert ways(bundle, after) == {(action, "DENY to ALLOW") for action in expected}


def test_more_contributors_to_hide_among_turn_allow_to_deny_and_sources_open(
    bundle: Bundle, tmp_path: Path
) -> None:
    after = loosened(tmp_path, "limits.toml", "count_contributors = 3 ", "count_contributors = 4 ")
    found = {(each.action, str(each.old.outcome)): each for each in differences(bundle, after)}
    refused = found["admit", "ALLOW"].case.admit
    assert refused is not None
    assert len({one.contributor.agency_id for one in refused.series}) == 3


def test_an_instrument_that_ends_shows_on_a_day_after_its_last(bundle: Bundle, tmp_path: Path) -> None:
    after = loosened(
        tmp_path,
        "packs/us.toml",
        "in_force_from = 1986-10-21",
        "in_force_from = 1986-10-21\nin_force_until = 2030-01-01",
    )
    found = list(differences(bundle, after))
    assert {each.action for each in found} == {"admit", "release"}
    assert all(each.case.admit is None or each.case.admit.now >= 1_893_542_400 for each in found)
