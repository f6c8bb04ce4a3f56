"""`narrowgate policy replay`: an auditor's mirror, or a file of records, under a new folder of rules."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.gate.bundle import load
from broker.gate.decide import decide_admission
from broker.protocol.messages.base import encode
from broker.protocol.messages.log import LoggedRecord, RecordPage
from broker.protocol.messages.vocabulary import RecordKind
from clients.cli import run
from clients.cli.main import app
from tests.gate_world import BUNDLE, admit_facts
from tests.requester_world import RequesterWorld


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Rules that allow six hundred identifiers at hits."""
    copy = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    file = copy / "limits.toml"
    file.write_text(file.read_text().replace("hits_identifiers = 500", "hits_identifiers = 600"))
    return copy


def record(identifiers: int) -> bytes:
    """A record with a decision about so many identifiers under the old rules."""
    decision = decide_admission(load(BUNDLE), admit_facts(identifiers=identifiers, points=identifiers))
    return json.dumps({"decision": decision.text}).encode()


def replay(bundle: Path, log: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["policy", "replay", "--bundle", str(bundle), "--log", str(log), *more])


def test_a_mirror_is_replayed(tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = RequesterWorld(tmp_path)
    monkeypatch.setattr(run, "new_transport", lambda: world)
    monkeypatch.setattr(run, "clock", world.clock)
    for identifiers in (40, 550, 601):
        world.log.append(RecordKind.REFUSED, record(identifiers))
    home = tmp_path / "auditor-1"
    assert CliRunner().invoke(app, ["audit", "verify", str(home)]).exit_code == 0
    result = replay(new, home, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["decisions"], report["same"], report["mirrored"]) == (3, 2, True)
    (opened,) = report["deny_to_allow"]
    assert (opened["index"], opened["before"]["rules"], opened["after"]["rules"]) == (1, ["L06"], ["G2"])
    assert report["allow_to_deny"] == report["otherwise"] == report["undecidable"] == []


def test_a_file_of_records_is_replayed_and_erased_ones_are_passed_over(tmp_path: Path, new: Path) -> None:
    pages = [
        RecordPage(start=0, records=(LoggedRecord(index=0, record=None, salt=None),)),
        RecordPage(start=1, records=(LoggedRecord(index=1, record=record(550), salt=bytes(32)),)),
        RecordPage(start=2, records=(LoggedRecord(index=2, record=b'{"v":1}', salt=bytes(32)),)),
    ]
    file = tmp_path / "records.ndjson"
    file.write_bytes(b"\n".join(encode(page) for page in pages) + b"\n")
    result = replay(new, file)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "0 of 1 decisions would have been taken the same.",
        "ALLOW to DENY: 0",
        "DENY to ALLOW: 1",
        "  entry 1, admit: was hits for 0 series by L06; would be hits for 3 series by G2",
        "same outcome, otherwise different: 0",
        "not decidable: 0",
    ]


def test_a_file_that_is_no_log_is_bad_input(tmp_path: Path, new: Path) -> None:
    (tmp_path / "records.ndjson").write_text('{"start": "+447700900123"}')
    result = replay(new, tmp_path / "records.ndjson")
    assert result.exit_code == 6
    assert "7700" not in result.output
