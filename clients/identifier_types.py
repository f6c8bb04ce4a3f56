"""The names of the identifier types that there are.

Rule: a module of its own, so that founding a space and joining one load no canonical forms; a test holds it to the
forms in `clients.identifiers`. The broker does not know this list: it hands on what members agreed on, and takes a type
that a newer program of theirs knows.

What a type means is in docs/identifier-types.md.
"""

from collections.abc import Sequence

from broker.protocol.errors import BadInput

IDENTIFIER_TYPES = (
    "btc_address",
    "email",
    "email_mailbox",
    "eth_address",
    "file_hash",
    "handle",
    "iban",
    "imei",
    "ip",
    "licence_plate",
    "passport_mrz",
    "pdq",
    "person",
    "phone",
    "photodna",
    "tron_address",
    "url",
)


def check_types(names: Sequence[str]) -> None:
    """Raises BadInput unless there are such types, each named once."""
    unknown = [place for place, name in enumerate(names, start=1) if name not in IDENTIFIER_TYPES]
    if unknown:
        places = ", ".join(map(str, unknown))
        raise BadInput(
            f"There is no such type of identifier (of those named, number {places}): nobody could deposit or ask "
            f"under it. The types are {', '.join(IDENTIFIER_TYPES)}."
        )
    if len(set(names)) != len(names):
        raise BadInput("A type of identifier is named twice. Name each once.")
