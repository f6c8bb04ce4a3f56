"""One form filled in for one contributor: what the papers say, and where a person must write.

Rule: a field without a fact is a blank and says so; nothing is guessed. Text from elsewhere is made safe to show and to
print. It signs and sends nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clients.next_step.carrier import Carrier
from clients.next_step.disclosed import Disclosed, Holding
from clients.next_step.facts import Facts
from clients.next_step.form import FieldTemplate, FormTemplate, SectionTemplate
from clients.remote import readable

_NOT_IN_THE_PAPERS = "the papers of the matching request do not say"
_UNSENT = (
    "Nothing was signed or sent. What is filled in comes from the papers of the matching request; a match is no proof "
    "that the data is about the person sought."
)
_UNCONFIRMED = (
    "Nobody of the unit has confirmed these matches yet. Look at them first: narrowgate request confirm"
)


@dataclass(frozen=True)
class FilledField:
    """One field. Exactly one of `values` and `blank` is empty."""

    label: str
    values: tuple[str, ...]
    blank: str | None
    remark: str | None


@dataclass(frozen=True)
class FilledSection:
    """One section; `from_memory` as its template has it."""

    letter: str
    title: str
    from_memory: bool
    fields: tuple[FilledField, ...]


@dataclass(frozen=True)
class Document:
    """One form for one contributor. `offered` says why it is offered instead of another that was asked for."""

    form: str
    title: str
    law: str
    contributor: str
    established_in: str
    carriers: tuple[Carrier, ...]
    offered: str | None
    remarks: tuple[str, ...]
    sections: tuple[FilledSection, ...]

    def members(self) -> dict[str, Any]:
        """The document as members of JSON."""
        return {
            "form": self.form,
            "title": self.title,
            "law": self.law,
            "contributor": self.contributor,
            "established_in": self.established_in,
            "instruments": [
                {
                    "name": each.name,
                    "law": each.law,
                    "review": each.review,
                    "answer_days": each.answer_days,
                    "emergency_hours": each.emergency_hours,
                    "preserve_days": each.preserve_days,
                    "extension_days": each.extension_days,
                }
                for each in self.carriers
            ],
            "offered": self.offered,
            "remarks": list(self.remarks),
            "sections": [
                {
                    "letter": section.letter,
                    "title": section.title,
                    "from_memory": section.from_memory,
                    "fields": [
                        {"label": field.label, "values": list(field.values), "blank": field.blank}
                        for field in section.fields
                    ],
                }
                for section in self.sections
            ],
        }


def fill(
    template: FormTemplate,
    facts: Facts,
    disclosed: Disclosed,
    holding: Holding,
    carriers: Sequence[Carrier],
    offered: str | None = None,
) -> Document:
    """Fill a form in.

    Args:
        offered: why this form is offered instead of the one that was asked for; None when it is that one."""
    remarks = [*([] if offered is None else [offered]), _UNSENT, template.form.note]
    if disclosed.confirmed_by is None:
        remarks.append(_UNCONFIRMED)
    for each in carriers:
        if each.review:
            remarks.append(
                f"The catalogue's entry on {each.title} waits for a lawyer. {each.doubt or ''}".rstrip()
            )
    return Document(
        form=template.form.name,
        title=template.form.title,
        law=template.form.law,
        contributor=holding.contributor,
        established_in=holding.established_in,
        carriers=tuple(carriers),
        offered=offered,
        remarks=tuple(remarks),
        sections=tuple(_section(each, facts) for each in template.section),
    )


def _section(template: SectionTemplate, facts: Facts) -> FilledSection:
    fields = tuple(_field(each, facts) for each in template.fields)
    return FilledSection(template.letter, template.title, template.from_memory, fields)


def _field(template: FieldTemplate, facts: Facts) -> FilledField:
    values = () if template.fact is None else facts[template.fact]
    blank = None if values else template.blank or _NOT_IN_THE_PAPERS
    return FilledField(template.label, tuple(_one_line(each) for each in values), blank, template.remark)


def _one_line(text: str) -> str:
    return " ".join(readable(text).split())
