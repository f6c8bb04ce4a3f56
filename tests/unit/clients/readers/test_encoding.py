"""An encoding is known, or a person says it; letters are never assumed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput
from clients.readers import Reading, RefusedRow, Signal, read_file
from clients.readers.encoding import ENCODINGS, settle_encoding

TEXTS = {
    "windows-1252": "Café, Müller und Straße: déjà vu “à bientôt”, niño",
    "windows-1254": "İstanbul, Beşiktaş, Ağrı dağı, çocuk, şeker, ığdır",
    "windows-1251": "Привет, телефон из объявления, Москва",
    "windows-1256": "مرحبا رقم الهاتف من الاعلان",
    "iso-8859-15": "prix 100 €, sœur Ÿ, déjà",
    "utf-16-le": "Žluťoučký кот",
    "utf-16-be": "Žluťoučký кот",
    "windows-1250": "Zażółć gęślą jaźń, łódź, Świętokrzyskie",
    "utf-8": "Straße İ кот 電話",
}


def table(folder: Path, name: str, mark: bytes = b"") -> Path:
    path = folder / "table.csv"
    text = f'phone,note\r\n+447700900123,"{TEXTS[name]}"\r\n'
    path.write_bytes(mark + text.encode(ENCODINGS[name]))
    return path


def note(path: Path, encoding: str | None) -> str:
    (signal,) = read_file(path, Reading(encoding=encoding))
    assert isinstance(signal, Signal)
    return signal.attributes[0][1]


def test_every_known_encoding_has_an_example() -> None:
    assert set(TEXTS) == set(ENCODINGS)


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_a_declared_encoding_gives_the_letters_that_were_written(tmp_path: Path, name: str) -> None:
    assert note(table(tmp_path, name), name) == TEXTS[name]


@pytest.mark.parametrize("spelling", ["CP1252", "Windows 1252", "windows_1252", "cp-1252"])
def test_an_encoding_may_be_spelt_as_people_do(tmp_path: Path, spelling: str) -> None:
    assert note(table(tmp_path, "windows-1252"), spelling) == TEXTS["windows-1252"]


@pytest.mark.parametrize(
    ("name", "mark"),
    [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")],
)
def test_a_mark_counts_and_what_contradicts_it_is_refused(tmp_path: Path, name: str, mark: bytes) -> None:
    path = table(tmp_path, name, mark)
    assert note(path, None) == TEXTS[name]
    assert note(path, name) == TEXTS[name]
    with pytest.raises(BadInput, match="says itself"):
        note(path, "windows-1252")


@pytest.mark.parametrize(
    "name", ["windows-1252", "windows-1254", "windows-1251", "windows-1256", "windows-1250"]
)
def test_a_file_that_is_not_utf_8_is_not_read_but_the_likeliest_encoding_is_named_first(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(BadInput, match=f"It may be {name} ") as refusal:
        note(table(tmp_path, name), None)
    assert f"--encoding {name}" in refusal.value.detail
    words = [word for word in TEXTS[name].replace(",", "").split() if len(word) > 3]
    assert not any(word in refusal.value.detail for word in words)


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised_and_not_read_as_utf_8(tmp_path: Path, name: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("phone,note\n+447700900123,x\n".encode(name))
    with pytest.raises(BadInput, match=f"--encoding {name}"):
        note(path, None)


def test_bytes_that_an_encoding_has_no_letter_for_cost_their_line_only(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"phone,note\n+447700900123,caf\xe9\n+447700900124,\x81\n+447700900125,\xfc\n")
    rows = list(read_file(path, Reading(encoding="windows-1252")))
    assert [row.line for row in rows if isinstance(row, Signal)] == [2, 4]
    assert [row.reason for row in rows if isinstance(row, RefusedRow)] == [
        "The line is not Windows-1252. Check --encoding."
    ]


def test_half_a_character_of_utf_16_costs_its_row_and_a_cut_end_is_said(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    lines = ["phone,note\n", "+447700900123,a\ud800b\n", "+447700900124,c\n", "+447700900125,d"]
    data = "".join(lines).encode("utf-16-le", "surrogatepass")
    path.write_bytes(b"\xff\xfe" + data + b"\x0a")
    rows = list(read_file(path))
    assert [row.line for row in rows if isinstance(row, Signal)] == [3]
    reasons = [(row.line, row.reason) for row in rows if isinstance(row, RefusedRow)]
    assert [line for line, _ in reasons] == [2, 4]
    assert "half of a character" in reasons[0][1]
    assert "ends within a character" in reasons[1][1]


def test_an_unknown_encoding_and_utf_32_are_refused_with_what_is_known() -> None:
    with pytest.raises(BadInput, match="windows-1254"):
        settle_encoding(b"phone\n", "klingon")
    with pytest.raises(BadInput, match="UTF-32"):
        settle_encoding("phone\n".encode("utf-32"), None)


@given(st.binary(max_size=300), st.sampled_from([None, *sorted(ENCODINGS)]))
def test_no_bytes_do_anything_but_settle_or_be_refused(sample: bytes, declared: str | None) -> None:
    try:
        settled = settle_encoding(sample, declared)
    except BadInput:
        return
    assert settled.name in ENCODINGS
    if declared is None and not settled.mark_bytes:
        assert settled.name == "utf-8"
