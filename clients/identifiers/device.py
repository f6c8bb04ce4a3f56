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

_DROPPED = str.maketrans("", "", " \t\r\n-./:")
_BODY_DIGITS = 14
_IMEI_DIGITS = 15
_IMEISV_DIGITS = 16
_ALLOCATION_DIGITS = 8
# Bodies (14 digits) that firmware tools write by the thousand, and counted-up ones.
_CLONED = frozenset(
    {"00499901064000", "13579024681122", "01234567890123", "12345678901234", "35123451234512"}
)


def canonicalise_imei(raw: str, hint: str | None) -> Canonical:
    """The device's IMEI. Raises Rejected. Source: 3GPP TS 23.003, annex B (Luhn).

    Args: `raw` as found; `hint` "network" if it comes from a network's records; other hints are not used.
    """
    text = plain_characters(raw).translate(_DROPPED)
    if text[:4].upper() == "IMEI":
        text = text[4:].upper().removeprefix("SV")
    if not (text.isascii() and text.isdigit()):
        raise Rejected(
            "An IMEI has digits only; *#06# shows it. If a spreadsheet shows it with E+, format the column as text."
        )
    body, was_checked = _body(text, hint is not None and hint.strip().lower() == FROM_NETWORK)
    if body.startswith("0" * _ALLOCATION_DIGITS) or len(set(body)) == 1 or body in _CLONED:
        raise Rejected(
            "This IMEI is a placeholder or is in many cloned devices: it would match everyone. Leave it out."
        )
    if was_checked:
        return Canonical(TYPE, VERSION, text)
    return Canonical(TYPE, VERSION, body + luhn.calc_check_digit(body), (NO_CHECK_DIGIT,))


def _body(text: str, is_from_network: bool) -> tuple[str, bool]:
    """The 14 digits that name the device, and whether a check digit was checked."""
    if len(text) == _IMEISV_DIGITS:
        return text[:_BODY_DIGITS], False
    if len(text) == _IMEI_DIGITS and luhn.is_valid(text):
        return text[:_BODY_DIGITS], True
    if is_from_network and (len(text) == _BODY_DIGITS or (len(text) == _IMEI_DIGITS and text[-1] == "0")):
        return text[:_BODY_DIGITS], False
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
