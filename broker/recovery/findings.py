"""One thing that is wrong with what a broker stored: where, and what, for the person who has to mend it.

Rule: plain English; names rows by the names that documents have anyway (ids, thumbprints, numbers of entries), never
by a token, and repeats no content.
"""

from collections.abc import Mapping
from typing import Any

from broker.translog.stored import Finding
from broker.translog.stored import entry_name as entry

__all__ = ["Finding", "entry", "named"]

_NAMED_BY = (
    "kid",
    "request_id",
    "permit_id",
    "deposit_id",
    "deposit_number",
    "series_id",
    "holder_id",
    "batch_number",
    "number",
    "declaration_digest",
    "request_digest",
    "activation",
    "space_id",
    "roster_version",
    "salt_id",
)
"""The most telling first; three of them are told."""


def named(table: str, row: Mapping[str, Any]) -> str:
    """A row, by those of its names that tell it from others; long ones are cut to 16 digits."""
    parts = [
        f"{name} {value.hex()[:16] if isinstance(value, bytes) else str(value)[:16]}"
        for name in _NAMED_BY
        if (value := row.get(name)) is not None
    ]
    return f"table {table}, {', '.join(parts[:3]) or 'a row'}"
