"""Consent, its revocation and what is contested, by command line between processes: from the paper to the last word.

One story of an NGO and a police unit, told on one running space: each command is a process of its own, as are broker
and key holders.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.demo import papers
from clients.demo.parties import NGO, POLICE, Party
from clients.demo.processes import Finished, Processes
from tests.integration.processes_world import BLOCK, World, email, running_world

pytestmark = pytest.mark.all_only

REFERENCES = {7: "H-4", 8: "H-1", 9: "H-2", 10: "H-3"}
"""Whose address each is, by its place in every block: no other contributor has them."""
CONTESTED, REVOKED, WRONG, OTHER = "H-1", "H-2", "H-3", "H-4"


class Story:
    """The space, and its two parties at their command lines."""

    def __init__(self, world: World, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.world, self.root, self.patch = world, root, patch
        paper = papers.conditions(
            NGO.kind or "",
            NGO.jurisdiction,
            lawful_ground="consent",
            consent="given",
            transfer_ground="safeguards",
            highest_tier="hits",
            now=int(time.time()),
        )
        self.conditions = papers.write(root / "agreed.json", paper)
        self.export = root / "export.csv"
        lines = [
            f"{email(BLOCK * block + place)},{called}"
            for block in range(4)
            for place, called in REFERENCES.items()
        ]
        self.export.write_text("email,reference\n" + "\n".join(lines) + "\n")

    def call(self, party: Party, *words: str | Path, code: int = 0) -> Finished:
        """Run a command of a party as a process of its own."""
        group, name, *rest = words
        arguments = [group, name, self.world.places.home(party), *rest]
        return Processes.run(self.world.processes, party.party_id, arguments, (code,))

    def json(self, party: Party, *words: str | Path) -> Any:
        return self.call(party, *words, "--json").json()

    def known(self, name: str) -> tuple[str, set[str]]:
        """The police unit asks about a block of its own; whose addresses of the story are known to anybody."""
        asked = self.world.ask(name)
        answer = Processes.run(
            self.world.processes, POLICE.party_id, self.world.request("send", asked)
        ).json()
        numbers = [int(text.partition("|seller.")[2].partition("@")[0]) % BLOCK for text in answer["matched"]]
        return asked.name, {REFERENCES[number] for number in numbers if number in REFERENCES}

    def notices(self) -> list[dict[str, Any]]:
        """What the police unit has not acknowledged, the oldest first."""
        found = self.json(POLICE, "request", "retractions")["notices"]
        return sorted(found, key=lambda each: int(each["noticed_at"]))

    def acknowledge(self, notice: dict[str, Any], *done: str, code: int = 0) -> Finished:
        words = ("request", "acknowledge", notice["notice_id"], "--officer", "officer-17", *done)
        group, name, *rest = words
        return self.call(POLICE, group, name, *rest, code=code)

    def case(self, reference: str, *words: str | Path) -> str:
        """Open a person's case at the NGO: its number. The PIN is in the environment."""
        given = self.json(NGO, "consent", "open", "--reference", reference, *words)
        self.patch.setenv("NARROWGATE_PIN", given["pin"])
        return str(given["number"])

    def sync(self) -> dict[str, Any]:
        """The NGO's nightly export, which never changes."""
        words = ("--conditions", self.conditions, "--reason", "Nightly export")
        (done,) = self.json(NGO, "deposit", "sync", self.export, *words)["series"]
        return dict(done)


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    with running_world(tmp_path / "space") as world:
        yield Story(world, tmp_path, monkeypatch)


