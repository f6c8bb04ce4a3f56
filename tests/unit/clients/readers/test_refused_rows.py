"""Refused rows: counted, the first kept, all written down, and never a value."""

import csv
import stat
from itertools import repeat
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.formula_guard import guarded
from clients.readers import read_file
from clients.readers.refused_rows import KEPT_ROWS, refused_rows
from clients.readers.signals import RefusedRow


def test_a_file_of_refused_rows_names_line_column_and_reason_and_no_value(tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "refused.csv"
    source.write_text("phone,email\n12345,nonsense\n+447700900123,\n\x00,\n")
    with refused_rows(out, source) as refused:
        assert len(list(refused.sifted(read_file(source)))) == 1
    rows = list(csv.reader(out.read_text(encoding="utf-8").splitlines()))
    assert [row[:2] for row in rows] == [["line", "column"], ["2", "1"], ["2", "2"], ["4", ""]]
    assert "12345" not in out.read_text()
    assert "nonsense" not in out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_a_reason_is_never_taken_for_a_formula(tmp_path: Path, sign: str) -> None:
    assert guarded(f"{sign}1+1") == f"'{sign}1+1"
    with refused_rows(tmp_path / "out.csv", tmp_path / "in.csv") as refused:
        refused.add(RefusedRow(2, f'{sign}HYPERLINK("x")'))
    assert f"'{sign}HYPERLINK" in (tmp_path / "out.csv").read_bytes().decode()


def test_any_number_is_counted_and_only_the_first_are_kept(tmp_path: Path) -> None:
    with refused_rows(None, tmp_path / "in.csv") as refused:
        for row in repeat(RefusedRow(2, "A reason."), 5 * KEPT_ROWS):
            refused.add(row)
    assert (refused.count, len(refused.first)) == (5 * KEPT_ROWS, KEPT_ROWS)


def test_what_was_refused_is_on_paper_also_if_the_reading_ends_in_an_error(tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "refused.csv"
    source.write_text("phone\n" + "one\x00two\n" * 5000)
    with pytest.raises(BadInput, match="damaged"), refused_rows(out, source) as refused:
        list(refused.sifted(read_file(source)))
    assert len(out.read_text().splitlines()) == 1001


def test_the_source_is_never_written_over(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("phone\n")
    (tmp_path / "link.csv").symlink_to(source)
    for out in (source, tmp_path / "link.csv"):
        with pytest.raises(BadInput, match="written over"), refused_rows(out, source):
            pass
    assert source.read_text() == "phone\n"
    with (
        pytest.raises(BadInput, match="cannot be written"),
        refused_rows(tmp_path / "no" / "out.csv", source),
    ):
        pass


def test_what_is_counted_in_objects_says_so(tmp_path: Path) -> None:
    with refused_rows(tmp_path / "out.csv", tmp_path / "in.json") as refused:
        refused.add(RefusedRow(2, "indicator: A reason.", unit="object"))
    assert "object 2,,indicator: A reason." in (tmp_path / "out.csv").read_text()
