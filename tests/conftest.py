"""For every test: no skip passes unseen in `make test-all`, and databases of both kinds."""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import Databases, Server, SqliteFiles

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.all_only)]
"""Parameters of a fixture or test that runs on SQLite in `make test`, and on PostgreSQL too in `make test-all`."""


# How long an example takes is the machine's affair, and no property.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With NARROWGATE_NO_SKIPS set, a skipped test is a failed one: what was not run was not shown."""
    report = yield
    if report.skipped and os.environ.get("NARROWGATE_NO_SKIPS") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and a skip counts as a failure here"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out what is about one database and would run on the other."""
    out = [item for item in items if _is_about_another(item)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _is_about_another(item: pytest.Item) -> bool:
    database = getattr(getattr(item, "callspec", None), "params", {}).get("databases")
    others = {"postgresql": "sqlite_only", "sqlite": "postgresql_only"}
    return database is not None and item.get_closest_marker(others[database]) is not None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """The PostgreSQL of this test process; started when it is first asked for a database."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=BOTH)
def databases(request: pytest.FixtureRequest, postgresql: Server) -> Databases:
    """SQLite, and PostgreSQL: whatever is made of it is tested on both."""
    return postgresql if request.param == "postgresql" else SqliteFiles()


@pytest.fixture
def database_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """An empty database of the test's own."""
    url = databases.new(tmp_path)
    yield url
    databases.drop(url)


@pytest.fixture(autouse=True)
def _budgets_refill() -> None:
    """Each test that shares a world with others asks as if the month before had been quiet."""
    worlds = sys.modules.get("tests.world")
    for world in worlds.OPEN if worlds else ():
        world.let_budgets_refill()
