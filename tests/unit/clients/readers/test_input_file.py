"""Only an ordinary file is read, and only if it is the same at the end."""

import json
import os
import uuid
from collections.abc import Callable, Generator
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
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


def _workbook(path: Path, rows: int) -> None:
    book = openpyxl.Workbook()
    for row in (["email"], *([f"p{number}@example.org"] for number in range(rows))):
        book.active.append(row)
    book.save(path)


def _parquet(path: Path, rows: int) -> None:
    emails = [f"p{number}@example.org" for number in range(rows)]
    pyarrow.parquet.write_table(pyarrow.table({"email": emails}), path, row_group_size=100)


def _bundle(path: Path, rows: int) -> None:
    things = [
        {
            "type": "email-addr",
            "id": f"email-addr--{uuid.UUID(int=number)}",
            "value": f"p{number}@example.org",
        }
        for number in range(rows)
    ]
    path.write_text(json.dumps({"type": "bundle", "id": f"bundle--{uuid.UUID(int=0)}", "objects": things}))


def _misp(path: Path, rows: int) -> None:
    attributes = [
        {"type": "email-src", "value": f"p{number}@example.org", "uuid": str(uuid.UUID(int=number))}
        for number in range(rows)
    ]
    path.write_text(json.dumps({"Event": {"info": "example", "Attribute": attributes}}))


def _lines(path: Path, rows: int) -> None:
    path.write_text("".join(f'{{"email": "p{number}@example.org"}}\n' for number in range(rows)))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("book.xlsx", _workbook),
        ("table.parquet", _parquet),
        ("bundle.json", _bundle),
        ("event.misp", _misp),
        ("rows.ndjson", _lines),
    ],
)
def test_every_format_refuses_at_its_end_a_file_that_was_written_to_meanwhile(
    tmp_path: Path, name: str, write: Callable[[Path, int], None]
) -> None:
    path = tmp_path / name
    write(path, 300)
    assert sum(isinstance(row, Signal) for row in read_file(path)) == 300
    rows = read_file(path)
    assert isinstance(next(rows), Signal)
    # As a program does that writes a byte anew: nothing but the time of the last change tells.
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(first)
    later = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later, later))
    with pytest.raises(BadInput, match="changed while it was read"):
        list(rows)
