"""What would become of a file's columns, without a value."""

from pathlib import Path

from clients.readers import Reading, guess_mapping, open_table
from clients.readers.columns.column_report import Report, report_columns
from clients.readers.columns.roles import roles_of


def report(path: Path, rows: int = 1000) -> Report:
    with open_table(path, Reading()) as table:
        mapping = guess_mapping(table.names)
        return report_columns(table, roles_of(table.names, mapping), mapping, Reading(), rows)


def test_values_are_counted_by_column_with_the_reasons(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "phone,email,note\n+447700900123,a@example.org,x\n12345,b@example.org,y\n,nonsense,z\n12345,,z\n\x00,,\n"
    )
    found = report(path)
    assert [(column.accepted, column.refused) for column in found.columns] == [(1, 2), (2, 1), (0, 0)]
    ((reason, count),) = found.columns[0].reasons.items()
    assert count == 2
    assert "12345" not in reason
    assert (found.rows, found.damaged_rows) == (5, 1)


def test_an_attribute_that_looks_like_an_identifier_is_pointed_out(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "phone,contact,city\n" + "+447700900123,a@example.org,Leeds\n" * 9 + "+447700900123,none,York\n"
    )
    looks = [column.looks_like for column in report(path).columns]
    assert looks == [None, ("email", 9), None]


def test_a_table_without_a_recognised_column_is_still_shown(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + "+447700900123,x\n" * 5)
    assert [column.looks_like for column in report(path).columns] == [("phone", 5), None]


def test_only_so_many_rows_are_tried(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("phone\n" + "+447700900123\n" * 50)
    assert report(path, rows=7).columns[0].accepted == 7
