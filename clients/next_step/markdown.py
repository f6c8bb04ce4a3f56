"""A filled form as Markdown that prints well as it stands.

Rule: text from the papers is data: nothing of it is read as a heading, an item, a link or HTML, wherever a line breaks.
It fills nothing in.
"""

import re
import textwrap
from collections.abc import Iterator

from clients.next_step.document import Document, FilledField

_WIDTH = 100
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in "\\`*[]<>"})
_LINE_START = re.compile(r"([-+#=]|\d+[.)])")
"""What would begin a list, a heading or a rule, were it the first of a line."""


def render(document: Document) -> str:
    """The text of a document."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    title = f"{document.title} - for {document.contributor} ({document.established_in})"
    yield f"# {title}"
    yield ""
    yield f"After {document.law}."
    yield ""
    for remark in document.remarks:
        yield from wrapped("> ", "> ", remark)
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
        yield from wrapped("- ", "  ", f"**{field.label}:** ____________ ({field.blank})")
        return
    if len(field.values) == 1:
        yield from wrapped("- ", "  ", f"**{field.label}:** {safe(field.values[0])}{remark}")
        return
    yield from wrapped("- ", "  ", f"**{field.label}:**{remark}")
    for value in field.values:
        yield from wrapped("  - ", "    ", safe(value))


def safe(value: str) -> str:
    """Text from the papers, none of it read as markup."""
    return _unstarted(value.translate(_MARKUP))


def _unstarted(line: str) -> str:
    """The line, begun by nothing that would make it a list, a heading or a rule."""
    if not _LINE_START.match(line):
        return line
    number = re.match(r"\d+", line)
    at = number.end() if number else 0
    return f"{line[:at]}\\{line[at:]}"


def wrapped(first: str, later: str, text: str) -> list[str]:
    """Lines of bounded width. Nothing in `text` begins a list or heading where a line breaks."""
    width = _WIDTH - len(later)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [first + lines[0], *(later + _unstarted(line) for line in lines[1:])]
