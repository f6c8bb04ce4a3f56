"""A broker in a temporary folder for each test that asks for one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker_case import Case


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    """A broker that nobody has enrolled with."""
    made = Case(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stopped broker with its space: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("founded")
    Case(folder).ready().close()
    return folder


@pytest.fixture
def ready(founded: Path, tmp_path: Path) -> Iterator[Case]:
    """A broker with its parties and its space: six entries in its log."""
    shutil.copytree(founded, tmp_path, dirs_exist_ok=True)
    made = Case(tmp_path, "copy")
    yield made
    made.close()
