"""Hits as a CSV file: the identifiers of the requester's own file that somebody knows."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from clients.cli import run


def write_hits(path: Path, hits: Iterable[str]) -> None:
    """Write canonical texts as rows of type, value and canonical form. Only the owner may read the file.

    Raises BadInput."""
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerow(("type", "value", "canonical"))
    for hit in hits:
        name, _, value = hit.partition("|")
        rows.writerow((name.partition("/")[0], value, hit))
    run.write_private(path, text.getvalue(), "hits")
