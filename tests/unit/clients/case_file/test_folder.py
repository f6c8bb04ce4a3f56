"""A case folder on disk: whole or not there, and read without following anything out of it."""

import os
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, Conflict
from clients.case_file import folder as on_disk
from clients.case_file.folder import read_folder, write_folder
from tests.broker_case import seeded

FILES = {"INDEX.txt": b"x", "steps/1-hits/request.jws": b"a.b.c", "records/1/plaintext": b""}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_folder(tmp_path / "case", FILES, seeded("folder"))
    assert read_folder(tmp_path / "case") == FILES
    assert [each.name for each in tmp_path.iterdir()] == ["case"]
    with pytest.raises(Conflict):
        write_folder(tmp_path / "case", FILES, seeded("folder"))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    write_folder(tmp_path / "case", FILES, seeded("folder"))
    (tmp_path / "secret").write_text("not yours")
    for target in (tmp_path / "secret", tmp_path):
        link = tmp_path / "case" / "link"
        link.symlink_to(target)
        with pytest.raises(BadInput, match="link"):
            read_folder(tmp_path / "case")
        link.unlink()
    os.mkfifo(tmp_path / "case" / "pipe")
    with pytest.raises(BadInput, match="link"):
        read_folder(tmp_path / "case")


def test_what_is_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "case", FILES, seeded("folder"))
    monkeypatch.setattr(on_disk, "MAXIMUM_BYTES", 5)
    with pytest.raises(BadInput, match="more than"):
        read_folder(tmp_path / "case")


def test_no_folder_and_a_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "none"):
        with pytest.raises(BadInput, match="cannot be read"):
            read_folder(tmp_path / name)
