"""The cells of a row: text, or a value of another kind that is no identifier, with the reason.

Rule: what a spreadsheet or a database did to an identifier is undone only where nothing was lost. 447700900123.0 is the
number that was typed; 4.477E+11 is not, and neither is a number of more than 15 digits in a workbook, or a date. Those
are refused in words where an identifier is wanted; elsewhere they are kept as text.

It knows no file format.
"""

import datetime
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from clients.formula_guard import unguarded
from clients.identifiers import Rejected

KEPT_DIGITS = 15
"""How many digits of a number a workbook keeps (IEEE 754 binary64: every whole number of 15 digits is exact)."""

_DIGIT_TYPES = frozenset({"phone", "imei"})
"""Types that are written in digits, and so are taken for numbers by spreadsheets and data frames."""
_SIGN_TYPES = frozenset({"handle", "licence_plate"})
"""Types that may be digits alone, or digits around an E."""
_NEEDED_DIGITS = 7
POWERS = "1E+10"
"""As a number is shown that went through a power of ten, or may have: `number_cell`."""
_ROUNDED_LENGTH = 10
"""Shorter numbers are shown in full, and are no telephone numbers with a country in front."""
_POWER_OF_TEN = re.compile(r"\+?[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}")
_ROUNDED = re.compile(r"[0-9]+[.,][0-9]+[eE]\+?[0-9]{1,3}|[0-9]+[eE]\+[0-9]{1,3}")
"""The same where an E between digits may be one of their own, as in the plate 12E34."""
_FORMULA_TEXT = re.compile(r'="([^"]*)"')
"""How programs make a spreadsheet keep digits as they are: a formula that is nothing but a text."""
_KEPT_AS_TEXT = re.compile(r"\A'(?=[0-9=+@-])")
_FLOAT = re.compile(rf"(\+?[0-9]{{{_NEEDED_DIGITS},}})\.0")

LOST_DIGITS = (
    "A program kept the number with a power of ten (as 4.5E+11), so its last digits are lost; no program can bring "
    "them back from this file. Take the values from where they came from: format the column as text first (in Excel: "
    "Format Cells, Text; when it opens a CSV file: Data, From Text/CSV, and make the column Text), and export again."
)
NO_RESULT = (
    "The cell holds a formula, and the workbook does not keep its result. Open it in its program and save it, or put "
    "the values in place of the formulas."
)
FORMULA_ERROR = "The cell holds an error such as #N/A. Mend it or clear it."
TRUTH_IN_CELL = "The cell holds TRUE or FALSE, which is not an identifier."
_TOO_MANY_DIGITS = (
    f"Spreadsheets and data frames keep {KEPT_DIGITS} digits of a number and this one has more, so some are lost. "
    "Format the column as text and fill it again from where it came from."
)
_MADE_A_NUMBER = (
    "The program that wrote the file made a number of the value (.0 at its end). Format the column as text and export "
    "it again."
)
_FRACTION = "The value is a number with a fraction, which is not an identifier."
MADE_A_DATE = (
    "The program that wrote the file made a date of the value. Format the column as text and fill it again."
)
_FORMULA = (
    "The cell holds a formula and not its result. Copy the column in its program, paste it as values, and export it "
    "again."
)
_LOOKS_LIKE_A_DATE = (
    "The value looks like a date. If something else was typed, the program made a date of it: format the column as "
    "text and fill it again from where it came from."
)
_MONTHS = "jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_DATES = re.compile(
    r"(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?:[T ][0-9:.]{4,}Z?)?"
    r"|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:19|20)[0-9]{2}(?: [0-9:.]{4,})?"
    rf"|[0-9]{{1,2}}[-/. ]+(?:{_MONTHS})[a-z]*(?:[-/. ]+(?:[0-9]{{2}}){{1,2}})?"
    rf"|(?:{_MONTHS})[a-z]*[-/. ]+(?:[0-9]{{2}}){{1,2}}",
    re.IGNORECASE,
)
_TRUTH = "The value is a yes or no, which is not an identifier."
_BYTES = "The value is bytes and not text. Export the column as text."


