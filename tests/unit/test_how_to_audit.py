"""The page for auditors, docs/how-to-audit.md, as written: its commands in order, and what it says they print.

A block marked `sh` is run line by line where the page's files lie, against a broker with a log of its own; a block
without a mark, right after it, is printed by it, line by line and in that order, among other lines. `...` stands for
what is left out. The auditor's home is the one that the page makes.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from broker import exchange
from broker.protocol.errors import Unavailable
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, Role
from clients.cli import run
from clients.cli.main import app
from clients.home import Home
from clients.remote import RefusedByGate
from clients.transport import Unreachable
from tests import rules
from tests.world import CONTRIBUTORS, PLAINTEXT, POLICE, POLICIES, World, phone

pytestmark = pytest.mark.all_only

PAGE = Path(__file__).parents[2] / "docs" / "how-to-audit.md"
AUDITOR = "auditor-1"
SOME_WEEKS = 45 * 86_400


class Step(NamedTuple):
    """Commands, and lines that they print."""

    commands: list[str]
    printed: list[str]


def steps() -> list[Step]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found: list[Step] = []
    for mark, text in blocks:
        assert mark in ("sh", ""), f"a block is marked {mark}, so nobody would run it"
        if mark == "sh":
            found.append(Step(text.splitlines(), []))
        else:
            found[-1].printed.extend(text.splitlines())
    return found


def called(command: str) -> str:
    """What a command of the page prints on standard output."""
    program, *arguments = shlex.split(command)
    assert program == "narrowgate"
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, f"{command}\n{result.output}\n{result.stderr}"
    return result.stdout


class PageWorld(World):
    """A world whose auditor makes her home and enrols as the page says, by commands that live in it."""

    def __init__(self, folder: Path, patched: pytest.MonkeyPatch) -> None:
        patched.setattr(run, "clock", self.clock)
        patched.setattr(run, "new_transport", lambda: self.wire)
        super().__init__(folder)

    def _home(self, name: str, role: Role, kind: AgencyKind | None = None, place: str = "NL") -> Home:
        if name != AUDITOR:
            return super()._home(name, role, kind, place)
        init, enrol = steps()[0].commands
        called(init)
        called(enrol)
        return Home.open(self.folder / "homes" / "auditor", self.random(name), None)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Eight requests were admitted, in one of which the broker was interrupted, and five were refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").symlink_to(POLICIES)
    world = PageWorld(tmp_path, monkeypatch)
    for name in CONTRIBUTORS:
        world.deposit(name, range(10))
    for number in range(7):
        world.now += 3600
        world.ask([phone(number), phone(100 + number)], case_reference=f"CASE-{number + 1}")
    for _ in range(5):
        with pytest.raises(RefusedByGate):
            world.ask([phone(2)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    _interrupted(world)
    (tmp_path / "space.jws").write_text(world.signed_space.document)
    (tmp_path / "founder-enrolment.jws").write_text(world.homes["company-1"].enrolment)
    for name in rules.OFFICERS:
        (tmp_path / f"{name}.jws").write_text(rules.officer_document(name))
    _hand_over(tmp_path, tmp_path / "papers")
    yield world
    world.close()


def _hand_over(parties: Path, papers: Path) -> None:
    """The parties hand the auditor copies of what they signed."""
    papers.mkdir()
    for number, path in enumerate(sorted(parties.rglob("*.jws"))):
        (papers / f"{number}.jws").write_bytes(path.read_bytes())


def _interrupted(world: World) -> None:
    """The broker decides on a release, and cannot go on."""

    def broken(*_: object) -> None:
        raise Unavailable("The disk is full.")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exchange, "assemble", broken)
        with pytest.raises((Unavailable, Unreachable)):
            world.ask([phone(9)], case_reference="CASE-8")


def test_every_step_that_the_issue_asks_for_is_on_the_page() -> None:
    names = [" ".join(shlex.split(line)[1:3]) for step in steps() for line in step.commands]
    assert list(dict.fromkeys(names)) == [
        *("agency init", "agency enrol", "space join", "audit mirror", "audit verify", "audit replay"),
        *("audit search", "audit anomalies", "audit show"),
        *("audit verify-holders", "audit reconcile", "audit probe", "audit report"),
    ]


def _probed(world: World) -> dict[str, str]:
    """Contributor and requester do what the page says of the probe's files. Returns the ids it leaves open."""
    (name,) = world.homes["auditor-1"].vault.names("probes")
    signals, question = (
        [f"email/1|{each}" for each in (world.folder / f"{file}.csv").read_text().split()[1:]]
        for file in ("signals", "identifiers")
    )
    contributor, conditions = world.contributor("company-1"), world.conditions("company-1")
    series = contributor.open_series(world.space, "email", conditions)
    deposit = contributor.deposit(series, [(each, PLAINTEXT) for each in signals])
    for other in CONTRIBUTORS[1:]:
        world.deposit(other, [], [1])
    prepared, again = world.prepare(question), world.prepare(question)
    world.requester().run(prepared.request_id, [world.finding(prepared)])
    refused = world.finding(again, purpose=Purpose.GENERAL_INTELLIGENCE)
    with pytest.raises(RefusedByGate):
        world.requester().run(again.request_id, [refused])
    vault = world.homes[POLICE].vault
    for file, text in {
        "request.jws": prepared.document,
        "refused.jws": again.document,
        "disclosure.jws": vault.read_text(f"requests/{prepared.request_id.hex()}/disclosure.jws"),
    }.items():
        (world.folder / file).write_text(text)
    return {"PROBE_ID": name, "DEPOSIT_ID": deposit.deposit_id.hex()}


def test_the_page_does_what_it_says(world: World) -> None:
    ids: dict[str, str] = {}
    for step in steps()[1:]:
        if "probe check" in step.commands[-1]:
            ids = _probed(world)
        if "report" in step.commands[-1]:
            world.now += SOME_WEEKS
            with pytest.raises(RefusedByGate):
                world.ask([phone(2)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
        commands = [" ".join(ids.get(word, word) for word in each.split(" ")) for each in step.commands]
        printed = everything = "".join(map(called, commands)).splitlines()
        for shown in step.printed:
            pattern = ".*".join(map(re.escape, shown.split("...")))
            place = next((at for at, line in enumerate(printed) if re.match(pattern, line)), None)
            assert place is not None, f"not printed: {shown}\n" + "\n".join(everything)
            printed = printed[place + 1 :]
    assert (world.folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert (world.folder / "report.csv").read_text().startswith("list,name,number,explanation")
