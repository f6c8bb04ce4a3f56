"""A stick that somebody prepared: links where files are to be written, and files that fill the memory."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from broker.protocol import carried
from broker.protocol.errors import BadInput
from clients.cli.stick_file import read_file, write_file


def test_a_link_on_the_stick_is_replaced_and_what_it_points_to_is_left_alone(tmp_path: Path) -> None:
    own, stick = tmp_path / "own.txt", tmp_path / "stick"
    own.write_text("mine")
    stick.mkdir()
    for name, target in (("to-a-file", own), ("to-nothing", tmp_path / "new.txt")):
        (stick / name).symlink_to(target)
        write_file(stick / name, b"bundle")
        assert not (stick / name).is_symlink()
        assert (stick / name).read_bytes() == b"bundle"
    assert own.read_text() == "mine"
    assert not (tmp_path / "new.txt").exists()
    assert sorted(item.name for item in stick.iterdir()) == ["to-a-file", "to-nothing"]


def test_what_cannot_be_written_is_said_and_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for place in (tmp_path / "folder", tmp_path / "file" / "x"):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(BadInput, match="Choose another place"):
            write_file(place, b"bundle")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "folder"]


def test_a_file_up_to_the_largest_bundle_is_read_and_a_larger_one_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.bundle"
    with file.open("wb") as opened:
        opened.truncate(carried.MAXIMUM_FILE_BYTES)
    assert len(read_file(file)) == carried.MAXIMUM_FILE_BYTES
    os.truncate(file, carried.MAXIMUM_FILE_BYTES + 1)
    with pytest.raises(BadInput, match="larger than any"):
        read_file(file)


@pytest.mark.all_only
def test_a_file_larger_than_the_memory_is_bad_input_and_no_fault(tmp_path: Path) -> None:
    huge = tmp_path / "answers.bundle"
    with huge.open("wb") as opened:
        opened.truncate(6 << 30)
    code = "import sys; from clients.cli.main import app; app(sys.argv[1:])"
    told = subprocess.run(
        [sys.executable, "-c", code, "bundle", "show", str(huge)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
    )
    assert told.returncode == 6, told.stderr
    assert "larger than any carried bundle" in told.stderr
