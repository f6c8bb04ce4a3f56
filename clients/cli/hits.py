"""Hits as a CSV file: the identifiers of the requester's own file that somebody knows."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

from broker.protocol.errors import BadInput


def write_hits(path: Path, hits: Iterable[str]) -> None:
    """Write canonical texts as rows of type, value and canonical form. Only the owner may read the file.

    Raises BadInput."""
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerow(("type", "value", "canonical"))
    for hit in hits:
        name, _, value = hit.partition("|")
        rows.writerow((name.partition("/")[0], value, hit))
    try:
        # A file that is there already keeps its mode when opened, so it is set again.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            path.chmod(0o600)
            file.write(text.getvalue())
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(f"The file of hits cannot be written: {reason}. Choose another place.") from None
