"""The data beside the rules: numbers, regions, lanes and vocabulary, each typed and bounded.

Rule: every number of the rules is a field here with its unit in its name and its bounds in its type, far inside the
engine's 64-bit integers; an unknown lane, region, word or number is refused. It does not say what is allowed. Legal
instruments are in `broker.gate.instruments`.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from broker.gate.instrument_terms import DpvTerm
from broker.gate.plain_text import read_toml
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Jurisdiction, Message, Slug, explain
from broker.protocol.messages.vocabulary import AgencyKind, Purpose

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
    contest_decision_days: Annotated[int, Field(ge=1, le=90)]
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


Region = Annotated[tuple[Jurisdiction, ...], Field(min_length=1, max_length=250)]


class Regions(Message):
    """Groups of jurisdictions; packs of instruments name them in pairs, rules read `union`."""

    union: Region
    eevidence: Region
    """Where Regulation (EU) 2023/1543, Directive (EU) 2023/977 and Regulation (EU) 2024/982 apply."""
    budapest_parties: Region
    untoc_parties: Region
    voluntary: Region
    consent: Region


class Vocabulary(Message):
    """Terms of the W3C Data Privacy Vocabulary for our words: each purpose, and each lawful ground of a deposit."""

    purposes: dict[Purpose, DpvTerm]
    lawful_grounds: dict[Slug, DpvTerm]


Lanes = Mapping[AgencyKind, Mapping[AgencyKind, tuple[str, ...]]]
"""From the kind that deposits to the kind that reads: the gateways that may open the lane."""

_LANES: TypeAdapter[dict[AgencyKind, dict[AgencyKind, tuple[str, ...]]]] = TypeAdapter(
    dict[AgencyKind, dict[AgencyKind, tuple[str, ...]]]
)


def read_limits(text: str) -> Limits:
    """limits.toml. Raises BadInput naming the number."""
    try:
        return Limits.model_validate(read_toml("limits.toml", text))
    except ValidationError as error:
        raise BadInput(f"limits.toml: {explain(error)}") from None


def read_regions(text: str) -> Regions:
    """regions.toml. Raises BadInput."""
    try:
        return Regions.model_validate(read_toml("regions.toml", text), strict=False)
    except ValidationError as error:
        raise BadInput(f"regions.toml: {explain(error)}") from None


def read_lanes(text: str) -> Lanes:
    """lanes.toml. Raises BadInput."""
    try:
        return _LANES.validate_python(read_toml("lanes.toml", text), strict=False)
    except ValidationError as error:
        raise BadInput(f"lanes.toml: {explain(error)}") from None


def read_vocabulary(text: str) -> Vocabulary:
    """vocabulary.toml; every purpose has its term. Raises BadInput."""
    try:
        read = Vocabulary.model_validate(read_toml("vocabulary.toml", text), strict=False)
    except ValidationError as error:
        raise BadInput(f"vocabulary.toml: {explain(error)}") from None
    missing = [purpose.value for purpose in Purpose if purpose not in read.purposes]
    if missing:
        raise BadInput(f"vocabulary.toml: purposes has no term for {missing[0]}.")
    return read
