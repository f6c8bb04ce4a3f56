"""Hits as CSV and JSON say the same, and name contributors only where the answer did."""

import csv
import io
import json
from dataclasses import replace
from uuid import UUID

import pytest

from broker.protocol.messages.ladder import Source
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, Tier
from clients.requesting.request_values import Answer, FoundSource
from clients.writers.hits import Hit, Hits, Holder, hits_of
from clients.writers.hits_text import hits_csv, hits_json
from tests.messages_examples import CONDITIONS

HOLDERS = (
    Holder("company-1", '=HYPERLINK("https://example.org")', "desk@example.org"),
    Holder("ngo-1", "NGO", ""),
)
KNOWN = (Hit("phone/1|+447700900123", HOLDERS), Hit("email/1|user@example.org"))
HITS = Hits(bytes(16), Tier.SOURCES, Purpose.IDENTIFY_VICTIM, "Unit 1", 1_800_000_000, UUID(int=1), KNOWN)


def test_who_holds_a_hit_is_told_once_each() -> None:
    source = Source(
        series_id=bytes(32), contributor="company-1", name="Example Ltd", kind=AgencyKind.COMPANY,
        contact="desk@example.org", conditions=CONDITIONS, tokens=b"",
    )  # fmt: skip
    found = FoundSource(source=source, identifiers=("phone/1|+447700900123",))
    answer = Answer(
        request_id=bytes(16), tier=Tier.SOURCES, identifiers=2, rules=(), reasons=(), law=(), trial=True,
        hits=("email/1|user@example.org", "phone/1|+447700900123"), sources=(found, found),
    )  # fmt: skip
    holder = Holder("company-1", "Example Ltd", "desk@example.org")
    assert hits_of(answer) == (Hit("email/1|user@example.org"), Hit("phone/1|+447700900123", (holder,)))


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_hit_has_a_row_for_each_contributor_and_no_formula_leaves() -> None:
    assert rows(hits_csv(KNOWN, Tier.SOURCES)) == [
        ["type", "value", "canonical", "contributor", "contributor_name", "contact"],
        [
            "phone",
            "'+447700900123",
            "phone/1|+447700900123",
            "company-1",
            "'" + HOLDERS[0].name,
            "desk@example.org",
        ],
        ["phone", "'+447700900123", "phone/1|+447700900123", "ngo-1", "NGO", ""],
        ["email", "user@example.org", "email/1|user@example.org", "", "", ""],
    ]


@pytest.mark.parametrize("tier", [Tier.HITS, Tier.COUNT])
def test_below_sources_nothing_of_contributors_is_written_even_if_it_were_known(tier: Tier) -> None:
    for text in (hits_csv(KNOWN, tier), hits_json(replace(HITS, tier=tier))):
        assert "company-1" not in text
        assert "contact" not in text
        assert "example.org/" not in text


def test_json_tells_the_same() -> None:
    told = json.loads(hits_json(HITS))
    assert told == {
        "v": 1,
        "request_id": "00" * 16,
        "tier": "sources",
        "purpose": "identify_victim",
        "requester": "Unit 1",
        "released_at": 1_800_000_000,
        "hits": [
            {
                "type": "phone",
                "value": "+447700900123",
                "canonical": "phone/1|+447700900123",
                "holders": [vars(holder) for holder in HOLDERS],
            },
            {
                "type": "email",
                "value": "user@example.org",
                "canonical": "email/1|user@example.org",
                "holders": [],
            },
        ],
    }
    assert "900123" not in repr(HITS)
