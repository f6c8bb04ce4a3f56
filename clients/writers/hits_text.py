"""Hits as CSV and as JSON.

Rule: both say the same. In CSV a hit that several contributors hold has a row for each; below `sources` the columns
about contributors are missing, not empty.
"""

import json
from collections.abc import Iterator, Sequence

from broker.protocol.messages.vocabulary import Tier
from clients.writers.csv_text import csv_text
from clients.writers.hits import Hit, Hits

_COLUMNS = ("type", "value", "canonical")
_HOLDER_COLUMNS = ("contributor", "contributor_name", "contact")


def hits_csv(hits: Sequence[Hit], tier: Tier) -> str:
    """Rows of type, value, canonical form and, from `sources` on, contributor, its name and contact."""
    named = tier in (Tier.SOURCES, Tier.PAYLOAD)
    return csv_text((*_COLUMNS, *_HOLDER_COLUMNS) if named else _COLUMNS, *_rows(hits, named))


def _rows(hits: Sequence[Hit], named: bool) -> Iterator[tuple[str, ...]]:
    for hit in hits:
        own = (hit.type, hit.value, hit.canonical)
        if not named:
            yield own
        elif not hit.holders:
            yield (*own, "", "", "")
        for holder in hit.holders if named else ():
            yield (*own, holder.contributor, holder.name, holder.contact)


def hits_json(hits: Hits) -> str:
    """An object with the request, when the broker released the answer (Unix seconds), and the hits."""
    named = hits.tier in (Tier.SOURCES, Tier.PAYLOAD)
    members = {
        "v": 1,
        "request_id": hits.request_id.hex(),
        "tier": hits.tier.value,
        "purpose": hits.purpose.value,
        "requester": hits.requester,
        "released_at": hits.released_at,
        "hits": [
            {
                "type": hit.type,
                "value": hit.value,
                "canonical": hit.canonical,
                **({"holders": [vars(holder) for holder in hit.holders]} if named else {}),
            }
            for hit in hits.hits
        ],
    }
    return json.dumps(members, indent=1, ensure_ascii=False) + "\n"
