"""The data beside the rules: numbers, lanes and legal instruments, each typed and bounded.

Rule: every number of the rules is a field here with its unit in its name and its bounds in its type, far inside the
engine's 64-bit integers; an unknown instrument, lane or number is refused. It does not say what is allowed.
"""

import datetime
import tomllib
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Jurisdiction, Message, Slug, explain
from broker.protocol.messages.vocabulary import AgencyKind, Authority, Tier

Identifiers = Annotated[int, Field(ge=1, le=1_000_000)]
Records = Annotated[int, Field(ge=1, le=20_000_000)]
Days = Annotated[int, Field(ge=1, le=3650)]
Months = Annotated[int, Field(ge=0, le=1200)]
Percent = Annotated[int, Field(ge=0, le=100)]


class Limits(Message):
    """The numbers of the rules; limits.toml says which rule reads which."""

    points_per_identifier: Annotated[int, Field(ge=1, le=100)]
    count_identifiers: Identifiers
    hits_identifiers: Identifiers
    sources_identifiers: Identifiers
    payload_identifiers: Identifiers
    lesser_offence_months: Months
    lesser_offence_identifiers: Identifiers
    serious_offence_months: Months
    identifiers_30d: Identifiers
    rate_queries: Identifiers
    rate_percent: Percent
    target_asks: Annotated[int, Field(ge=1, le=1000)]
    target_days: Annotated[int, Field(ge=1, le=365)]
    answer_days: Days
    ladder_seconds: Annotated[int, Field(ge=3600, le=31_536_000)]
    contributor_answer_days: Annotated[int, Field(ge=1, le=90)]
    emergency_review_days: Annotated[int, Field(ge=1, le=90)]
    released_hits: Identifiers
    released_percent: Percent
    released_percent_from: Identifiers
    count_contributors: Annotated[int, Field(ge=3, le=100)]
    count_least_identifiers: Annotated[int, Field(ge=10, le=1000)]
    count_distance_identifiers: Annotated[int, Field(ge=10, le=1000)]
    company_records: Records
    civil_records: Records
    police_records: Records
    phone_retention_days: Days
    other_retention_days: Days


class Regions(Message):
    """Groups of jurisdictions."""

    union: tuple[Jurisdiction, ...]


class Instrument(Message):
    """One legal instrument: who issues and validates it, where, how far it reaches, and since when."""

    law: Annotated[str, Field(min_length=3, max_length=500)]
    gateways: tuple[str, ...]
    issuers: tuple[Authority, ...]
    validators: tuple[Authority, ...]
    jurisdictions: tuple[Jurisdiction, ...]
    tiers: tuple[Tier, ...]
    in_force_from: datetime.date | None = None
    review: bool

    def in_force(self, now: int) -> bool:
        """Whether the instrument is in force at `now` (Unix seconds, UTC); never without a date."""
        if self.in_force_from is None:
            return False
        start = datetime.datetime.combine(self.in_force_from, datetime.time(), tzinfo=datetime.UTC)
        return int(start.timestamp()) <= now


Lanes = Mapping[AgencyKind, Mapping[AgencyKind, tuple[str, ...]]]
"""From the kind that deposits to the kind that reads: the gateways that may open the lane."""

_LANES: TypeAdapter[dict[AgencyKind, dict[AgencyKind, tuple[str, ...]]]] = TypeAdapter(
    dict[AgencyKind, dict[AgencyKind, tuple[str, ...]]]
)
_INSTRUMENTS: TypeAdapter[dict[Slug, Instrument]] = TypeAdapter(dict[Slug, Instrument])


def read_limits(text: str) -> Limits:
    """limits.toml. Raises BadInput naming the number."""
    try:
        return Limits.model_validate(_toml("limits.toml", text))
    except ValidationError as error:
        raise BadInput(f"limits.toml: {explain(error)}") from None


def read_regions(text: str) -> Regions:
    """regions.toml. Raises BadInput."""
    try:
        return Regions.model_validate(_toml("regions.toml", text), strict=False)
    except ValidationError as error:
        raise BadInput(f"regions.toml: {explain(error)}") from None


def read_lanes(text: str) -> Lanes:
    """lanes.toml. Raises BadInput."""
    try:
        return _LANES.validate_python(_toml("lanes.toml", text), strict=False)
    except ValidationError as error:
        raise BadInput(f"lanes.toml: {explain(error)}") from None


def read_instruments(text: str) -> Mapping[str, Instrument]:
    """instruments.toml. Raises BadInput."""
    try:
        return _INSTRUMENTS.validate_python(_toml("instruments.toml", text), strict=False)
    except ValidationError as error:
        raise BadInput(f"instruments.toml: {explain(error)}") from None


def _toml(name: str, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name} is not valid TOML. Look for a missing quote or bracket.") from error
