"""The page for helplines, docs/how-to-helpline.md, as written: a spreadsheet, one command, plain answers."""

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from broker.protocol.messages.vocabulary import AgencyKind
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.series_folder import all_series
from tests.page_case import PageWorld

pytestmark = pytest.mark.all_only  # a whole world for each test: some seconds


def _workbook(path: Path, *rows: tuple[str, ...]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageWorld]:
    made = PageWorld(tmp_path, monkeypatch, "how-to-helpline.md", "helpline-1", AgencyKind.HELPLINE)
    names = ("Case no", "Phone", "Email", "Notes")
    _workbook(
        tmp_path / "callers.xlsx",
        names,
        ("H-1", "020 555 0101", "", "met him on a train"),
        ("H-2", "+44 7700 900102", "caller@example.org", "wants to go home"),
        ("H-3", "call back", "", ""),
    )
    _workbook(tmp_path / "december.xlsx", names, ("H-4", "+447700900104", "", "new"))
    _workbook(tmp_path / "taken-back.xlsx", ("Phone",), ("+44 7700 900102",))
    yield made
    made.close()


def test_the_page_does_what_it_says(world: PageWorld) -> None:
    for step in world.page[1:]:
        printed = world.done(step)
        assert "900102" not in printed
        assert "call back" not in printed
    home = world.homes["helpline-1"]
    records = [
        entry.entry.identifiers for one in all_series(home) for entry in all_deposits(home, one.series_id)
    ]
    assert sum(records) == 3


def test_whoever_says_no_at_the_end_has_sent_nothing(world: PageWorld) -> None:
    join, start = world.page[1:3]
    world.done(join)
    calls = len(world.wire.passed)
    printed = world.called(start.commands[0], start.typed.removesuffix("yes\n") + "no\n")
    assert printed.endswith("Nothing was sent.\n")
    assert len(world.wire.passed) == calls
