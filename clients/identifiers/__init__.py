"""Identifiers as written by people, to the one form that all agencies hash.

Rule: only agencies canonicalise (DESIGN 2.1). The registry is the mapping below, written out, so that what is
supported can be read here and does not depend on what was imported. One module per family.

It does not hash or mask: see `clients.masking`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from clients.identifiers.bank_account import canonicalise_iban
from clients.identifiers.crypto_address import (
    canonicalise_btc_address,
    canonicalise_eth_address,
    canonicalise_tron_address,
)
from clients.identifiers.device import canonicalise_imei
from clients.identifiers.email import canonicalise_email, canonicalise_email_mailbox
from clients.identifiers.file_hash import canonicalise_file_hash
from clients.identifiers.handle import canonicalise_handle
from clients.identifiers.ip import canonicalise_ip
from clients.identifiers.person import canonicalise_person
from clients.identifiers.phone import canonicalise_phone
from clients.identifiers.picture import canonicalise_pdq, canonicalise_photodna
from clients.identifiers.travel_document import canonicalise_passport_mrz
from clients.identifiers.types import Canonical, Canonicaliser, Rejected
from clients.identifiers.url import canonicalise_url
from clients.identifiers.vehicle import canonicalise_licence_plate

__all__ = ["MAXIMUM_RAW_CHARACTERS", "Canonical", "Rejected", "canonicalise", "registered_types"]

MAXIMUM_RAW_CHARACTERS = 4096
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")

_REGISTRY: Mapping[str, Canonicaliser] = MappingProxyType(
    {
        "btc_address": canonicalise_btc_address,
        "email": canonicalise_email,
        "email_mailbox": canonicalise_email_mailbox,
        "eth_address": canonicalise_eth_address,
        "file_hash": canonicalise_file_hash,
        "handle": canonicalise_handle,
        "iban": canonicalise_iban,
        "imei": canonicalise_imei,
        "ip": canonicalise_ip,
        "licence_plate": canonicalise_licence_plate,
        "passport_mrz": canonicalise_passport_mrz,
        "pdq": canonicalise_pdq,
        "person": canonicalise_person,
        "phone": canonicalise_phone,
        "photodna": canonicalise_photodna,
        "tron_address": canonicalise_tron_address,
        "url": canonicalise_url,
    }
)


def registered_types() -> tuple[str, ...]:
    """The identifier types that have a canonical form here, sorted."""
    return tuple(sorted(_REGISTRY))


def canonicalise(type_name: str, raw: str, hint: str | None = None) -> Canonical:
    """The canonical form of one identifier.

    Args:
        type_name: one of `registered_types()`.
        raw: the identifier as it was found, at most 4,096 characters.
        hint: what the value alone does not say: of a phone number in national format its region ("TR"), of an account
            name its platform ("telegram"), of a link without a scheme its scheme ("https"), of a licence plate its
            country ("DE", "US-CA"), of a PDQ hash its quality ("100"), of an IMEI in a call record "network",
            of a birth date "day-first" or "month-first".

    Raises: Rejected, with a reason in plain words that repeats neither the value nor the name.
    """
    canonicaliser = _REGISTRY.get(type_name)
    if canonicaliser is None:
        raise Rejected(
            f"This type of identifier is not known. The known types are {', '.join(registered_types())}."
        )
    if not raw.strip():
        raise Rejected("The value is empty.")
    if len(raw) > MAXIMUM_RAW_CHARACTERS:
        raise Rejected(
            f"The value is longer than {MAXIMUM_RAW_CHARACTERS:,} characters: it is not one identifier."
        )
    if "\0" in raw or (not raw.isascii() and _HALF_A_CHARACTER.search(raw)):
        raise Rejected(
            "The value holds a NUL or half of a character: the text was damaged on the way. Export it again."
        )
    return canonicaliser(raw, hint)
