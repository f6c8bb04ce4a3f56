"""What became of matches, as requesters report it, and what contributors are told of it and of how they were asked.

Rule: a report is signed over numbers and a digest; the tokens it is about travel beside it and bind under a nonce that
is not kept, so that the stored document outlives no record that is taken back (decision 0006). What a contributor is
told names no requester, case, officer or request, and no time finer than a month (decision 0010). How numbers are made
is `broker.statistics`'.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Count,
    Document,
    Id16,
    Message,
    Name,
    Seconds,
    Slug,
    Text,
)
from broker.protocol.messages.deposits import TOKEN_BYTES
from broker.protocol.messages.vocabulary import MatchOutcome

MAXIMUM_ENTRIES = 100_000
"""Matches that one report tells of."""
Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
"""A calendar month, UTC, such as 2026-09."""


class OutcomeEntry(Message):
    """What became of one match: a token that was disclosed, in the deposit it was derived for."""

    deposit_id: Bytes32
    token: Annotated[Blob, Field(min_length=TOKEN_BYTES, max_length=TOKEN_BYTES, repr=False)]
    outcome: MatchOutcome


class OutcomeReport(Message):
    """What became of a request's matches; signed by the requester. A later number replaces an earlier one."""

    TYP: ClassVar[str] = "outcome"
    v: Literal[1] = 1
    request_id: Id16
    requester: Slug
    disclosure_digest: Bytes32
    """SHA-256 of the disclosure's document, which names the tokens that may be reported on."""
    number: Annotated[int, Field(ge=1, le=1_000_000)]
    """1 for the first report on a request, then without a gap."""
    entries_digest: Bytes32
    """`entries_digest` of the nonce and the entries."""
    useful: Count
    false_match: Count
    victim_identified: Count
    not_yet_known: Count
    reported_at: Seconds


class OutcomeSubmission(Message):
    """The call with an OutcomeReport: its nonce and its entries, in increasing order of deposit and token."""

    document: Document
    nonce: Bytes32
    entries: Annotated[tuple[OutcomeEntry, ...], Field(min_length=1, max_length=MAXIMUM_ENTRIES)]


class Cell(Message):
    """How many requests, about, for one name of a list: a tier, a rule, a purpose. Never below `Statistics.least`."""

    name: Name
    requests: Count
    law: Text | None = None
    """Of a rule: the law it stands on."""


class SeriesMonth(Message):
    """One series in one month. What is not listed, or None, is nought, below the least number, or withheld."""

    series_id: Bytes32
    month: Month
    asked: Count | None = None
    verdicts: tuple[Cell, ...] = ()
    """`admitted`; `left_out`, by this series' own conditions; `refused`, the whole request."""
    tiers: tuple[Cell, ...] = ()
    rules: tuple[Cell, ...] = ()
    """The rules that admitted or refused this series: a request may count under several."""
    instruments: tuple[Cell, ...] = ()
    """As a legal desk verified them, like purposes and offences: what was only claimed is not counted."""
    purposes: tuple[Cell, ...] = ()
    offences: tuple[Cell, ...] = ()
    outcomes: tuple[Cell, ...] = ()
    """Requests for which at least one match with this series was so reported in this month."""


class Statistics(Message):
    """What a contributor is told: each of its series in each month that is over and published, in that order."""

    least: Count
    """Fewer requests than this are never told; numbers are multiples of it."""
    epsilon_millis: Count
    """Privacy loss of each number for one request, in thousandths."""
    months: tuple[SeriesMonth, ...]


def entries_digest(nonce: bytes, entries: Sequence[OutcomeEntry]) -> bytes:
    """What a report binds its entries by; without the 32-byte nonce no guess can be tested. 32 bytes."""
    digest = hashlib.sha256(b"narrowgate/v1/outcomes\x00" + nonce)
    for entry in entries:
        digest.update(entry.deposit_id + entry.token + entry.outcome.value.encode() + b"\x00")
    return digest.digest()


def counts(entries: Sequence[OutcomeEntry]) -> dict[str, int]:
    """How many entries there are of each outcome, by its word; all words are there."""
    told = [entry.outcome for entry in entries]
    return {outcome.value: told.count(outcome) for outcome in MatchOutcome}
