"""A broker in a temporary folder for each test that asks for one."""

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
