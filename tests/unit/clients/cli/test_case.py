"""The commands of a case folder: exported by the police, handed over, checked by a court that has nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from clients.case_file.checks import CHECKS
from clients.cli import run
from clients.cli.main import app
from tests.case_story import CaseStory


@pytest.fixture(autouse=True)
def _clock(story: CaseStory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "clock", story.world.clock)


def _run(*arguments: object, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, ["case", *map(str, arguments)])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def _json(*arguments: object, expect: int = 0) -> Any:
    return json.loads(_run(*arguments, "--json", expect=expect).stdout)


def _export(story: CaseStory, folder: Path) -> Any:
    return _json("export", story.world.folder / "unit-1", story.payload.hex(), "--out", folder)


def test_a_court_verifies_what_the_police_exported_and_handed_over(story: CaseStory, tmp_path: Path) -> None:
    folder, founder, space = tmp_path / "case", tmp_path / "founder.jws", tmp_path / "space.jws"
    founder.write_text(story.world.homes["company-1"].enrolment + "\n")
    space.write_text(story.world.signed_space.document + "\n")
    exported = _export(story, folder)
    assert (exported["files"], exported["records"]) == (len(story.files), 4)
    handed = _json("hand-over", folder, "--home", story.world.folder / "unit-1", "--to", "District court")
    assert (handed["number"], handed["to"]) == (1, "District court")
    told = _json("verify", folder, "--space-document", space, "--founder", founder)
    assert told["verified"] is True
    assert (told["pinned"], told["trial"], told["log_entries"], told["records"]) == (True, True, 9, 4)
    assert [each["name"] for each in told["checks"]] == [name for name, _ in CHECKS]
    assert [(each["by"], each["to"]) for each in told["custody"]] == [("unit-1", "District court")]
    words = _run("verify", folder).stdout
    assert f"{len(CHECKS)}. ok" in words
    assert "TRIAL" in words
    assert "The space document is the folder's own" in words
    assert "FAILED" not in words


def test_a_folder_that_was_tampered_with_exits_with_4_and_names_the_check(
    story: CaseStory, tmp_path: Path
) -> None:
    folder = tmp_path / "case"
    _export(story, folder)
    (folder / "records" / "1" / "plaintext").write_bytes(b"{}")
    failed = _run("verify", folder, expect=4)
    assert "FAILED  every file is as the manifest says" in failed.stdout
    assert "Check 1 (files) failed: A file is not the one that the manifest lists" in failed.stderr
    told = _json("verify", folder, expect=4)
    assert told["verified"] is False
    assert (told["failed"]["check"], told["failed"]["name"], told["passed"]) == (1, "files", [])
    _run("hand-over", folder, "--home", story.world.folder / "unit-1", "--to", "Court", expect=4)


def test_what_is_named_wrongly_is_told(story: CaseStory, tmp_path: Path) -> None:
    home, folder = story.world.folder / "unit-1", tmp_path / "case"
    assert "REQUEST_ID" in _run("export", home, "zz", "--out", folder, expect=6).stderr
    assert "no request" in _run("export", home, "00" * 16, "--out", folder, expect=6).stderr
    officer = ("--officer", "Officer One")
    assert (
        "short name" in _run("export", home, story.payload.hex(), "--out", folder, *officer, expect=6).stderr
    )
    assert not folder.exists()
    _export(story, folder)
    assert "already" in _run("export", home, story.payload.hex(), "--out", folder, expect=6).stderr
    assert "both files" in _run("verify", folder, "--founder", tmp_path / "x", expect=6).stderr
    assert "cannot be read" in _run("verify", tmp_path / "none", expect=6).stderr
    prosecutor = story.world.folder / "prosecutor-1"
    handed = _run("hand-over", folder, "--home", prosecutor, "--to", "Court", expect=6)
    assert "handed to somebody else" in handed.stderr
