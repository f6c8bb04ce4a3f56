"""A space that compares persons: held in one spelling, asked in another, found with spellings and not without."""

import csv
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.protocol.errors import BadInput, NotPermitted
from broker.protocol.messages.vocabulary import Tier
from clients.cli import run
from clients.cli.answer_words import answer_members, answer_words
from clients.cli.main import app
from clients.cli.spellings import with_spellings
from clients.identifiers import canonicalise
from tests import gate_world
from tests.world import CONTRIBUTORS, PLAINTEXT, POLICE, World

pytestmark = pytest.mark.all_only

HELD = ("Yuliya Kharchenko; 2050-10-31", "Joerg Muellner; 2051-05-30", "Lena Riesberg; 2052-03-04")
ASKED = ("Харченко Юлия; 31.10.2050", "Riesberg, Lena Ulrike; 2052-04-03", "Amina Karimova; 2053-07-08")


def form(raw: str) -> str:
    return canonicalise("person", raw).text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("persons"), identifier_types=("phone", "person"))
    for name, raw in zip(CONTRIBUTORS, HELD, strict=True):
        contributor = made.contributor(name)
        series = contributor.open_series(made.space, "person", made.conditions(name))
        contributor.deposit(series, [(form(raw), PLAINTEXT)])
    yield made
    made.close()


def test_without_spellings_a_person_written_otherwise_is_not_found(world: World) -> None:
    assert world.ask(map(form, ASKED)).hits == ()
    assert world.ask([form(HELD[0])]).hits == (form(HELD[0]),)


def test_with_spellings_it_is_found_and_told_as_the_person_of_the_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "spellings.csv"
    asked = with_spellings({"person": list(map(form, ASKED))}, 50, file)
    requester = world.requester()
    prepared = requester.prepare(asked.identifiers, gate_world.claims(), Tier.HITS, persons=asked.persons)
    (batch,) = prepared.request.payload.batches
    # Each spelling is an identifier of the request: it costs what any identifier costs.
    assert batch.identifiers == batch.points == len(asked.identifiers["person"]) > 100
    assert f"asked about in {batch.identifiers} spellings" in asked.words(file)
    answer = requester.run(prepared.request_id, [world.finding(prepared)])
    assert answer.persons_asked == 3
    assert [(each.written, each.found_as) for each in answer.persons] == [
        (form(ASKED[0]), (form(HELD[0]),)),
        (form(ASKED[1]), (form("Lena Riesberg; 2052-03-04"),)),
    ]
    assert "2 of 3 persons are known in some spelling" in answer_words(answer, None)
    assert "RIESBERG" not in answer_words(answer, file)
    assert len(answer_members(answer)["persons"]) == 2
    assert "RIESBERG" not in repr(answer)


def test_the_spellings_are_shown_first_in_a_file_that_only_the_requester_reads(tmp_path: Path) -> None:
    file = tmp_path / "spellings.csv"
    asked = with_spellings({"person": [form(ASKED[0])], "phone": ["phone/1|+447700900123"]}, 5, file)
    rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["person in your file", "asked as", "changed"]
    assert [f"person/1|{row[1]}" for row in rows[1:]] == list(asked.identifiers["person"])
    assert {row[0] for row in rows[1:]} == {form(ASKED[0]).partition("|")[2]}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert asked.members() == {"persons": 1, "spellings": 5}
    with pytest.raises(BadInput, match="--out-spellings"):
        with_spellings({"person": [form(ASKED[0])]}, 5, None)


def test_a_space_that_does_not_name_the_type_compares_no_person(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(BadInput, match="does not compare"):
        world.prepare([form(HELD[0])])
    with pytest.raises(NotPermitted, match="not compared"):
        world.contributor("company-1").open_series(world.space, "person", world.conditions("company-1"))
    world.close()


def test_whoever_joins_such_a_space_is_warned_and_a_request_by_command_shows_its_cost(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "new_transport", lambda: world.wire)
    monkeypatch.setattr(run, "clock", world.clock)
    home, space = str(world.folder / POLICE), tmp_path / "space.jws"
    space.write_text(world.signed_space.document)
    founder = tmp_path / "founder.jws"
    founder.write_text(world.homes["company-1"].enrolment)
    joined = CliRunner().invoke(
        app, ["space", "join", home, "--space", str(space), "--founder", str(founder)]
    )
    assert joined.exit_code == 0, joined.stderr
    assert all(words in joined.stderr for words in ("guessable", "some and not all", "strangers"))
    persons, claims = tmp_path / "persons.csv", tmp_path / "claims.json"
    persons.write_text(
        "person\n" + "\n".join(f'"{raw}"' for raw in ASKED) + "\nAmina;2050\n", encoding="utf-8"
    )
    assert CliRunner().invoke(app, ["request", "claims-template", "--out", str(claims)]).exit_code == 0
    prepare = ["request", "prepare", home, str(persons), "--tier", "hits", "--claims", str(claims)]
    prepare += ["--out", str(tmp_path / "request.jws"), "--spellings", "20", "--json"]
    assert CliRunner().invoke(app, prepare).exit_code == int(run.ExitCode.BAD_INPUT)
    shown = CliRunner().invoke(app, [*prepare, "--out-spellings", str(tmp_path / "spellings.csv")])
    assert shown.exit_code == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert (told["persons"], told["spellings"], told["identifiers"], told["refused_rows"]) == (3, 60, 60, 1)
    assert not any(name in shown.stdout + shown.stderr for name in ("KHARCHENKO", "Karimova", "KARIMOVA"))
