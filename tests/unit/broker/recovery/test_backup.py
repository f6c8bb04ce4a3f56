"""A backup holds all that the broker is, from one moment, whether it serves or not; what is put back is the same."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broker import folder, startup
from broker.protocol.errors import BadInput, Conflict, NotFound, Unavailable, VerificationFailed
from broker.protocol.messages.vocabulary import Tier
from broker.recovery import backup as backups
from broker.recovery import fsck, sealed_file
from broker.recovery.backup import BackedUp, read_again
from broker.store import migrate, whole
from broker.store.database import Database
from tests.databases import Databases, Server
from tests.recovery_case import PASSPHRASE, Kept, make_folder, whole_story
from tests.world import OPEN, phone

pytestmark = pytest.mark.all_only


@pytest.fixture(autouse=True, scope="module")
def _quick_keys() -> Iterator[None]:
    patched = pytest.MonkeyPatch()
    patched.setattr(sealed_file, "_LOG2_N", 1)
    yield
    patched.undo()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Kept]:
    """A broker that serves; no test changes what it stored."""
    home = tmp_path_factory.mktemp("story") / "world"
    home.mkdir()
    world = whole_story(home, databases)
    url = world.settings.database_url
    make_folder(home, world, None if databases.name == "sqlite" else url)
    # Budgets that a test lets refill are no longer those that the log says.
    OPEN.remove(world)
    yield Kept(world, home)
    OPEN.append(world)
    world.close()
    databases.drop(url)


@pytest.fixture
def file(story: Kept, tmp_path: Path) -> Path:
    story.back_up(tmp_path / "backup")
    return tmp_path / "backup"


def everything(url: str) -> dict[str, list[Any]]:
    """All rows of all tables, but the size that witnesses are told to have seen."""
    with whole.snapshot(url, alone=False) as connection:
        return {name: [tuple(row.values()) for row in whole.every(connection, name)] for name in whole.TABLES}


def test_what_a_serving_broker_backed_up_comes_back_row_by_row_and_file_by_file(
    story: Kept, tmp_path: Path, databases: Databases
) -> None:
    """On a database of the same kind."""
    written = story.back_up(tmp_path / "backup")
    url = None if databases.name == "sqlite" else databases.new(tmp_path)
    restored = put_back(story, tmp_path, url)
    assert (restored.findings, restored.in_place) == ((), True)
    assert restored.manifest == written.manifest
    settings = folder.read_settings(tmp_path / "back")
    assert everything(settings.database_url) == everything(story.world.settings.database_url)
    for name in ("keys.json", "operator.key"):
        assert (tmp_path / "back" / name).read_bytes() == (story.directory / name).read_bytes()
        assert (tmp_path / "back" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o700
    if url is not None:
        databases.drop(url)


def put_back(story: Kept, tmp_path: Path, url: str | None) -> Any:
    return Kept(story.world, tmp_path / "world").restore(tmp_path / "backup", "back", database_url=url)


def test_of_sqlite_and_postgresql_each_is_restored_into_the_other(
    story: Kept, file: Path, tmp_path: Path, postgresql: Server, databases: Databases
) -> None:
    other = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    if databases.name == "sqlite":
        other = postgresql.new(tmp_path)
    restored = put_back(story, tmp_path, other)
    assert (restored.findings, restored.in_place) == ((), True)
    assert folder.read_settings(tmp_path / "back").database_url == other
    assert everything(other) == everything(story.world.settings.database_url)
    startup.stop(Kept(story.world, tmp_path / "world").start("back"))
    if databases.name == "sqlite":
        postgresql.drop(other)


def test_the_file_is_its_owners_alone_and_shows_nothing(story: Kept, file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    data = file.read_bytes()
    seeds = json.loads((story.directory / "keys.json").read_text())
    for secret in (bytes.fromhex(seeds["log_seed"]), seeds["log_seed"].encode(), b"company-1", b"BEGIN"):
        assert secret not in data


def test_a_backup_is_of_one_moment_though_the_broker_goes_on(
    story: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written between the first table and the last is in none of them."""
    rows = whole.every
    written: list[bytes] = []

    def slowly(connection: Any, table: str) -> Any:
        if not written:
            written.append(b"")
            story.world.ask([phone(4)])
        return rows(connection, table)

    monkeypatch.setattr(whole, "every", slowly)
    made = story.back_up(tmp_path / "backup")
    monkeypatch.undo()
    with story.world.broker.database.read() as connection:
        assert story.world.broker.audit.size(connection) == made.manifest.size + 4
    assert read_again(tmp_path / "backup", PASSPHRASE).manifest == made.manifest


