"""What is kept of a request, as values: its plan, its tokens, its answer, what was opened, how it was refused.

Rule: identifiers, hashes, blinds and tokens are left out of every representation, so that no log line shows them. Where
each is kept, sealed or not, is `clients.requesting.request_folder`'s.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Id16,
    Message,
    MessageT,
    Name,
    Seconds,
    Slug,
    Text,
    read,
)
from broker.protocol.messages.ladder import Source
from broker.protocol.messages.log import LogProof, OpenedEntry
from broker.protocol.messages.requests import TokenSubmission
from broker.protocol.messages.vocabulary import Tier
from clients.remote import RefusedByGate


class PlannedBatch(Message):
    """The identifiers of one type, in index order, with what blinds them. All but the points is secret."""

    identifier_type: Slug
    identifiers: Annotated[tuple[str, ...], Field(repr=False)]
    hashes: Annotated[Blob, Field(repr=False)]
    """h of each, 64 bytes, one after another."""
    blinds: Annotated[Blob, Field(repr=False)]
    """r of each, 32 bytes."""
    points: Blob
    """B = r * P of each, 32 bytes."""


class SpelledPerson(Message):
    """A person of the requester's file, and the other spellings that are asked about for it."""

    written: Annotated[str, Field(repr=False)]
    """The canonical text of the file's own spelling."""
    others: Annotated[tuple[str, ...], Field(repr=False)]


class Plan(Message):
    """All batches of a request, in its order."""

    v: Literal[1] = 1
    batches: tuple[PlannedBatch, ...]
    persons: tuple[SpelledPerson, ...] = ()
    """Those who are asked about in several spellings; each spelling is an identifier of a batch, too."""


class Tokens(Message):
    """The one submission of a request; `orders[i][j]` is the index of the identifier behind token j of list i. They are
    empty once something of the answer was erased because it was taken back."""

    v: Literal[1] = 1
    submission: Annotated[TokenSubmission, Field(repr=False)]
    orders: Annotated[tuple[tuple[int, ...], ...], Field(repr=False)]


class HitToken(Message):
    """One match behind a hit: what the requester reports an outcome by."""

    identifier: Annotated[str, Field(repr=False)]
    deposit_id: Bytes32
    token: Annotated[Blob, Field(repr=False)]


class FoundSource(Message):
    """One contributor that holds some of the identifiers, with what it says of itself and its conditions."""

    source: Source
    identifiers: Annotated[tuple[str, ...], Field(repr=False)]


class OpenedPayload(Message):
    """One record that was opened: what a contributor had to say of one identifier."""

    identifier: Annotated[str, Field(repr=False)]
    contributor: Slug
    deposit_id: Bytes32
    token: Annotated[Blob, Field(repr=False)]
    record_version: int
    plaintext: Annotated[Blob, Field(repr=False)]


class OpenedPayloads(Message):
    """All records of one request that were opened."""

    v: Literal[1] = 1
    payloads: tuple[OpenedPayload, ...]


class FoundPerson(Message):
    """A person of the requester's file who is known, and under which of the spellings that were asked about."""

    written: Annotated[str, Field(repr=False)]
    found_as: Annotated[tuple[str, ...], Field(repr=False)]


class Answer(Message):
    """What a request came to. `hits` are those of the requester's own identifiers that somebody knows."""

    v: Literal[1] = 1
    request_id: Id16
    tier: Tier
    identifiers: int
    """How many were asked about."""
    hits: Annotated[tuple[str, ...], Field(repr=False)] = ()
    persons_asked: int = 0
    """How many persons were asked about in several spellings."""
    persons: tuple[FoundPerson, ...] = ()
    """Those of them who are known. Each spelling is one of the hits, too."""
    hit_tokens: Annotated[tuple[HitToken, ...], Field(repr=False)] = ()
    sources: tuple[FoundSource, ...] = ()
    records: int = 0
    """How many sealed records were released; see `OpenedPayloads` for what was in them."""
    noised_count: int | None = None
    contributors: int | None = None
    rules: tuple[Name, ...]
    reasons: tuple[Text, ...]
    law: tuple[Text, ...]
    trial: bool


class Refusal(Message):
    """A refusal as it was told, by the broker or by a key holder."""

    v: Literal[1] = 1
    detail: Text
    rules: tuple[Text, ...]
    reasons: tuple[Text, ...]
    law: tuple[Text, ...]
    missed: tuple[Text, ...]
    notes: tuple[Text, ...]
    trial: bool
    proof: LogProof | None = None
    """That the broker recorded the refusal; a key holder's has none."""
    recorded: OpenedEntry | None = None
    """The entry opened, of a refusal on the result: it names the request and what was told."""

    @classmethod
    def of(cls, error: RefusedByGate, trial: bool) -> "Refusal":
        """The told part of an error. `trial` serves where the answer does not say."""
        said = error.extensions.get("trial")
        return cls(
            detail=error.detail,
            rules=error.rules,
            reasons=error.reasons,
            law=error.law,
            missed=error.missed,
            notes=error.notes,
            trial=said if isinstance(said, bool) else trial,
            proof=_read(LogProof, error.extensions.get("proof")),
            recorded=_read(OpenedEntry, error.extensions.get("recorded")),
        )

    def error(self) -> RefusedByGate:
        """The refusal as the error it was."""
        members: dict[str, Any] = self.model_dump(mode="json", exclude={"v", "detail"}, exclude_none=True)
        return RefusedByGate("refused", self.detail, members)


class Begun(Message):
    """That a request is being made, and since when: what follows may be cut short."""

    v: Literal[1] = 1
    begun_at: Seconds


class Forgotten(Message):
    """That the retention is over, and since when nothing of the identifiers is left here."""

    v: Literal[1] = 1
    forgotten_at: Seconds


def _read(kind: type[MessageT], told: object) -> MessageT | None:
    """A proof in a refusal, as far as it is one: a broker that sends none has refused all the same."""
    if told is None:
        return None
    try:
        return read(kind, json.dumps(told).encode())
    except BadInput:
        return None
