"""Worlds for the threats on both databases: one that most tests share, a fresh one for those that break something."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.threats import climbing
from tests.world import World

Build = Callable[[Path], World]


@pytest.fixture(scope="session")
def build(databases: Databases) -> Build:
    """Makes a world in which phone(0) to phone(19) are deposited, by three contributors."""

    def deposited(folder: Path) -> World:
        world = World(folder, databases.new(folder))
        world.deposit("company-1", range(10))
        world.deposit("company-2", range(5, 15))
        world.deposit("ngo-1", range(12, 20))
        return world

    return deposited


@pytest.fixture(scope="session")
def world(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The shared one: no test deposits in it or moves its clock for good."""
    made = build(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture
def fresh_world(build: Build, tmp_path: Path) -> Iterator[World]:
    """One for one test alone."""
    made = build(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[climbing.Climbed]:
    """An honest way from hits to a payload, in a world whose contributors let police go so far. Shared like `world`."""
    made = World(tmp_path_factory.mktemp("climbed"))
    made.deposit("company-1", range(10), **climbing.PAYLOAD)
    made.deposit("company-2", range(5, 15), **climbing.PAYLOAD)
    made.deposit("ngo-1", range(12, 20), **climbing.PAYLOAD)
    yield climbing.climb(made)
    made.close()
