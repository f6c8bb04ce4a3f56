"""What is malformed, missing, too large or looks like something else is refused with its reason, and never allowed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from broker.gate.bundle import Bundle, load
from broker.gate.computed import ENGINE_ERROR
from broker.gate.decide import decide_admission, decide_deposit, decide_release, decide_text
from broker.gate.decision import Decision
from broker.gate.facts import AdmitFacts, Derived, People, Verified
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message
from broker.protocol.messages.requests import Claims, LegalBasis
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Tier
from clients.cli.main import app
from tests.gate_world import (
    BUNDLE,
    NOW,
    admit_facts,
    deposit_facts,
    derived,
    release_facts,
    series,
    three_series,
)

SECRET = "+447700900123"
LOADED = load(BUNDLE)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return LOADED


def admit_json() -> Any:
    return admit_facts().model_dump(mode="json")


def with_fact(path: tuple[Any, ...], value: Any) -> bytes:
    """The facts of an admission with one replaced, as a person's file has them."""
    facts = admit_json()
    place = facts
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return json.dumps({"admit": facts}).encode()


def refused_file(tmp_path: Path, facts: bytes) -> str:
    """What the command says about a file of facts that it refuses: no trace, no echo, no decision."""
    (tmp_path / "facts.json").write_bytes(facts)
    arguments = ["policy", "decide", "--bundle", str(BUNDLE), "--facts", str(tmp_path / "facts.json")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 6, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "The program failed" not in result.stderr
    assert SECRET not in result.stderr
    return result.stderr


NUMBERS = [("now",), ("identifiers",), ("points",), ("derived", "identifiers_30d"), ("derived", "hits_90d")]
NO_NUMBERS = [2**63, 2**64, -1, 1.5, "40", True, None, 10**12, float("inf")]


@pytest.mark.parametrize("path", NUMBERS, ids=".".join)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
def test_a_number_that_overflows_or_is_none_is_named_and_never_decided_on(
    path: tuple[str, ...], value: Any
) -> None:
    with pytest.raises(BadInput) as refused:
        decide_text(LOADED, with_fact(path, value))
    assert ".".join(path) in refused.value.detail or "JSON" in refused.value.detail


WORDS = [
    ("tier",),
    ("claims", "purpose"),
    ("claims", "offence"),
    ("verified", "offence"),
    ("verified", "basis", "issued_by"),
    ("requester", "kind"),
    ("series", 0, "conditions", "consent"),
]


@pytest.mark.parametrize("path", WORDS, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize(
    "value", [SECRET, "", "POLICE", "pоlice"], ids=["unknown", "empty", "capitals", "look-alike"]
)
def test_a_word_that_is_not_in_the_vocabulary_is_named_by_its_place_and_not_repeated(
    tmp_path: Path, path: tuple[Any, ...], value: str
) -> None:
    said = refused_file(tmp_path, with_fact(path, value))
    assert ".".join(map(str, path)) in said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("claims", "basis", "instrument"), "eеvidence_epoc"),
        (("verified", "basis", "jurisdiction"), "ΝL"),
        (("requester", "agency_id"), "unіt-1"),
        (("identifier_types",), ["phоne"]),
    ],
)
def test_letters_that_look_like_others_make_no_name(
    tmp_path: Path, path: tuple[str, ...], value: Any
) -> None:
    assert ".".join(path) in refused_file(tmp_path, with_fact(path, value))


def required(kind: type[Message]) -> list[str]:
    return [name for name, field in kind.model_fields.items() if field.default is PydanticUndefined]


MISSING: list[tuple[Any, ...]] = [
    *((name,) for name in required(AdmitFacts)),
    *(("claims", name) for name in required(Claims)),
    *(("claims", "basis", name) for name in required(LegalBasis)),
    *(("verified", name) for name in required(Verified)),
    *(("derived", name) for name in required(Derived)),
    *(("series", 0, "conditions", name) for name in required(Conditions)),
]


@pytest.mark.parametrize("path", MISSING, ids=lambda path: ".".join(map(str, path)))
def test_a_fact_that_is_missing_is_named(path: tuple[Any, ...]) -> None:
    facts = admit_json()
    place = facts
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    with pytest.raises(BadInput) as refused:
        decide_text(LOADED, json.dumps({"admit": facts}).encode())
    assert ".".join(map(str, path)) in refused.value.detail


@pytest.mark.parametrize(
    "facts",
    [b"", b"\xff", b"[]", b"{", b'{"admit": null}', b'{"admit": ' + b"[" * 100_000, b'{"override": true}'],
    ids=["empty", "no text", "a list", "cut off", "nothing", "nested", "an unknown member"],
)
def test_a_file_that_holds_no_facts_is_answered_in_words(tmp_path: Path, facts: bytes) -> None:
    assert refused_file(tmp_path, facts).strip()


def test_what_the_legal_desk_did_not_find_is_a_refusal_and_no_fault(bundle: Bundle) -> None:
    decision = decide_admission(bundle, admit_facts(verified=None))
    assert (decision.allowed, decision.rules) == (False, ("L01a",))


def on_the_ladder(decided_at: int) -> AdmitFacts:
    return admit_facts(
        tier=Tier.SOURCES,
        identifiers=5,
        points=5,
        people=People(approvers=("prosecutor-1", "supervisor-1")),
        derived=derived(prior_tier=Tier.HITS, prior_decided_at=decided_at, confirmed=True),
    )


