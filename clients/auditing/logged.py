"""What an auditor reads of log records and decisions: the members named here, whatever else they hold.

Rule (docs/data-model.md): a record that opened its leaf is the log's word, so it is read and not judged; a member that
a later release adds is passed over, and one that is missing where a kind needs it is a fault of the record. All kinds
of record share one type, since their members of one name mean the same. Ids and digests stay hexadecimal text.

It decides nothing again (`clients.replay`) and reads no file (`clients.auditing.mirrored`).
"""

import sys
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.dataclasses import dataclass

Repeated = Annotated[str, AfterValidator(sys.intern)]
"""Text that thousands of entries share: kept once."""


_READ = ConfigDict(extra="ignore", hide_input_in_errors=True)
"""What a later release adds is passed over, and no error repeats a value."""


class Logged(BaseModel):
    """Base of what is read from a record and dropped again. Facts, of which one is kept for each request, have slots:
    a quarter of the memory."""

    model_config = ConfigDict(frozen=True, **_READ)


@dataclass(frozen=True, slots=True, config=_READ)
class Agency:
    """A party in a decision's facts."""

    agency_id: Repeated
    kind: Repeated


@dataclass(frozen=True, slots=True, config=_READ)
class Basis:
    """The instrument that a request stands on."""

    instrument: Repeated
    article: Repeated
    reference: str


@dataclass(frozen=True, slots=True, config=_READ)
class Claimed:
    """What the requester stated."""

    case_reference: str
    basis: Basis


@dataclass(frozen=True, slots=True, config=_READ)
class Found:
    """What a legal desk verified."""

    basis: Basis
    maximum_penalty_months: int


@dataclass(frozen=True, slots=True, config=_READ)
class LedgerFacts:
    """What the broker's ledger said of the requester when it decided."""

    identifiers_30d: int
    queries_90d: int
    hits_90d: int
    count_budget_left_millis: int
    count_cost_millis: int
    prior_tier: str | None = None
    overdue_reviews: int = 0


@dataclass(frozen=True, slots=True, config=_READ)
class RequestFacts:
    """Facts of the action `admit`."""

    now: int
    space_id: str
    request_digest: str
    requester: Agency
    tier: str
    claims: Claimed
    verified: Found | None
    derived: LedgerFacts
    identifiers: int

    @property
    def goes_on(self) -> bool:
        """Whether the request selects from an earlier one, so that it asks about nothing new (L10)."""
        return self.derived.prior_tier is not None

    @property
    def basis(self) -> Basis:
        """The basis as verified, or else as claimed."""
        return (self.verified or self.claims).basis


@dataclass(frozen=True, slots=True, config=_READ)
class Result:
    """What matching found."""

    hits: int


@dataclass(frozen=True, slots=True, config=_READ)
class ReleaseFacts:
    """Facts of the action `release`."""

    now: int
    admission_digest: str
    admitted: RequestFacts
    result: Result


@dataclass(frozen=True, slots=True, config=_READ)
class DepositFacts:
    """Facts of the action `deposit`."""

    now: int
    space_id: str
    contributor: Agency
    declaration_digest: str


class Decision(Logged):
    """A decision of the gate as it was recorded. `rules`, `reasons` and `law` run in parallel."""

    bundle_digest: Repeated
    facts: ReleaseFacts | RequestFacts | DepositFacts
    outcome: str
    tier: str | None
    rules: tuple[Repeated, ...]
    reasons: tuple[Repeated, ...]
    law: tuple[Repeated, ...]

    @property
    def request(self) -> RequestFacts | None:
        """The facts of the request it is about, None for a deposit."""
        if isinstance(self.facts, ReleaseFacts):
            return self.facts.admitted
        return self.facts if isinstance(self.facts, RequestFacts) else None


@dataclass(frozen=True, slots=True, config=_READ)
class TermsBatch:
    """The points of one type that a permit is for."""

    identifier_type: Repeated
    points: int
    batch_root: str


@dataclass(frozen=True, slots=True, config=_READ)
class TermsSeries:
    """A series that a permit opens, by the name that it has in this permit alone, with its deposits."""

    handle: str
    series_id: Repeated
    identifier_type: Repeated
    deposits: tuple[Repeated, ...]


@dataclass(frozen=True, slots=True, config=_READ)
class Terms:
    """The terms of a permit. Times are Unix seconds."""

    permit_id: str
    requester: Repeated
    request_digest: str
    tier: Repeated
    batches: tuple[TermsBatch, ...]
    series: tuple[TermsSeries, ...]
    decision_digest: str
    bundle_digest: Repeated
    not_before_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, config=_READ)
class TokenList:
    """How many tokens were sent for one deposit of a series."""

    handle: str
    deposit_id: Repeated
    tokens: int


class Record(Logged):
    """A record of any kind: None where its kind has no such member."""

    permit_id: str | None = None
    request_id: str | None = None
    request_digest: str | None = None
    deposit_id: str | None = None
    series_id: str | None = None
    space_id: str | None = None
    requester: str | None = None
    contributor: str | None = None
    party_id: str | None = None
    founder: str | None = None
    auditor: str | None = None
    tier: str | None = None
    terms: Terms | None = None
    opening: Terms | None = None
    lists: tuple[TokenList, ...] | None = None
    decision: str | None = None
    earlier_decision: str | None = None
    bundle_digest: str | None = None
    release_index: int | None = None
    disclosure_digest: str | None = None
    document_digest: str | None = None
    leaf_index: int | None = None
    notice_id: str | None = None
    notice_ids: tuple[str, ...] | None = None
    notices: int | None = None
    withdrawal_digest: str | None = None
    state: str | None = None
    due_at: int | None = None
    number: int | None = None
    until_at: int | None = None
    justified: bool | None = None
    by_old_key: str | None = None
    records: int | None = None
    records_deleted: int | None = None
