"""The demo's files are read by the product's own readers to just what was put into them, in each format."""

from pathlib import Path

import pytest

from clients.demo import data
from clients.readers import Reading, RefusedRow, read_file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> data.DemoData:
    return data.generate(tmp_path_factory.mktemp("demo"), 7)


def test_contributors_keep_csv_excel_and_stix(made: data.DemoData) -> None:
    held = (made.company, made.payments_disputed, made.ngo)
    assert [each.path.suffix for each in held] == [".csv", ".json", ".xlsx"]


@pytest.mark.parametrize("name", ["payments", "payments_disputed", "ngo", "helpline", "police"])
def test_what_is_read_is_what_was_put_in(made: data.DemoData, name: str) -> None:
    file: data.ContributorFile = getattr(made, name)
    items = list(read_file(file.path, Reading(default_region="GB")))
    refused = [item for item in items if isinstance(item, RefusedRow)]
    found = {item.canonical.text.partition("|")[2] for item in items if not isinstance(item, RefusedRow)}
    assert found == file.identifiers.as_set()
    assert (len(items), len(refused)) == (file.rows, file.malformed)


def test_the_same_seed_gives_the_same_rows(made: data.DemoData, tmp_path: Path) -> None:
    again = data.generate(tmp_path, 7)
    for one, other in ((made.ngo, again.ngo), (made.payments_disputed, again.payments_disputed)):
        assert list(read_file(one.path, Reading(default_region="GB"))) == list(
            read_file(other.path, Reading(default_region="GB"))
        )
