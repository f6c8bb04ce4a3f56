"""NDJSON: each line is a row of its own, with members of its own."""

from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.readers import ColumnMapping, RefusedRow, Signal, read_ndjson


def read(folder: Path, content: str, mapping: ColumnMapping | None = None) -> list[Signal | RefusedRow]:
    path = folder / "rows.ndjson"
    path.write_text(content, encoding="utf-8")
    return list(read_ndjson(path, mapping=mapping, default_region="GB"))


def test_members_are_columns_and_may_differ_from_line_to_line(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        '{"phone":"07700 900123","seen":{"b":1,"a":[true]},"empty":null,"n":3}\n\n'
        '{"type":"email","raw":"A@example.org","reference":"case 7"}\n'
        '{"mobile":"0532 123 45 67","email":"b@example.org","region":"TR"}\n'
        '{"phone":447700900123,"region":"CH"}\n',
    )
    assert [(row.line, row.canonical.text, row.attributes) for row in rows if isinstance(row, Signal)] == [
        (1, "phone/1|+447700900123", (("seen", '{"a":[true],"b":1}'), ("n", "3"))),
        (3, "email/1|a@example.org", (("reference", "case 7"),)),
        (4, "phone/1|+905321234567", ()),
        (4, "email/1|b@example.org", ()),
    ]
    assert [row.line for row in rows if isinstance(row, RefusedRow)] == [5]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not valid JSON"),
        ("[" * 50_000, "not valid JSON"),
        ('["07700 900123"]', "not a JSON object"),
        ('{"phone":"07700 900123","phone":"07700 900124"}', "twice"),
        ('{"phone":["07700 900123"]}', "must be text"),
        ('{"phone":true}', "must be text"),
        ('{"note":"07700 900123"}', "No column"),
        ('{"phone":"07700 900123","note":NaN}', "cannot be kept"),
        ('{"phone":"07700 900123","note":"\\ud800"}', "half of a character"),
        ('{"phone":"07700 900123","\\u0000":"x"}', "damaged"),
        ('{"phone":"07700 900123","note":"' + "x" * 70_000 + '"}', "longer than"),
    ],
)
def test_a_malformed_line_is_refused_and_its_neighbours_go_in(tmp_path: Path, line: str, words: str) -> None:
    rows = read(tmp_path, f'{{"phone":"07700 900125"}}\n{line}\n{{"phone":"07700 900126"}}\n')
    assert [(row.line, type(row)) for row in rows] == [(1, Signal), (2, RefusedRow), (3, Signal)]
    refused = rows[1]
    assert isinstance(refused, RefusedRow)
    assert words in refused.reason
    assert "900" not in refused.reason


def test_a_mapping_holds_for_lines_that_lack_some_of_its_members(tmp_path: Path) -> None:
    mapping = ColumnMapping(identifiers=(("a", "phone"), ("b", "email")))
    rows = read(tmp_path, '{"a":"07700 900123"}\n{"b":"a@example.org"}\n{"c":"x"}\n', mapping)
    assert [type(row) for row in rows] == [Signal, Signal, RefusedRow]


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        next(read_ndjson(tmp_path / "none.ndjson"))