def test_a_backup_that_is_damaged_or_cut_short_is_not_put_back(
    story: Kept, file: Path, tmp_path: Path
) -> None:
    data = file.read_bytes()
    for damaged in (data[:-1], data[: len(data) // 2], data[:-40] + b"\x00" + data[-39:]):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(VerificationFailed):
            Kept(story.world, tmp_path / "world").restore(tmp_path / "damaged", "back")
    assert not (tmp_path / "back").exists()


def test_neither_a_folder_nor_a_database_that_holds_something_is_written_over(
    story: Kept, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "notes.txt").write_text("mine")
    with pytest.raises(Conflict, match="empty folder"):
        put_back(story, tmp_path, None)
    assert [each.name for each in (tmp_path / "back").iterdir()] == ["notes.txt"]
    (tmp_path / "back" / "notes.txt").unlink()
    other = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    database = Database(other)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE ledger (entry INTEGER)"))
        connection.execute(text("INSERT INTO ledger VALUES (1)"))
    database.close()
    with pytest.raises(Conflict, match="holds something already"):
        put_back(story, tmp_path, other)
    assert list((tmp_path / "back").iterdir()) == [], "and what was begun is taken away"


def test_what_does_not_pass_fsck_is_taken_away_unless_its_operator_says_otherwise(
    story: Kept, tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = whole.every

    def less(connection: Any, table: str) -> Any:
        for row in rows(connection, table):
            yield {**row, "identifiers": 0} if table == "ledger" and row["entry"] == 1 else row

    monkeypatch.setattr(whole, "every", less)
    kept = Kept(story.world, tmp_path / "world")
    story.back_up(tmp_path / "backup")
    monkeypatch.undo()
    other = databases.new(tmp_path)
    refused = kept.restore(tmp_path / "backup", "back", database_url=other)
    assert (refused.in_place, refused.compared, len(refused.findings)) == (False, None, 1)
    assert list((tmp_path / "back").iterdir()) == []
    assert everything(other)["ledger"] == []
    looked_at = kept.restore(tmp_path / "backup", "back", database_url=other, despite_findings=True)
    assert (looked_at.in_place, looked_at.findings) == (True, refused.findings)
    databases.drop(other)


def test_a_backup_with_another_log_than_its_manifest_says_is_none(
    story: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leaf that was read wrongly while it was written: found when it is read again, and no file is left."""
    rows = whole.every

    def wrongly(connection: Any, table: str) -> Any:
        for row in rows(connection, table):
            yield {**row, "leaf": b"another"} if table == "log_leaves" and row["leaf_index"] == 3 else row

    monkeypatch.setattr(whole, "every", wrongly)
    with pytest.raises(VerificationFailed, match="does not give the root"):
        story.back_up(tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_leaves_no_half_backup(
    story: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="Is there room"):
        story.back_up(tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


def test_each_backup_has_a_name_of_its_own(story: Kept, file: Path) -> None:
    with pytest.raises(Conflict, match="name of its own"):
        story.back_up(file)


def test_a_folder_without_a_broker_or_a_database_is_told(story: Kept, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no broker"):
        Kept(story.world, tmp_path / "empty").back_up(tmp_path / "backup")
    home = make_folder(tmp_path / "never-started", story.world, None)
    with pytest.raises(NotFound, match="no database yet"):
        Kept(story.world, home).back_up(tmp_path / "backup")


def test_a_backup_of_another_release_names_the_way(
    story: Kept, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "newest", lambda: "0099")
    with pytest.raises(Conflict, match="of another release"):
        put_back(story, tmp_path, None)


def test_a_file_in_the_backup_never_leaves_the_folder(
    story: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = backups._files

    def outside(directory: Path) -> Iterator[tuple[str, bytes]]:
        yield from files(directory)
        yield "../outside", b"x"

    monkeypatch.setattr(backups, "_files", outside)
    story.back_up(tmp_path / "backup")
    with pytest.raises(BadInput, match="would not write"):
        put_back(story, tmp_path, None)
    assert not (tmp_path / "outside").exists()
    assert list((tmp_path / "back").iterdir()) == []


def test_what_a_backup_says_of_itself_fits(story: Kept, tmp_path: Path) -> None:
    made: BackedUp = story.back_up(tmp_path / "backup")
    names = [each.name for each in made.manifest.sections]
    assert names[:3] == ["keys.json", "operator.key", "settings.toml"]
    assert [name for name in names if name in whole.TABLES] == list(whole.TABLES)
    assert any(re.fullmatch(r"bundles/[0-9a-f]{64}/.+", name) for name in names)
    assert made.file_bytes == (tmp_path / "backup").stat().st_size


def test_the_restored_broker_serves_and_goes_on_counting_where_the_other_stopped(
    story: Kept, tmp_path: Path, databases: Databases
) -> None:
    """The last of this module: from here on the key holders know of a log that the first broker has not."""
    url = None if databases.name == "sqlite" else databases.new(tmp_path)
    story.back_up(tmp_path / "backup")
    put_back(story, tmp_path, url)
    kept = Kept(story.world, tmp_path / "world")
    broker = kept.start("back")
    world, before = story.world, story.world.broker
    try:
        world.broker = broker
        world.run_broker(broker)
        world.deposit("company-1", [60, 61], highest_tier=Tier.HITS)
        assert world.ask([phone(3), phone(60)]).hits == (phone(3), phone(60))
    finally:
        world.broker = before
        world.run_broker(before)
        settings = broker.settings
        startup.stop(broker)
    with whole.snapshot(settings.database_url, alone=True) as connection:
        assert list(fsck.check(connection, broker.keys)) == []
    if url is not None:
        databases.drop(url)
