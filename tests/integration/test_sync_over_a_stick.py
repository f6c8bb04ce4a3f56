"""`narrowgate deposit sync` night by night at an agency without a network: files out, files back, and the broker has
exactly what the last file says. Broker and key holders are processes; the agency's own can open no socket."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from broker.protocol import tokens
from clients.cli import run
from clients.cli.run import ExitCode
from clients.demo.parties import NGO, Party
from clients.depositing import deposit_index
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.deposit_index import KEY_BYTES, content_digest
from clients.readers import RefusedRow, Signal, encode_record, read_file
from tests.integration import processes_world
from tests.integration.processes_world import World, email
from tests.without_sockets import WithoutSockets

pytestmark = pytest.mark.all_only

FIRST = 700_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with processes_world.running_world(tmp_path_factory.mktemp("space") / "parties") as running:
        yield running


class Shelter:
    """The NGO's computer, which has no network, and its stick."""

    party: Party = NGO

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.home = world.places.home(self.party)
        self.file, self.stick = folder / "tonight.csv", folder / "stick"
        self.computer = WithoutSockets()
        *_, self.conditions, _ = world.deposit(self.party, folder / "nightly.csv", ["police"])
        self.trips = 0
        self.answers: list[Path] = []

    def sync(self, notes: Mapping[int, str], *more: str) -> list[int]:
        """Take a night's file as often as it takes; what the last run told: new, gone, replaced, unchanged."""
        with self.file.open("w", newline="", encoding="utf-8") as file:
            rows = [(email(FIRST + number), note) for number, note in notes.items()]
            csv.writer(file).writerows([("email", "note"), *rows])
        options = (
            "--conditions",
            self.conditions,
            "--source",
            "Nightly export",
            "--reason",
            "Nightly export",
        )
        for _ in range(10):
            code, told = self.computer.run("deposit", "sync", self.home, self.file, *options, *more)
            if code == ExitCode.DONE:
                (series,) = told["series"]
                return [series[name] for name in ("new", "gone", "replaced", "unchanged")]
            assert code == ExitCode.UNREACHABLE, told
            assert "narrowgate bundle export" in told["error"]
            self.round_trip()
        raise AssertionError("the file is never done")

    def round_trip(self) -> None:
        """A courier takes the files to their receivers, and brings the answers; each is read in twice."""
        self.trips += 1
        for bundle in self.computer.done("bundle", "export", self.home, "--out", self.stick)["bundles"]:
            at = self.origin_of(bundle["recipient"])
            back = self.stick / f"back-{self.trips}-{bundle['file']}"
            self.world.run(
                self.party, "bundle", "deliver", self.stick / bundle["file"], "--at", at, "--out", back
            )
            assert not self.computer.done("bundle", "import", self.home, back)["repeated"]
            assert self.computer.done("bundle", "import", self.home, back)["repeated"]
            self.answers.append(back)

    def origin_of(self, recipient: str) -> str:
        origins = {holder.holder_id: holder.origin for holder in self.world.space(self.party).payload.holders}
        return origins.get(recipient, self.world.places.broker_origin)

    def serving(self) -> set[bytes]:
        """The deposits that serve, of the series that these files go into."""
        opened = run.open_home(self.home)
        return {
            each.deposit_id
            for each in all_deposits(opened)
            if each.entry.stage == "serving" and each.deposit_id not in self.others
        }

    others: frozenset[bytes] = frozenset()
    """What the world deposited before, over the network."""

    def holds(self) -> dict[bytes, bytes]:
        """By salted hash's beginning, the content of what serves; asserts that the broker has exactly its tokens."""
        vault = run.open_home(self.home).vault
        found: dict[bytes, bytes] = {}
        for deposit_id in self.serving():
            rows = list(deposit_index.rows(vault, deposit_id))
            query = (
                "SELECT token FROM records JOIN deposits USING (deposit_number) WHERE deposit_id = ?"
                " AND state = 'serving'"
            )
            stored = {token for (token,) in self.world.books.rows(query, deposit_id)}
            assert len(stored - {row.token for row in rows}) == 1, "the test record"
            assert {row.token for row in rows} < stored
            assert not found.keys() & {row.key for row in rows}, "an identifier is deposited twice"
            found |= {row.key: row.content for row in rows}
        return found

    def expected(self) -> dict[bytes, bytes]:
        """The same, from the file."""
        home = run.open_home(self.home)
        salt = home.salt(home.space().payload)
        rows = [
            each for each in read_file(self.file, default_region=None) if not isinstance(each, RefusedRow)
        ]
        return {
            tokens.salted_hash(salt, row.canonical.text)[:KEY_BYTES]: content_digest(_record(row))
            for row in rows
        }


