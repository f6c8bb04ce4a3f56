"""Old Excel files and workbooks with a password are known by their first bytes, whatever their name."""

import io
import zipfile
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.readers import Reading, open_table, read_file

OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "Workbook".encode("utf-16-le") + bytes(2000)
ENCRYPTED = OLD[:512] + bytes(1024**2 - 520) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
"""The name lies across the end of a piece that is read."""
ENDINGS = ["xls", "xlsx", "xlsm", "ods", "csv", "txt", "parquet", "ndjson", "json", "misp", "stix"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_old_file_is_refused_with_what_to_click_in_excel_and_in_libreoffice(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"cases.{ending}"
    path.write_bytes(OLD)
    with pytest.raises(BadInput, match=r"before 2007") as refusal:
        list(read_file(path))
    for words in ("In Excel: File, Save As", '"Excel Workbook (*.xlsx)"', '"Excel 2007-365 (.xlsx)"'):
        assert words in refusal.value.detail


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_password_is_said_with_how_to_take_it_away(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"cases.{ending}"
    path.write_bytes(ENCRYPTED)
    with pytest.raises(BadInput, match=r"protected by a password.*Protect Workbook.*Save with password"):
        list(read_file(path))


def packed() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", "y")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (packed(), "ending .xlsx, or .ods"),
        (b"<html><table>", "web pages and to text"),
        (b"phone\t+447700900123\n", "web pages and to text"),
        (b"\xd0\xcf\x11\xe0", "web pages and to text"),
    ],
)
def test_what_is_called_xls_and_is_none_is_told_what_it_is(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "export.xls"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words), open_table(path, Reading()):
        pass
