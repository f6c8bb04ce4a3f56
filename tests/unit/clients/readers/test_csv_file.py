"""CSV as it comes: any delimiter and header, and a bad row costs itself only."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput
from clients.readers import ColumnMapping, RefusedRow, Signal, read_csv

DRAMA = "+44 7700 900123"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def signals_and_refusals(path: Path, **options: object) -> tuple[list[Signal], list[RefusedRow]]:
    rows = list(read_csv(path, **options))  # type: ignore[arg-type]  # options as a test writes them
    return [row for row in rows if isinstance(row, Signal)], [
        row for row in rows if isinstance(row, RefusedRow)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_usual_dialect_gives_the_same_signals(
    tmp_path: Path, delimiter: str, ending: str, mark: str
) -> None:
    rows = [
        ["Telefon-Nr.", "E-Mail", "seen"],
        [DRAMA, "A@example.org", "2026-01-02"],
        ["", "b@example.org", ""],
    ]
    path = written(tmp_path, mark + "".join(delimiter.join(row) + ending for row in rows))
    signals, refusals = signals_and_refusals(path)
    assert [(signal.line, signal.canonical.text, signal.attributes) for signal in signals] == [
        (2, "phone/1|+447700900123", (("seen", "2026-01-02"),)),
        (2, "email/1|a@example.org", (("seen", "2026-01-02"),)),
        (3, "email/1|b@example.org", ()),
    ]
    assert refusals == []


def test_a_bad_identifier_is_refused_with_its_line_and_the_rest_goes_in(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"phone,email\n12345,a@example.org\n{DRAMA},nonsense\n\n,\n{DRAMA},c@example.org\n"
    )
    signals, refusals = signals_and_refusals(path)
    assert [(signal.line, signal.canonical.type) for signal in signals] == [
        (2, "email"),
        (3, "phone"),
        (6, "phone"),
        (6, "email"),
    ]
    assert [refusal.line for refusal in refusals] == [2, 3]
    assert "12345" not in refusals[0].reason
    assert "nonsense" not in refusals[1].reason


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"{DRAMA},note,surplus", "more columns"),
        (f"{DRAMA},no\0te", "NUL"),
        (f"{DRAMA},{'x' * 5000}", "4,096"),
        (f"{DRAMA},{'x' * 300_000}", "longer than"),
        (f'{DRAMA},"note', "quotation"),
        (f'{DRAMA},"no"te', "quotation"),
        (",note", "no identifier"),
    ],
)
def test_a_malformed_row_is_refused_and_its_neighbours_go_in(tmp_path: Path, row: str, words: str) -> None:
    path = written(tmp_path, f'phone,note\n{DRAMA},first\n{row}\n{DRAMA},"third"\n{DRAMA},fourth\n')
    signals, refusals = signals_and_refusals(path)
    assert [signal.line for signal in signals] == [2, 4, 5]
    assert [refusal.line for refusal in refusals] == [3]
    assert words in refusals[0].reason
    assert "note" not in refusals[0].reason.replace("another", "")


def test_a_late_line_that_is_not_utf_8_costs_itself_only(tmp_path: Path) -> None:
    filler = b"+447700900123,filler\n" * 4000  # more than what is looked at first
    signals, refusals = signals_and_refusals(
        written(tmp_path, b"phone,note\n" + filler + b"+447700900124,caf\xe9\n+447700900125,end\n")
    )
    assert len(signals) == 4001
    assert [refusal.line for refusal in refusals] == [4002]
    assert "not UTF-8" in refusals[0].reason


def test_a_quoted_field_may_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = written(tmp_path, f'phone,note\n{DRAMA},"one, ""two""\nthree\u2028four"\n{DRAMA},after\n')
    signals, refusals = signals_and_refusals(path)
    assert [signal.attributes[0][1] for signal in signals] == ['one, "two"\nthree\u2028four', "after"]
    assert [signal.line for signal in signals] == [2, 4]
    assert refusals == []


def test_a_national_number_takes_its_rows_region_then_the_default_and_is_never_guessed(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "phone,country\n0532 123 45 67,TR\n07700 900123,\n")
    signals, refusals = signals_and_refusals(path, default_region="gb")
    assert [signal.canonical.value for signal in signals] == ["+905321234567", "+447700900123"]
    signals, refusals = signals_and_refusals(path)
    assert [signal.line for signal in signals] == [2]
    assert "no region" in refusals[0].reason


def test_type_and_value_columns_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, f"type;value;ref\nE-Mail;A@example.org;c1\nmobile;{DRAMA};c2\nshoe;42;c3\n")
    signals, refusals = signals_and_refusals(path)
    assert [(signal.canonical.text, signal.attributes) for signal in signals] == [
        ("email/1|a@example.org", (("reference", "c1"),)),
        ("phone/1|+447700900123", (("reference", "c2"),)),
    ]
    assert [refusal.line for refusal in refusals] == [4]
    assert "shoe" not in refusals[0].reason


def test_two_columns_of_one_name_are_both_read_and_one_number_twice_is_one_signal(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,phone,mobile,note,note\n+447700900123,+447700900124,00447700900123,a,b\n")
    signals, _ = signals_and_refusals(path, default_region="DE")
    assert [signal.canonical.value for signal in signals] == ["+447700900123", "+447700900124"]
    assert signals[0].attributes == (("note", "a"), ("note (5)", "b"))


def test_no_identifier_of_a_row_becomes_an_attribute_of_another(tmp_path: Path) -> None:
    signals, _ = signals_and_refusals(written(tmp_path, f"tel,mail,city\n{DRAMA},a@example.org,Leeds\n"))
    assert [signal.attributes for signal in signals] == [(("city", "Leeds"),)] * 2


def test_a_mapping_names_columns_that_no_guess_would_find(tmp_path: Path) -> None:
    path = written(tmp_path, f"Spalte A,Spalte B,Spalte C\n{DRAMA},secret,note\n")
    mapping = ColumnMapping(identifiers=(("spalte a", "phone"),), ignored=("Spalte B",))
    signals, _ = signals_and_refusals(path, mapping=mapping)
    assert [signal.attributes for signal in signals] == [(("Spalte C", "note"),)]


def test_the_columns_names_once_more_in_the_middle_are_refused_as_that(tmp_path: Path) -> None:
    row, again = f"{DRAMA},a@example.org,x", " PHONE ,Email,\u200fnote"
    path = written(tmp_path, f"phone,email,note\n{row}\n{again}\n{row}\n")
    signals, refusals = signals_and_refusals(path)
    assert [signal.line for signal in signals] == [2, 2, 4, 4]
    assert [(refusal.line, refusal.reason) for refusal in refusals] == [
        (3, "The row repeats the columns' names.")
    ]


def test_marks_of_direction_around_names_change_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, f"\u200fphone\u200e,\u202bملاحظة\u202c\n{DRAMA},x\n")
    signals, _ = signals_and_refusals(path)
    assert signals[0].attributes == (("ملاحظة", "x"),)


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_first_line_that_declares_the_delimiter_is_no_line_of_names(tmp_path: Path, first: str) -> None:
    path = written(tmp_path, f"{first}\nphone;a,b,c\n{DRAMA};x,y,z\n")
    signals, _ = signals_and_refusals(path)
    assert [(signal.line, signal.attributes) for signal in signals] == [(3, (("a,b,c", "x,y,z"),))]


def test_a_column_without_a_name_gets_its_place_for_one(tmp_path: Path) -> None:
    signals, _ = signals_and_refusals(written(tmp_path, f"phone,,x,\n{DRAMA},a,b,\n"))
    assert signals[0].attributes == (("column 2", "a"), ("x", "b"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"phone,note\r\n", "no row below"),
        (",".join(f"c{number}" for number in range(1001)).encode(), "1,001 columns"),
        (f"phone,{'x' * 300}\n".encode(), "name of column 2"),
        (b"a@example.org,phone\n", "identifier in column 1"),
        (b"+44 7700 900123;x\n", "identifier in column 1"),
        (b"07700 900123;x\n", "identifier in column 1"),
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"+447700900123\n+447700900124\n", "column 1"),
        (b"note\n+447700900124\n", "No column"),
        ("phone,café\n".encode("cp1252"), "not UTF-8"),
        (b"phone\r+447700900123\r", "Macintosh"),
        (b'phone,"note\n+447700900123,x\n', "not closed"),
        (b"phone," + b"x" * 270_000, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_says_what_to_do(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as refusal:
        list(read_csv(written(tmp_path, content)))
    assert "7700900" not in refusal.value.detail


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("Export of cases,,\nMade on 2026-01-02,,\n,,\n", 4),
        ("Export of cases\n\n", 3),
        ("Report of unit 7;;\n", 2),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_title_above_the_names_is_said_with_the_line_where_they_stand(
    tmp_path: Path, title: str, line: int, delimiter: str
) -> None:
    path = tmp_path / "titled.csv"
    path.write_text(title + "Telefon,Notiz,Ort\n+447700900123,a,b\n".replace(",", delimiter))
    with pytest.raises(BadInput, match=f"--header-row {line} ") as refusal:
        list(read_csv(path))
    assert "Telefon" not in refusal.value.detail
    assert "Export" not in refusal.value.detail


def test_a_missing_file_a_folder_and_a_wrong_region_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        next(read_csv(tmp_path / "447700900123.csv"))
    with pytest.raises(BadInput, match="directory"):
        next(read_csv(tmp_path))
    with pytest.raises(BadInput, match="default region"):
        next(read_csv(written(tmp_path, "phone\n"), default_region="Britain"))


def test_a_file_is_read_as_it_is_asked_for_and_not_ahead(tmp_path: Path) -> None:
    rows = read_csv(written(tmp_path, "phone\n" + "+447700900123\n" * 50_000))
    first = next(rows)
    assert isinstance(first, Signal)
    (tmp_path / "table.csv").write_bytes(b"")
    # Cut off under the reader's hands, the file ends after what one buffer held: far from 50,000 rows.
    taken: list[object] = []
    with pytest.raises(BadInput, match="changed while it was read"):
        taken.extend(rows)
    assert 0 < len(taken) < 20_000


@given(st.binary(max_size=200))
def test_no_file_content_does_anything_but_rows_refusals_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), b"phone,email,note\n" + content)
    lines = content.count(b"\n") + 2
    try:
        rows = list(read_csv(path, default_region="GB"))
    except BadInput:
        return
    assert all(2 <= row.line <= lines for row in rows)


def test_account_names_get_their_platform_from_the_column_or_its_neighbour(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "Instagram,Benutzername,Plattform,Land,Website\n"
        "@A.lice,bob99,Telegram,GB,hxxps://example[.]org/ad/9?utm_source=x\n"
        ",t.me/Carol_99,,GB,\n"
        ",dave99,,GB,\n",
    )
    signals, refusals = signals_and_refusals(path)
    assert [(signal.line, signal.canonical.text) for signal in signals] == [
        (2, "handle/1|instagram:a.lice"),
        (2, "handle/1|telegram:bob99"),
        (2, "url/1|https://example.org/ad/9"),
        (3, "handle/1|telegram:carol_99"),
    ]
    assert all(signal.attributes == () for signal in signals)
    assert [(refusal.line, "does not say its platform" in refusal.reason) for refusal in refusals] == [
        (4, True)
    ]


def test_a_type_column_may_name_a_platform_and_a_mapping_a_region(tmp_path: Path) -> None:
    path = written(tmp_path, "type,value\nTikTok,@alice99\nIP,203[.]0[.]113[.]7\n")
    signals, _ = signals_and_refusals(path)
    assert [signal.canonical.text for signal in signals] == ["handle/1|tiktok:alice99", "ip/1|203.0.113.7"]
    path = written(tmp_path, "spalte a\n07700 900123\n")
    mapping = ColumnMapping(identifiers=(("Spalte A", "phone:GB"),))
    signals, _ = signals_and_refusals(path, mapping=mapping, default_region="DE")
    assert [signal.canonical.text for signal in signals] == ["phone/1|+447700900123"]


def test_things_get_their_country_and_quality_from_the_columns_beside_them(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "Kennzeichen,Land,IBAN,IMEI,PDQ hash,Quality,SHA-256\n"
        "b mw-1234,DE,DE89 3704 0044 0532 0130 00,49-015420-323751-8,,,\n"
        "BMW1234,DE,DE89 3704 0044 0532 0130 01,,,,\n"
        ",,,,D8F8F0CEE0F4A84F0637022A078F67F0B36E2ED596621E1D33E6339C4E9C9B22,100,\n"
        ",,,,D8F8F0CEE0F4A84F0637022A078F67F0B36E2ED596621E1D33E6339C4E9C9B22,20,\n"
        ",,,,,,e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
    )
    signals, refusals = signals_and_refusals(path)
    assert [(signal.line, signal.canonical.text) for signal in signals] == [
        (2, "licence_plate/1|DE:B-MW1234"),
        (2, "iban/1|DE89370400440532013000"),
        (2, "imei/1|490154203237518"),
        (4, "pdq/1|d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"),
    ]
    assert all(signal.attributes == () for signal in signals)
    reasons = [(refusal.line, refusal.reason) for refusal in refusals]
    assert [line for line, _ in reasons] == [3, 3, 5, 6]
    for words, (_, reason) in zip(
        ("two cars", "check digits", "under 50", "match everyone"), reasons, strict=True
    ):
        assert words in reason
