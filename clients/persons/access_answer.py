"""The decision on a person's request of access: what is told, what is withheld and on which ground, signed and kept.

Rule (LED article 15(4), GDPR article 5(2)): each answer is a decision that a named person takes, with the reason of
what is withheld, which the supervisory authority may ask for. A restriction has an end: the day on which it must be
looked at again. The decision lies sealed in the home, with the digest of the document that was handed over; neither the
identifiers nor the document are kept. Nothing is sent.

    access-requests/ANSWER                                                      sealed: a signed AccessDecision
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, NotFound
from broker.protocol.messages.base import Bytes32, Count, Id16, Message, Name, RandomBytes, Seconds, Slug
from clients.home import Home
from clients.persons.access_document import AccessDocument, Withheld, compose
from clients.persons.access_search import Held, Part, Person, search
from clients.persons.access_terms import AccessTerms

DAY_SECONDS = 86_400


class WithheldPart(Message):
    """A part that was not told, and on which ground of the terms."""

    part: Part
    ground: Slug
    silent: bool
    """Neither confirmed nor denied, so that not even the ground is told."""


class FoundPart(Message):
    """How much there was of one part, told or not."""

    part: Part
    number: Count


class AccessDecision(Message):
    """What was decided on one request of access. It is sent to nobody; the supervisory authority may ask for it."""

    TYP: ClassVar[str] = "access-decision"
    v: Literal[1] = 1
    answer_id: Id16
    agency: Slug
    reference: Name
    """The agency's own number of the request of access."""
    identity_checked: Name
    """How the agency made sure who asks."""
    terms: Slug
    found: tuple[FoundPart, ...]
    withheld: tuple[WithheldPart, ...]
    reason: Annotated[str, Field(max_length=4000)]
    decided_by: Name
    decided_at: Seconds
    look_again_at: Seconds | None
    again: Id16 | None = None
    """The earlier answer whose restriction was looked at again with this one."""
    document_digest: Bytes32
    """SHA-256 of the Markdown that was handed over."""


@dataclass(frozen=True)
class Decided:
    """What a person decided: parts with their grounds. Nothing withheld needs neither reason nor date."""

    decided_by: str
    reference: str
    identity_checked: str
    withheld: tuple[Withheld, ...] = ()
    reason: str = ""
    look_again_at: int | None = None
    again: bytes | None = None
    authority: str = ""
    """The supervisory authority with its contact details, where the terms have none or have another."""


@dataclass(frozen=True)
class AccessAnswer:
    """A kept decision and the document to hand over."""

    decision: Signed[AccessDecision]
    document: AccessDocument
    held: Held


def answer(
    home: Home,
    person: Person,
    terms: AccessTerms,
    decided: Decided,
    *,
    now: int,
    random_bytes: RandomBytes,
) -> AccessAnswer:
    """Search, write the document, sign the decision and keep it.

    Raises BadInput (a decision the terms do not allow), NotFound (no such earlier answer), Conflict (that one was
    looked at again before) or VerificationFailed."""
    _check(home, terms, decided, now)
    if decided.again is not None:
        _check_open(home, decided.again)
    held = search(home, person, now)
    document = compose(
        home.identity.name,
        decided.reference,
        terms,
        held,
        decided.withheld,
        by_reference=bool(person.references),
        now=now,
        authority=decided.authority.strip(),
    )
    decision = AccessDecision(
        answer_id=random_bytes(16),
        agency=home.party_id,
        reference=decided.reference,
        identity_checked=decided.identity_checked,
        terms=terms.terms.name,
        found=tuple(FoundPart(part=part, number=number) for part, number in held.numbers().items()),
        withheld=tuple(
            WithheldPart(part=each.part, ground=each.ground, silent=each.silent) for each in decided.withheld
        ),
        reason=decided.reason,
        decided_by=decided.decided_by,
        decided_at=now,
        look_again_at=decided.look_again_at,
        again=decided.again,
        document_digest=hashlib.sha256(document.markdown().encode()).digest(),
    )
    signed = documents.sign(decision, home.signing_key)
    home.vault.write_secret(f"access-requests/{decision.answer_id.hex()}", signed.document.encode("ascii"))
    return AccessAnswer(signed, document, held)


