"""The commands of requester and legal desk, from a file of numbers to a file of hits."""

import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.gate.bundle import load
from broker.gate.decide import decide_deposit
from broker.gate.facts import DepositFacts, Party
from broker.protocol import leaves
from broker.protocol.messages.base import read
from broker.protocol.messages.log import RecordPage
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, RecordKind
from clients.cli import run
from clients.cli.main import app
from clients.remote import Answer
from tests.messages_examples import CONDITIONS, NOW
from tests.requester_world import RequesterWorld, answer, down, phone, problem

POLICIES = Path(__file__).parents[4] / "policies"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RequesterWorld:
    world = RequesterWorld(tmp_path)
    world.deal("phone", [phone(1), phone(2), phone(77)])
    monkeypatch.setattr(run, "new_transport", lambda: world)
    monkeypatch.setattr(run, "clock", world.clock)
    (tmp_path / "numbers.csv").write_text(
        "phone,name\n07700 900001,a\n+44 7700 900003,b\nask at the door,c\n"
    )
    return world


def _run(world: RequesterWorld, *arguments: str, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, [item.replace("@", f"{world.directory}/") for item in arguments])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def _json(world: RequesterWorld, *arguments: str, expect: int = 0) -> Any:
    return json.loads(_run(world, *arguments, "--json", expect=expect).stdout)


PREPARE = (
    "request", "prepare", "@unit-1", "@numbers.csv", "--tier", "hits", "--claims", "@claims.json",
    "--default-region", "GB", "--out", "@request.jws",
)  # fmt: skip


def _prepare(world: RequesterWorld) -> Any:
    _run(world, "request", "claims-template", "--out", "@claims.json")
    return _json(world, *PREPARE)


def _finding(world: RequesterWorld) -> None:
    _run(world, "desk", "answers", "@desk-1", "@request.jws", "--out", "@answers.json")
    _run(
        world,
        "desk",
        "find",
        "@desk-1",
        "@request.jws",
        "--answers",
        "@answers.json",
        "--out",
        "@finding.jws",
    )


def test_a_column_is_named_by_option_and_refused_rows_get_a_file(world: RequesterWorld) -> None:
    (world.directory / "numbers.csv").write_text("who,extension\n07700 900001,07700 900002\nthe door,\n")
    _run(world, "request", "claims-template", "--out", "@claims.json")
    prepared = _json(world, *PREPARE, "--column", "who=phone", "--refused", "@refused.csv")
    assert (prepared["types"], prepared["refused_rows"]) == ({"phone": 1}, 1)
    written = (world.directory / "refused.csv").read_text()
    assert "\n3,1," in written
    assert "door" not in written


def test_a_file_of_numbers_becomes_a_file_of_hits(world: RequesterWorld) -> None:
    prepared = _prepare(world)
    assert (prepared["identifiers"], prepared["types"], prepared["refused_rows"]) == (2, {"phone": 2}, 1)
    assert prepared["refused"][0]["line"] == 4
    assert "door" not in json.dumps(prepared)
    _finding(world)
    request_id = prepared["request_id"]
    send = ("request", "send", "@unit-1", request_id, "--finding", "@finding.jws", "--out-hits", "@hits.csv")
    result = _json(world, *send)
    assert result == {
        "request_id": request_id,
        "outcome": "ALLOW",
        "tier": "hits",
        "rules": ["G2"],
        "reasons": ["The lane is open."],
        "law": ["LED 8"],
        "identifiers": 2,
        "hits": 1,
        "matched": [phone(1)],
        "noised_count": None,
        "sources": [],
        "records": 0,
        "trial": True,
    }
    with (world.directory / "hits.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["type", "value", "canonical"],
            ["phone", "'+447700900001", phone(1)],
        ]
    assert stat.S_IMODE((world.directory / "hits.csv").stat().st_mode) == 0o600
    assert _json(world, "request", "list", "@unit-1")["requests"][0]["state"] == "answered"
    assert "TRIAL" in _run(world, "request", "submit", "@unit-1", request_id).stdout


def test_the_steps_can_be_taken_one_by_one(world: RequesterWorld) -> None:
    request_id = _prepare(world)["request_id"]
    filed = _json(world, "request", "file", "@unit-1", request_id)
    assert (filed["outcome"], filed["series"], filed["deposits"], filed["trial"]) == ("ALLOW", 1, 1, True)
    _run(world, "request", "evaluate", "@unit-1", request_id, "--quorum", "two", expect=6)
    _run(world, "request", "evaluate", "@unit-1", request_id, "--quorum", "1,3")
    assert _json(world, "request", "show", "@unit-1", request_id)["state"] == "evaluated"
    assert _json(world, "request", "submit", "@unit-1", request_id)["hits"] == 1


def test_a_refusal_exits_with_3_and_reads_like_an_answer(world: RequesterWorld) -> None:
    request_id = _prepare(world)["request_id"]
    said = {
        "rules": ["L03"],
        "reasons": ["No open lane."],
        "law": ["GDPR 6"],
        "missed": ["a lane"],
        "notes": [],
    }
    world.broker = lambda *_: problem("refused", 403, **said, trial=True)
    refused = _json(world, "request", "send", "@unit-1", request_id, expect=3)
    expected = {"request_id": request_id, "outcome": "DENY", "trial": True, **said}
    assert {name: refused[name] for name in expected} == expected
    words = _run(world, "request", "send", "@unit-1", request_id, expect=3).stderr
    assert "L03: No open lane. (GDPR 6)" in words
    assert "TRIAL" in words


