"""The page for lawyers, docs/how-to-change-a-rule.md, as written: its commands in order, and what it says they print.

Its blocks are run by a shell in one temporary folder, as somebody who reads the page would.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from broker.gate.bundle import load
from broker.gate.decide import decide_admission
from broker.gate.facts import AdmitFacts, People
from broker.protocol.messages.base import encode
from broker.protocol.messages.log import LoggedRecord, RecordPage
from broker.protocol.messages.vocabulary import PayloadCategory, Purpose, Subject, Tier
from clients.cli import main as command_line
from tests.gate_facts import decisions
from tests.gate_world import BUNDLE, NOW, admit_facts, claims, derived, three_series, verified
from tests.page_case import check_printed, steps

PAGE = "how-to-change-a-rule.md"
STEPS = (
    *("policy check", "policy explain", "policy test", "policy prove", "policy diff", "policy replay"),
    *("policy coverage", "policy sign", "policy sign", "broker activate", "keyholder activate"),
)
PROGRAMS = Path(sys.executable).parent

BEFORE = """
mkdir officers holders
narrowgate policy officer officers/legal --id legal-officer --name "A. Jurist" --office "chief legal officer"
narrowgate policy officer officers/privacy --id privacy-officer --name "B. Jurist" --office "data-protection officer"
for officer in legal privacy; do
  narrowgate policy sign officers/$officer --bundle policies --valid-from 2020-01-01 --changes "The first rules."
done
narrowgate broker init broker
narrowgate broker officer broker --pin officers/legal/officer.jws --pin officers/privacy/officer.jws
narrowgate broker activate broker --bundle policies --trial
narrowgate keyholder init holders/court --holder-id court --name Court --jurisdiction NL \\
  --origin http://court.example.org:8000
narrowgate keyholder officer holders/court --pin officers/legal/officer.jws --pin officers/privacy/officer.jws
narrowgate keyholder activate holders/court --bundle policies
"""
"""What was done before anybody thought of a change: officers, a broker, a key holder, and rules in force at both."""


def called() -> list[list[str]]:
    """Every call of the program on the page, its arguments as the shell reads them."""
    joined = "\n".join(line for step in steps(PAGE) for line in step.commands).replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines() if line.startswith("narrowgate ")]


def test_every_step_that_the_issue_asks_for_is_on_the_page() -> None:
    assert [" ".join(words[1:3]) for words in called()] == list(STEPS)


@pytest.mark.parametrize("words", called(), ids=lambda words: " ".join(words[1:4]))
def test_every_call_on_the_page_is_one_that_the_program_understands(words: list[str]) -> None:
    group = typer.main.get_command(command_line.app)
    context = group.make_context("narrowgate", words[1:], resilient_parsing=True)
    command, rest = group, words[1:]
    while hasattr(command, "get_command") and rest:
        command, rest = command.get_command(context, rest[0]), rest[1:]
        assert command is not None, words
    given = {option.split("=")[0] for option in rest if option.startswith("--")}
    known = {name for parameter in command.params for name in parameter.opts}
    assert given <= known, given - known


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the reader has before: the rules in force, who signs and applies them, and the records of a log."""
    shutil.copytree(BUNDLE, tmp_path / "policies")
    # Boundary cases that the new rule touches would have to be made anew, as the page says, which takes minutes.
    (tmp_path / "policies" / "scenarios" / "boundaries.json").unlink(missing_ok=True)
    rules = load(BUNDLE)
    logged = [decide_admission(rules, payload_about(Subject.MINOR)), *decisions(rules, 12, seed=7)]
    assert logged[0].allowed
    records = tuple(
        LoggedRecord(index=index, record=json.dumps({"decision": each.text}).encode(), salt=bytes(32))
        for index, each in enumerate(logged)
    )
    (tmp_path / "records.ndjson").write_bytes(encode(RecordPage(start=0, records=records)) + b"\n")
    run(BEFORE, tmp_path)
    return tmp_path


def payload_about(subject: Subject) -> AdmitFacts:
    """A request for payload with two approvers on a judge's order, to identify victims."""
    return admit_facts(
        tier=Tier.PAYLOAD,
        identifiers=2,
        points=2,
        claims=claims(purpose=Purpose.IDENTIFY_VICTIM),
        verified=verified(purpose=Purpose.IDENTIFY_VICTIM),
        derived=derived(prior_tier=Tier.SOURCES, prior_decided_at=NOW, confirmed=True),
        people=People(approvers=("prosecutor-1", "supervisor-1")),
        series=three_series(subject=subject, payload_category=PayloadCategory.SUBSCRIBER),
    )


def run(commands: str, folder: Path) -> str:
    """Run the commands of one block as a shell does that stops at the first that fails; what they printed."""
    environment = {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.all_only
def test_the_page_does_what_it_says(folder: Path) -> None:
    for step in steps(PAGE):
        check_printed(step, run("\n".join(step.commands), folder))
