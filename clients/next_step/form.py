"""A form as data: its sections and fields, and which fact of the case goes into which.

Rule: a template says what a field is called and where its value comes from, or that a person must fill it in; the code
knows facts, never forms. It knows no case and writes no text.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field as Member
from pydantic import ValidationError, model_validator

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, Name, Slug, explain

Words = Annotated[str, Member(min_length=3, max_length=500)]


class Fact(StrEnum):
    """What the papers of a matching request can say in a form; `clients.next_step.facts` has each."""

    REQUESTER = "requester"
    REQUESTER_JURISDICTION = "requester_jurisdiction"
    OFFICER = "officer"
    CASE_REFERENCE = "case_reference"
    ISSUING_AUTHORITY = "issuing_authority"
    ISSUED_BY = "issued_by"
    VALIDATED_BY = "validated_by"
    BASIS = "basis"
    OFFENCE = "offence"
    MAXIMUM_PENALTY = "maximum_penalty"
    PLACE = "place"
    PURPOSE = "purpose"
    SUBJECTS = "subjects"
    NECESSITY = "necessity"
    LESS_INTRUSIVE_MEANS = "less_intrusive_means"
    URGENCY = "urgency"
    DUAL_CRIMINALITY = "dual_criminality"
    MATCHING = "matching"
    CONFIRMED_BY = "confirmed_by"
    CONTRIBUTOR = "contributor"
    CONTRIBUTOR_JURISDICTION = "contributor_jurisdiction"
    CONTRIBUTOR_CONTACT = "contributor_contact"
    IDENTIFIERS = "identifiers"
    HOLDINGS = "holdings"
    INSTRUMENTS = "instruments"
    DEADLINES = "deadlines"
    NOTIFY_PERSON = "notify_person"


class FieldTemplate(Message):
    """One field: filled from a fact, or left for a person, who is told what belongs there."""

    label: Name
    fact: Fact | None = None
    blank: Words | None = None
    remark: Words | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "FieldTemplate":
        if (self.fact is None) == (self.blank is None):
            raise ValueError("a field has either a fact or a blank")
        return self


class SectionTemplate(Message):
    """One section of the form. `from_memory`: nobody held it against the text of the law yet."""

    letter: Annotated[str, Member(pattern=r"^[A-Za-z]$")]
    title: Name
    from_memory: bool = False
    fields: Annotated[tuple[FieldTemplate, ...], Member(min_length=1, max_length=40)]


class FormHead(Message):
    """The table [form]."""

    name: Slug
    title: Name
    law: Name
    note: Words


class FormTemplate(Message):
    """A whole form."""

    form: FormHead
    section: Annotated[tuple[SectionTemplate, ...], Member(min_length=1, max_length=40)]

    @model_validator(mode="after")
    def _each_letter_once(self) -> "FormTemplate":
        letters = [each.letter for each in self.section]
        if len(set(letters)) != len(letters):
            raise ValueError("a letter stands for two sections")
        return self


def read_form(file: str, tables: Mapping[str, Any]) -> FormTemplate:
    """A form from the tables of its file. Raises BadInput naming file and field."""
    try:
        return FormTemplate.model_validate(tables, strict=False)
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
