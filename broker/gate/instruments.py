"""One legal instrument as data: who issues and validates it, between which jurisdictions, how far, and since when.

Rule: an instrument opens only what its pack names: gateways, pairs of jurisdictions, tiers, categories of payload and
types of identifier. What is not named is refused; without a date it is not in force, and says in words why. Citations
from memory carry `review = true`. It holds law as a lawyer wrote it down and decides nothing.
"""

import datetime
from typing import Annotated, TypeVar

from pydantic import Field, model_validator

from broker.gate.instrument_terms import Deadlines, DpvTerm, Duties, Form, Pair, Words
from broker.protocol.messages.base import Message, Name, Slug
from broker.protocol.messages.vocabulary import Authority, PayloadCategory, Tier

EMERGENCY_GATEWAY = "G3"


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
