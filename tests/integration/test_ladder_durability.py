"""On the way to a payload, too, what was acknowledged is on the disk: shown with strace, as in test_durability.

The broker's RELEASE is synced before anything is disclosed, a key holder's OPENED and its high-water mark before its
answer leaves.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.demo.parties import POLICE
from tests.integration import ladder_world
from tests.integration.ladder_world import CASE, OF_COMPANIES, Climbed, LadderWorld
from tests.integration.test_durability import TRACED, mark_steps, read_trace, strace, traced

__all__ = ["strace"]
pytestmark = pytest.mark.all_only


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LadderWorld]:
    with ladder_world.running_ladder(tmp_path_factory.mktemp("space") / "parties") as running:
        yield running


@pytest.fixture(scope="module")
def released(world: LadderWorld, tmp_path_factory: pytest.TempPathFactory) -> tuple[Climbed, Path]:
    """A payload released to the police unit, and the broker's trace of all steps from admission to release."""
    hits, trace = world.ask(CASE), tmp_path_factory.mktemp("trace") / "broker"
    world.run(POLICE, *world.request("send", hits))
    sources = world.climb(hits, [OF_COMPANIES], "sources-traced")
    world.run(POLICE, *world.request("send", sources))
    payload = world.climb(sources, [OF_COMPANIES], "payload-traced")
    world.run(POLICE, *world.request("file", payload))
    world.run(POLICE, *world.request("evaluate", payload))
    with traced(world, "broker", trace, "-e", TRACED):
        world.run(POLICE, *world.request("submit", payload))
    return payload, trace


def test_the_brokers_release_is_on_the_disk_before_the_disclosure_and_that_before_the_answer(
    released: tuple[Climbed, Path],
) -> None:
    found = read_trace(released[1])
    assert found.answers == 1
    assert found.syncs >= 4, (
        "the nonce, TOKENS, RELEASE, and RELEASED with the disclosure: one after the other"
    )
    assert found.too_early == []


def test_a_key_holder_answers_an_opening_once_its_entry_and_its_mark_are_on_the_disk(
    world: LadderWorld, released: tuple[Climbed, Path], tmp_path: Path
) -> None:
    with traced(world, "holder-1", tmp_path / "trace", "-e", f"{TRACED},rename,renameat,renameat2"):
        world.run(POLICE, *world.open(released[0]))
    found, steps = read_trace(tmp_path / "trace"), mark_steps(tmp_path / "trace")
    assert (found.answers, found.too_early) == (2, []), "one for each company's series"
    assert steps == 2 * ["entry", "mark", "place", "folder", "answer"]