def test_a_clock_that_stepped_back_behind_the_tier_before_refuses(bundle: Bundle) -> None:
    assert decide_admission(bundle, on_the_ladder(NOW)).allowed
    decision = decide_admission(bundle, on_the_ladder(NOW + 1))
    assert (decision.allowed, decision.rules) == (False, ("L05",))


def test_a_clock_that_stepped_back_behind_order_or_finding_refuses(bundle: Bundle) -> None:
    facts = admit_facts()
    before_the_order = facts.model_copy(update={"now": facts.claims.basis.valid_from - 1})
    assert decide_admission(bundle, before_the_order).rules == ("L01",)
    # Long retention is what a clock gains that is behind when a deposit is made.
    deposit = deposit_facts(retain_until=NOW + 86_400)
    assert not decide_deposit(bundle, deposit.model_copy(update={"now": NOW - 365 * 86_400})).allowed


def planted(tmp_path: Path, action: str, condition: str) -> Bundle:
    """The bundle with one rule more that cannot be evaluated."""
    copy = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    (copy / "limits" / "more.cedar").write_text(
        '@id("X1") @reason("r") @law("l") '
        f'forbid (principal, action == Narrowgate::Action::"{action}", resource is Narrowgate::Series) '
        f"when {{ {condition} }};"
    )
    return load(copy)


OVERFLOW = "context.now * 9223372036854775807 > 0"
DECIDED: list[tuple[str, Callable[[Bundle], Decision]]] = [
    ("deposit", lambda bundle: decide_deposit(bundle, deposit_facts())),
    ("admit", lambda bundle: decide_admission(bundle, admit_facts())),
    ("release", lambda bundle: decide_release(bundle, release_facts(), Tier.HITS)),
]


@pytest.mark.parametrize(("action", "decide"), DECIDED, ids=[action for action, _ in DECIDED])
def test_one_rule_that_errs_refuses_whatever_the_others_say(
    tmp_path: Path, bundle: Bundle, action: str, decide: Callable[[Bundle], Decision]
) -> None:
    assert decide(bundle).allowed
    decision = decide(planted(tmp_path, action, OVERFLOW))
    assert (decision.allowed, decision.rules) == (False, (ENGINE_ERROR,))
    assert decision.reasons[0].startswith("The rules could not be evaluated")


def test_a_rule_that_errs_hides_no_other_that_refuses(tmp_path: Path) -> None:
    decision = decide_admission(
        planted(tmp_path, "admit", OVERFLOW), admit_facts(identifiers=501, points=501)
    )
    assert decision.rules == (ENGINE_ERROR, "L06")


def test_a_rule_that_errs_about_one_series_leaves_that_one_out(tmp_path: Path) -> None:
    bundle = planted(tmp_path, "admit", f'resource.establishedIn == "LU" && {OVERFLOW}')
    held = (*three_series(), series(4, established_in="LU"))
    decision = decide_admission(bundle, admit_facts(series=held))
    assert decision.admitted_series == tuple(each.series_id for each in held[:3])
    assert decision.series[3].rules == (ENGINE_ERROR,)


RULE = '@id("X1") @reason("r") @law("l") forbid (principal, action, resource) when {{ {} }};'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('@id("X1") forbid (principal', "does not parse"),
        (RULE.format("principal.suspended") * 2, "Two rules have the id X1"),
        (RULE.format("principal.suspended").replace("X1", "L01"), "Two rules have the id L01"),
        (RULE.format('principal.kind == "pоlice"'), "outside ASCII"),
        (RULE.format("(" * 100_000 + "true" + ")" * 100_000), "longer than"),
        (RULE.format("(" * 1_000 + "true" + ")" * 1_000), "nests brackets deeper"),
        (RULE.format(" && ".join(["true"] * 3_000)), "more parts than anybody reads"),
        (RULE.format("[" * 20 + "1" + "]" * 20 + " == [1]"), "schema"),
        (RULE.format("if true then " * 400 + "true" + " else true" * 400), "more parts|does not parse"),
        (RULE.format("context.nope"), "does not fit the schema"),
        (RULE.format("9999999999999999999 > 1"), "does not parse"),
    ],
    ids=[
        "cut off",
        "twice",
        "twice in two files",
        "look-alike",
        "huge",
        "deep",
        "long",
        "lists",
        "ifs",
        "unknown",
        "big",
    ],
)
def test_rules_that_would_end_the_engine_or_mislead_a_reader_are_refused_in_words(
    tmp_path: Path, text: str, says: str
) -> None:
    copy = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    (copy / "limits" / "more.cedar").write_text(text)
    with pytest.raises(BadInput, match=says):
        load(copy)
    result = CliRunner().invoke(app, ["policy", "check", "--bundle", str(copy)])
    assert result.exit_code == 6
    assert "Traceback" not in result.output


def test_facts_of_two_actions_at_once_are_decided_for_neither() -> None:
    both = {"admit": admit_json(), "deposit": deposit_facts().model_dump(mode="json")}
    with pytest.raises(BadInput, match="one action"):
        decide_text(LOADED, json.dumps(both).encode())
