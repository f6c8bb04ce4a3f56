"""The engine's traps, each closed: whatever goes wrong inside, the answer is no."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from broker.gate import engine, question
from broker.gate.bundle import Bundle, load
from broker.gate.decide import decide_admission
from broker.protocol.messages.vocabulary import Outcome, Tier
from tests.gate_world import BUNDLE, NOW, admit_facts, derived

FACTS = admit_facts()
ONE = FACTS.series[0]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


def changed(tmp_path: Path, name: str, change: Callable[[str], str]) -> Bundle:
    """The bundle with one file changed."""
    copy = tmp_path / "policies"
    shutil.copytree(BUNDLE, copy)
    file = copy / name
    file.write_text(change(file.read_text()))
    return load(copy)


def entities() -> list[dict[str, Any]]:
    return question.entities(
        FACTS.requester, ONE.series_id, ONE.contributor, ONE.identifier_type, ONE.conditions
    )


def context(bundle: Bundle) -> dict[str, Any]:
    return question.matching_context(bundle, FACTS, ONE, Tier.HITS, NOW, None)


def test_the_question_these_tests_break_is_answered_with_yes(bundle: Bundle) -> None:
    assert engine.ask(bundle, "admit", entities(), context(bundle)).allowed


def test_a_forbid_that_errs_refuses_though_the_engine_would_skip_it(tmp_path: Path) -> None:
    rule = (
        '@id("X1") @reason("r") @law("l") forbid (principal, action == Narrowgate::Action::"admit", resource)'
        " when { context.identifiers * 9223372036854775807 > 0 };"
    )
    bundle = changed(tmp_path, "limits/release.cedar", lambda text: text + rule)
    verdict = engine.ask(bundle, "admit", entities(), context(bundle))
    assert not verdict.allowed
    assert engine.ENGINE_ERROR in verdict.rules


@pytest.mark.parametrize("missing", ["now", "claimed", "derived", "limit", "instrument"])
def test_a_context_that_lacks_a_fact_refuses(bundle: Bundle, missing: str) -> None:
    facts = context(bundle)
    del facts[missing]
    assert engine.ask(bundle, "admit", entities(), facts).rules == (engine.ENGINE_ERROR,)


def test_a_fact_that_the_schema_does_not_know_refuses(bundle: Bundle) -> None:
    assert not engine.ask(bundle, "admit", entities(), context(bundle) | {"override": True}).allowed


def test_a_fact_of_another_type_refuses(bundle: Bundle) -> None:
    assert not engine.ask(bundle, "admit", entities(), context(bundle) | {"identifiers": "40"}).allowed


@pytest.mark.parametrize("lost", ["kind", "mandates", "suspended"])
def test_an_entity_that_lacks_an_attribute_refuses(bundle: Bundle, lost: str) -> None:
    both = entities()
    del both[0]["attrs"][lost]
    assert not engine.ask(bundle, "admit", both, context(bundle)).allowed


def test_an_entity_with_an_attribute_of_another_type_refuses(bundle: Bundle) -> None:
    both = entities()
    both[1]["attrs"]["retainUntil"] = "never"
    assert not engine.ask(bundle, "admit", both, context(bundle)).allowed


def test_principal_and_resource_are_always_among_the_entities(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[dict[str, Any], str]] = []
    ask = cedarpy.is_authorized

    def listen(request: dict[str, Any], policies: Any, known: Any, schema: Any) -> Any:
        asked.append((request, str(known)))
        assert schema is bundle.schema
        return ask(request, policies, known, schema)

    monkeypatch.setattr(cedarpy, "is_authorized", listen)
    assert engine.ask(bundle, "admit", entities(), context(bundle)).allowed
    ((request, known),) = asked
    uids = [one["uid"] for one in json.loads(known)]
    assert request["principal"] in uids
    assert request["resource"] in uids


def test_an_unknown_action_refuses(bundle: Bundle) -> None:
    assert not engine.ask(bundle, "disclose", entities(), context(bundle)).allowed


def test_numbers_are_bounded_before_the_engine_sees_them() -> None:
    for changes in ({"identifiers": 2**62}, {"derived": derived().model_dump() | {"identifiers_30d": 2**62}}):
        with pytest.raises(ValidationError):
            admit_facts(**changes)


def test_identical_questions_have_identical_digests(bundle: Bundle) -> None:
    assert decide_admission(bundle, admit_facts()).digest == decide_admission(bundle, admit_facts()).digest


@settings(max_examples=25)
@given(
    identifiers=st.integers(1, 1_000_000_000), asked=st.integers(0, 1_000_000_000), now=st.integers(0, 2**37)
)
def test_no_numbers_however_large_allow_what_the_limits_refuse(
    identifiers: int, asked: int, now: int
) -> None:
    bundle = load(BUNDLE)
    facts = admit_facts(
        identifiers=identifiers, points=identifiers, derived=derived(identifiers_30d=asked), now=now
    )
    decision = decide_admission(bundle, facts)
    if decision.outcome is Outcome.ALLOW:
        assert identifiers <= 500
        assert asked + identifiers <= 20_000
        assert facts.claims.basis.valid_from <= now < facts.claims.basis.valid_until
