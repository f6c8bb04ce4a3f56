"""Type `imei`: a mobile device, as 15 digits with the check digit.

Rule: 15 digits pass Luhn. An IMEISV (16 digits) is the same device with its software version: the version is dropped
and the check digit worked out (3GPP TS 23.003, 6.2). Records of a network leave the check digit out or put 0 in its
place; that is read only if the hint says `network`, never guessed. Where there was no check digit to check, the form is
flagged `no-check-digit`. Numbers that many cloned devices carry are refused.

It does not know which model an allocation code stands for, nor whether it was ever allocated.
"""

from stdnum import luhn

from clients.identifiers.plain_text import plain_characters
from clients.identifiers.types import Canonical, Rejected

TYPE = "imei"
VERSION = 1
NO_CHECK_DIGIT = "no-check-digit"
FROM_NETWORK = "network"
"""The hint for 14 digits, or 15 with the spare digit 0, as call records have them."""

_DROPPED = b" \t\r\n-./:"
_BODY_DIGITS = 14
_IMEI_DIGITS = 15
_IMEISV_DIGITS = 16
_ALLOCATION_DIGITS = 8
# Bodies (14 digits) that firmware tools write by the thousand, counted-up ones, and one digit repeated.
_CLONED = frozenset(
    {"00499901064000", "13579024681122", "01234567890123", "12345678901234", "35123451234512"}
    | {digit * _BODY_DIGITS for digit in "0123456789"}
)
_FIRST_ALLOCATION = "1".zfill(_ALLOCATION_DIGITS)


def canonicalise_imei(raw: str, hint: str | None) -> Canonical:
    """The device's IMEI. Raises Rejected. Source: 3GPP TS 23.003, annex B (Luhn).

    Args: `raw` as found; `hint` "network" if it comes from a network's records; other hints are not used.
    """
    text = plain_characters(raw)
    if not (text.isdigit() and text.isascii()):
        text = _digits(text)
    if len(text) == _IMEI_DIGITS and luhn.is_valid(text):
        body, form, is_checked = text[:_BODY_DIGITS], text, True
    else:
        body = _unchecked_body(text, hint)
        form, is_checked = body + luhn.calc_check_digit(body), False
    if body in _CLONED or body < _FIRST_ALLOCATION:
        raise Rejected(
            "This IMEI is a placeholder or is in many cloned devices: it would match everyone. Leave it out."
        )
    return Canonical(TYPE, VERSION, form, () if is_checked else (NO_CHECK_DIGIT,))


def _digits(text: str) -> str:
    """Without separators and the label in front. Raises Rejected if that leaves anything but digits."""
    # As bytes, since Python takes signs out of a text three times slower.
    text = text.encode().translate(None, _DROPPED).decode()
    if text[:1] in ("I", "i") and text[:4].upper() == "IMEI":
        text = text[4:].upper().removeprefix("SV")
    if not (text.isdigit() and text.isascii()):
        raise Rejected(
            "An IMEI has digits only; *#06# shows it. If a spreadsheet shows it with E+, format the column as text."
        )
    return text


def _unchecked_body(text: str, hint: str | None) -> str:
    """The 14 digits that name the device, of a number that has no check digit or a wrong one. Raises Rejected."""
    if len(text) == _IMEISV_DIGITS:
        return text[:_BODY_DIGITS]
    if (
        hint is not None
        and hint.strip().lower() == FROM_NETWORK
        and (len(text) == _BODY_DIGITS or (len(text) == _IMEI_DIGITS and text[-1] == "0"))
    ):
        return text[:_BODY_DIGITS]
    if len(text) == _IMEI_DIGITS and text[-1] == "0":
        raise Rejected(
            "The check digit of the IMEI does not fit: a digit is wrong, or it comes from a network's records, which "
            'put 0 there. In that case give the hint "network".'
        )
    if len(text) == _IMEI_DIGITS:
        raise Rejected("The check digit of the IMEI does not fit: a digit is wrong. Read it again.")
    if len(text) == _BODY_DIGITS:
        raise Rejected(
            "The IMEI has 14 digits: a spreadsheet dropped a leading 0, or it comes from a network's records, which "
            'leave the check digit out. Put the 0 back, or give the hint "network".'
        )
    raise Rejected("An IMEI has 15 digits, an IMEISV 16. Give each number its own row.")
