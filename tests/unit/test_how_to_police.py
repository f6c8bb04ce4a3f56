"""The page for police, docs/how-to-police.md, as written: 2,000 contacts, of which 40 are asked about and two climb."""

import re
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from broker.protocol.messages.vocabulary import AgencyKind, Tier
from tests.page_case import PageWorld
from tests.world import CONTRIBUTORS, POLICE

pytestmark = pytest.mark.all_only  # a whole world: some seconds


def _contacts(path: Path, phones: range, emails: range) -> None:
    book = openpyxl.Workbook()
    book.active.append(("Contact name", "Phone", "Email"))
    for number in phones:
        book.active.append((f"Contact {number}", f"+44 7700 900{number:03d}", ""))
    for number in emails:
        book.active.append((f"Contact {number}", "", f"person{number}@example.org"))
    book.save(path)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageWorld]:
    made = PageWorld(tmp_path, monkeypatch, "how-to-police.md", POLICE, AgencyKind.POLICE)
    for name in ("desk-1", "supervisor-1", "prosecutor-1"):
        (tmp_path / "homes" / name).symlink_to(tmp_path / name)
    _contacts(tmp_path / "contacts.xlsx", range(1000), range(1000))
    _contacts(tmp_path / "selected.xlsx", range(40), range(0))
    (tmp_path / "looked-at.csv").write_text("phone\n+447700900001\n+447700900002\n")
    for name in CONTRIBUTORS:
        made.deposit(name, range(3), range(3), highest_tier=Tier.PAYLOAD)
    yield made
    made.close()


def test_the_page_does_what_it_says(world: PageWorld) -> None:
    for step in world.page[1:]:
        if step.exit_code:
            _desk_signs(world)
        printed = world.done(step)
        for name, pattern in (
            ("REQUEST_ID", r"Request ([0-9a-f]{32}): "),
            ("NEXT_REQUEST_ID", r"Request ([0-9a-f]{32}) for "),
        ):
            if found := re.search(pattern, printed):
                world.ids[name] = found[1]
    assert len((world.folder / "hits.csv").read_text().splitlines()) == 4


def _desk_signs(world: PageWorld) -> None:
    """What the page says of the legal desk only later, done for the request that is too large."""
    world.called("narrowgate desk answers homes/desk-1 request.jws --out answers-0.json")
    world.called("narrowgate desk find homes/desk-1 request.jws --answers answers-0.json --out finding.jws")