def _record(row: Signal) -> bytes:
    return encode_record([row], "Nightly export", maximum_bytes=100_000)


@pytest.fixture(scope="module")
def shelter(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelter]:
    folder = tmp_path_factory.mktemp("shelter")
    made, key = Shelter(world, folder), folder / "broker-carry-key.jws"
    world.run(NGO, "broker", "carry-key", world.places.home("broker"), "--out", key)
    made.others = frozenset(each.deposit_id for each in all_deposits(run.open_home(made.home)))
    # That no socket can be opened there is seen first.
    made.file.write_text(f"email\n{email(FIRST)}\n")
    options = ("--conditions", made.conditions, "--reason", "Nightly export")
    code, told = made.computer.run("deposit", "sync", made.home, made.file, *options)
    assert code == ExitCode.FAULT
    assert "AssertionError" in told["error"]
    made.computer.done("bundle", "begin", made.home, "--carry-key", key)
    yield made
    made.computer.close()


def test_night_by_night_the_broker_has_what_the_last_file_says(world: World, shelter: Shelter) -> None:
    # 1. The first night opens the series and deposits: as many trips as one of each.
    night = dict.fromkeys(range(400), "seen")
    assert shelter.sync(night) == [400, 0, 0, 0]
    assert shelter.holds() == shelter.expected()
    first = shelter.trips

    # 2. The same file again: nothing waits.
    assert shelter.sync(night) == [0, 0, 0, 400]
    assert shelter.trips == first

    # 3. Ten are gone, twelve are new: one statement and one deposit travel together.
    night = dict.fromkeys(range(10, 412), "seen")
    before = shelter.trips
    assert shelter.sync(night) == [12, 10, 0, 390]
    assert shelter.holds() == shelter.expected()
    assert shelter.trips - before == 2

    # 4. Content changed in both deposits, and one more is gone from each.
    night = {number: "seen again" if number % 50 == 0 else "seen" for number in range(11, 411)}
    before = shelter.trips
    assert shelter.sync(night) == [0, 2, 8, 392]
    assert shelter.holds() == shelter.expected()
    assert shelter.trips - before == 2

    # 5. A file that was cut in half is refused before anything is written down, unless it is meant.
    half = {number: note for number, note in night.items() if number < 200}
    with pytest.raises(AssertionError, match="--large-change"):
        shelter.sync(half)
    assert shelter.computer.done("bundle", "export", shelter.home, "--out", shelter.stick)["bundles"] == []
    assert shelter.sync(half, "--large-change")[1] == 211
    assert shelter.holds() == shelter.expected()
    assert len(shelter.serving()) == 1, "the deposit that became empty is withdrawn"
    assert world.audit()["verified"]


def test_a_lost_stick_and_an_old_answer_change_nothing(world: World, shelter: Shelter) -> None:
    night = dict.fromkeys(range(1000, 1020), "seen")
    options = ("--conditions", shelter.conditions, "--source", "Nightly export", "--reason", "Nightly export")
    shelter.sync(night, "--large-change")
    night.pop(1_003)
    with shelter.file.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("email", "note"), *((email(FIRST + number), note) for number, note in night.items())]
        )
    code, _ = shelter.computer.run("deposit", "sync", shelter.home, shelter.file, *options)
    assert code == ExitCode.UNREACHABLE
    assert shelter.computer.done("bundle", "export", shelter.home, "--out", shelter.stick)["bundles"]
    # The stick is lost: nothing more is written, until --again; and an old answer is no answer to it.
    assert shelter.computer.done("bundle", "export", shelter.home, "--out", shelter.stick)["bundles"] == []
    old = shelter.answers[-1]
    assert shelter.computer.done("bundle", "import", shelter.home, old)["repeated"]
    [again] = shelter.computer.done("bundle", "export", shelter.home, "--out", shelter.stick, "--again")[
        "bundles"
    ]
    at, back = shelter.origin_of(again["recipient"]), shelter.stick / "back-again"
    for _ in range(2):
        world.run(NGO, "bundle", "deliver", shelter.stick / again["file"], "--at", at, "--out", back)
    shelter.computer.done("bundle", "import", shelter.home, back)
    code, told = shelter.computer.run("deposit", "sync", shelter.home, shelter.file, *options)
    assert code == ExitCode.DONE, told
    (series,) = told["series"]
    assert (series["new"], series["gone"], series["unchanged"]) == (0, 1, 19)
    assert shelter.holds() == shelter.expected()
