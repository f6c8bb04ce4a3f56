"""A law on access as data: when an answer is due, on what grounds a part may be withheld, what a person may do then.

Rule: which law says what is in files that a lawyer can read (policies/rights); the code knows parts and grounds, never
a country. A ground that the file does not name cannot be used. It decides nothing.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, Name, Slug, explain
from broker.protocol.messages.vocabulary import AgencyKind

Words = Annotated[str, Field(min_length=3, max_length=500)]


class Ground(Message):
    """One lawful reason to withhold."""

    words: Words
    article: Name


class TermsHead(Message):
    """The table [terms]. `from_memory`: nobody held it against the text of the law yet."""

    name: Slug
    title: Name
    for_kinds: Annotated[tuple[AgencyKind, ...], Field(min_length=1, max_length=6)]
    access: Name
    restriction: Name
    told_of_restriction: Name
    reasons_kept: Name
    answer: Words
    answer_days: Annotated[int, Field(ge=1, le=366)] | None = None
    most_days_until_looked_at_again: Annotated[int, Field(ge=1, le=1830)]
    may_be_silent: bool
    silence: Words | None = None
    rights: Annotated[tuple[Words, ...], Field(min_length=1, max_length=20)]
    complaint: Words
    from_memory: bool = False

    @model_validator(mode="after")
    def _silence_has_words(self) -> "TermsHead":
        if self.may_be_silent != (self.silence is not None):
            raise ValueError("a law that lets an authority be silent has the words for it, and no other has")
        return self


class AccessTerms(Message):
    """One law on access."""

    terms: TermsHead
    ground: Annotated[dict[Slug, Ground], Field(min_length=1, max_length=40)]


def read_terms(file: str, tables: Mapping[str, Any]) -> AccessTerms:
    """A law on access from the tables of its file. Raises BadInput naming file and field."""
    try:
        return AccessTerms.model_validate(tables, strict=False)
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
