"""A draw by command: the auditor's order, the requester's opening, the check, and the end of the retention."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from clients.cli import run
from clients.cli.main import app
from tests.world import POLICE, World, phone

pytestmark = pytest.mark.all_only

DAY = 86_400


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose police unit asked about three numbers."""
    world = World(tmp_path)
    monkeypatch.setattr(run, "new_transport", lambda: world.wire)
    monkeypatch.setattr(run, "clock", world.clock)
    world.deposit("company-1", range(3))
    world.deposit("company-2", range(3))
    world.deposit("ngo-1", range(3))
    prepared = world.prepare([phone(1), phone(2), phone(500)])
    world.requester().run(prepared.request_id, [world.finding(prepared)])
    (tmp_path / "request.jws").write_text(prepared.document + "\n")
    (tmp_path / "request.id").write_text(prepared.request_id.hex())
    (tmp_path / "case.csv").write_text("phone\n07700 900001\n+44 7700 900002\n07700 900500\nnot a number\n")
    yield world
    world.close()


def _run(world: World, *arguments: str, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, [item.replace("@", f"{world.folder}/") for item in arguments])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def _json(world: World, *arguments: str, expect: int = 0) -> Any:
    return json.loads(_run(world, *arguments, "--json", expect=expect).stdout)


DRAW = ("audit", "draw", "@auditor-1", "@request.jws", "--out", "@order.jws")
OPEN = ("request", "open-draw", f"@{POLICE}", "--order", "@order.jws", "--out", "@opening.json")
CHECK = ("audit", "draw-check", "@auditor-1", "--order", "@order.jws")
OPENED = (*CHECK, "--opening", "@opening.json")


def test_an_auditor_draws_and_the_requester_opens(world: World) -> None:
    _run(world, "audit", "verify", "@auditor-1")
    ordered = _json(world, *DRAW, "--indices", "2,0")
    assert (ordered["requester"], ordered["drawn"]) == (POLICE, {"phone": [0, 2]})
    assert _json(world, *CHECK)["overdue"] is False
    assert _json(world, *OPEN)["draw_id"] == ordered["draw_id"]
    opening = world.folder / "opening.json"
    assert stat.S_IMODE(opening.stat().st_mode) == 0o600
    assert "447700900" not in opening.read_text()
    report = _json(world, *OPENED, "--case-file", "@case.csv", "--default-region", "GB")
    assert (report["verified"], report["tokens_sent"], report["faults"]) == (True, True, [])
    assert report["case_file_rows_refused"] == 1
    assert [each["identifier"] for each in report["drawn"]] == [phone(1), phone(500)]
    for each in report["drawn"]:
        assert all(each[name] for name in ("opened", "hash_fits", "point_fits", "in_batch", "in_case_file"))
        assert list(each["deposits"].values()) == [True] * 3
    assert "everything verifies" in _run(world, *OPENED).stdout


def test_by_its_id_and_at_random(world: World) -> None:
    _run(world, "audit", "verify", "@auditor-1")
    request_id = (world.folder / "request.id").read_text()
    by_id = ("audit", "draw", "@auditor-1", request_id, "--out", "@order.jws")
    assert _json(world, *by_id, "--number", "3")["drawn"] == {"phone": [0, 1, 2]}
    assert len(_json(world, *by_id, "--number", "2")["drawn"]["phone"]) == 2
    _run(world, *OPEN)
    _run(world, *OPENED)


def test_an_identifier_outside_the_case_exits_with_4(world: World) -> None:
    (world.folder / "case.csv").write_text("phone\n07700 900001\n")
    _run(world, "audit", "verify", "@auditor-1")
    _run(world, *DRAW, "--indices", "phone:0,1")
    _run(world, *OPEN)
    check = (*OPENED, "--case-file", "@case.csv", "--default-region", "GB")
    report = _json(world, *check, expect=4)
    assert [each["in_case_file"] for each in report["drawn"]] == [True, False]
    assert "it is not in the case file" in _run(world, *check, expect=4).stdout


