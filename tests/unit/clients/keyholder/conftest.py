"""The small collaboration that the key holder's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keyholder_world import HOLDER_IDS, Deal, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One open key holder of three."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def full_world(tmp_path: Path) -> Iterator[World]:
    """All three key holders open."""
    made = World(tmp_path, HOLDER_IDS)
    yield made
    made.close()


@pytest.fixture
def deals(world: World) -> tuple[Deal, ...]:
    """A series of each of three companies, whose shares the holder accepted."""
    return world.deal_all()
