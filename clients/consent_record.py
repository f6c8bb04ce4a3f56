"""A person's consent as the contributor keeps it, and the revocation that goes out with what is taken back.

Rule: a consent is signed, names a random subject and covers what is deposited on it: the conditions may not let anybody
do what the person did not agree to. It never leaves the home; its revocation names it by digest, so that an auditor who
is shown it later knows that it is the one.

    consents/CONSENT                                                            sealed: a KeptConsent
"""

import hashlib
from collections.abc import Iterator
from typing import Literal

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Document, Message, Name, RandomBytes, encode, read
from broker.protocol.messages.consent import ConsentRevocation, ConsentTerms, PersonConsent
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Consent, Tier
from clients.home import Home

_TIERS = tuple(Tier)


class KeptConsent(Message):
    """A consent with the agency's own reference of the person's submission."""

    v: Literal[1] = 1
    reference: Name
    document: Document


def record(
    home: Home,
    reference: str,
    paper: ConsentTerms,
    conditions: Conditions,
    *,
    now: int,
    random_bytes: RandomBytes,
) -> Signed[PersonConsent]:
    """Sign a consent and keep it. Raises BadInput when the conditions go further than the person agreed to."""
    _check_covers(paper, conditions, now)
    reference = reference.strip()
    if not 0 < len(reference) <= 200 or ";" in reference:
        raise BadInput("A reference has 1 to 200 characters and no semicolon, as in the file of signals.")
    consent = PersonConsent(
        consent_id=random_bytes(16),
        contributor=home.party_id,
        subject=random_bytes(16),
        conditions_digest=conditions_digest(conditions),
        **{name: getattr(paper, name) for name in ConsentTerms.model_fields},
    )
    signed = documents.sign(consent, home.signing_key)
    kept = KeptConsent(reference=reference, document=signed.document)
    home.vault.write_secret(f"consents/{consent.consent_id.hex()}", encode(kept))
    return signed


def all_consents(home: Home) -> Iterator[tuple[str, Signed[PersonConsent]]]:
    """Every consent kept here with its reference, verified again. Raises VerificationFailed."""
    for name in home.vault.names("consents"):
        kept = read(KeptConsent, home.vault.read_secret(f"consents/{name}"))
        yield kept.reference, documents.verify(PersonConsent, kept.document, home.identity.signing_key)


def consents_of(home: Home, reference: str) -> Iterator[Signed[PersonConsent]]:
    """The consents kept under a reference, verified again. Raises VerificationFailed."""
    return (signed for of_reference, signed in all_consents(home) if of_reference == reference)


def revocation(home: Home, reference: str, conditions: Conditions, deposit_id: bytes, now: int) -> str | None:
    """The signed revocation of the consent that a deposit of a reference rests on; None if none was recorded."""
    digest = conditions_digest(conditions)
    for signed in consents_of(home, reference):
        if signed.payload.conditions_digest == digest:
            said = ConsentRevocation(
                contributor=home.party_id,
                consent_digest=signed.digest,
                conditions_digest=digest,
                deposit_id=deposit_id,
                revoked_at=now,
            )
            return documents.sign(said, home.signing_key).document
    return None


def conditions_digest(conditions: Conditions) -> bytes:
    """SHA-256 of conditions in canonical form."""
    return hashlib.sha256(encode(conditions)).digest()


def _check_covers(paper: ConsentTerms, conditions: Conditions, now: int) -> None:
    if conditions.consent is not Consent.GIVEN:
        raise BadInput("These conditions do not rest on consent: `consent` is not `given` in them.")
    wider = []
    if not set(conditions.permitted_purposes) <= set(paper.purposes):
        wider.append("purposes")
    if not set(conditions.permitted_readers) <= set(paper.readers):
        wider.append("readers")
    if _TIERS.index(conditions.highest_tier) > _TIERS.index(paper.highest_tier):
        wider.append("the highest tier")
    if conditions.retain_until > paper.until_at:
        wider.append("how long it is kept")
    if wider:
        raise BadInput(
            f"The conditions go further than the person agreed to: {', '.join(wider)}. Narrow them, or ask the person."
        )
    if not paper.given_at <= now < paper.until_at:
        raise BadInput("The consent was given in the future, or is over. Check its two dates.")