def test_a_case_file_is_read_as_any_other_file(world: World) -> None:
    rows = "Über wen;Kontakt\nMüller;07700 900001\nMüller;07700 900500\n"
    (world.folder / "case.csv").write_bytes(rows.encode("cp1252"))
    _run(world, "audit", "verify", "@auditor-1")
    _run(world, *DRAW, "--indices", "0,2")
    _run(world, *OPEN)
    check = (*OPENED, "--case-file", "@case.csv", "--default-region", "GB", "--column", "Kontakt=phone")
    assert "--encoding windows-1252" in _run(world, *check, expect=6).stderr
    report = _json(world, *check, "--encoding", "windows-1252")
    assert [each["in_case_file"] for each in report["drawn"]] == [True, True]
    mapping = ("deposit", "map", "@auditor-1", "@case.csv", *check[-4:], "--encoding", "windows-1252")
    _run(world, *mapping, "--out", "@case-mapping.json")
    by_file = (*OPENED, "--case-file", "@case.csv", "--mapping", "@case-mapping.json")
    assert _json(world, *by_file)["drawn"] == report["drawn"]


def test_a_damaged_opening_exits_with_4_or_6_and_repeats_nothing(world: World) -> None:
    _run(world, "audit", "verify", "@auditor-1")
    _run(world, *DRAW, "--indices", "0")
    _run(world, *OPEN)
    opening = world.folder / "opening.json"
    members = json.loads(opening.read_text())
    members["evidence"]["submission"]["nonce"] = "00" * 32
    opening.write_text(json.dumps(members))
    assert "signed for" in _run(world, *OPENED, expect=4).stderr
    opening.write_text('{"opening": "+447700900123"}')
    assert "447700900123" not in _run(world, *OPENED, expect=6).stderr


def test_an_order_nobody_followed_exits_with_4_when_its_time_is_over(world: World) -> None:
    _run(world, "audit", "verify", "@auditor-1")
    _run(world, *DRAW, "--indices", "0", "--valid-days", "2")
    world.now += 2 * DAY
    assert _json(world, *CHECK, expect=4)["overdue"] is True
    assert "OVERDUE" in _run(world, *CHECK, expect=4).stdout
    _run(world, *OPEN, expect=6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--indices or --number"),
        (("--indices", "0", "--number", "1"), "--indices or --number"),
        (("--indices", "0,3"), "from 0 to 2"),
        (("--indices", "1,1"), "once"),
        (("--indices", "email:0"), "no batch of that type"),
        (("--indices", "first"), "places in the batch"),
        (("--number", "4"), "has 3 identifiers"),
        (("--number", "1", "--valid-days", "91"), "1 to 90 days"),
    ],
    ids=" ".join,
)
def test_an_order_that_cannot_be_is_refused_in_words(
    world: World, arguments: tuple[str, ...], words: str
) -> None:
    _run(world, "audit", "verify", "@auditor-1")
    assert words in _run(world, *DRAW, *arguments, expect=6).stderr


def test_only_an_auditor_with_a_mirror_orders(world: World) -> None:
    assert "audit verify" in _run(world, *DRAW, "--number", "1", expect=6).stderr
    _run(world, "audit", "draw", "@desk-1", "@request.jws", "--number", "1", "--out", "@order.jws", expect=6)


def test_when_the_retention_is_over_the_secrets_are_erased_and_nobody_draws(world: World) -> None:
    _run(world, "audit", "verify", "@auditor-1")
    _run(world, *DRAW, "--indices", "0", "--valid-days", "90")
    request_id = (world.folder / "request.id").read_text()
    folder = world.folder / POLICE / "requests" / request_id
    begun = world.now
    world.now = begun + 180 * DAY - 1
    assert _json(world, "request", "forget", f"@{POLICE}")["forgotten"] == []
    assert (folder / "tokens").exists()
    last = _json(world, *DRAW, "--indices", "0")
    assert last["expires_at"] == begun + 180 * DAY
    world.now += 1
    assert "retention" in _run(world, *DRAW, "--indices", "0", expect=6).stderr
    assert _json(world, "request", "forget", f"@{POLICE}")["forgotten"] == [request_id]
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {"request.jws", "findings.json", "approvals.json", "admission.json", "forgotten.json"}
    assert _json(world, "request", "show", f"@{POLICE}", request_id)["state"] == "forgotten"
    assert _json(world, "request", "forget", f"@{POLICE}")["forgotten"] == []
    for command in ("submit", "evaluate", "file"):
        assert "erased" in _run(world, "request", command, f"@{POLICE}", request_id, expect=6).stderr
    world.now -= 1
    assert "erased" in _run(world, *OPEN, expect=6).stderr
