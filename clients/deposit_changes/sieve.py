"""Rows of a file held against what may not go in again.

Rule (decision 0043): a row is left out if one of its references is kept out, or its identifier, under whatever salt it
was marked; but not if a later consent, recorded under the same reference for the conditions it goes in under, allows
it, or, where these do not rest on consent, the person's later word. A reference's mark is lifted by that very reference
alone: in a row of several persons each must agree. The rest of the file goes in. What it left out by the identifier it
remembers as salted hashes, since a nightly file does not take back what still serves under somebody else's reference.

It writes nothing but that a mark was needed (`renew`). Memory is in proportion to the marks and to what is left out.
"""

from collections.abc import Iterable

from broker.protocol import tokens
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.consent import PersonConsent
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Consent
from clients.deposit_changes.kept_out import KeptOut, Mark, Reason
from clients.depositing import local_references
from clients.depositing.deposit_index import KEY_BYTES
from clients.home import Home
from clients.persons import consent_record

WORDS: dict[Reason, str] = {
    "consent_withdrawn": (
        "Left out: it was taken back because a person withdrew. If they agreed anew, record that under the row's own "
        "reference (narrowgate consent record) and run this again. If they say that it was a mistake, and it rests on "
        "no consent: narrowgate consent let-in"
    ),
    "contested": "Left out: it is contested, and nothing is decided yet.",
}
"""What is said of a row that was left out. Never whose it is."""


class Sieve:
    """For one file and one space.

    `untouched` are the beginnings of salted hashes, under the space's present salt, that were left out by identifier,
    `leaving` those that were left out by reference: what of them serves is meant to go.
    """

    def __init__(self, home: Home, space: Space, now: int, random_bytes: RandomBytes) -> None:
        self._kept_out = KeptOut(home, now, random_bytes)
        self._marks: dict[bytes, list[Mark]] = {}
        for (name, _), mark in self._kept_out.marks().items():
            self._marks.setdefault(name, []).append(mark)
        every = [mark for marks in self._marks.values() for mark in marks]
        self._let_in = self._kept_out.let_in_at()
        self._now = now
        self.untouched: set[bytes] = set()
        self.leaving: set[bytes] = set()
        self._used: set[tuple[bytes, Reason]] = set()
        self._references = any(each.salt_id is None for each in every)
        salts = {
            (each.space_id, each.salt_id)
            for each in every
            if each.space_id is not None and each.salt_id is not None
        }
        self._salts = [home.salt_of(space_id, salt_id) for space_id, salt_id in salts]
        self._salt = home.salt(space) if every else b""
        self._consents: dict[str, list[PersonConsent]] = {}
        for reference, signed in consent_record.all_consents(home) if self._marks else ():
            self._consents.setdefault(reference, []).append(signed.payload)

    def why_left_out(self, text: str, reference: str, conditions: Conditions | None) -> Reason | None:
        """Why a row is left out; None if it goes in.

        Args:
            text: the canonical text of its identifier.
            reference: its own, perhaps several divided by semicolons, or nothing.
            conditions: under which it would go in; None where nobody said yet."""
        called = local_references.parts(reference)
        for each, mark in self._of_references(called):
            if not self._lifted(mark, (each,), conditions):
                self.leaving.add(self._key(text))
                return self._needed(mark)
        for mark in self._of_identifier(text):
            if not self._lifted(mark, called, conditions):
                self.untouched.add(self._key(text))
                return self._needed(mark)
        return None

    def renew(self) -> None:
        """Note which marks were needed."""
        if self._used:
            self._kept_out.renew(self._used)

    def _key(self, text: str) -> bytes:
        return tokens.salted_hash(self._salt, text)[:KEY_BYTES]

    def _needed(self, mark: Mark) -> Reason:
        self._used.add((mark.mark, mark.reason))
        return mark.reason

    def _of_references(self, called: Iterable[str]) -> Iterable[tuple[str, Mark]]:
        if self._references:
            for each in called:
                for mark in self._marks.get(self._kept_out.mark_of_reference(each), ()):
                    yield each, mark

    def _of_identifier(self, text: str) -> Iterable[Mark]:
        for salt in self._salts:
            yield from self._marks.get(self._kept_out.mark_of_hash(tokens.salted_hash(salt, text)), ())

    def _lifted(self, mark: Mark, called: Iterable[str], conditions: Conditions | None) -> bool:
        if mark.reason != "consent_withdrawn":
            return False
        if conditions is not None and conditions.consent is not Consent.GIVEN and self._let_in:
            said = (self._let_in.get(self._kept_out.mark_of_reference(each), 0) for each in called)
            if any(mark.since_at < at for at in said):
                return True
        digest = None if conditions is None else consent_record.conditions_digest(conditions)
        return any(
            mark.since_at < each.given_at and self._now < each.until_at and each.conditions_digest == digest
            for reference in called
            for each in self._consents.get(reference, ())
        )
