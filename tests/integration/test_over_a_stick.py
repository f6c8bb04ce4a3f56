"""One advert, one telephone number in three spellings, three agencies, and a unit that has no network at all.

A company and a helpline know the number; a unit in another country asks about it over a stick. All commands
of the unit run in a process that may open no socket, and what leaves it are files.

The number, +254 300 900123, is a Kenyan one that nobody can have: Kenya's plan gives 1 and 7 to mobile networks, 2 and
4 to 6 to regions, 8 and 9 to services, and 3 to nobody, so libphonenumber calls it possible (as it must be to be
compared here) and not valid. Kenya has no range that is reserved for examples, as +44 7700 900 is.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.protocol import documents
from broker.protocol.messages.requests import Request
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Collection,
    Consent,
    PayloadCategory,
    Purpose,
    Subject,
    Tier,
)
from clients.demo import papers
from clients.readers import Signal, read_file
from clients.readers.reading import Reading
from tests.carry_case import deliver
from tests.without_sockets import WithoutSockets
from tests.world import BROKER, PLAINTEXT, POLICE, World

pytestmark = pytest.mark.all_only

NUMBER = "phone/1|+254300900123"
THREE_SPELLINGS = {
    "company-1": "phone\n+254 300 900123\n",
    "survivors-helpline": "phone\n0300 900 123\n",
    POLICE: "phone\n\N{FULLWIDTH LEFT PARENTHESIS}+254\N{FULLWIDTH RIGHT PARENTHESIS}300-900-123\n",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The number lies with a company and, on the person's consent, with a helpline; two others know other numbers."""
    made = World(tmp_path)
    helpline = made.newcomer("survivors-helpline", AgencyKind.HELPLINE, "DE")
    made.take_over(made.founder().add_member(None, helpline.enrolment))
    made.deposit("company-2", range(3))
    made.deposit("ngo-1", range(3))
    consented = made.conditions(
        "survivors-helpline",
        lawful_ground="consent",
        collection=Collection.USER_REPORT,
        inclusion_criterion="The caller asked us to tell the police",
        subject=Subject.VICTIM,
        consent=Consent.GIVEN,
        permitted_purposes=(Purpose.IDENTIFY_VICTIM,),
        payload_category=PayloadCategory.NONE,
        highest_tier=Tier.SOURCES,
    )
    for name, agreed in (("company-1", made.conditions("company-1")), ("survivors-helpline", consented)):
        file = tmp_path / f"{name}.csv"
        file.write_text(THREE_SPELLINGS[name])
        found = read_file(file, Reading(default_region="KE"))
        texts = list(dict.fromkeys(each.canonical.text for each in found if isinstance(each, Signal)))
        acts = made.contributor(name)
        series = acts.open_series(made.space, "phone", agreed)
        acts.deposit(series, [(text, PLAINTEXT) for text in texts])
    yield made
    made.close()


class Unit:
    """The police unit's computer, which has no network, and its stick."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.home = world.homes[POLICE].vault.directory
        self.stick = folder / "stick"
        self.signals = folder / "unit.csv"
        self.signals.write_text(THREE_SPELLINGS[POLICE], encoding="utf-8")
        self.folder = folder
        self.trips = 0
        self.computer = WithoutSockets(world.now)
        self.run, self.done, self.close = self.computer.run, self.computer.done, self.computer.close

    def prepare(self, name: str, claims: dict[str, Any]) -> tuple[str, Path, list[Path]]:
        """A request on claims with its finding, and the approvals that the tier `sources` needs."""
        out = self.folder / f"{name}.jws"
        paper = papers.write(self.folder / f"{name}.json", claims)
        arguments = ("--tier", "hits", "--claims", paper, "--out", out, "--default-region", "NL")
        told = self.done("request", "prepare", self.home, self.signals, *arguments)
        key = self.world.homes[POLICE].identity.signing_key
        request = documents.verify(Request, out.read_text().strip(), key)
        finding = self.world.finding_on(request)
        files = [self.folder / f"{name}-finding.jws"]
        files[0].write_text(finding)
        for number, approval in enumerate(
            self.world.approvals(request, finding, "supervisor-1", "prosecutor-1")
        ):
            files.append(self.folder / f"{name}-approval-{number}.jws")
            files[-1].write_text(approval)
        return told["request_id"], files[0], files[1:]

    def round_trip(self) -> None:
        self.trips += 1
        for bundle in self.done("bundle", "export", self.home, "--out", self.stick)["bundles"]:
            answer = deliver(self.world, bundle["recipient"], (self.stick / bundle["file"]).read_bytes())
            assert answer.status == 200, answer.body
            back = self.stick / f"back-{bundle['file']}"
            back.write_bytes(answer.body)
            assert not self.done("bundle", "import", self.home, back)["repeated"]


@pytest.fixture
def unit(world: World, tmp_path: Path) -> Iterator[Unit]:
    made = Unit(world, tmp_path)
    yield made
    made.close()


def test_an_advert_is_recognised_over_a_stick(world: World, unit: Unit, tmp_path: Path) -> None:
    order = papers.claims("CASE-1", world.now)
    consent = papers.claims("CASE-2", world.now, "consent_of_the_person", subjects=["victim"])
    asked = [unit.prepare("order", order), unit.prepare("consent", consent)]

    # That no socket can be opened there is seen first: the same command before the home carries.
    code, told = unit.run("request", "send", unit.home, asked[0][0], "--finding", asked[0][1])
    assert code == 1
    assert "AssertionError" in told["error"]

    key = tmp_path / "broker-carry-key.jws"
    answer = world.wire.apps[BROKER].send("GET", f"{BROKER}/v1/carried/key", {})
    key.write_text(json.loads(answer[2])["document"])
    unit.done("bundle", "begin", unit.home, "--carry-key", key)
    answers: dict[str, dict[str, Any]] = {}
    for _ in range(8):
        for request_id, finding, approvals in asked:
            signed = [part for path in approvals for part in ("--approval", path)]
            code, told = unit.run("request", "send", unit.home, request_id, "--finding", finding, *signed)
            if code == 0:
                answers[request_id] = told
            else:
                assert code == 5, told
        if len(answers) == len(asked):
            break
        unit.round_trip()
    by_order, by_consent = (answers[request_id] for request_id, _, _ in asked)
    assert by_order["matched"] == by_consent["matched"] == [NUMBER]
    assert by_order["rules"] == ["G2"]
    assert [source["contributor"] for source in by_consent["sources"]] == ["survivors-helpline"]
    # Three for the first request; the second's permit shows the holders another size of the log, which takes two more.
    assert unit.trips == 5
