"""The high-water mark as a story: a folder put back from an old backup does not serve; a crash is no old backup."""

import os
import shutil
from pathlib import Path

import pytest

from broker.protocol.errors import NarrowgateError, Unavailable, VerificationFailed
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.storage import Head
from clients.keyholder.context import KeyHolder, open_key_holder
from clients.keyholder.high_water import HighWater, Mark, beside
from clients.keyholder.own_log import ShareExpired
from clients.keyholder.store.database import Database
from tests.keyholder_calls import ask
from tests.keyholder_world import HOLDER_IDS, Deal, World

NAME = HOLDER_IDS[0]


def folder_of(world: World) -> Path:
    return world.directory / NAME


def mark_of(world: World) -> Path:
    return world.directory / f"{NAME}.high-water"


def marked(world: World) -> Mark:
    return read(Mark, mark_of(world).read_bytes())


def stop(world: World) -> None:
    world.holders.pop(NAME).close()


def start(world: World, high_water: Path | None = None) -> KeyHolder:
    """The service starts again on its folder, as an operator would start it."""
    opened = open_key_holder(folder_of(world), world.clock, os.urandom, high_water=high_water)
    world.holders[NAME] = opened
    return opened


def back_up(world: World, to: str) -> Path:
    """Copy the stopped holder's folder; the copy does not contain the mark."""
    stop(world)
    copy = world.directory / to
    shutil.copytree(folder_of(world), copy)
    start(world)
    return copy


def put_back(world: World, copy: Path) -> None:
    stop(world)
    shutil.rmtree(folder_of(world))
    shutil.copytree(copy, folder_of(world))


def assert_does_not_start(
    world: World, words: str, error: type[NarrowgateError] = VerificationFailed
) -> None:
    before = mark_of(world).read_bytes() if mark_of(world).exists() else None
    with pytest.raises(error, match=words):
        start(world)
    after = mark_of(world).read_bytes() if mark_of(world).exists() else None
    assert after == before, "the mark is as it was"
    # What was refused gave the folder up: the operator's next command is not told that it runs.
    with pytest.raises(error, match=words):
        start(world)


def head(holder: KeyHolder) -> Head:
    with holder.database.read() as connection:
        return holder.log.start(connection)


# --- the mark follows the log ---


def test_the_mark_is_beside_the_folder_from_the_first_start(world: World) -> None:
    assert beside(folder_of(world)) == mark_of(world).resolve()
    assert marked(world).size == 1, "the activation of its rules"
    assert mark_of(world).stat().st_mode & 0o777 == 0o600


def test_each_entry_raises_the_mark_before_its_step_returns(world: World) -> None:
    for size, deal in enumerate((world.deal(), world.deal(), world.deal()), 2):
        world.deliver(deal)
        found = marked(world)
        assert (found.size, found.root) == (size, head(world.holder).root)


