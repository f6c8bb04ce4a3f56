"""The page for auditors, docs/how-to-audit.md, as written: its commands in order, and what it says they print.

It is run against a broker with a log of its own; the auditor's home is the one that the page makes.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import exchange
from broker.protocol.errors import Unavailable
from broker.protocol.messages.vocabulary import Purpose
from clients.remote import RefusedByGate
from clients.transport import Unreachable
from tests import rules
from tests.page_case import PageWorld, steps
from tests.world import CONTRIBUTORS, PLAINTEXT, POLICE, World, phone

pytestmark = pytest.mark.all_only

PAGE = "how-to-audit.md"
AUDITOR = "auditor-1"
SOME_WEEKS = 45 * 86_400


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageWorld]:
    """Eight requests were admitted, in one of which the broker was interrupted, and five were refused."""
    world = PageWorld(tmp_path, monkeypatch, PAGE, AUDITOR, None, "homes/auditor")
    for name in CONTRIBUTORS:
        world.deposit(name, range(10))
    for number in range(7):
        world.now += 3600
        world.ask([phone(number), phone(100 + number)], case_reference=f"CASE-{number + 1}")
    for _ in range(5):
        with pytest.raises(RefusedByGate):
            world.ask([phone(2)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    _interrupted(world)
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
    names = [" ".join(shlex.split(line)[1:3]) for step in steps(PAGE) for line in step.commands]
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


def test_the_page_does_what_it_says(world: PageWorld) -> None:
    for step in world.page[1:]:
        if "probe check" in step.commands[-1]:
            world.ids = _probed(world)
        if "report" in step.commands[-1]:
            world.now += SOME_WEEKS
            with pytest.raises(RefusedByGate):
                world.ask([phone(2)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
        world.done(step)
    assert (world.folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert (world.folder / "report.csv").read_text().startswith("list,name,number,explanation")
