"""Past decisions under a new bundle: what would have come out otherwise, and what nobody can say."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from broker.gate.bundle import Bundle, load
from broker.gate.decide import decide_admission, decide_deposit, decide_release
from broker.gate.decision import Decision
from broker.protocol.messages.vocabulary import Tier
from clients.reconsidering import Side, reconsider_all
from tests.gate_world import (
    BUNDLE,
    NOW,
    admit_facts,
    claims,
    deposit_facts,
    release_facts,
    series,
    three_series,
)

OLD = load(BUNDLE)


def changed(tmp_path: Path, **files: Callable[[str], str]) -> Bundle:
    """The bundle with files changed, named by their stems."""
    copy = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    for stem, change in files.items():
        (file,) = (path for path in copy.rglob("*") if path.stem == stem and path.is_file())
        text = file.read_text()
        file.write_text(change(text))
        assert file.read_text() != text
    return load(copy)


def logged(*decisions: Decision) -> list[tuple[int, str]]:
    """Decisions at every tenth index of a log."""
    return [(10 * place, each.text) for place, each in enumerate(decisions)]


def test_under_the_same_rules_nothing_changes() -> None:
    report = reconsider_all(
        OLD,
        logged(
            decide_deposit(OLD, deposit_facts()),
            decide_admission(OLD, admit_facts()),
            decide_admission(OLD, admit_facts(identifiers=501, points=501)),
            decide_release(OLD, release_facts(hits=26), Tier.HITS),
        ),
    )
    assert (report.decisions, report.same) == (4, 4)
    assert report.allow_to_deny == report.deny_to_allow == report.otherwise == ()
    assert report.undecidable == ()


def test_a_higher_limit_lets_in_and_a_stricter_one_shuts_out_each_named(tmp_path: Path) -> None:
    new = changed(
        tmp_path,
        limits=lambda text: text.replace("hits_identifiers = 500", "hits_identifiers = 600").replace(
            "answer_days = 365", "answer_days = 100"
        ),
    )
    report = reconsider_all(
        new,
        logged(
            decide_admission(OLD, admit_facts()),
            decide_admission(OLD, admit_facts(identifiers=600, points=600, claims=claims(retention_days=90))),
            decide_admission(OLD, admit_facts(claims=claims(retention_days=90))),
        ),
    )
    assert (report.decisions, report.same) == (3, 1)
    (shut,) = report.allow_to_deny
    assert (shut.index, shut.action) == (0, "admit")
    assert (shut.before, shut.after) == (
        Side("ALLOW", "hits", ("G2",), 3),
        Side("DENY", "hits", ("L12",), 0),
    )
    (opened,) = report.deny_to_allow
    assert (opened.index, opened.before.rules, opened.after.rules) == (10, ("L06",), ("G2",))


def test_the_same_outcome_for_other_series_is_told_apart(tmp_path: Path) -> None:
    rule = (
        '@id("X1") @reason("r") @law("l") forbid (principal, action, resource is Narrowgate::Series)'
        ' when { resource.establishedIn == "LU" };'
    )
    held = (*three_series(), series(4, established_in="LU"))
    decision = decide_admission(OLD, admit_facts(series=held))
    assert len(decision.admitted_series) == 4
    report = reconsider_all(changed(tmp_path, release=lambda text: text + rule), logged(decision))
    (change,) = report.otherwise
    assert (change.before.outcome, change.before.series, change.after.series) == ("ALLOW", 4, 3)


def without(decision: Decision, *path: str) -> str:
    """The record as a version wrote it that did not know one fact."""
    members: dict[str, Any] = json.loads(decision.text)
    place = members["facts"]
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return rfc8785.dumps(members).decode()


@pytest.mark.parametrize(
    "path", [("people",), ("derived", "overdue_reviews"), ("derived", "identifiers_30d"), ("series",)]
)
def test_a_fact_that_an_older_record_lacks_is_never_guessed(path: tuple[str, ...]) -> None:
    text = without(decide_admission(OLD, admit_facts(tier=Tier.SOURCES, identifiers=5, points=5)), *path)
    report = reconsider_all(OLD, [(7, text)])
    (unknown,) = report.undecidable
    assert (unknown.index, report.same) == (7, 0)
    assert ".".join(path) in unknown.reason


def test_a_fact_within_a_list_or_another_fact_is_missed_too() -> None:
    text = without(decide_release(OLD, release_facts(), Tier.HITS), "admitted", "people", "reviewers")
    (unknown,) = reconsider_all(OLD, [(0, text)]).undecidable
    assert "admitted.people.reviewers" in unknown.reason


def test_a_rule_that_errs_on_old_facts_decides_nothing(tmp_path: Path) -> None:
    rule = (
        '@id("X1") @reason("r") @law("l") forbid (principal, action == Narrowgate::Action::"admit", resource)'
        " when { context.identifiers * 9223372036854775807 > 0 };"
    )
    report = reconsider_all(
        changed(tmp_path, release=lambda text: text + rule), logged(decide_admission(OLD, admit_facts()))
    )
    assert not report.allow_to_deny
    assert "cannot be evaluated" in report.undecidable[0].reason


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"action":"disclose"}', '{"action":"admit","facts":{}}'])
def test_a_record_that_is_no_decision_is_said_to_be_none(text: str) -> None:
    assert len(reconsider_all(OLD, [(3, text)]).undecidable) == 1


def test_what_was_recorded_is_what_is_compared_with() -> None:
    refused = decide_admission(OLD, admit_facts(now=NOW + 10**7))
    told = refused.text.replace('"outcome":"DENY"', '"outcome":"ALLOW"')
    (change,) = reconsider_all(OLD, [(0, told)]).allow_to_deny
    assert change.after.rules == refused.rules
