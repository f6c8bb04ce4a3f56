"""The ground is laid once for each process of the tests."""

from pathlib import Path

import pytest

from tests.faults.ground import Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A stopped broker's folder, copied for each test."""
    return Ground(tmp_path_factory.mktemp("faults") / "ground")


@pytest.fixture
def folder(ground: Ground, tmp_path: Path) -> Path:
    """A trial broker's folder of the test's own."""
    return ground.copy(tmp_path / "broker")
