"""Receipts by command: a requester writes them as files, and a stranger verifies them with a public key alone."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol import checkpoint
from broker.protocol.messages.vocabulary import RecordKind
from clients.cli import run
from clients.cli.main import app
from clients.remote import RefusedByGate
from clients.requesting.request_folder import RequestFolder
from tests.world import POLICE, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(run, "new_transport", lambda: world.wire)
    monkeypatch.setattr(run, "clock", world.clock)
    for agency in ("company-1", "company-2", "ngo-1"):
        world.deposit(agency, range(3))
    yield world
    world.close()


def _run(world: World, *arguments: str, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, [item.replace("@", f"{world.folder}/") for item in arguments])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def _receipts(world: World, request_id: bytes) -> Any:
    command = ("request", "receipts", f"@{POLICE}", request_id.hex(), "--out", "@receipts", "--json")
    return json.loads(_run(world, *command).stdout)


FILES = ["admitted.tlog-proof", "decided.tlog-proof", "released.tlog-proof", "released.record.json"]


def test_an_answered_requests_receipts_are_verified_by_a_stranger(world: World, tmp_path: Path) -> None:
    answer = world.ask([phone(1), phone(2)])
    told = _receipts(world, answer.request_id)
    assert [Path(name).name for name in told["files"]] == FILES
    (tmp_path / "log.key").write_text(told["log_key"] + "\n")
    kinds = {"admitted": RecordKind.ADMITTED, "decided": RecordKind.RELEASE, "released": RecordKind.RELEASED}
    for name, kind in kinds.items():
        # A stranger: no home, no network, another folder; the key comes as a file or as text.
        file = f"@receipts/{name}.tlog-proof"
        said = _run(world, "audit", "receipt", file, "--log-key", "@log.key", "--json")
        proved = json.loads(said.stdout)
        assert (proved["verified"], proved["kind"], proved["origin"]) == (True, kind, world.space.log_origin)
        assert "record" not in proved
        words = _run(world, "audit", "receipt", file, "--log-key", told["log_key"]).stdout
        assert f"is {kind.value}, recorded on" in words
        assert "log's own clock, which nobody vouches for" in words
        assert f"against the digest {proved['digest']}" in words
        assert ("not whether it was allowed" in words) is (name == "decided")
        assert "could show another log" in words


def test_with_its_record_a_receipt_says_which_request_and_which_answer(world: World, tmp_path: Path) -> None:
    answer = world.ask([phone(1), phone(2)])
    told = _receipts(world, answer.request_id)
    folder = RequestFolder(world.homes[POLICE].vault, answer.request_id)
    (tmp_path / "request.jws").write_text(folder.document + "\n")
    (tmp_path / "disclosure.jws").write_text(folder.disclosure())
    (tmp_path / "other.jws").write_text("a.b.c")
    command = ("audit", "receipt", "@receipts/released.tlog-proof", "--log-key", told["log_key"])
    opened = (*command, "--record", "@receipts/released.record.json")
    papers = ("--paper", "@request.jws", "--paper", "@disclosure.jws")
    words = " ".join(_run(world, *opened, *papers).stdout.split())
    assert f"request {answer.request_id.hex()} of {POLICE}" in words
    assert hashlib.sha256(folder.disclosure().encode()).hexdigest() in words
    assert "does not say" not in words
    proved = json.loads(_run(world, *opened, *papers, "--json").stdout)
    assert set(proved["papers"].values()) == {"request_digest", "disclosure_digest"}
    assert proved["record"]["request_id"] == answer.request_id.hex()
    assert "does not name this paper" in _run(world, *opened, "--paper", "@other.jws", expect=4).stderr
    assert "needs --record" in _run(world, *command, "--paper", "@request.jws", expect=6).stderr
    # Another entry's record opens nothing.
    command = ("audit", "receipt", "@receipts/decided.tlog-proof", "--log-key", told["log_key"])
    assert "digest" in _run(world, *command, "--record", "@receipts/released.record.json", expect=4).stderr


def test_a_receipt_under_another_key_or_changed_ends_with_4(world: World, tmp_path: Path) -> None:
    told = _receipts(world, world.ask([phone(1), phone(2)]).request_id)
    other = checkpoint.verifier_key(world.space.log_origin, bytes(range(32)))
    file = "@receipts/released.tlog-proof"
    _run(world, "audit", "receipt", file, "--log-key", other, expect=4)
    path = tmp_path / "receipts" / "released.tlog-proof"
    path.write_text(path.read_text().replace("index ", "index 1"))
    _run(world, "audit", "receipt", file, "--log-key", told["log_key"], expect=4)
    path.write_text("not a receipt")
    assert (
        "no receipt" in _run(world, "audit", "receipt", file, "--log-key", told["log_key"], expect=6).stderr
    )
    path.write_bytes(b"\xff\xfe")
    assert "text file" in _run(world, "audit", "receipt", file, "--log-key", told["log_key"], expect=6).stderr
    assert _run(world, "audit", "receipt", file, "--log-key", "nonsense", expect=6).stderr


def test_a_receipt_without_the_witness_that_is_asked_for_ends_with_4(world: World) -> None:
    told = _receipts(world, world.ask([phone(1), phone(2)]).request_id)
    witness = checkpoint.verifier_key("w.example.org", bytes(range(32)), checkpoint.ED25519_COSIGNATURE)
    command = ("audit", "receipt", "@receipts/admitted.tlog-proof", "--log-key", told["log_key"])
    assert "Too few" in _run(world, *command, "--witness-key", witness, expect=4).stderr
    assert "at most" in _run(world, *command, "--quorum", "1", expect=6).stderr
    # A witness's key that nobody's cosignature was held against is no comfort.
    said = _run(world, *command, "--witness-key", witness, "--quorum", "0").stdout
    assert "could show another log" in said


def test_a_refusal_has_its_receipt_too(world: World) -> None:
    prepared = world.prepare([phone(1)], onward_transfer=True)
    with pytest.raises(RefusedByGate):
        world.requester().run(prepared.request_id, [world.finding(prepared)])
    told = _receipts(world, prepared.request_id)
    # What was decided on names what a requester may not see, so its record is not there.
    assert [Path(name).name for name in told["files"]] == ["refused.tlog-proof"]
    said = _run(
        world, "audit", "receipt", "@receipts/refused.tlog-proof", "--log-key", told["log_key"], "--json"
    )
    assert json.loads(said.stdout)["kind"] == RecordKind.REFUSED
    shown = json.loads(
        _run(world, "request", "show", f"@{POLICE}", prepared.request_id.hex(), "--json").stdout
    )
    assert "proof" not in shown["refusal"]


def test_a_request_that_was_never_filed_has_none(world: World) -> None:
    prepared = world.prepare([phone(1)])
    command = ("request", "receipts", f"@{POLICE}", prepared.request_id.hex(), "--out", "@receipts")
    assert "Nothing of this request is recorded" in _run(world, *command, expect=6).stderr
