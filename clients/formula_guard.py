"""Cells of a CSV file that a spreadsheet would run as a formula, made harmless, and made whole again when read.

Rule: a cell that begins with = + - @ (also full-width, also behind white space) or with a tab or carriage return gets
an apostrophe in front, and so does such a sign behind a line break, a tab or a semicolon, where a spreadsheet of
another country begins a new cell. A phone number is then written '+447700900123: spreadsheets keep it as text, with all
its digits, and our own readers take the apostrophe off again. A cell that has such apostrophes of its own gets one
more, so nothing is lost either way.

Numbers that are numbers are no business of it. Source: OWASP, CSV injection.
"""

import re

_SIGN = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
# Where a file is cut elsewhere than it was written, quotation marks before a sign may open a cell.
_BEGINS = re.compile(rf"""'*(?:[\t\r]|[\s"]*{_SIGN})""")
_BREAKS = re.compile(rf"""([;\t\r\n][\s"]*)('*{_SIGN})""")
_BROKEN = re.compile(rf"""([;\t\r\n][\s"]*)'('*{_SIGN})""")


def guarded(text: str) -> str:
    """The text so that no spreadsheet takes it, or a part of it, for a formula."""
    text = _BREAKS.sub(r"\1'\2", text)
    return f"'{text}" if _BEGINS.match(text) else text


def unguarded(text: str) -> str:
    """The text as it was before `guarded`."""
    if "'" not in text:
        return text
    text = text[1:] if text.startswith("'") and _BEGINS.match(text) else text
    return _BROKEN.sub(r"\1\2", text)