def test_a_step_without_an_entry_leaves_the_mark_alone(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    before = mark_of(world).stat().st_mtime_ns
    ask(world, filed, deals[0])  # answered again, uncharged and unrecorded
    assert mark_of(world).stat().st_mtime_ns == before


def test_a_transaction_that_rolled_back_marks_nothing(world: World, deals: tuple[Deal, ...]) -> None:
    before = marked(world)
    record = ShareExpired(series_id=bytes(32), x=1, retain_until=0)

    def stopped_half_way() -> None:
        with world.holder.database.write() as connection:
            world.holder.log.append(connection, RecordKind.SHARE_EXPIRED, record, 0)
            raise RuntimeError("the machine stops")

    with pytest.raises(RuntimeError, match="stops"):
        stopped_half_way()
    assert marked(world) == before


def test_without_room_for_the_mark_nothing_is_answered_and_nothing_is_lost(
    world: World, deals: tuple[Deal, ...], tmp_path: Path
) -> None:
    filed, size = world.admit(deals), head(world.holder).size
    # The place where the mark is written first is taken by a folder, so that writing it fails as on a full disk.
    blocked = mark_of(world).with_name(f".{NAME}.high-water.new")
    blocked.mkdir()
    with pytest.raises(Unavailable, match="high-water file"):
        ask(world, filed, deals[0])
    with pytest.raises(Unavailable, match="Restart"):
        ask(world, filed, deals[0])
    blocked.rmdir()
    stop(world)
    assert head(start(world)).size == size + 1 == marked(world).size
    ask(world, filed, deals[0])
    assert head(world.holder).size == size + 1, "the retry is the same evaluation"


def test_a_holder_killed_between_its_entry_and_the_mark_starts_and_catches_up(
    world: World, deals: tuple[Deal, ...]
) -> None:
    before = mark_of(world).read_bytes()
    ask(world, world.admit(deals), deals[0])
    stop(world)
    mark_of(world).write_bytes(before)
    assert head(start(world)).size == marked(world).size == 5


# --- what does not start ---


def test_a_folder_put_back_from_an_old_backup_does_not_start(world: World, deals: tuple[Deal, ...]) -> None:
    copy = back_up(world, "backup")
    ask(world, world.admit(deals), deals[0])
    put_back(world, copy)
    assert_does_not_start(world, "had 5 entries and now has 4.*Put the newest backup back.*accept-restore")


def test_the_newest_backup_starts_without_a_word(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    put_back(world, back_up(world, "backup"))
    start(world)
    ask(world, filed, deals[0])
    assert marked(world).size == 5


def test_a_log_whose_tail_was_rewritten_to_the_same_size_does_not_start(
    world: World, deals: tuple[Deal, ...]
) -> None:
    copy, earlier = back_up(world, "backup"), mark_of(world).read_bytes()
    ask(world, world.admit(deals), deals[0])
    true_mark = mark_of(world).read_bytes()
    # Who rewrites it puts the old folder back with an old mark, and lets it log something else.
    put_back(world, copy)
    mark_of(world).write_bytes(earlier)
    start(world)
    for _ in range(2):
        world.deliver(world.deal())
    stop(world)
    mark_of(world).write_bytes(true_mark)
    assert_does_not_start(world, "rewritten. Keep the folder as evidence")


def test_an_emptied_database_does_not_start(world: World, deals: tuple[Deal, ...]) -> None:
    stop(world)
    for path in folder_of(world).glob("keyholder.sqlite*"):
        path.unlink()
    assert_does_not_start(world, "had 4 entries and now has 0")


def test_a_database_cut_short_does_not_start(world: World, deals: tuple[Deal, ...]) -> None:
    stop(world)
    path = folder_of(world) / "keyholder.sqlite"
    os.truncate(path, path.stat().st_size // 2)
    assert_does_not_start(world, "damaged", Unavailable)


def test_a_lost_mark_is_not_a_first_start(world: World, deals: tuple[Deal, ...]) -> None:
    stop(world)
    mark_of(world).unlink()
    assert_does_not_start(world, "log has 4 entries, and its high-water file is gone")


def test_a_damaged_mark_is_said_to_be_damaged(world: World, deals: tuple[Deal, ...]) -> None:
    stop(world)
    mark_of(world).write_bytes(mark_of(world).read_bytes()[:-9])
    assert_does_not_start(world, "high-water file .* is damaged")


def test_another_holders_mark_is_not_taken(full_world: World) -> None:
    full_world.deal_all()
    stop(full_world)
    shutil.copy(full_world.directory / f"{HOLDER_IDS[1]}.high-water", mark_of(full_world))
    assert_does_not_start(full_world, "another key holder's")


def test_the_operator_may_name_another_place_for_the_mark(world: World, deals: tuple[Deal, ...]) -> None:
    stop(world)
    elsewhere = world.directory / "other-disk" / "court.mark"
    elsewhere.parent.mkdir()
    mark_of(world).rename(elsewhere)
    start(world, elsewhere)
    ask(world, world.admit(deals), deals[0])
    assert read(Mark, elsewhere.read_bytes()).size == 5
    assert not mark_of(world).exists()


def test_a_mark_never_goes_down(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "mark", "holder.example.org/log")
    for size in (3, 2, 0):
        mark.rise(Head(size, bytes(32)))
    assert mark.found() == Head(3, bytes(32))


def test_who_marks_is_told_once_the_commit_is_done(tmp_path: Path) -> None:
    seen: list[int] = []
    database = Database(tmp_path / "a.sqlite", lambda head: seen.append(head.size))
    with database.write():
        assert seen == []
    assert seen == [0]
    database.close()
