"""The terms of a legal instrument: pairs of jurisdictions, deadlines, duties, forms.

Rule: each has its unit in its name and its bounds in its type. What an instrument makes of them is in
`broker.gate.instruments`.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from broker.protocol.messages.base import Message

Place = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|[a-z][a-z_]{2,40})$")]
"""A jurisdiction as ISO 3166-1 alpha-2, or the name of a region of regions.toml."""
Words = Annotated[str, Field(min_length=3, max_length=1000)]
DpvTerm = Annotated[
    str, StringConstraints(pattern=r"^https://w3id\.org/dpv(/[a-z0-9/-]+)?#[A-Za-z0-9-]{1,80}$")
]
"""A term of the W3C community group's Data Privacy Vocabulary."""
Hours = Annotated[int, Field(ge=1, le=8760)]
Days = Annotated[int, Field(ge=1, le=3650)]


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
