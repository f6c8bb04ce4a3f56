"""A broker on a database of its own for each test that asks for one: SQLite and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker_case import Case
from tests.databases import Databases


@pytest.fixture
def case(databases: Databases, tmp_path: Path) -> Iterator[Case]:
    """A broker that nobody has enrolled with."""
    made = Case(tmp_path, databases=databases)
    yield made
    made.close()
    databases.drop(made.settings.database_url)


@pytest.fixture(scope="session")
def founded(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of a stopped broker with its space: made once, copied for each test."""
    made = Case(tmp_path_factory.mktemp("founded"), databases=databases).ready()
    made.close()
    return made.settings.database_url


@pytest.fixture
def ready(databases: Databases, founded: str, tmp_path: Path) -> Iterator[Case]:
    """A broker with its parties and its space: six entries in its log."""
    made = Case(tmp_path, "copy", databases, databases.copy(founded, tmp_path))
    yield made
    made.close()
    databases.drop(made.settings.database_url)
