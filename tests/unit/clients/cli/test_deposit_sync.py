"""`narrowgate deposit sync` at the desk: whose rows they are, what is refused before anything changes, what is said."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.base import encode
from clients.cli.main import app
from clients.cli.signals_file import read_signals
from clients.contributor import Contributor
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing import local_references
from clients.depositing.series_folder import all_series
from clients.home import Home
from clients.readers import Reading
from clients.readers.refused_rows import RefusedRows
from tests.contributor_case import CONDITIONS, DAY_SECONDS, ContributorCase

pytestmark = pytest.mark.all_only


class Desk:
    """A contributor's desk with a nightly file, at a real broker."""

    def __init__(self, case: ContributorCase) -> None:
        self.case = case
        self.directory = case.company.vault.directory
        self.file = case.folder / "tonight.csv"
        self.conditions = case.folder / "conditions.json"
        self.conditions.write_bytes(encode(CONDITIONS))

    def sync(self, text: str, *more: str, code: int = 0) -> Result:
        self.file.write_text(text)
        options = ("--conditions", self.conditions, "--default-region", "GB", "--reason", "Nightly export")
        words = ("deposit", "sync", self.directory, self.file, *options, *more)
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, result.output + result.stderr
        assert "7700" not in result.output + result.stderr
        return result

    def json(self, text: str, *more: str) -> Any:
        return json.loads(self.sync(text, *more, "--json").stdout)

    @property
    def home(self) -> Home:
        return Home.open(self.directory, os.urandom)

    def records(self) -> int:
        """How many records lie at the broker, without test records."""
        return sum(self.case.stored().values())


@pytest.fixture
def desk(tmp_path: Path, commands_reach: Callable[[ContributorCase], None]) -> Iterator[Desk]:
    case = ContributorCase(tmp_path)
    commands_reach(case)
    case.found()
    yield Desk(case)
    case.close()


# --- what is refused before anything changes ---


def test_where_one_part_of_a_file_broke_off_no_part_is_changed(desk: Desk) -> None:
    phones = [f"07700 900{number:03d}," for number in range(100, 110)]
    mails = [f",p{number}@example.org" for number in range(120)]
    desk.sync("\n".join(["phone,email", *phones, *mails]))
    assert desk.records() == 130
    half = "\n".join(["phone,email", *phones[:7], *mails[:10]])
    assert "nothing was changed" in desk.sync(half, code=6).stderr
    assert desk.records() == 130
    desk.sync(half, "--large-change")
    assert desk.records() == 17


def test_half_an_export_takes_nothing_back_from_a_short_list_either(desk: Desk) -> None:
    lines = [f"07700 900{number:03d}" for number in range(100, 110)]
    desk.sync("\n".join(["phone", *lines]))
    half = "\n".join(["phone", *lines[:4]])
    assert "More than half" in desk.sync(half, code=6).stderr
    assert desk.records() == 10
    assert desk.json("\n".join(["phone", *lines[:5]]))["series"][0]["gone"] == 5
    desk.sync("\n".join(["phone", *lines[:1]]), "--large-change")
    # One that is exchanged for another is no half of an export.
    desk.sync("phone\n07700 900199")
    assert desk.records() == 1


# --- what is said ---


def test_in_a_new_quarter_it_is_said_what_goes_on_serving_that_the_file_has_no_more(desk: Desk) -> None:
    until = desk.case.now + 150 * DAY_SECONDS
    desk.conditions.write_bytes(encode(CONDITIONS.model_copy(update={"retain_until": until})))
    two = "phone,email\n07700 900101,\n07700 900102,\n07700 900103,\n,a@example.org\n"
    assert desk.json(two)["left_in_earlier_quarters"] == []
    before = {each.series_id: each.quarter for each in all_series(desk.home)}
    desk.case.now += 30 * DAY_SECONDS
    told = desk.json("phone,email\n07700 900102,\n,a@example.org\n")
    (left,) = told["left_in_earlier_quarters"]
    assert (left["identifier_type"], left["records"]) == ("phone", 2)
    series_id = bytes.fromhex(left["series_id"])
    assert before[series_id] == left["quarter"]
    said = desk.sync("phone,email\n07700 900102,\n,a@example.org\n").stderr
    assert f"2 record(s) of phone go on serving in series {left['series_id']}" in said
    # No word of closing it: what is in it could then be told no more. Of the other series there is.
    assert said.count("deposit close") == 1
    assert desk.records() == 6
    home = desk.home
    withdrawn = Contributor(home, desk.case.caller(home), desk.case.clock, os.urandom).withdraw(
        series_id, "Gone"
    )
    assert withdrawn.complete
    assert desk.json("phone,email\n07700 900102,\n,a@example.org\n")["left_in_earlier_quarters"] == []
    assert desk.records() == 3


# --- whose rows they are ---


@pytest.mark.parametrize("blank", ["", " ; "])
def test_a_row_without_a_reference_is_somebodys_and_not_taken_back_with_anothers(
    desk: Desk, blank: str
) -> None:
    desk.sync(f"phone,reference\n07700 900101,H-17\n07700 900101,{blank}\n07700 900102,H-17\n")
    home = desk.home
    acts = TakingBack(home, desk.case.caller(home), desk.case.clock, os.urandom)
    done = acts.withdraw_reference("H-17", "Taken back")
    assert (sum(each.records for each in done.taken), done.shared) == (1, 1)
    assert desk.records() == 1


def test_a_row_without_a_reference_keeps_its_part_where_a_file_replaces_content(tmp_path: Path) -> None:
    file = tmp_path / "a;b.csv"
    file.write_text("phone,reference\n07700 900101,H-17\n07700 900101,\n07700 900102,\n")
    read = read_signals(file, Reading(default_region="GB"), RefusedRows())
    called = {text: local_references.parts(each) for text, each in read.references("phone").items()}
    assert called == {
        "phone/1|+447700900101": {"H-17", "a,b.csv, line 3"},
        "phone/1|+447700900102": {"a,b.csv, line 4"},
    }
