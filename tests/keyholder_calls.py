"""Asking the first key holder of a small world, and showing that a refused call left nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from broker.protocol.errors import (
    NarrowgateError,
)
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.evaluation import EvaluationAnswer
from clients.keyholder.evaluation import evaluate
from clients.keyholder.store import permits
from tests.keyholder_world import POLICE, Deal, Filed, World


def ask(
    world: World, filed: Filed, deal: Deal, names: tuple[int, ...] = (1, 2), caller: str = POLICE
) -> EvaluationAnswer:
    return evaluate(world.holder, world.caller(caller), filed.call(world.holder, deal, names))


def evaluations(world: World) -> int:
    """Entries EVALUATED in the first holder's own log."""
    with world.holder.database.read() as connection:
        page = world.holder.log.leaf_page(connection, 0, 1000)
    return [parse_leaf(leaf).kind for leaf in page.leaves].count("EVALUATED")


def charged(world: World) -> int:
    with world.holder.database.read() as connection:
        return permits.charged_since(connection, world.space.payload.space_id, POLICE, 0)


@contextmanager
def refused(world: World, error: type[NarrowgateError], words: str) -> Iterator[None]:
    """Inside, the call is refused with `words`; afterwards nothing was charged or recorded as evaluated."""
    before = evaluations(world), charged(world)
    with pytest.raises(error, match=words):
        yield
    assert (evaluations(world), charged(world)) == before
