"""Type `iban`: the international bank account number.

Rule: upper case, without the printed "IBAN", spaces and punctuation. Length and structure are those of its country and
the check digits must hold (ISO 13616, ISO 7064 mod 97-10). A country that uses the form without being in SWIFT's
registry is flagged `not-in-registry`. An account number of zeros alone is a form's placeholder and is refused.

It does not check national check digits inside the number, nor whether the account exists.
"""

from schwifty import IBAN
from schwifty.exceptions import InvalidChecksumDigits, InvalidCountryCode, InvalidLength, SchwiftyException

from clients.identifiers.plain_text import plain_characters
from clients.identifiers.types import Canonical, Rejected

TYPE = "iban"
VERSION = 1
NOT_IN_REGISTRY = "not-in-registry"

_DROPPED = str.maketrans("", "", " \t\r\n-./:")
_PRINTED_PREFIX = "IBAN"  # no country has the code IB
_MAXIMUM_CHARACTERS = 34


def canonicalise_iban(raw: str, hint: str | None) -> Canonical:
    """The IBAN in its electronic form. `hint` is not used. Raises Rejected. Source: ISO 13616."""
    text = plain_characters(raw).translate(_DROPPED)
    if not (text.isascii() and text.isalnum()):
        raise Rejected(
            "The IBAN holds signs other than the letters A to Z and digits, perhaps letters of another alphabet "
            "that look the same. Type it again."
        )
    text = text.upper().removeprefix(_PRINTED_PREFIX)
    account = _parsed(text)
    if not account.account_code.strip("0"):
        raise Rejected(
            "The account number in the IBAN is all zeros: a placeholder that many people write. Leave it out."
        )
    return Canonical(TYPE, VERSION, text, (NOT_IN_REGISTRY,) if account.is_aspirational else ())


def _parsed(text: str) -> IBAN:
    try:
        return IBAN(text)
    except SchwiftyException as error:
        reason = _reason(text, error)
    # Outside of the clause: the library's own text repeats the value, and must not come along as the cause.
    raise Rejected(reason)


def _reason(text: str, error: SchwiftyException) -> str:
    if len(text) > _MAXIMUM_CHARACTERS:
        return "The value is too long for one IBAN. Give each IBAN its own row, without a name or BIC."
    if isinstance(error, InvalidCountryCode) or not text[:2].isalpha():
        return "The value does not begin with the code of a country that has IBANs; a plain account number is none."
    if isinstance(error, InvalidLength):
        return "The IBAN is too short or too long for its country. Compare it with the paper it comes from."
    if isinstance(error, InvalidChecksumDigits):
        return (
            "The check digits of the IBAN do not fit: a character is wrong or two are swapped. Type it again."
        )
    return "The IBAN has a letter where its country has a digit, or the reverse. Look for O and 0, I and 1."
