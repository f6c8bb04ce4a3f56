"""One legal instrument as data: who issues and validates it, between which jurisdictions, how far, and since when.

Rule: an instrument opens only what its pack names: gateways, pairs of jurisdictions, tiers, categories of payload and
types of identifier. What is not named is refused; without a date it is not in force, and says in words why. Citations
from memory carry `review = true`. It holds law as a lawyer wrote it down and decides nothing.
"""

import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, model_validator

from broker.protocol.messages.base import Message, Name, Slug
from broker.protocol.messages.vocabulary import Authority, PayloadCategory, Tier

Place = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|[a-z][a-z_]{2,40})$")]
"""A jurisdiction as ISO 3166-1 alpha-2, or the name of a region of regions.toml."""
Words = Annotated[str, Field(min_length=3, max_length=1000)]
DpvTerm = Annotated[
    str, StringConstraints(pattern=r"^https://w3id\.org/dpv(/[a-z0-9/-]+)?#[A-Za-z0-9-]{1,80}$")
]
"""A term of the W3C community group's Data Privacy Vocabulary."""
Hours = Annotated[int, Field(ge=1, le=8760)]
Days = Annotated[int, Field(ge=1, le=3650)]
EMERGENCY_GATEWAY = "G3"


class Form(StrEnum):
    """The forms in which the law wants the next step after a match to be asked for."""

    EPOC = "epoc"
    EPOC_PR = "epoc-pr"
    MLA = "mla"
    PRESERVATION = "preservation"


class Pair(Message):
    """From authorities of these jurisdictions to contributors established in those; `same` is each to its own."""

    issuing: Annotated[tuple[Place, ...], Field(min_length=1, max_length=250)]
    contributors: Annotated[tuple[Place, ...], Field(min_length=1, max_length=250)] | Literal["same"]

    across_borders_only: bool = False

    def joins(self, issuing: str, established_in: str) -> bool:
        """Whether it leads from an authority of `issuing` to a contributor in `established_in`."""
        if issuing not in self.issuing or (self.across_borders_only and issuing == established_in):
            return False
        return (
            issuing == established_in if self.contributors == "same" else established_in in self.contributors
        )

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "Pair":
        if self.contributors == "same" and self.across_borders_only:
            raise ValueError("across_borders_only: contradicts contributors = same")
        return self


class Deadlines(Message):
    """What time the law gives, each where it gives one: to answer, and to keep data until an order comes."""

    answer_days: Days | None = None
    emergency_hours: Hours | None = None
    preserve_days: Days | None = None
    extension_days: Days | None = None


class Duties(Message):
    """What is owed afterwards."""

    notify_person: Words
    """Who tells the person concerned, when, and what may delay it."""
    validated_within_hours: Hours | None = None
    reviewed_within_days: Days | None = None


class Instrument(Message):
    """One legal instrument. docs/gate.md and policies/templates/country-pack.toml explain each field."""

    title: Name
    law: Annotated[str, Field(min_length=3, max_length=500)]
    articles: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    gateways: Annotated[tuple[Name, ...], Field(max_length=8)]
    """Those of the rules' gateways that it may open; none for what only asks, preserves or defines."""
    issuers: Annotated[tuple[Authority, ...], Field(min_length=1)]
    validators: Annotated[tuple[Authority, ...], Field(min_length=1)]
    """`none` among them: no validation is needed."""
    pairs: Annotated[tuple[Pair, ...], Field(max_length=20)]
    tiers: tuple[Tier, ...]
    payload_categories: tuple[PayloadCategory, ...]
    identifier_types: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=32)] | None = None
    """The only types it is for; None where the law does not say."""
    data_categories: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    """The law's own words for the data it is for."""
    in_force_from: datetime.date | None = None
    in_force_until: datetime.date | None = None
    """The last day it is in force."""
    status: Words | None = None
    """In words: why it is not in force, or what is unsettled about it. Needed where there is no date."""
    form: Form | None = None
    deadlines: Deadlines = Deadlines()
    duties: Duties
    dpv_legal_bases: Annotated[tuple[DpvTerm, ...], Field(min_length=1, max_length=8)]
    review: bool
    doubt: Words | None = None
    """What a lawyer should look at first."""

    def in_force(self, now: int) -> bool:
        """Whether it is in force at `now` (Unix seconds, UTC); never without a date."""
        day = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
        if self.in_force_from is None or day < self.in_force_from:
            return False
        return self.in_force_until is None or day <= self.in_force_until

    def joins(self, issuing: str, established_in: str) -> bool:
        """Whether its pack names the pair of jurisdictions."""
        return any(pair.joins(issuing, established_in) for pair in self.pairs)

    def reaches_type(self, identifier_type: str) -> bool:
        """Whether it is for identifiers of this type."""
        return self.identifier_types is None or identifier_type in self.identifier_types

    @model_validator(mode="after")
    def _lists_name_each_once(self) -> "Instrument":
        for name in (
            "gateways",
            "issuers",
            "validators",
            "pairs",
            "tiers",
            "payload_categories",
            "identifier_types",
        ):
            _each_once(name, getattr(self, name) or ())
        return self

    @model_validator(mode="after")
    def _dates_and_status(self) -> "Instrument":
        if self.in_force_from is None and self.in_force_until is not None:
            raise ValueError("in_force_until: stands without in_force_from")
        if self.in_force_from is None and self.status is None:
            raise ValueError("status: an instrument without in_force_from says in words why")
        if self.in_force_from and self.in_force_until and self.in_force_until < self.in_force_from:
            raise ValueError("in_force_until: is before in_force_from")
        return self

    @model_validator(mode="after")
    def _reach(self) -> "Instrument":
        if (Tier.PAYLOAD in self.tiers) != bool(self.payload_categories):
            raise ValueError("payload_categories: go with the tier payload, one or more, and with no other")
        if PayloadCategory.NONE in self.payload_categories:
            raise ValueError("payload_categories: none is no category of payload")
        if bool(self.gateways) != bool(self.tiers):
            raise ValueError(
                "tiers: go with gateways; what opens no gateway reaches no tier, and the reverse"
            )
        if self.in_force_from is not None and not self.pairs:
            raise ValueError("pairs: an instrument in force names at least one pair of jurisdictions")
        if EMERGENCY_GATEWAY in self.gateways and not (
            self.duties.validated_within_hours or self.duties.reviewed_within_days
        ):
            raise ValueError(
                "duties: what opens the gateway for emergencies owes a later review; say within what time"
            )
        return self


ItemT = TypeVar("ItemT")


def _each_once(name: str, items: tuple[ItemT, ...]) -> None:
    seen: list[ItemT] = []
    for item in items:
        if item in seen:
            raise ValueError(f"{name}: names something twice")
        seen.append(item)
