"""Files that are deleted or replaced under a database are found out, on every file system."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.store.open_files import OpenFiles


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "broker.sqlite3"
    for name in ("", "-wal", "-shm"):
        made.with_name(made.name + name).write_bytes(b"content")
    return made


@pytest.fixture(params=["inodes listed", "inodes not listed"])
def files(path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> OpenFiles:
    if request.param == "inodes not listed":
        # As a network file system may do.
        monkeypatch.setattr(OpenFiles, "_listed_inode", lambda _: 0xFFFFFFFF)
    return OpenFiles(path)


def test_files_that_are_written_are_still_the_same(files: OpenFiles, path: Path) -> None:
    for name in ("", "-wal"):
        with path.with_name(path.name + name).open("ab") as file:
            file.write(b"more")
    path.with_name("another").write_bytes(b"")
    assert not files.is_replaced()


@pytest.mark.parametrize("name", ["broker.sqlite3", "broker.sqlite3-wal"])
def test_a_file_in_the_place_of_one_is_another(files: OpenFiles, path: Path, name: str) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(b"content")
    os.replace(copy, path.with_name(name))
    assert files.is_replaced()


@pytest.mark.parametrize("name", ["broker.sqlite3", "broker.sqlite3-wal"])
def test_a_file_that_is_gone_is_an_error(files: OpenFiles, path: Path, name: str) -> None:
    path.with_name(name).unlink()
    with pytest.raises(FileNotFoundError):
        files.is_replaced()


@pytest.mark.parametrize("gone", [Path.unlink, lambda path: path.rename(path.with_name("aside"))])
def test_files_that_are_not_there_cannot_be_noted(path: Path, gone: Callable[[Path], object]) -> None:
    gone(path.with_name("broker.sqlite3-wal"))
    with pytest.raises(FileNotFoundError):
        OpenFiles(path)
