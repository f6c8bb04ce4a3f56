"""Worlds for the threats: one that a module's tests share, and a fresh one for those that break something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World


def _deposited(folder: Path) -> World:
    world = World(folder)
    world.deposit("company-1", range(0, 10))
    world.deposit("company-2", range(5, 15))
    world.deposit("ngo-1", range(12, 20))
    return world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """phone(0) to phone(19) are deposited, by three contributors."""
    made = _deposited(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture
def fresh_world(tmp_path: Path) -> Iterator[World]:
    """The same, for one test alone."""
    made = _deposited(tmp_path)
    yield made
    made.close()
