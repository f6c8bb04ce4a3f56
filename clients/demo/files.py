"""How the demo's parties keep their files: CSV, an Excel workbook, a STIX 2.1 bundle.

Rule: the name's ending says which. A bundle has one indicator for each row's identifier, and nothing else of the row.

It makes nothing up: rows come from `clients.demo.data`.
"""

import csv
import json
import uuid
from collections.abc import Sequence
from pathlib import Path

_SEEN = "2026-09-01T00:00:00.000Z"
_OBSERVED = {"phone": "phone-number", "email": "email-addr"}


def write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows under the columns' names in the format of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xlsx":
        _write_workbook(path, names, rows)
    elif path.suffix == ".json":
        found = [dict(zip(names, row, strict=True)) for row in rows]
        _write_bundle(path, [(kind, row[kind]) for row in found for kind in _OBSERVED if row[kind]])
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([names, *rows])


def _write_workbook(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # Imported on use: it is of the extra `data`, and takes a while.
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    for row in (names, *rows):
        sheet.append(list(row))
    book.save(path)


def _write_bundle(path: Path, identifiers: Sequence[tuple[str, str]]) -> None:
    indicators = [
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--{uuid.uuid5(uuid.NAMESPACE_URL, f'{path.name} {number}')}",
            "created": _SEEN,
            "modified": _SEEN,
            "valid_from": _SEEN,
            "pattern_type": "stix",
            "pattern": f"[{_OBSERVED[kind]}:value = '{value}']",
        }
        for number, (kind, value) in enumerate(identifiers)
    ]
    bundle = {
        "type": "bundle",
        "id": f"bundle--{uuid.uuid5(uuid.NAMESPACE_URL, path.name)}",
        "objects": indicators,
    }
    path.write_text(json.dumps(bundle, indent=1), encoding="utf-8")
