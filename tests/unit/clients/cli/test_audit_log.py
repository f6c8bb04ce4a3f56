"""`narrowgate audit mirror` and `verify` tell a person and a script what verified, and what did not."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol import leaves
from broker.protocol.messages.bundles import BundleApproval
from broker.protocol.messages.vocabulary import RecordKind
from clients.cli import run
from clients.cli.main import app
from clients.remote import Answer
from tests import rules
from tests.requester_world import LOG, RequesterWorld, down

ALWAYS = {"origin", "size", "root", "verified", "fork", "first_bad_index"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RequesterWorld:
    world = RequesterWorld(tmp_path)
    monkeypatch.setattr(run, "new_transport", lambda: world)
    monkeypatch.setattr(run, "clock", world.clock)
    monkeypatch.setattr("time.sleep", lambda _: None)
    for _ in range(300):
        world.log.entries.append(leaves.compose(RecordKind.TOKENS, 1, b"{}", bytes(32)))
    return world


def called(world: RequesterWorld, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", command, str(world.directory / "auditor-1"), *arguments])


def told(result: Result, exit_code: int) -> dict[str, Any]:
    assert result.exit_code == exit_code, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    assert value.keys() >= ALWAYS
    return value


def test_what_verified_is_told_to_a_script(world: RequesterWorld) -> None:
    value = told(called(world, "mirror", "--json"), 0)
    assert (value["origin"], value["size"], value["new"]) == (LOG, 300, 300)
    assert (value["verified"], value["fork"], value["first_bad_index"]) == (True, False, None)
    root = value["root"]
    value = told(called(world, "verify", "--json"), 0)
    assert (value["root"], value["new"], value["erased"]) == (root, 0, 0)


def test_and_to_a_person(world: RequesterWorld) -> None:
    words = called(world, "verify").stdout.splitlines()
    assert words[0].startswith(f"300 entries of {LOG} give the signed root ")
    assert "  TOKENS: 300" in words
    assert words[-1] == "Every record opens its leaf."
    assert any(line.startswith("TRIAL: ") for line in words)


def test_a_fork_is_told_with_its_evidence_and_exit_code_4(world: RequesterWorld) -> None:
    called(world, "mirror")
    before = world.log.note()
    world.log.entries[7] = leaves.compose(RecordKind.REFUSED, 1, b"{}", bytes(32))
    world.log.append(RecordKind.TOKENS, b"{}")
    value = told(called(world, "verify", "--json"), 4)
    assert (value["verified"], value["fork"], value["first_bad_index"], value["size"]) == (
        False,
        True,
        7,
        301,
    )
    evidence = Path(value["evidence"]).read_text()
    assert before in evidence
    assert world.log.note() in evidence
    result = called(world, "verify")
    assert "Evidence: " in result.stderr
    assert result.stdout == ""


def test_a_stale_checkpoint_is_told_as_such_with_exit_code_0(world: RequesterWorld) -> None:
    called(world, "mirror")
    del world.log.entries[290:]
    value = told(called(world, "mirror", "--json"), 0)
    assert (value["verified"], value["fork"], value["size"], value["new"]) == (True, False, 300, 0)
    assert value["stale"] == 290
    words = called(world, "mirror").stdout
    assert "STALE: the broker served a checkpoint of 290 entries, older than one seen before." in words


def test_a_checkpoint_of_another_key_is_told_with_exit_code_4(world: RequesterWorld) -> None:
    world.log.key = world.broker_key
    value = told(called(world, "mirror", "--json"), 4)
    assert (value["verified"], value["size"], value["root"]) == (False, None, None)
    assert "log's key" in value["detail"]


def test_a_broker_that_does_not_answer_is_exit_code_5_and_what_was_fetched_is_kept(
    world: RequesterWorld,
) -> None:
    def broker(method: str, path: str, body: bytes) -> Answer:
        return (
            down(method, path, body)
            if path.endswith("001.p/44")
            else world.answer_as_broker(method, path, body)
        )

    world.broker = broker
    assert called(world, "mirror").exit_code == 5
    world.broker = world.answer_as_broker
    world.calls.clear()
    assert called(world, "mirror").exit_code == 0
    assert [call.split()[-1] for call in world.calls] == ["/checkpoint", "/tile/entries/001.p/44"]


def test_signed_documents_are_asked_for_and_a_false_one_is_exit_code_4(
    world: RequesterWorld, tmp_path: Path
) -> None:
    approvals = [world.sign(_approval()), world.sign(_approval())]
    record = {
        "bundle_digest": "ab" * 32,
        "previous_digest": None,
        "valid_from": 1,
        "approvals": approvals,
        "v": 2,
    }
    world.log.append(RecordKind.BUNDLE_ACTIVATED, json.dumps(record).encode())
    value = told(called(world, "verify", "--documents", "--json"), 4)
    assert (value["verified"], value["first_bad_index"]) == (False, 300)
    assert [each["reason"].partition(",")[0] for each in value["documents"]["failed"]] == [
        "Rules are put in force by two officers"
    ]
    file = tmp_path / "officer.jws"
    file.write_text(rules.officer_document("officer-1"))
    words = called(world, "verify", "--officer", str(file))
    assert words.exit_code == 4
    assert "DOES NOT VERIFY: BundleApproval of entry 300." in words.stdout
    assert "Not verified: BundleApproval, 2 (entries 300, 300)." in words.stdout
    assert called(world, "verify", "--papers", str(tmp_path / "nowhere")).exit_code == 6


def _approval() -> BundleApproval:
    return BundleApproval(
        bundle_digest=bytes([0xAB]) * 32,
        previous_digest=None,
        valid_from=1,
        officer_id="officer-1",
        office="chief legal officer",
        changes="As the test says.",
        signed_at=1,
    )
