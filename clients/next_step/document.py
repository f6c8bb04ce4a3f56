"""One form filled in for one contributor: what the papers say, and where a person must write.

Rule: a field without a fact is a blank and says so; nothing is guessed. Text from elsewhere is made safe to show and to
print. It signs and sends nothing.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clients.next_step.carrier import Carrier
from clients.next_step.disclosed import Disclosed, Holding
from clients.next_step.facts import Facts
from clients.next_step.form import FieldTemplate, FormTemplate, SectionTemplate
from clients.remote import readable

_WIDTH = 100
_NOT_IN_THE_PAPERS = "the papers of the matching request do not say"
_UNSENT = (
    "Nothing was signed or sent. What is filled in comes from the papers of the matching request; a match is no proof "
    "that the data is about the person sought."
)
_UNCONFIRMED = (
    "Nobody of the unit has confirmed these matches yet. Look at them first: narrowgate request confirm"
)
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in "\\`*[]<>"})
_LINE_START = re.compile(r"([-+#=]|\d+[.)])")
"""What would begin a list, a heading or a rule, were it the first of a line."""


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

    def text(self) -> str:
        """The document in Markdown that prints well."""
        return "\n".join(_text(self)) + "\n"


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


def _text(document: Document) -> Iterator[str]:
    title = f"{document.title} - for {document.contributor} ({document.established_in})"
    yield f"# {title}"
    yield ""
    yield f"After {document.law}."
    yield ""
    for remark in document.remarks:
        yield from _wrapped("> ", "> ", remark)
        yield ">"
    yield "> [M]: from memory, not held against the text of the law. A line of ____ is for a person to fill in."
    for section in document.sections:
        yield ""
        yield f"## {section.letter}. {section.title}{' [M]' if section.from_memory else ''}"
        yield ""
        for field in section.fields:
            yield from _shown(field)


def _shown(field: FilledField) -> Iterator[str]:
    remark = "" if field.remark is None else f" ({field.remark})"
    if field.blank is not None:
        yield from _wrapped("- ", "  ", f"**{field.label}:** ____________ ({field.blank})")
        return
    if len(field.values) == 1:
        yield from _wrapped("- ", "  ", f"**{field.label}:** {_safe(field.values[0])}{remark}")
        return
    yield from _wrapped("- ", "  ", f"**{field.label}:**{remark}")
    for value in field.values:
        yield from _wrapped("  - ", "    ", _safe(value))


def _safe(value: str) -> str:
    """Text from the papers, none of it read as markup."""
    return _unstarted(value.translate(_MARKUP))


def _unstarted(line: str) -> str:
    """The line, begun by nothing that would make it a list, a heading or a rule."""
    if not _LINE_START.match(line):
        return line
    number = re.match(r"\d+", line)
    at = number.end() if number else 0
    return f"{line[:at]}\\{line[at:]}"


def _wrapped(first: str, later: str, text: str) -> list[str]:
    """Lines of bounded width. Nothing in `text` begins a list or heading where a line breaks."""
    width = _WIDTH - len(later)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [first + lines[0], *(later + _unstarted(line) for line in lines[1:])]
