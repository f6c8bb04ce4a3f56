"""Type `phone`: E.164.

Rule: a number in national format needs its region as the hint and is never guessed. The gate is
libphonenumber's "possible"; a possible number that the plan does not list as valid is kept and flagged
`not-valid`, because test ranges and new ranges are so. Short codes, emergency numbers and numbers without
their area code are refused: they would match everyone. Nothing is repaired (Mexico's former mobile 1), since
a repair is a guess too.

It does not ask whether the number is in service.
"""

import phonenumbers
from phonenumbers import PhoneNumber, ValidationResult, shortnumberinfo

from clients.identifiers.phone_text import plain_number
from clients.identifiers.types import Canonical, Rejected

TYPE = "phone"
VERSION = 1
NOT_VALID = "not-valid"

_IMPOSSIBLE = {
    ValidationResult.INVALID_COUNTRY_CODE: "The country code of the phone number does not exist. Check it.",
    ValidationResult.TOO_SHORT: "The phone number is too short for its country. Check it.",
    ValidationResult.TOO_LONG: "The phone number is too long for its country, or there are two numbers. Check it.",
    ValidationResult.INVALID_LENGTH: "The phone number's length does not exist in its country. Check it.",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "The phone number lacks its area code: many people have it. Add the code.",
}
_MEXICO = 52


def known_region(hint: str) -> str | None:
    """The region (ISO 3166-1 alpha-2, upper case) that a hint names, if libphonenumber knows it."""
    region = hint.strip().upper()
    region = "GB" if region == "UK" else region
    return region if region in phonenumbers.SUPPORTED_REGIONS else None


def canonicalise_phone(raw: str, hint: str | None) -> Canonical:
    """E.164 of a phone number, of a tel: URI, or of a messenger's deep link; the extension is dropped.

    Args: `raw` as found; `hint` the region of a number in national format, such as "GB".
    Raises: Rejected. Source: ITU-T E.164, RFC 3966, libphonenumber's metadata.
    """
    text = plain_number(raw)
    number = _parsed(text, _region(text, hint))
    _refuse_short_code(number)
    result = phonenumbers.is_possible_number_with_reason(number)
    if result != ValidationResult.IS_POSSIBLE:
        raise Rejected(_impossible(number, result))
    _refuse_lost_plus(text, number)
    value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Some plans strip a prefix once more when E.164 is read back; two forms of one number must not both
    # stand.
    if _parsed(value, None) != number:
        raise Rejected(
            "The phone number can be read in two ways. Write it with + and country code, without a prefix."
        )
    flags = () if phonenumbers.is_valid_number(number) else (NOT_VALID,)
    return Canonical(TYPE, VERSION, value, flags)


def _region(text: str, hint: str | None) -> str | None:
    if text.startswith("+"):
        return None  # the number says its country itself
    if hint is None or not hint.strip():
        raise Rejected(
            "The phone number has no country code and no region was given. "
            "Write it with + and country code, or name the region, such as GB."
        )
    region = known_region(hint)
    if region is None:
        raise Rejected("The region given for the phone number is not a two-letter country code such as GB.")
    return region


def _parsed(text: str, region: str | None) -> PhoneNumber:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise Rejected(_IMPOSSIBLE[ValidationResult.INVALID_COUNTRY_CODE]) from None
        raise Rejected(
            "The value is not a phone number: it has too few or too many digits. Copy it whole and alone."
        ) from None


def _refuse_short_code(number: PhoneNumber) -> None:
    # A full number of the plan comes first: small countries have short subscriber numbers. What is not one
    # and has the length of a short code is taken for a short code, since the lists of those in service are
    # never complete.
    if not phonenumbers.is_valid_number(number) and shortnumberinfo.is_possible_short_number(number):
        raise Rejected("This is a short code or an emergency number: it would match everyone. Leave it out.")


def _refuse_lost_plus(text: str, number: PhoneNumber) -> None:
    """A spreadsheet drops the plus sign: "4915112345678" with region DE is then two numbers, and which is a guess."""
    if text.startswith("+"):
        return
    try:
        other = phonenumbers.parse(f"+{text}", None)
    except phonenumbers.NumberParseException:
        return
    if phonenumbers.is_valid_number(number):
        # Countries without a trunk prefix would be refused wholesale if any valid second reading counted.
        doubtful = text.startswith(str(number.country_code)) and phonenumbers.is_valid_number(other)
    else:
        doubtful = phonenumbers.is_possible_number(other)
    if doubtful and other != number:
        raise Rejected(
            "The phone number may have lost its + sign. Write it with +, or in its country's own format."
        )


def _impossible(number: PhoneNumber, result: int) -> str:
    reason = _IMPOSSIBLE.get(result, "The phone number cannot exist in its country.")
    if number.country_code == _MEXICO and str(number.national_number).startswith("1"):
        reason += " Mexico dropped the 1 after +52 in 2019: write the number without it, if you are sure."
    return reason
