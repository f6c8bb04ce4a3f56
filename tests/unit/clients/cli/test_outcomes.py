"""The commands that tell what became of hits, and what contributors are told of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.base import encode
from broker.protocol.messages.outcomes import Cell, SeriesMonth, Statistics
from clients.cli.main import app
from clients.depositing.series_folder import all_series
from clients.transport import Answer
from tests.world import BROKER, POLICE, World, phone

pytestmark = pytest.mark.all_only

DAY_SECONDS = 86_400


@pytest.fixture
def world(tmp_path: Path, commands_reach: Callable[[World], None]) -> Iterator[World]:
    made = World(tmp_path)
    made.deposit("company-1", range(10))
    made.deposit("company-2", range(5, 15))
    made.deposit("ngo-1", range(12, 20))
    commands_reach(made)
    yield made
    made.close()


@pytest.fixture
def request_id(world: World) -> str:
    """An answered request with three hits: the first known to one company, the second to two, the third to the NGO."""
    return world.ask(map(phone, (1, 6, 17, 500))).request_id.hex()


def command(*words: str | Path, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def report(world: World, request_id: str, *words: str | Path, expect: int = 0) -> Result:
    return command("request", "report", world.folder / POLICE, request_id, *words, expect=expect)


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(["phone", *lines]) + "\n")
    return path


def test_outcomes_are_reported_from_files(world: World, request_id: str, tmp_path: Path) -> None:
    useful = write(tmp_path, "useful.csv", "07700 900001", "+44 7700 900006")
    false = write(tmp_path, "false.csv", "+44 7700 900017")
    words = ("--useful", useful, "--false-match", false, "--default-region", "GB")
    told = json.loads(report(world, request_id, *words, "--json").stdout)
    matches = {"useful": 3, "false_match": 1, "victim_identified": 0, "not_yet_known": 0}
    assert told == {"request_id": request_id, "number": 1, "hits": 3, "matches": matches, "trial": True}
    shown = report(world, request_id, "--others", "victim_identified").output
    assert "Report 2 is recorded: 3 hits; matches: 4 victim identified." in shown


def test_a_workbook_is_reported_from_by_its_sheet_and_a_saved_mapping(
    world: World, request_id: str, tmp_path: Path
) -> None:
    book, file = openpyxl.Workbook(), tmp_path / "review.xlsx"
    book.active.append(["what we did"])
    sheet = book.create_sheet("Hits")
    for row in (["Kontakt", "Seen by"], ["07700 900001", "A"], ["07700 900006", "B"]):
        sheet.append(row)
    book.save(file)
    assert "2 sheets" in report(world, request_id, "--useful", file, expect=6).stderr
    words = ("--sheet", "Hits", "--default-region", "GB", "--column", "Kontakt=phone")
    first = json.loads(report(world, request_id, "--useful", file, *words, "--json").stdout)
    assert (first["hits"], first["matches"]["useful"]) == (2, 3)
    # Saved by `deposit map`, it is found for these columns without being named.
    command("deposit", "map", world.folder / POLICE, file, *words, "--save", "review")
    again = report(world, request_id, "--useful", file, "--json")
    assert json.loads(again.stdout)["matches"] == first["matches"]
    assert "mapping review" in again.stderr


def test_nothing_is_reported_from_a_file_with_a_line_that_cannot_be_read(
    world: World, request_id: str, tmp_path: Path
) -> None:
    before = world.log_kinds()
    bad = report(
        world, request_id, "--useful", write(tmp_path, "bad.csv", "no number", "+44 7700 900001"), expect=6
    )
    assert "line 2: " in bad.stderr
    none = report(world, request_id, "--useful", write(tmp_path, "no-hit.csv", "+44 7700 900500"), expect=6)
    assert "900500" not in none.output + none.stderr
    assert "no hits of this request" in none.stderr
    assert "--others" in report(world, request_id, expect=6).stderr
    assert world.log_kinds() == before


def statistics(world: World, *words: str) -> Result:
    return command("deposit", "statistics", world.folder / "company-1", *words)


def test_statistics_are_shown_once_a_month_is_published(world: World, request_id: str) -> None:
    assert "No month is published yet." in statistics(world).output
    world.now += 60 * DAY_SECONDS
    told = json.loads(statistics(world, "--json").stdout)
    (series,) = all_series(world.homes["company-1"])
    # The world has one police unit: who asked would be plain, so nothing is told.
    assert (told["least"], told["epsilon_millis"]) == (5, 500)
    assert [(each["month"], each["asked"]) for each in told["months"]] == [
        ("2026-11", None),
        ("2026-12", None),
    ]
    assert {each["series_id"] for each in told["months"]} == {series.series_id.hex()}
    assert "asked fewer than 5 times, or by too few agencies" in statistics(world).output


def test_numbers_are_shown_as_about_so_many_with_the_law(world: World) -> None:
    (series,) = all_series(world.homes["company-1"])

    def page(series_id: bytes) -> Any:
        month = SeriesMonth(
            series_id=series_id,
            month="2026-11",
            asked=15,
            rules=(Cell(name="G2", requests=10, law="An example of a law"),),
            outcomes=(Cell(name="useful", requests=5),),
        )
        body = encode(Statistics(least=5, epsilon_millis=500, months=(month,)))
        return lambda answer: Answer(answer.status, answer.headers, body)

    with world.tamper(BROKER, "/v1/statistics", answer=page(series.series_id)):
        shown = statistics(world).output
    assert "asked about 15 times" in shown
    assert "rules: G2 about 10 (An example of a law)" in shown
    assert "outcomes: useful about 5" in shown
    with world.tamper(BROKER, "/v1/statistics", answer=page(bytes(32))):
        command("deposit", "statistics", world.folder / "company-1", expect=4)