def decisions(home: Home) -> Iterator[Signed[AccessDecision]]:
    """Every kept decision, verified again. Raises VerificationFailed."""
    for name in home.vault.names("access-requests"):
        text = home.vault.read_secret(f"access-requests/{name}").decode("ascii")
        yield documents.verify(AccessDecision, text, home.identity.signing_key)


def due(home: Home, until: int) -> tuple[AccessDecision, ...]:
    """The restrictions that must be looked at again by then, and were not, the oldest first."""
    kept = [signed.payload for signed in decisions(home)]
    done = {each.again for each in kept}
    found = [
        (each.look_again_at, each)
        for each in kept
        if each.look_again_at is not None and each.look_again_at <= until and each.answer_id not in done
    ]
    return tuple(each for _, each in sorted(found, key=lambda item: (item[0], item[1].answer_id)))


def _check(home: Home, terms: AccessTerms, decided: Decided, now: int) -> None:
    for text, what in (
        (decided.decided_by, "who decided"),
        (decided.reference, "your number of this request"),
        (decided.identity_checked, "how you made sure who asks"),
    ):
        if not 0 < len(text.strip()) <= 200:
            raise BadInput(f"Say {what}, in at most 200 characters.")
    if home.identity.kind not in terms.terms.for_kinds:
        kinds = ", ".join(terms.terms.for_kinds)
        raise BadInput(f"These terms are for {kinds}. Name those that hold for your agency with --terms.")
    _check_authority(terms, decided.authority.strip())
    _check_grounds(terms, decided.withheld)
    if not decided.withheld:
        if decided.look_again_at is not None or decided.reason:
            raise BadInput("Nothing is withheld, so there is no reason and nothing to look at again.")
        return
    if not decided.reason.strip():
        raise BadInput("Say why it is withheld: the supervisory authority may ask. It is not handed over.")
    most = terms.terms.most_days_until_looked_at_again
    if decided.look_again_at is None or not now < decided.look_again_at <= now + most * DAY_SECONDS:
        raise BadInput(f"Name the day on which this is looked at again, within {most} days from today.")


def _check_authority(terms: AccessTerms, authority: str) -> None:
    if len(authority) > 500:
        raise BadInput("Name the supervisory authority and how to reach it in at most 500 characters.")
    if terms.terms.contact_owed and not authority and terms.terms.contact is None:
        raise BadInput(
            f"This law ({terms.terms.access}) wants the supervisory authority's contact details in the answer, and "
            "these terms have none. Give its name and how to reach it with --authority."
        )


def _check_grounds(terms: AccessTerms, withheld: Sequence[Withheld]) -> None:
    parts = [each.part for each in withheld]
    if len(set(parts)) != len(parts):
        raise BadInput("A part is withheld twice. Name one ground for each.")
    for each in withheld:
        if each.ground not in terms.ground:
            raise BadInput(f"These terms know no such ground. They know: {', '.join(terms.ground)}.")
        if each.silent and not terms.terms.may_be_silent:
            raise BadInput("These terms do not let an agency be silent: it says what it withholds and why.")


def _check_open(home: Home, answer_id: bytes) -> None:
    kept = [signed.payload for signed in decisions(home)]
    earlier = next((each for each in kept if each.answer_id == answer_id), None)
    if earlier is None:
        raise NotFound("This home has no answer of that id. See: narrowgate access-request due --all")
    if earlier.look_again_at is None:
        raise BadInput("Nothing was withheld in that answer, so there is nothing to look at again.")
    if any(each.again == answer_id for each in kept):
        raise Conflict("That answer was looked at again before. Name the later one.")
