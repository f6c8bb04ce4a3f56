"""The page for companies, docs/how-to-company.md, as written: a nightly Parquet export, and orders for two accounts."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from broker.protocol.messages.vocabulary import AgencyKind, PayloadCategory, Tier
from clients.requesting.answers import AnswerAwaited
from tests.page_case import PageWorld
from tests.world import CONTRIBUTORS, phone

pytestmark = pytest.mark.all_only  # a whole world: some seconds
PLATFORM = "platform-1"


def _export(path: Path, *rows: tuple[str, str, str]) -> None:
    names = ("contact", "country", "reference")
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    pq.write_table(pa.table({**columns, "shard": [7] * len(rows)}), path)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageWorld]:
    made = PageWorld(tmp_path, monkeypatch, "how-to-company.md", PLATFORM, AgencyKind.COMPANY)
    first = [("+44 7700 900101", "GB", "A-1"), ("+447700900102", "GB", "A-2"), ("+447700900103", "GB", "A-3")]
    _export(tmp_path / "night-1.parquet", *first)
    _export(tmp_path / "night-2.parquet", ("+447700900104", "GB", "A-4"), ("unknown", "", "A-5"))
    _export(tmp_path / "corrected.parquet", ("+447700900101", "NL", "A-1"))
    _export(tmp_path / "mistaken.parquet", ("+447700900103", "GB", "A-3"))
    for name in CONTRIBUTORS:
        made.deposit(name, range(3), highest_tier=Tier.PAYLOAD, payload_category=PayloadCategory.SUBSCRIBER)
    yield made
    made.close()


def _asked_for_records(world: PageWorld) -> None:
    """The police climb to the records of two accounts, in two cases, and wait for the company."""
    for number in (101, 102):
        case = f"CASE-{number}"
        hits = world.ask([phone(number)], case_reference=case)
        sources = world.climb(hits.request_id, case_reference=case)
        with pytest.raises(AnswerAwaited):
            world.climb(sources.request_id, case_reference=case)
    first, second = (ask.permit_id.hex() for ask in world.releasing(PLATFORM).asks())
    world.ids = {"PERMIT_ID": first, "OTHER_PERMIT_ID": second}


def test_the_page_does_what_it_says(world: PageWorld) -> None:
    for step in world.page[1:]:
        if step.commands[0].startswith("narrowgate release list") and not world.ids:
            _asked_for_records(world)
        assert "90010" not in world.done(step)
    assert [ask.answered for ask in world.releasing(PLATFORM).asks()] == [True, True]
