"""A person's consent as the contributor keeps it, and the revocation that goes out with what is taken back.

Rule: a consent is signed, names a random subject and covers what is deposited on it: the conditions may not let anybody
do what the person did not agree to, neither when it is recorded nor when a row of its reference is deposited. Whoever
takes a reference back revokes every consent that is kept for it. It never leaves the home; its revocation names it by a
digest with the deposit, so that an auditor who is shown it later knows that it is the one, and two revocations do not
tell by their digests that one person stands behind both.

    consents/CONSENT                                                            sealed: a KeptConsent
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Document, Message, Name, RandomBytes, encode, read
from broker.protocol.messages.consent import ConsentRevocation, ConsentTerms, PersonConsent
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Consent, Tier
from clients.depositing import local_references
from clients.depositing.masked_deposit import Row
from clients.home import Home

_TIERS = tuple(Tier)
_REVOKED_LABEL = b"narrowgate/v1/revoked-consents\x00"


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


def covered(
    home: Home, conditions: Conditions, now: int, rows: Callable[[], Iterator[Row]]
) -> Callable[[], Iterator[Row]]:
    """The same rows, to be deposited under these conditions: reading them raises BadInput at the first of whose
    references one has consents, and none of them goes so far. A reference without a consent is not looked at."""
    check = covering(home, conditions, now)

    def each() -> Iterator[Row]:
        for row in rows():
            check(row)
            yield row

    return each


def covering(home: Home, conditions: Conditions, now: int) -> Callable[[Row], None]:
    """What raises BadInput for such a row."""
    kept: dict[str, list[PersonConsent]] = {}
    for reference, signed in all_consents(home):
        kept.setdefault(reference, []).append(signed.payload)
    seen = set[str]()

    def check(row: Row) -> None:
        if not kept:
            return
        for part in local_references.parts(row.reference or "") - seen:
            if part in kept:
                _check_one_covers(kept[part], conditions, now)
            seen.add(part)

    return check


def check_covered(home: Home, conditions: Conditions, now: int, rows: Iterable[Row]) -> None:
    """As `covered`, of rows that are at hand."""
    check = covering(home, conditions, now)
    for row in rows:
        check(row)


def revocation(home: Home, reference: str, conditions: Conditions, deposit_id: bytes, now: int) -> str | None:
    """The signed revocation of every consent to a reference, for one deposit; None if none was recorded.

    Args:
        conditions: of the deposit, whatever conditions a consent was recorded for."""
    digests = [signed.digest for signed in consents_of(home, reference)]
    if not digests:
        return None
    said = ConsentRevocation(
        contributor=home.party_id,
        consent_digest=revoked_digest(deposit_id, digests),
        conditions_digest=conditions_digest(conditions),
        deposit_id=deposit_id,
        revoked_at=now,
    )
    return documents.sign(said, home.signing_key).document


def revoked_digest(deposit_id: bytes, consents: Iterable[bytes]) -> bytes:
    """SHA-256 of a label, the deposit and the digests of the signed consents, increasing: how their revocation names
    them. Each consent has 32 random bytes, so nobody who has not seen them tells two such digests to be of the same."""
    return hashlib.sha256(_REVOKED_LABEL + deposit_id + b"".join(sorted(consents))).digest()


def conditions_digest(conditions: Conditions) -> bytes:
    """SHA-256 of conditions in canonical form."""
    return hashlib.sha256(encode(conditions)).digest()


def _check_covers(paper: ConsentTerms, conditions: Conditions, now: int) -> None:
    if conditions.consent is not Consent.GIVEN:
        raise BadInput("These conditions do not rest on consent: `consent` is not `given` in them.")
    wider = _wider(paper, conditions)
    if wider:
        raise BadInput(
            f"The conditions go further than the person agreed to: {', '.join(wider)}. Narrow them, or ask the person."
        )
    if not paper.given_at <= now < paper.until_at:
        raise BadInput("The consent was given in the future, or is over. Check its two dates.")


def _check_one_covers(consents: Sequence[PersonConsent], conditions: Conditions, now: int) -> None:
    wider: list[str] = []
    for each in consents:
        wider = _wider(each, conditions)
        if conditions.consent is not Consent.GIVEN:
            wider.append("they do not rest on consent")
        if not each.given_at <= now < each.until_at:
            wider.append("it is not in force now")
        if not wider:
            return
    raise BadInput(
        f"A row's reference has a consent, {consents[-1].consent_id.hex()}, that does not reach as far as these "
        f"conditions: {', '.join(wider)}. Nothing of this step was sent. Take that row out, narrow the conditions, or "
        "ask the person and record it: narrowgate consent record"
    )


def _wider(paper: ConsentTerms, conditions: Conditions) -> list[str]:
    """In what the conditions go further than the person agreed to."""
    wider = []
    if not set(conditions.permitted_purposes) <= set(paper.purposes):
        wider.append("purposes")
    if not set(conditions.permitted_readers) <= set(paper.readers):
        wider.append("readers")
    if _TIERS.index(conditions.highest_tier) > _TIERS.index(paper.highest_tier):
        wider.append("the highest tier")
    if conditions.retain_until > paper.until_at:
        wider.append("how long it is kept")
    return wider