def test_consent_its_revocation_and_a_contest_from_the_paper_to_the_last_word(story: Story) -> None:
    # 1. What the persons agreed to is written down; a consent narrower than the deposit is refused.
    paper = story.root / "consent.json"
    Processes.run(story.world.processes, NGO.party_id, ["consent", "template", "--out", paper])
    agreed, conditions = json.loads(paper.read_text()), json.loads(story.conditions.read_text())
    with_remarks = set(agreed)
    agreed |= {"until_at": conditions["retain_until"], "given_at": int(time.time()) - 60}
    agreed |= {"purposes": conditions["permitted_purposes"], "readers": conditions["permitted_readers"]}
    assert {"words_shown", "how_given", "taken_by"} <= with_remarks
    recording = ("--paper", paper, "--conditions", story.conditions)
    paper.write_text(json.dumps(agreed | {"highest_tier": "count"}))
    refused = story.call(NGO, "consent", "record", "--reference", REVOKED, *recording, code=6)
    assert "go further than the person agreed to: the highest tier" in refused.errors
    paper.write_text(json.dumps(agreed))
    kept = story.json(NGO, "consent", "record", "--reference", REVOKED, *recording)
    assert len(kept["digest"]) == 64

    # 2. It is deposited and asked about.
    assert story.sync()["new"] == 16
    request, known = story.known("before")
    assert known == {CONTESTED, REVOKED, WRONG, OTHER}

    # 3. One person takes it back, one says that it is not theirs, and of one the NGO itself says that it is wrong.
    number = story.case(REVOKED)
    assert story.json(NGO, "consent", "withdraw", number)["records"] == 4
    number = story.case(CONTESTED)
    assert story.json(NGO, "consent", "contest", number, "--said", "canary: never mine")["records"] == 4
    own = ("--reference", WRONG, "--said", "Typed into the wrong row")
    assert story.json(NGO, "consent", "contest", *own)["records"] == 4
    assert story.json(NGO, "consent", "follow", number)["contest"]["state"] == "contested"
    night = story.sync()
    assert (night["new"], night["unchanged"]) == (0, 4), (
        "the export has all of it still, and three are left out"
    )
    assert story.known("meanwhile")[1] == {OTHER}

    # 4. Whoever was told is told so, and says what it did; of what is contested, nothing leaves its home.
    notices = {each["ground"]: each for each in story.notices()}
    assert set(notices) == {"consent_revoked", "contested"}
    assert {each["request_id"] for each in notices.values()} == {request}
    aside = [each for each in story.notices() if each["ground"] == "contested"]
    assert [each["identifiers"] for each in aside] == [1, 1]
    assert "Say one" in story.acknowledge(notices["consent_revoked"], code=6).errors
    assert "answered by one of" in story.acknowledge(notices["consent_revoked"], "--set-aside", code=6).errors
    story.acknowledge(notices["consent_revoked"], "--erased")
    for each in aside:
        story.acknowledge(each, "--set-aside")
    assert story.notices() == []
    export = ("request", "export", request, "--format", "csv", "--out", story.root / "hits.csv")
    assert "contested" in story.call(POLICE, *export, code=6).errors
    person = story.root / "person.csv"
    person.write_text(f"email\n{email(8)}\n")
    (found,) = story.json(NGO, "access-request", "find", person)["contested"]
    assert (found["state"], found["reference"]) == ("contested", CONTESTED)

    # 5. The NGO decides, each once.
    upheld = ("--reference", CONTESTED, "--upheld", "--reason", "The recording says the address")
    assert story.json(NGO, "consent", "decide", *upheld)["state"] == "upheld"
    withdrawn = ("--reference", WRONG, "--withdrawn", "--reason", "It was typed into the wrong row")
    assert story.json(NGO, "consent", "decide", *withdrawn)["state"] == "withdrawn"
    other = ("--reference", WRONG, "--upheld", "--reason", "On second thoughts")
    assert "decided before" in story.call(NGO, "consent", "decide", *other, code=6).errors
    assert "What we hold is right" in story.call(NGO, "consent", "follow", number).output
    assert story.sync()["new"] == 4
    assert story.known("after")[1] == {CONTESTED, OTHER}

    # 6. Told again, the unit notes the one and erases the other; then its answer may leave.
    ends = {each["ground"]: each for each in story.notices()}
    assert set(ends) == {"stands_again", "withdrawn"}
    story.acknowledge(ends["stands_again"], "--noted")
    story.acknowledge(ends["withdrawn"], "--erased")
    story.call(POLICE, *export)
    assert email(8) in (story.root / "hits.csv").read_text()
    left = story.json(POLICE, "request", "show", request)
    shown = json.dumps(left)
    assert (email(8) in shown, email(9) in shown, email(10) in shown) == (True, False, False)

    # 7. The auditor finds the log whole, with each word of it; what the person said is nowhere at the broker.
    assert story.world.audit()["verified"] is True, story.world.audit()
    entries = story.world.books.entries
    assert [each["state"] for each in entries("CONTEST_STATED")] == [
        *("contested", "contested"),
        *("upheld", "withdrawn"),
    ]
    assert len(entries("RETRACTION_NOTICED")) == len(entries("RETRACTION_ACKNOWLEDGED")) == 5
    for path in story.world.places.home("broker").rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes()
