"""A row of several persons: each whose reference is kept out must agree anew, or let it in, themselves."""

import os

from broker.protocol import tokens
from broker.protocol.messages.consent import ConsentTerms
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import Consent
from clients.deposit_changes.kept_out import KeptOut
from clients.deposit_changes.sieve import Sieve
from clients.persons import consent_record
from tests.contributor_case import CONDITIONS, ContributorCase

ON_CONSENT = CONDITIONS.model_copy(update={"consent": Consent.GIVEN})
TEXT = "phone/1|+447700900101"


def _withdrawn(case: ContributorCase, *references: str) -> None:
    KeptOut(case.company, case.now, os.urandom).keep_out("consent_withdrawn", references=references)
    case.now += 60


def _goes_in(case: ContributorCase, space: Space, reference: str, *, on_consent: bool) -> bool:
    sieve = Sieve(case.company, space, case.now, os.urandom)
    return sieve.why_left_out(TEXT, reference, ON_CONSENT if on_consent else CONDITIONS) is None


def _consents(case: ContributorCase, reference: str) -> None:
    terms = ConsentTerms(
        purposes=CONDITIONS.permitted_purposes,
        readers=CONDITIONS.permitted_readers,
        highest_tier=CONDITIONS.highest_tier,
        words_shown="May we tell others?",
        how_given="On the telephone",
        taken_by="Desk",
        given_at=case.now,
        until_at=CONDITIONS.retain_until,
    )
    consent_record.record(case.company, reference, terms, ON_CONSENT, now=case.now, random_bytes=os.urandom)


def test_a_consent_lifts_only_what_its_own_person_withdrew(case: ContributorCase, space: Space) -> None:
    _withdrawn(case, "H-17", "H-18")
    _consents(case, "H-18")
    assert _goes_in(case, space, "H-18", on_consent=True)
    assert not _goes_in(case, space, "H-17; H-18", on_consent=True)
    _consents(case, "H-17")
    assert _goes_in(case, space, "H-17; H-18", on_consent=True)


def test_a_persons_word_lifts_only_what_they_withdrew_and_nothing_that_rests_on_consent(
    case: ContributorCase, space: Space
) -> None:
    _withdrawn(case, "H-17", "H-18")
    KeptOut(case.company, case.now, os.urandom).let_in("H-18")
    assert _goes_in(case, space, "H-18", on_consent=False)
    assert not _goes_in(case, space, "H-18", on_consent=True)
    assert not _goes_in(case, space, "H-17; H-18", on_consent=False)
    KeptOut(case.company, case.now, os.urandom).let_in("H-17")
    assert _goes_in(case, space, "H-17; H-18", on_consent=False)


def test_a_persons_word_lets_in_an_identifier_that_a_wrong_list_took_back(
    case: ContributorCase, space: Space
) -> None:
    acts = KeptOut(case.company, case.now, os.urandom)
    hashes = [tokens.salted_hash(case.company.salt(space), TEXT)]
    acts.keep_out("consent_withdrawn", space_id=space.space_id, salt_id=space.salt_id, hashes=hashes)
    case.now += 60
    assert not _goes_in(case, space, "H-17", on_consent=False)
    KeptOut(case.company, case.now, os.urandom).let_in("H-17")
    assert _goes_in(case, space, "H-17", on_consent=False)
    assert not _goes_in(case, space, "H-18", on_consent=False)
    assert not _goes_in(case, space, "", on_consent=False)
    KeptOut(case.company, case.now, os.urandom).keep_out("contested", references=["H-17"])
    assert not _goes_in(case, space, "H-17", on_consent=False)