def test_other_ends_have_exit_codes_of_their_own(world: RequesterWorld) -> None:
    request_id = _prepare(world)["request_id"]
    _run(world, "request", "submit", "@unit-1", request_id, expect=6)
    _run(world, "request", "file", "@unit-1", "00" * 16, expect=6)
    _run(world, "request", "file", "@unit-1", "not hexadecimal", expect=6)
    world.broker = down
    _run(world, "request", "send", "@unit-1", request_id, expect=5)
    world.broker, world.broker_key = world.answer_as_broker, world.holder_keys[1]
    _run(world, "request", "send", "@unit-1", request_id, expect=4)


def test_the_desk_reads_the_request_in_words_and_signs_what_it_corrected(world: RequesterWorld) -> None:
    _prepare(world)
    words = _run(world, "desk", "answers", "@desk-1", "@request.jws", "--out", "@answers.json").stdout
    assert "2 phone" in words
    answers = json.loads((world.directory / "answers.json").read_text())
    answers["purpose"] = Purpose.IDENTIFY_VICTIM.value
    (world.directory / "answers.json").write_text(json.dumps(answers))
    arguments = ("--answers", "@answers.json", "--out", "@finding.jws")
    assert _json(world, "desk", "find", "@desk-1", "@request.jws", *arguments)["expires_at"] > world.now
    answers["purpose"] = "a purpose nobody knows"
    (world.directory / "answers.json").write_text(json.dumps(answers))
    said = _run(world, "desk", "find", "@desk-1", "@request.jws", *arguments, expect=6).stderr
    assert "purpose" in said
    assert "nobody knows" not in said


def test_the_audit_commands_verify_show_and_exit_with_4_at_a_fork(world: RequesterWorld) -> None:
    _run(world, "request", "send", "@unit-1", _prepare(world)["request_id"])
    report = _json(world, "audit", "verify", "@auditor-1")
    assert (report["entries"], report["verified"], report["fork"], report["trial"]) == (3, True, False, True)
    assert report["kinds"] == {"ADMITTED": 1, "RELEASE": 1, "RELEASED": 1}
    shown = _json(world, "audit", "show", "@auditor-1", "0")
    assert (shown["kind"], shown["record"]["decision"]) == ("ADMITTED", {})
    _run(world, "audit", "show", "@auditor-1", "17", expect=6)
    del world.log.entries[1:]
    world.log.entries[0] = leaves.compose("REFUSED", 1, b"{}", bytes(32))
    failed = _json(world, "audit", "verify", "@auditor-1", expect=4)
    assert (failed["verified"], failed["fork"]) == (False, True)
    assert Path(failed["evidence"]).exists()


def _decided() -> str:
    facts = DepositFacts(
        now=NOW,
        space_id=bytes(16),
        contributor=Party(
            agency_id="company-1",
            kind=AgencyKind.COMPANY,
            jurisdiction="IE",
            mandates=(Purpose.DISRUPT_ADVERT,),
            suspended=False,
        ),
        identifier_type="phone",
        conditions=CONDITIONS,
        records=3,
        declaration_digest=bytes(32),
    )
    return decide_deposit(load(POLICIES), facts).text


def test_decisions_come_out_the_same_under_the_auditors_own_rules_and_a_changed_one_does_not(
    world: RequesterWorld,
) -> None:
    text = _decided()
    world.log.append(RecordKind.DEPOSIT_ADMITTED, json.dumps({"decision": text}).encode())
    replay = ("audit", "replay", "@auditor-1", "--bundle", str(POLICIES))
    _run(world, "audit", "verify", "@auditor-1")
    everything = {"decisions": 1, "same": 1, "different": [], "missing": [], "not_replayed": []}
    assert _json(world, *replay) == everything
    turned = '"ALLOW"' if '"outcome":"DENY"' in text else '"DENY"'
    told = text.replace('"outcome":"DENY"', f'"outcome":{turned}').replace(
        '"outcome":"ALLOW"', f'"outcome":{turned}'
    )
    world.log.append(RecordKind.DEPOSIT_ADMITTED, json.dumps({"decision": told}).encode())
    _run(world, "audit", "verify", "@auditor-1")
    report = _json(world, *replay, expect=4)
    assert (report["decisions"], report["same"]) == (2, 1)
    (different,) = report["different"]
    assert different["index"] == 2  # entry 1 is the reading of entry 0's record
    assert different["recorded"] != different["replayed"]


def test_what_was_erased_is_said_not_to_be_decided_again(world: RequesterWorld) -> None:
    for text in (_decided(), "{}", "{}"):
        world.log.append(RecordKind.DEPOSIT_ADMITTED, json.dumps({"decision": text}).encode())

    def broker(method: str, path: str, body: bytes) -> Answer:
        honest = world.answer_as_broker(method, path, body)
        if "records" not in path:
            return honest
        page = read(RecordPage, honest.body)
        erased = [each.model_copy(update={"record": None, "salt": None}) for each in page.records[1:]]
        return answer(page.model_copy(update={"records": (page.records[0], *erased)}))

    world.broker = broker
    _run(world, "audit", "verify", "@auditor-1")
    replay = ("audit", "replay", "@auditor-1", "--bundle", str(POLICIES))
    report = _json(world, *replay)
    assert (report["decisions"], report["same"], report["different"]) == (1, 1, [])
    assert report["not_replayed"] == [
        {"kind": "DEPOSIT_ADMITTED", "reason": "erased", "number": 2, "indices": [1, 2]}
    ]
    words = _run(world, *replay).stdout
    assert "Not decided again: 2 entries" in words
    assert "DEPOSIT_ADMITTED: 2 (entries 1, 2). The broker erased their records" in words
