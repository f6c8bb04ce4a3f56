"""No cell leaves that a spreadsheet would run, and what we wrote we read again, whatever it was."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.formula_guard import guarded, unguarded
from clients.writers import csv_text as csv_text_module
from clients.writers.csv_text import csv_text

CLIENTS = Path(csv_text_module.__file__).parents[1]
TEXTS = st.text(alphabet=st.sampled_from("'=+-@\t\r\n ;,|ab1＝＠\"")) | st.text()


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+447700900123",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\tx",
        "  =1",
        "＝1",
        "＠x",
        "'=1",
        "''+1",
        "a;=1",
        "a\n=1",
        'a;"=1',
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert guarded(text) != text
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize(
    "text", ["", "user@example.org", "phone/1|+447700900123", "2026-01-02", "it's", "a=b", "'", "''"]
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert guarded(text) == text
    assert unguarded(text) == text


def test_a_phone_number_that_a_spreadsheet_kept_as_text_is_read() -> None:
    assert unguarded("'+447700900123") == "+447700900123"


@given(text=TEXTS)
def test_every_text_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(cells=st.lists(TEXTS.filter(lambda text: "\0" not in text), min_size=1, max_size=4))
def test_in_whatever_country_the_file_is_opened_no_cell_begins_with_a_sign(cells: list[str]) -> None:
    text = csv_text(cells)
    assert [
        unguarded(cell) for cell in next(csv.reader(io.StringIO(text, newline="")), [])
    ] == cells or cells == [""]
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            # In the file's own reading commas do not break cells; in another one its quotation marks may stand before.
            assert not any(re.match(r"\s*[=+\-@＝＋－＠]", cell) for cell in row)


def test_numbers_are_written_as_numbers() -> None:
    assert csv_text(("a", -3, 2.5), ("-3", 0, "b")) == "a,-3,2.5\r\n'-3,0,b\r\n"


def test_no_part_of_the_program_writes_csv_but_by_the_one_that_guards_it() -> None:
    # The demo's own files are made-up input and begin with no sign but a telephone number's.
    others = {"writers/csv_text.py", "demo/files.py"}
    writing = {
        str(path.relative_to(CLIENTS))
        for path in CLIENTS.rglob("*.py")
        if re.search(r"csv\.(?:DictW|w)riter\b", path.read_text(encoding="utf-8"))
    }
    assert writing == others
