"""Only an ordinary file is read, and only if it is the same at the end."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.readers import Signal, read_file

ROWS = "phone\n" + "+447700900123\n" * 300


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(ROWS)
    return path


def test_a_pipe_that_nobody_writes_to_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(BadInput, match="pipe or a device"):
        next(read_file(pipe))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused_also_behind_a_link(tmp_path: Path, device: str) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(device)
    with pytest.raises(BadInput, match="pipe or a device"):
        next(read_file(link))


def test_a_link_to_an_ordinary_file_is_read(tmp_path: Path, table: Path) -> None:
    link = tmp_path / "latest.csv"
    link.symlink_to(table)
    assert sum(isinstance(row, Signal) for row in read_file(link)) == 300


def test_a_link_that_leads_nowhere_and_a_folder_say_so(tmp_path: Path) -> None:
    link = tmp_path / "gone.csv"
    link.symlink_to(tmp_path / "447700900123.csv")
    with pytest.raises(BadInput, match="no such file") as refusal:
        next(read_file(link))
    assert "7700900123" not in refusal.value.detail
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadInput, match="directory"):
        next(read_file(tmp_path / "folder.csv"))


def test_a_file_that_grows_while_it_is_read_is_refused_at_its_end(table: Path) -> None:
    rows = read_file(table)
    next(rows)
    with table.open("a") as file:
        file.write("+447700900124\n")
    with pytest.raises(BadInput, match="changed while it was read"):
        list(rows)


def test_a_file_that_another_takes_the_place_of_is_refused_at_its_end(tmp_path: Path, table: Path) -> None:
    rows = read_file(table)
    next(rows)
    other = tmp_path / "other.csv"
    other.write_text(ROWS)
    os.utime(other, ns=(table.stat().st_atime_ns, table.stat().st_mtime_ns))
    other.replace(table)
    with pytest.raises(BadInput, match="changed while it was read"):
        list(rows)


def test_a_file_that_is_removed_while_it_is_read_is_refused_at_its_end(table: Path) -> None:
    rows = read_file(table)
    next(rows)
    table.unlink()
    with pytest.raises(BadInput, match="no such file"):
        list(rows)


def test_who_stops_before_the_end_is_not_told_of_a_change(table: Path) -> None:
    rows = read_file(table)
    next(rows)
    table.write_bytes(b"")
    assert isinstance(rows, Generator)
    rows.close()
