"""The commands of those who stand behind a request: approve, review, release; and confirm, climb, open."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.cli import run
from clients.cli.main import app
from clients.requesting.request_folder import RequestFolder
from tests import gate_world
from tests.world import POLICE, World, phone

pytestmark = pytest.mark.all_only

PAYLOAD: dict[str, Any] = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path)
    made.deposit("company-1", range(10), **PAYLOAD)
    made.deposit("company-2", range(5, 15), **PAYLOAD)
    made.deposit("ngo-1", range(12, 20), **PAYLOAD)
    monkeypatch.setattr(run, "new_transport", lambda: made.wire)
    monkeypatch.setattr(run, "clock", made.clock)
    (tmp_path / "claims.json").write_bytes(encode(gate_world.claims()))
    yield made
    made.close()


def call(world: World, *arguments: str, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, [each.replace("@", f"{world.folder}/") for each in arguments])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def answer(world: World, *arguments: str, expect: int = 0) -> Any:
    printed = call(world, *arguments, "--json", expect=expect).stdout.splitlines()
    # The broker in this very process writes its log to the same standard output.
    return json.loads("\n".join(line for line in printed if not re.match(r"\d{4}-\d\d-\d\d ", line)))


def climb(world: World, request_id: bytes, *confirmed: str) -> str:
    """Confirm by command, sign the next request, and have the desk look at it: its id."""
    papers = ["--identifiers", "@looked-at.csv"] if confirmed else []
    (world.folder / "looked-at.csv").write_text("phone\n" + "".join(f"{each[8:]}\n" for each in confirmed))
    call(world, "request", "confirm", f"@{POLICE}", request_id.hex(), "--officer", "officer-1", *papers)
    made = answer(
        world, "request", "climb", f"@{POLICE}", request_id.hex(),
        "--claims", "@claims.json", "--out", "@next.jws", *papers,
    )  # fmt: skip
    call(world, "desk", "answers", "@desk-1", "@next.jws", "--out", "@answers.json")
    find = ("desk", "find", "@desk-1", "@next.jws", "--answers", "@answers.json", "--out", "@finding.jws")
    call(world, *find)
    return str(made["request_id"])


def test_matches_are_confirmed_and_climbed_from_a_workbook_with_any_header(world: World) -> None:
    request_id = world.ask(map(phone, (1, 6, 17, 500))).request_id.hex()
    book = openpyxl.Workbook()
    book.active.append(["notes"])
    sheet = book.create_sheet("Looked at")
    for row in (["Kontakt", "Remark"], ["07700 900001", "same advert"], ["07700 900006", "same name"]):
        sheet.append(row)
    book.save(world.folder / "looked-at.xlsx")
    confirm = ("request", "confirm", f"@{POLICE}", request_id, "--officer", "officer-1")
    papers = ("--identifiers", "@looked-at.xlsx", "--sheet", "2", "--default-region", "GB")
    assert "No column with identifiers" in call(world, *confirm, *papers, expect=6).stderr
    assert answer(world, *confirm, *papers, "--column", "Kontakt=phone")["confirmed"] == 2
    climbed = ("request", "climb", f"@{POLICE}", request_id, "--claims", "@claims.json", "--out", "@next.jws")
    assert answer(world, *climbed, *papers, "--column", "Kontakt=phone")["identifiers"] == 2


def approve(world: World, name: str, command: str = "approve") -> Any:
    out = f"@{name}.jws"
    sign = (command, "sign", f"@{name}", "@next.jws", "--finding", "@finding.jws", "--out", out)
    return answer(world, *sign)


def send(world: World, request_id: str, *names: str, expect: int = 0) -> Any:
    approvals = [word for name in names for word in ("--approval", f"@{name}.jws")]
    arguments = ("request", "send", f"@{POLICE}", request_id, "--finding", "@finding.jws", *approvals)
    return answer(world, *arguments, expect=expect)


def test_from_a_hit_to_an_opened_record_by_commands_alone(world: World) -> None:
    hits = world.ask([phone(3), phone(7)])
    request_id = climb(world, hits.request_id, phone(7))
    shown = call(world, "approve", "show", "@supervisor-1", "@next.jws", "--finding", "@finding.jws")
    assert "the legal desk desk-1 found: investigate_trafficker" in shown.stdout
    for name in ("supervisor-1", "prosecutor-1"):
        approve(world, name)
    sources = send(world, request_id, "supervisor-1", "prosecutor-1")
    contacts = {each["contact"] for each in sources["sources"]}
    assert contacts == {"company-1@example.org", "company-2@example.org"}
    assert sources["sources"][0]["identifiers"] == [phone(7)]
    request_id = climb(world, bytes.fromhex(request_id))
    for name in ("supervisor-1", "prosecutor-1"):
        approve(world, name)
    assert send(world, request_id, "supervisor-1", "prosecutor-1")["records"] == 2
    opened = answer(world, "request", "open", f"@{POLICE}", request_id, "--out", "@opened.json")
    assert (opened["payloads"], opened["contributors"]) == (2, ["company-1", "company-2"])
    written = world.folder / "opened.json"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert json.loads(written.read_text())[0]["record"] == {"signals": [], "v": 1}


def test_a_refusal_goes_to_everybody_and_refuses_whatever_others_sign(world: World) -> None:
    hits = world.ask([phone(3)])
    request_id = climb(world, hits.request_id)
    for name in ("supervisor-1", "prosecutor-1"):
        approve(world, name)
    refuse = (
        "review",
        "refuse",
        "@judge-1",
        "@next.jws",
        "--finding",
        "@finding.jws",
        "--reason",
        "Too wide.",
    )
    sent = answer(world, *refuse)
    assert sent["unreached"] == []
    refused = send(world, request_id, "supervisor-1", "prosecutor-1", expect=3)
    assert refused["rules"] == ["L09a"]
    for holder in world.holders.values():
        with holder.database.read() as connection:
            assert "APPROVAL_VOIDED" in str(holder.log.leaf_page(connection, 0, 1000).leaves)


def test_an_approval_that_was_taken_back_no_longer_counts(world: World) -> None:
    hits = world.ask([phone(3)])
    request_id = climb(world, hits.request_id)
    approve(world, "supervisor-1")
    approval = approve(world, "prosecutor-1")["approval_id"]
    call(world, "approve", "withdraw", "@prosecutor-1", approval, "--reason", "The suspect was cleared.")
    assert send(world, request_id, "supervisor-1", "prosecutor-1", expect=3)["rules"] == ["L09"]


def test_a_statement_reaches_the_holder_that_was_down_when_it_is_sent_again(world: World) -> None:
    hits = world.ask([phone(3)])
    climb(world, hits.request_id)
    refuse = (
        "approve",
        "refuse",
        "@prosecutor-1",
        "@next.jws",
        "--finding",
        "@finding.jws",
        "--reason",
        "No.",
    )
    world.take_down("http://holder-2.example.org:8480")
    assert answer(world, *refuse)["unreached"] == ["Holder 2"]
    world.bring_up()
    assert answer(world, *refuse)["unreached"] == []


def test_a_contributor_sees_its_own_reference_and_the_grounds_and_releases(world: World) -> None:
    sources = world.climb(world.ask([phone(18)]).request_id)
    request_id = climb(world, sources.request_id)
    for name in ("supervisor-1", "prosecutor-1"):
        approve(world, name)
    waiting = send(world, request_id, "supervisor-1", "prosecutor-1")
    assert (waiting["outcome"], waiting["waiting"]["contributors"]) == (None, 1)
    (asked,) = answer(world, "release", "list", "@ngo-1")["asks"]
    assert (asked["requester"], asked["purpose"]) == (POLICE, "investigate_trafficker")
    assert len(asked["references"]) == 1
    assert answer(world, "release", "list", "@company-1")["asks"] == []
    call(world, "release", "give", "@ngo-1", asked["permit_id"])
    done = answer(world, "request", "submit", f"@{POLICE}", request_id)
    assert (done["tier"], done["records"]) == ("payload", 1)


def test_a_contributor_that_refuses_says_why(world: World) -> None:
    sources = world.climb(world.ask([phone(17)]).request_id)
    request_id = climb(world, sources.request_id)
    for name in ("supervisor-1", "prosecutor-1"):
        approve(world, name)
    send(world, request_id, "supervisor-1", "prosecutor-1")
    (asked,) = answer(world, "release", "list", "@ngo-1")["asks"]
    call(world, "release", "refuse", "@ngo-1", asked["permit_id"], "--reason", " ", expect=6)
    call(world, "release", "refuse", "@ngo-1", asked["permit_id"], "--reason", "She asked us not to.")
    assert answer(world, "request", "submit", f"@{POLICE}", request_id, expect=3)["rules"] == ["L19"]


def test_nobody_opens_what_was_not_released(world: World) -> None:
    hits = world.ask([phone(3)])
    refused = call(
        world, "request", "open", f"@{POLICE}", hits.request_id.hex(), "--out", "@x.json", expect=6
    )
    assert "No payload was released" in refused.stderr
    assert not (world.folder / "x.json").exists()


def test_an_approver_of_another_space_is_told_so(world: World) -> None:
    hits = world.ask([phone(3)])
    climb(world, hits.request_id)
    refused = call(world, "approve", "show", f"@{POLICE}", "@next.jws", expect=6)
    assert "does not list this person" in refused.stderr


def test_an_emergency_is_reviewed_afterwards_by_a_judge_and_not_by_a_supervisor(world: World) -> None:
    hits = world.ask([phone(3)], answers={"threat_to_life": True}, basis=gate_world.emergency_basis())
    document = RequestFolder(world.homes[POLICE].vault, hits.request_id).document
    (world.folder / "asked.jws").write_text(document)
    review = ("@asked.jws", "--justified", "--reason", "A life was in danger.")
    call(world, "review", "emergency", "@supervisor-1", *review, expect=6)
    assert answer(world, "review", "emergency", "@judge-1", *review)["log_index"] > 0
    assert "EMERGENCY_REVIEWED" in world.log_kinds()


def test_what_was_no_emergency_is_not_reviewed_as_one(world: World) -> None:
    hits = world.ask([phone(3)])
    document = RequestFolder(world.homes[POLICE].vault, hits.request_id).document
    (world.folder / "asked.jws").write_text(document)
    review = ("review", "emergency", "@judge-1", "@asked.jws", "--justified", "--reason", "None.")
    assert "owes no review" in call(world, *review, expect=6).stderr
