"""Identifiers as written by people, to the one form that all agencies hash.

Rule: only agencies canonicalise (DESIGN 2.1). The registry is the mapping below, written out, so that what is
supported can be read here and does not depend on what was imported. One module per family, imported when a value of one
of its types is met.

It does not hash or mask: see `clients.masking`.
"""

import importlib
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from clients.identifiers.types import Canonical, Canonicaliser, Rejected

__all__ = ["MAXIMUM_RAW_CHARACTERS", "Canonical", "Rejected", "canonicalise", "registered_types"]

MAXIMUM_RAW_CHARACTERS = 4096
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")

_REGISTRY: Mapping[str, str] = MappingProxyType(
    {
        "btc_address": "crypto_address",
        "email": "email",
        "email_mailbox": "email",
        "eth_address": "crypto_address",
        "file_hash": "file_hash",
        "handle": "handle",
        "iban": "bank_account",
        "imei": "device",
        "ip": "ip",
        "licence_plate": "vehicle",
        "passport_mrz": "travel_document",
        "pdq": "picture",
        "person": "person",
        "phone": "phone",
        "photodna": "picture",
        "tron_address": "crypto_address",
        "url": "url",
    }
)
"""The family's module by type; its function is `canonicalise_TYPE`."""


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
    if type_name not in _REGISTRY:
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
    return _canonicaliser(type_name)(raw, hint)


@cache
def _canonicaliser(type_name: str) -> Canonicaliser:
    # Imported on use: the parsing libraries of all families take longer than most commands, which need one or two.
    family = importlib.import_module(f"clients.identifiers.{_REGISTRY[type_name]}")
    found: Canonicaliser = getattr(family, f"canonicalise_{type_name}")
    return found
