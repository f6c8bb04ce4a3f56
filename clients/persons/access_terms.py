"""A law on access as data: when an answer is due, on what grounds a part may be withheld, what a person may do then.

Rule: which law says what is in files that a lawyer can read (policies/rights); the code knows parts and grounds, never
a country. A ground that the file does not name cannot be used. A file says with which source it was compared and when,
and what waits for a lawyer; without that it is refused. It decides nothing.
"""

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, model_validator

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, Name, Slug, explain
from broker.protocol.messages.vocabulary import AgencyKind

Words = Annotated[str, Field(min_length=3, max_length=800)]
Citation = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:(?:article|section|regulation)s?|Schedules?) [0-9]+[A-Z]?\b", max_length=200
    ),
]
"""A provision as it is printed for a person: `article 15(1)(a)`, `section 45A(1)`, `Schedule 2 paragraph 16 to ...`."""


class Ground(Message):
    """One lawful reason to withhold. `note` is for whoever decides and is never handed over."""

    words: Words
    article: Citation
    note: Words | None = None


class Comparison(Message):
    """What was held against which source, and when. `text`: the law's own words, not how somebody describes it."""

    provisions: Words
    source: Words
    text: bool
    on: datetime.date


class TermsHead(Message):
    """The table [terms]. A provision that is absent is one that the law does not have, or that was not found."""

    name: Slug
    title: Name
    for_kinds: Annotated[tuple[AgencyKind, ...], Field(min_length=1, max_length=6)]
    access: Citation
    restriction: Citation
    told_of_restriction: Citation | None = None
    reasons_kept: Citation | None = None
    answer: Words
    answer_days: Annotated[int, Field(ge=1, le=366)] | None = None
    """In days, counted from the day of receipt: the shortest that the law's time can turn out to be."""
    most_days_until_looked_at_again: Annotated[int, Field(ge=1, le=1830)]
    may_be_silent: bool
    silence: Words | None = None
    rights: Annotated[tuple[Words, ...], Field(min_length=1, max_length=20)]
    complaint: Words
    contact_owed: bool
    """That the law wants the supervisory authority's contact details in the answer."""
    contact: Words | None = None
    lawyer: Name | None = None
    """Which lawyer read the file against the law, and when."""
    open: Annotated[tuple[Words, ...], Field(max_length=20)] = ()
    """What waits for a lawyer."""

    @model_validator(mode="after")
    def _silence_has_words(self) -> "TermsHead":
        if self.may_be_silent != (self.silence is not None):
            raise ValueError("a law that lets an authority be silent has the words for it, and no other has")
        if self.may_be_silent and self.told_of_restriction is None:
            raise ValueError("a law that lets an authority be silent has the provision that says so")
        return self

    @model_validator(mode="after")
    def _somebody_reads_it(self) -> "TermsHead":
        if self.lawyer is None and not self.open:
            raise ValueError("a file that no lawyer has read says what waits for one, under open")
        return self


class AccessTerms(Message):
    """One law on access."""

    terms: TermsHead
    ground: Annotated[dict[Slug, Ground], Field(min_length=1, max_length=40)]
    compared: Annotated[tuple[Comparison, ...], Field(min_length=1, max_length=40)]

    @property
    def compared_on(self) -> datetime.date:
        """The day of the last comparison."""
        return max(each.on for each in self.compared)


def read_terms(file: str, tables: Mapping[str, Any]) -> AccessTerms:
    """A law on access from the tables of its file. Raises BadInput naming file and field."""
    try:
        return AccessTerms.model_validate(tables, strict=False)
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
