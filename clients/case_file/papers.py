"""What is in a case folder: its signed manifest and hand-overs, and the papers of a case step by step.

Rule: papers of others are in it as they were received, byte for byte. The requester adds what it alone can say: which
of its identifiers are behind the tokens, and the key of each record it opened. Nothing of identifiers that hit nothing,
or that nobody went on with, is here, and no salted hash, blind, point or salt at all (decision 0012).

These documents stay between the people of a case; no service reads them. It checks nothing: see
`clients.case_file.checks`.
"""

from dataclasses import dataclass, field
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
)
from broker.protocol.messages.log import OpenedEntry
from broker.protocol.messages.requests import Admission, Opening, TokenSubmission
from broker.protocol.messages.vocabulary import Tier

MAXIMUM_FILES = 10_000
FilePath = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}){0,3}$"
    ),
]
"""A file's name inside the folder, with `/` between its parts."""


class ListedFile(Message):
    """One file of the folder."""

    path: FilePath
    bytes: Annotated[int, Field(ge=0)]
    sha256: Bytes32


class CaseManifest(Message):
    """The requester's word for a whole case folder, and the beginning of its chain of custody."""

    TYP: ClassVar[str] = "case-manifest"
    v: Literal[1] = 1
    space_id: Id16
    roster_version: Annotated[int, Field(ge=1)]
    """The roster under which the requester signs this."""
    requester: Slug
    case_reference: Annotated[str, Field(max_length=200)]
    requests: Annotated[tuple[Id16, ...], Field(min_length=1, max_length=3)]
    """From the first asked to the highest tier."""
    officer: Slug
    """Who exported."""
    exported_at: Seconds
    files: Annotated[tuple[ListedFile, ...], Field(min_length=1, max_length=MAXIMUM_FILES)]
    """By path: every file but the manifest and what is in `custody/`."""


class HandOver(Message):
    """Whoever has a case folder hands it to somebody, and signs for everything before."""

    TYP: ClassVar[str] = "case-hand-over"
    v: Literal[1] = 1
    number: Annotated[int, Field(ge=1, le=1000)]
    before_digest: Bytes32
    """Over the manifest and every earlier hand-over: `clients.case_file.custody.before_digest`."""
    enrolment: Document
    """Who hands over: signed by the very key that signs this."""
    to: Name
    handed_at: Seconds


class FoundMatch(Message):
    """One match behind an identifier."""

    deposit_id: Bytes32
    token: Annotated[Blob, Field(min_length=16, max_length=16)]


class FoundIdentifier(Message):
    """One of the requester's identifiers that hit, with its place in the request."""

    identifier_type: Slug
    index: Count
    identifier: Annotated[str, Field(repr=False)]
    matches: Annotated[tuple[FoundMatch, ...], Field(min_length=1)]


class FoundIdentifiers(Message):
    """Those hits of a step that the next one went on with; of the last step all of them. By type and index."""

    v: Literal[1] = 1
    found: tuple[FoundIdentifier, ...]


class OpenedRecordKey(Message):
    """How one released record is opened again: `key` opens the sealed record of this deposit and token alone."""

    v: Literal[1] = 1
    identifier: Annotated[str, Field(repr=False)]
    contributor: Slug
    deposit_id: Bytes32
    token: Annotated[Blob, Field(min_length=16, max_length=16)]
    record_version: Count
    key: Annotated[Blob, Field(repr=False, min_length=32, max_length=32)]


@dataclass(frozen=True)
class OpenedPaper:
    """A record that was opened: how, and what was in it."""

    opened: OpenedRecordKey
    plaintext: bytes = field(repr=False)


@dataclass(frozen=True)
class StepPapers:
    """The papers of one request. `tier` is what was asked; see `clients.case_file.layout` for the files."""

    tier: Tier
    request: str
    findings: tuple[str, ...]
    approvals: tuple[str, ...]
    admission: Admission
    statements: tuple[str, ...]
    disclosure: str
    released: OpenedEntry
    """The log entry that records the disclosure, with the record and salt that open it."""
    found: FoundIdentifiers
    submission: TokenSubmission | None = field(default=None, repr=False)
    """Only of a request that selects: its tokens are those of hits. Others also sent what hit nothing."""
    opening: Opening | None = field(default=None, repr=False)
    confirmation: str | None = None
    """That a person looked at this step's matches."""


@dataclass(frozen=True)
class CasePapers:
    """All papers of a case, from the first request to the highest tier."""

    founder: str
    rosters: tuple[str, ...]
    """The space documents that the requests name, by version."""
    steps: tuple[StepPapers, ...]
    records: tuple[OpenedPaper, ...] = ()
    """In the order of the opening's records; none if nothing was opened."""
