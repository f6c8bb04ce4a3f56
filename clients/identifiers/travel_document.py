"""Type `passport_mrz`: a travel document by the machine-readable zone at its foot.

Rule: issuing state, colon, document number, such as `UTO:L898902C3`; names, birth dates and the rest of the zone are
read for their check digits and left out. Sizes TD3 (passports), TD1 and TD2 (cards) of ICAO Doc 9303 parts 4 to 6 are
taken, every check digit must hold, and nothing that a reader may have misread is repaired. Visas are refused: their
number is not the passport's. `UTO:L898902C3` itself is read too, flagged `no-check-digit`.

It does not know expired, lost or forged documents; a passport and a card of one state with equal numbers are one form.
"""

import re

from clients.identifiers.issuing_states import issuing_state
from clients.identifiers.plain_text import plain_characters
from clients.identifiers.types import Canonical, Rejected

TYPE = "passport_mrz"
VERSION = 1
NO_CHECK_DIGIT = "no-check-digit"

_FILLER = "<"
_LINES = {
    88: (44, "PV"),
    90: (30, "ACIPV"),
    72: (36, "ACIPV"),
}  # all signs: (signs a line, first signs of the type)
_SHORT_FORM = re.compile(r"([A-Z]{1,3}):([A-Z0-9](?:[A-Z0-9<]{0,20}[A-Z0-9])?)")
_WEIGHTS = (7, 3, 1)
_FIELDS = {
    "number": "document number",
    "birth": "date of birth",
    "expiry": "date of expiry",
    "personal": "personal number",
}


def canonicalise_passport_mrz(raw: str, hint: str | None) -> Canonical:
    """State and number of a travel document. `hint` is not used. Raises Rejected.

    Args: `raw` the two or three lines, with or without line ends between them, or the canonical form.
    """
    text = "".join(plain_characters(raw).split()).upper()
    short = _SHORT_FORM.fullmatch(text)
    if short is not None:
        return _canonical(short[1], short[2], (NO_CHECK_DIGIT,))
    if not re.fullmatch(r"[A-Z0-9<]+", text):
        raise Rejected(
            "The zone at the foot of a travel document has the signs A to Z, 0 to 9 and < only. Type it again."
        )
    if len(text) not in _LINES:
        raise Rejected(
            "The zone has 2 lines of 44 signs (passports), 2 of 36 or 3 of 30 (cards). Give all lines, with each <. "
            "For a number alone write the state and the number, such as UTO:AB1234567."
        )
    width, kinds = _LINES[len(text)]
    if text[0] not in kinds or (text.startswith("IDFRA") and width == 36):
        raise Rejected(
            "This zone is not that of a passport or a card by ICAO 9303: it cannot be read. Give another document."
        )
    if text[0] == "V":
        raise Rejected(
            "This is the zone of a visa. Give that of the passport: a visa has a number of its own."
        )
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    number = _card_of_three_lines(lines) if width == 30 else _two_lines(lines)
    return _canonical(text[2:5].rstrip(_FILLER), number, ())


def _canonical(state_code: str, number: str, flags: tuple[str, ...]) -> Canonical:
    state = issuing_state(state_code)
    if state is None:
        raise Rejected(
            "The issuing state of the document is not a code that states print. Look for O and 0, I and 1."
        )
    if len(set(number)) < 2:
        raise Rejected(
            "The document number is empty or one sign over and over: a placeholder that many share. Leave it out."
        )
    return Canonical(TYPE, VERSION, f"{state}:{number}", flags)


def _two_lines(lines: list[str]) -> str:
    """The number in a TD3 or TD2; both have their second line alike but for its length (9303-4 4.2.2, 9303-6 4.2.2)."""
    data = lines[1]
    rest = data[28:42] if len(data) == 44 else data[28:35]
    _check("birth", data[13:19], data[19])
    _check("expiry", data[21:27], data[27])
    if len(data) == 44:
        _check("personal", rest, data[42])
        number = _number(data[:9], data[9], "")
    else:
        number = _number(data[:9], data[9], rest)
    _check_all(data[0:10] + data[13:20] + data[21:-1], data[-1])
    return number


def _card_of_three_lines(lines: list[str]) -> str:
    """The number in a TD1 (9303-5 4.2.2)."""
    first, second, _ = lines
    number = _number(first[5:14], first[14], first[15:30])
    _check("birth", second[:6], second[6])
    _check("expiry", second[8:14], second[14])
    _check_all(first[5:30] + second[0:7] + second[8:15] + second[18:29], second[29])
    return number


def _number(field: str, digit: str, optional: str) -> str:
    """The document number; on cards a longer one goes on in the optional data, its check digit last (9303-5 note j)."""
    if digit == _FILLER and optional and _FILLER not in field:
        tail = optional.partition(_FILLER)[0]
        field, digit = field + tail[:-1], tail[-1:]
    if field.startswith(_FILLER) and field.strip(_FILLER):
        raise Rejected(
            "The document number in the zone begins with <: a sign before it is missing. Type it again."
        )
    number = field.rstrip(_FILLER)
    _check("number", field, digit)
    return number


def _check(field: str, signs: str, digit: str) -> None:
    # An empty field may have a filler for its check digit (9303-3 4.9).
    expected = {str(_check_digit(signs)), _FILLER} if not signs.strip(_FILLER) else {str(_check_digit(signs))}
    if digit not in expected:
        raise Rejected(
            f"The check digit of the {_FIELDS[field]} does not fit: a sign of the zone was misread. Type it again."
        )


def _check_all(signs: str, digit: str) -> None:
    if digit != str(_check_digit(signs)):
        raise Rejected(
            "The last check digit, over the whole zone, does not fit: a sign was misread. Type it again."
        )


def _check_digit(signs: str) -> int:
    """Weights 7, 3, 1; digits count as themselves, A to Z as 10 to 35, fillers as 0 (9303-3 4.9)."""
    values = (0 if sign == _FILLER else int(sign, 36) for sign in signs)
    return sum(value * _WEIGHTS[position % 3] for position, value in enumerate(values)) % 10
