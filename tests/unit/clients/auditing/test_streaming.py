"""What an auditor reads in her mirror is read entry by entry: none is held when the next ones come."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients.auditing.logged import Decision
from clients.auditing.mirrored import Entry, MirroredLog
from clients.cli.main import app
from tests import auditing_case as case
from tests.world import POLICIES, World

pytestmark = pytest.mark.all_only


def alive() -> int:
    """Entries and decisions in memory."""
    return sum(type(each) in (Entry, Decision) for each in gc.get_objects())


@pytest.mark.parametrize(
    "command",
    [
        ["search"],
        ["search", "--json"],
        ["anomalies", "--bundle", str(POLICIES)],
        ["report", "--since", "2020-01-01", "--until", "2040-01-01", "--not-for-publication"],
    ],
    ids=" ".join,
)
def test_no_entry_is_held_once_the_next_ones_were_read(
    honest: World, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    size = case.mirror(honest).checkpoint.size
    held: list[int] = []
    entries = MirroredLog.entries
    gc.collect()
    before = alive()

    def watched(log: MirroredLog) -> Iterator[Entry]:
        yield from entries(log)
        gc.collect()
        held.append(alive() - before)

    monkeypatch.setattr(MirroredLog, "entries", watched)
    home: Path = honest.homes["auditor-1"].vault.directory
    result = CliRunner().invoke(app, ["audit", command[0], str(home), *command[1:]])
    assert result.exit_code in (0, 6), (
        result.output
    )  # a report of the last 30 days is refused, once all was read
    assert size > 40
    assert len(held) == 1
    assert held[0] <= 6, "the last entry, its decisions, and no more"