@dataclass(frozen=True)
class NoIdentifier:
    """A value that may stand in another column, as `text`, and why it is not taken for an identifier."""

    text: str = field(repr=False)
    reason: str


Cell = str | NoIdentifier


def plain(cell: Cell) -> str:
    """A cell's text, without white space around it and without a guard against formulas."""
    return unguarded((cell if isinstance(cell, str) else cell.text).strip())


def identifier_text(kind: str, cell: Cell) -> str:
    """The text of a cell that should hold an identifier of a type. Raises Rejected with the reason."""
    if isinstance(cell, NoIdentifier):
        raise Rejected(cell.reason)
    # The apostrophe by which a cell was kept from being a formula, or a number, is no part of it.
    text = _KEPT_AS_TEXT.sub("", plain(cell))
    if text.startswith("="):
        constant = _FORMULA_TEXT.fullmatch(text)
        if constant is None:
            raise Rejected(_FORMULA)
        text = constant[1].strip()
    # What a data frame makes of a column of numbers in which some are missing.
    whole = _FLOAT.fullmatch(text)
    if kind in _DIGIT_TYPES:
        if _POWER_OF_TEN.fullmatch(text) or (whole and has_lost_digits(whole[1].removeprefix("+"))):
            raise Rejected(LOST_DIGITS)
        return whole[1] if whole else text
    if kind in _SIGN_TYPES and (whole or _ROUNDED.fullmatch(text)):
        # Their rules may drop a full stop or a plus sign, and would make another name of it.
        raise Rejected(_MADE_A_NUMBER if whole else LOST_DIGITS)
    return text


def refusal_of(text: str, reason: str) -> str:
    """Why a text that is no identifier is refused: what a program made of it goes before what its type says."""
    if _POWER_OF_TEN.fullmatch(text):
        return LOST_DIGITS
    return _LOOKS_LIKE_A_DATE if _DATES.fullmatch(text) else reason


def number_cell(raw: str, shown: str = "") -> Cell:
    """A number of a workbook, from the text that is stored (ECMA-376 18.3.1.96; ODF 1.3 part 3, 18.3.20).

    Args: `shown` the text on the screen, where the file has it: a number that is shown as 4.477E+11 was read from a
    file that was saved so, if it has no more digits than that.
    """
    in_powers = "e" in raw.lower() or _POWER_OF_TEN.fullmatch(shown.strip()) is not None
    if re.fullmatch(r"-?[0-9]{1,15}", raw) and not in_powers:
        return raw
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return NoIdentifier("", "The value is damaged: the workbook calls it a number. Type it again.")
    if not number.is_finite():
        return NoIdentifier("", _FRACTION)
    if number.adjusted() >= KEPT_DIGITS:
        return NoIdentifier(raw, _TOO_MANY_DIGITS)
    if number != number.to_integral_value():
        return NoIdentifier(raw, _FRACTION)
    digits = str(int(number))
    # Nobody types a power of ten; it comes from a file that was saved as shown on the screen, and read again.
    if in_powers and has_lost_digits(digits):
        # As an attribute, such as a sum of money, it stays what it was.
        return NoIdentifier(raw if "e" in raw.lower() else digits, LOST_DIGITS)
    return digits


def has_lost_digits(digits: str) -> bool:
    """Whether a number that went through a power of ten has only the digits that programs show of one."""
    return len(digits) >= _ROUNDED_LENGTH and len(digits.rstrip("0")) <= _NEEDED_DIGITS


def value_cell(value: object) -> Cell:
    """A value of a typed column. A type that is not listed has an empty text and is no identifier."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return NoIdentifier("true" if value else "false", _TRUTH)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # A column of fractions has them because a program took its digits for numbers.
        return number_cell(repr(value), POWERS)
    if isinstance(value, Decimal):
        return number_cell(format(value, "f")) if value.is_finite() else NoIdentifier("", _FRACTION)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return NoIdentifier(value.date().isoformat(), MADE_A_DATE)
    if isinstance(value, datetime.date | datetime.time):
        return NoIdentifier(value.isoformat(), MADE_A_DATE)
    if isinstance(value, datetime.timedelta):
        return NoIdentifier(str(value), MADE_A_DATE)
    return NoIdentifier("", _BYTES)
