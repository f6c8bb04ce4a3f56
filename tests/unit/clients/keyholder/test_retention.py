"""When a series' retention is over its shares go from every file, once, logged, and nobody can bring them back."""

import time

import pytest

from broker.protocol.errors import Conflict, Unavailable
from broker.protocol.leaves import parse_leaf
from clients.keyholder import retention
from clients.keyholder.acceptance import accept_shares
from clients.keyholder.destroy import destroy_shares
from clients.keyholder.held import held_contributors, held_series
from clients.keyholder.own_log import OwnLog
from clients.keyholder.store import series as rows
from tests.keyholder_world import COMPANIES, Deal, World, conditions


@pytest.fixture
def deal(world: World) -> Deal:
    dealt = world.deal()
    world.deliver(dealt)
    return dealt


def _end(world: World, deal: Deal) -> None:
    world.clock.now = deal.manifest.conditions.retain_until


def _kinds(world: World) -> list[str]:
    with world.holder.database.read() as connection:
        return [parse_leaf(leaf).kind for leaf in world.holder.log.leaf_page(connection, 0, 10).leaves]


def _sealed(world: World, deal: Deal) -> bytes | None:
    with world.holder.database.read() as connection:
        return rows.sealed_shares(connection, deal.series_id)


def _on_disk(world: World, data: bytes) -> bool:
    files = (path for path in world.holder.database.path.parent.rglob("*") if path.is_file())
    return any(data in path.read_bytes() for path in files)


def test_expired_shares_are_gone_from_every_file_and_the_log_says_so(world: World, deal: Deal) -> None:
    sealed = _sealed(world, deal)
    assert sealed is not None
    assert _on_disk(world, sealed)
    _end(world, deal)
    assert retention.purge(world.holder).series == 1
    assert not _on_disk(world, sealed)
    assert _kinds(world) == ["BUNDLE_ACTIVATED", "SERIES_ACCEPTED", "SHARE_EXPIRED"]
    with world.holder.database.read() as connection:
        assert held_contributors(connection, [deal.series_id]) == frozenset()
        with pytest.raises(Conflict, match="retention is over"):
            held_series(world.holder, connection, deal.series_id)


def test_a_repeat_erases_and_logs_nothing_more(world: World, deal: Deal) -> None:
    _end(world, deal)
    assert [retention.purge(world.holder).series for _ in range(2)] == [1, 0]
    assert _kinds(world) == ["BUNDLE_ACTIVATED", "SERIES_ACCEPTED", "SHARE_EXPIRED"]


def test_a_second_before_its_end_a_series_keeps_its_shares(world: World, deal: Deal) -> None:
    longer = conditions().model_copy(update={"retain_until": deal.manifest.conditions.retain_until + 1})
    other = world.deal(COMPANIES[1], changes={"conditions": longer})
    world.deliver(other)
    _end(world, deal)
    assert retention.purge(world.holder).series == 1
    assert _sealed(world, deal) is None
    assert _sealed(world, other) is not None


def test_erasing_and_logging_are_one_step(world: World, deal: Deal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> int:
        raise Unavailable("The step could not be recorded, so it was not taken.")

    _end(world, deal)
    with monkeypatch.context() as broken:
        broken.setattr(OwnLog, "append", full_disk)
        with pytest.raises(Unavailable):
            retention.purge(world.holder)
    assert _sealed(world, deal) is not None
    assert retention.purge(world.holder).series == 1


def test_expired_shares_are_not_accepted_again_and_can_still_be_withdrawn(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    accept_shares(world.holder, world.caller(COMPANIES[0]), delivery)
    _end(world, deal)
    retention.purge(world.holder)
    with pytest.raises(Conflict, match="retention is over"):
        accept_shares(world.holder, world.caller(COMPANIES[0]), delivery)
    destroy_shares(world.holder, world.caller(COMPANIES[0]), deal.series_id, world.withdrawal(deal))
    assert _kinds(world)[-1] == "SHARE_DESTROYED"


def test_the_hourly_purge_begins_at_once_and_stops(world: World, deal: Deal) -> None:
    _end(world, deal)
    hourly = retention.HourlyPurge(world.holder)
    hourly.start()
    deadline = time.monotonic() + 20
    while _sealed(world, deal) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    hourly.stop()
    assert _sealed(world, deal) is None
