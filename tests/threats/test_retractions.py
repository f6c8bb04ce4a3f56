"""What is taken back: by nobody for somebody else, told to everybody who was told, seen by the auditor if it is not."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker import retractions as broker_retractions
from broker.protocol.documents import sign, verify
from broker.protocol.errors import BadInput, NotFound, VerificationFailed
from broker.protocol.messages.base import encode
from broker.protocol.messages.consent import (
    ConsentRevocation,
    ConsentTerms,
    RetractionAcknowledgement,
    RetractionDone,
    RetractionGround,
    RetractionNotice,
    RetractionNotices,
)
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.vocabulary import AgencyKind, Consent, PayloadCategory, Tier
from clients.auditing.anomalies import look
from clients.auditing.findings import Anomaly, Finding, Known
from clients.auditing.mirrored import MirroredLog
from clients.deposit_changes.replacing import NewContent, Replacement, Replacing
from clients.deposit_changes.taking_back import TakingBack
from clients.persons import consent_record
from clients.remote import RemoteConflict, Unreachable
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer, FoundPerson, HitToken
from clients.requesting.retractions import Retractions, without
from tests.world import BROKER, POLICE, World, phone

pytestmark = pytest.mark.all_only

DAY = 86_400
NGO = "ngo-1"
PAYLOAD: dict[str, Any] = {
    "highest_tier": Tier.HITS,
    "payload_category": PayloadCategory.OWN_REPORT,
    "consent": Consent.GIVEN,
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """phone(1) and phone(2) are the NGO's, by the references H-1 and H-2, on consent; phone(1) is company-1's too."""
    made = World(tmp_path)
    made.deposit("company-1", range(2))
    made.deposit("company-2", range(5, 15))
    contributor = made.contributor(NGO)
    series = contributor.open_series(made.space, "phone", made.conditions(NGO, **PAYLOAD))
    rows = [(phone(number), b'{"signals":[]}') for number in (1, 2)]
    contributor.deposit(series, rows, references={phone(1): "H-1", phone(2): "H-2"})
    yield made
    made.close()


def taking_back(world: World, name: str = NGO) -> TakingBack:
    return TakingBack(world.homes[name], world.caller(name), world.clock, world.random(name))


def received(world: World) -> Retractions:
    return Retractions(world.homes[POLICE], world.space, world.caller(POLICE), world.clock)


def terms(world: World) -> ConsentTerms:
    return ConsentTerms(
        purposes=world.conditions(NGO).permitted_purposes,
        readers=world.conditions(NGO).permitted_readers,
        highest_tier=Tier.HITS,
        words_shown="We share it with the police unit alone.",
        how_given="On the telephone",
        taken_by="Desk",
        given_at=world.now,
        until_at=world.conditions(NGO).retain_until,
    )


def consent(world: World, reference: str = "H-1") -> bytes:
    """The person consented; the digest of the signed consent."""
    return consent_record.record(
        world.homes[NGO],
        reference,
        terms(world),
        world.conditions(NGO, **PAYLOAD),
        now=world.now,
        random_bytes=world.random(NGO),
    ).digest


def found(world: World) -> list[Finding]:
    """What the auditor finds about notices."""
    world.auditor().verify()
    home = world.homes["auditor-1"]
    looked = look(MirroredLog(home, world.space).entries(), Known({}, world.space))
    return [each for each in looked.findings if each.anomaly.value.startswith("retraction-")]


def test_a_revoked_consent_reaches_everybody_who_was_told_and_they_say_what_they_did(world: World) -> None:
    digest = consent(world)
    first = world.ask([phone(1), phone(2), phone(7)])
    world.ask([phone(7)])
    count = world.ask([phone(number) for number in range(12)], Tier.COUNT)
    assert count.tier is Tier.COUNT
    assert received(world).fetch() == (), "nothing is taken back yet"
    taking_back(world).withdraw_reference("H-1", "Taken back")
    world.now += 5 * DAY  # the unit was offline
    (notice,) = received(world).fetch()
    assert notice.notice.payload.ground is RetractionGround.CONSENT_REVOKED
    assert (notice.notice.payload.request_id, notice.identifiers) == (first.request_id, 1)
    assert NGO not in notice.notice.document
    kept = consent_record.consents_of(world.homes[NGO], "H-1")
    assert [each.digest for each in kept] == [digest]
    received(world).acknowledge(notice.notice.payload.notice_id, "officer-1")
    assert received(world).fetch() == ()
    answer = RequestFolder(world.homes[POLICE].vault, first.request_id).answer()
    assert answer is not None
    assert phone(1) in answer.hits, "another contributor holds it too"
    assert len(answer.hit_tokens) == 3
    kinds = world.log_kinds()
    assert [kinds.count(f"RETRACTION_{each}") for each in ("NOTICED", "SHOWN", "ACKNOWLEDGED")] == [1, 1, 1]
    world.now += 30 * DAY
    assert found(world) == []


def test_what_only_the_person_gave_is_gone_from_the_answer_or_kept_on_a_ground(world: World) -> None:
    first = world.ask([phone(2), phone(7)])
    taking_back(world).withdraw_reference("H-2", "Taken back")
    (notice,) = received(world).fetch()
    assert notice.notice.payload.ground is RetractionGround.WITHDRAWN, "no consent was recorded"
    notice_id = notice.notice.payload.notice_id
    with pytest.raises(BadInput, match="lawful ground"):
        received(world).acknowledge(notice_id, "officer-1", " ")
    received(world).acknowledge(notice_id, "officer-1", "Evidence in a trial that is open")
    answer = RequestFolder(world.homes[POLICE].vault, first.request_id).answer()
    assert answer is not None
    assert phone(2) in answer.hits


def test_what_was_signed_as_erased_is_not_told_when_the_lost_answer_is_asked_for_again(world: World) -> None:
    prepared = world.prepare([phone(2), phone(7)])
    finding, requester = world.finding(prepared), world.requester()
    requester.file(prepared.request_id, [finding])
    requester.evaluate(prepared.request_id)

    def lose(_: Any) -> Any:
        raise Unreachable("The line broke off.")

    path = f"/v1/requests/{prepared.request_id.hex()}/tokens"
    with world.tamper(BROKER, path, answer=lose), pytest.raises(Unreachable):
        requester.submit(prepared.request_id)
    assert world.log_kinds().count("RELEASED") == 1
    read = world.log_kinds().count("DISCLOSURE_READ")
    taking_back(world).withdraw_reference("H-2", "Taken back")
    (notice,) = received(world).fetch()
    assert notice.identifiers == 0, "the answer never came"
    with pytest.raises(RemoteConflict, match="taken back since"):
        world.requester().submit(prepared.request_id)
    received(world).acknowledge(notice.notice.payload.notice_id, "officer-1")
    with pytest.raises(RemoteConflict, match="taken back since"):
        world.requester().submit(prepared.request_id)
    assert world.log_kinds().count("DISCLOSURE_READ") == read
    assert world.ask([phone(2), phone(7)]).hits == (phone(7),), "asked anew, nobody knows it"


def test_a_notice_of_one_answer_withholds_no_other(world: World) -> None:
    first, other = world.ask([phone(2)]), world.ask([phone(1)])
    taking_back(world).withdraw_reference("H-2", "Taken back")
    folder = RequestFolder(world.homes[POLICE].vault, other.request_id)
    world.homes[POLICE].vault.erase(f"requests/{other.request_id.hex()}/answer")
    assert folder.answer() is None
    assert world.requester().submit(other.request_id).hits == other.hits
    world.homes[POLICE].vault.erase(f"requests/{first.request_id.hex()}/answer")
    with pytest.raises(RemoteConflict, match="taken back since"):
        world.requester().submit(first.request_id)


def test_an_answer_that_comes_after_its_notice_is_kept_without_what_was_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a stick the answer can be older than the notice that comes before it."""
    prepared = world.prepare([phone(2), phone(7)])
    finding, requester = world.finding(prepared), world.requester()
    requester.file(prepared.request_id, [finding])
    requester.evaluate(prepared.request_id)
    late: list[Any] = []

    def hold(answer: Any) -> Any:
        late.append(answer)
        raise Unreachable("The stick is still on its way.")

    path = f"/v1/requests/{prepared.request_id.hex()}/tokens"
    with world.tamper(BROKER, path, answer=hold), pytest.raises(Unreachable):
        requester.submit(prepared.request_id)
    taking_back(world).withdraw_reference("H-2", "Taken back")
    (notice,) = received(world).fetch()
    received(world).acknowledge(notice.notice.payload.notice_id, "officer-1")
    with world.tamper(BROKER, path, answer=lambda _: late[0]):
        answer = world.requester().submit(prepared.request_id)
    assert answer.hits == (phone(7),)
    assert RequestFolder(world.homes[POLICE].vault, prepared.request_id).answer() == answer


def test_after_erased_no_file_says_which_identifier_was_matched(world: World) -> None:
    answer = world.ask([phone(2), phone(7)])
    taking_back(world).withdraw_reference("H-2", "Taken back")
    (notice,) = received(world).fetch()
    folder = RequestFolder(world.homes[POLICE].vault, answer.request_id)
    before = folder.tokens()
    received(world).acknowledge(notice.notice.payload.notice_id, "officer-1")
    kept, left = folder.tokens(), folder.answer()
    assert before is not None
    assert kept is not None
    assert left is not None
    assert before.orders
    assert kept.orders == (), "a gap would tell which one was struck, too"
    assert kept.submission == before.submission, "an auditor's draw is held against the root in the log"
    assert left.hits == (phone(7),)


def test_a_spelling_that_was_taken_back_is_no_finding_of_its_person() -> None:
    tokens = {"person/1|a": bytes(16), "person/1|b": bytes([1]) * 16, "person/1|c": bytes([2]) * 16}
    answer = Answer(
        request_id=bytes(16),
        tier=Tier.HITS,
        identifiers=3,
        hits=tuple(tokens),
        persons=(
            FoundPerson(written="person/1|a", found_as=("person/1|a", "person/1|b")),
            FoundPerson(written="person/1|c", found_as=("person/1|c",)),
        ),
        hit_tokens=tuple(
            HitToken(identifier=text, deposit_id=bytes(32), token=token) for text, token in tokens.items()
        ),
        rules=(),
        reasons=(),
        law=(),
        trial=True,
    )
    left = without(answer, {tokens["person/1|b"], tokens["person/1|c"]})
    assert left.hits == ("person/1|a",)
    assert left.persons == (FoundPerson(written="person/1|a", found_as=("person/1|a",)),)


def test_a_consent_narrower_than_the_deposit_is_not_recorded(world: World) -> None:
    with pytest.raises(BadInput, match="go further than the person agreed to: the highest tier"):
        consent_record.record(
            world.homes[NGO],
            "H-1",
            ConsentTerms(
                purposes=world.conditions(NGO).permitted_purposes,
                readers=tuple(AgencyKind),
                highest_tier=Tier.COUNT,
                words_shown="Only how many, never which.",
                how_given="In writing",
                taken_by="Desk",
                given_at=world.now,
                until_at=world.conditions(NGO).retain_until,
            ),
            world.conditions(NGO, **PAYLOAD),
            now=world.now,
            random_bytes=world.random(NGO),
        )


def test_who_agreed_to_hits_is_not_deposited_for_payload(world: World) -> None:
    """The reference H-9 agreed to hits; its row comes in a file that is deposited so that records may be opened."""
    consent(world, "H-9")
    contributor = world.contributor(NGO)
    wider = world.conditions(NGO, **{**PAYLOAD, "highest_tier": Tier.PAYLOAD})
    series = contributor.open_series(world.space, "phone", wider)
    rows = [(phone(number), b'{"signals":[]}') for number in (9, 10)]
    before = world.log_kinds().count("DEPOSIT_ADMITTED")
    with pytest.raises(BadInput, match="does not reach as far as these conditions: the highest tier"):
        contributor.deposit(series, rows, references={phone(9): "H-9; H-10", phone(10): "H-10"})
    assert world.log_kinds().count("DEPOSIT_ADMITTED") == before
    contributor.deposit(series, rows[1:], references={phone(10): "H-10"})
    replacing = Replacing(world.homes[NGO], world.caller(NGO), world.clock, world.random(NGO))
    given = Replacement("phone", lambda _: [NewContent(*rows[1], "H-9")])
    with pytest.raises(BadInput, match="the highest tier"):
        replacing.replace(world.space, given, "Now hers")


def test_every_consent_of_a_reference_is_revoked_whatever_it_was_recorded_for(world: World) -> None:
    """Recorded for other conditions than the deposit's, as when the file was deposited before it was recorded."""
    conditions = world.conditions(NGO, **PAYLOAD)
    narrower = conditions.model_copy(update={"retain_until": conditions.retain_until - DAY})
    for under in (conditions, narrower):
        consent_record.record(
            world.homes[NGO], "H-2", terms(world), under, now=world.now, random_bytes=world.random(NGO)
        )
    consent_record.record(
        world.homes[NGO], "H-1", terms(world), narrower, now=world.now, random_bytes=world.random(NGO)
    )
    world.ask([phone(1)])
    taking_back(world).withdraw_reference("H-1", "Taken back")
    (notice,) = received(world).fetch()
    assert notice.notice.payload.ground is RetractionGround.CONSENT_REVOKED
    both = consent_record.revocation(world.homes[NGO], "H-2", conditions, bytes(32), world.now)
    kept = [each.digest for each in consent_record.consents_of(world.homes[NGO], "H-2")]
    said = verify(ConsentRevocation, both or "", world.homes[NGO].identity.signing_key).payload
    assert len(kept) == 2
    assert said.consent_digest == consent_record.revoked_digest(bytes(32), kept), "one revocation is of both"


def test_two_revocations_do_not_tell_that_they_are_of_one_person(world: World) -> None:
    """A number and an address of one person, in two deposits."""
    digest = consent(world)
    home, contributor = world.homes[NGO], world.contributor(NGO)
    series = contributor.open_series(world.space, "email", world.conditions(NGO, **PAYLOAD))
    address = "email/1|person1@example.org"
    contributor.deposit(series, [(address, b'{"signals":[]}')], references={address: "H-1"})
    taking_back(world).withdraw_reference("H-1", "Taken back")
    sent = [
        json.loads(each.call.body)["revocation"]
        for each in world.wire.seen(BROKER, "/v1/deposits/")
        if each.call.path.endswith("/withdraw-records")
    ]
    said = [verify(ConsentRevocation, each, home.identity.signing_key).payload for each in sent]
    assert len({each.deposit_id for each in said}) == 2
    assert len({each.consent_digest for each in said}) == 2
    assert digest not in {each.consent_digest for each in said}
    for each in said:
        shown = consent_record.revoked_digest(each.deposit_id, [digest])
        assert each.consent_digest == shown, "an auditor who is shown the consent knows that it is the one"
    parts = (b"narrowgate/v1/revoked-consents", bytes(1), said[0].deposit_id, digest)
    assert said[0].consent_digest == hashlib.sha256(b"".join(parts)).digest()


def test_a_contributor_cannot_take_back_or_revoke_for_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """company-1 sends a revocation of the NGO's consent with a withdrawal of its own."""
    digest = consent(world)
    foreign = ConsentRevocation(
        contributor=NGO,
        consent_digest=digest,
        conditions_digest=consent_record.conditions_digest(world.conditions(NGO, **PAYLOAD)),
        deposit_id=bytes(32),
        revoked_at=world.now,
    )
    document = sign(foreign, world.homes["company-1"].signing_key).document
    monkeypatch.setattr(consent_record, "revocation", lambda *_: document)
    with pytest.raises(VerificationFailed, match="may not sign"):
        taking_back(world).withdraw_reference("H-1", "Taken back")
    assert "RECORDS_WITHDRAWN" not in world.log_kinds()


def test_a_revocation_of_one_deposit_does_not_revoke_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = world.conditions(NGO, **PAYLOAD)
    consent(world)
    other = consent_record.revocation(world.homes[NGO], "H-1", conditions, bytes(32), world.now)
    monkeypatch.setattr(consent_record, "revocation", lambda *_: other)
    with pytest.raises(BadInput, match="another deposit"):
        taking_back(world).withdraw_reference("H-1", "Taken back")
    assert "RECORDS_WITHDRAWN" not in world.log_kinds()


def test_an_acknowledgement_is_of_one_notice_by_its_recipient(world: World) -> None:
    world.ask([phone(1)])
    world.ask([phone(2)])
    taking_back(world).withdraw_reference("H-1", "Taken back")
    taking_back(world).withdraw_reference("H-2", "Taken back")
    first, second = received(world).fetch()
    said = RetractionAcknowledgement(
        notice_id=first.notice.payload.notice_id,
        notice_digest=hashlib.sha256(first.notice.document.encode()).digest(),
        requester=POLICE,
        done=RetractionDone.ERASED,
        lawful_ground="",
        officer="officer-1",
        acknowledged_at=world.now,
    )

    def post(message: RetractionAcknowledgement, notice_id: bytes, name: str = POLICE) -> ReceiptMessage:
        document = sign(message, world.homes[name].signing_key).document
        url = f"{BROKER}/v1/retractions/{notice_id.hex()}"
        return world.caller(name).post(url, DocumentMessage(document=document), ReceiptMessage)

    with pytest.raises(BadInput, match="another notice"):
        post(said, second.notice.payload.notice_id)
    with pytest.raises(NotFound):
        post(said, first.notice.payload.notice_id, "company-2")
    receipt = post(said, said.notice_id)
    assert post(said, said.notice_id).proof.index == receipt.proof.index, "replayed, it changes nothing"
    assert world.log_kinds().count("RETRACTION_ACKNOWLEDGED") == 1


def test_a_broker_that_notices_nobody_or_never_shows_it_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask([phone(1)])
    world.ask([phone(2)])
    taking_back(world).withdraw_reference("H-1", "Taken back")
    with monkeypatch.context() as patched:
        empty = RetractionNotices(notices=())
        patched.setattr(broker_retractions, "show", lambda *_: empty)
        assert received(world).fetch() == ()
    world.now += 20 * DAY
    with monkeypatch.context() as patched:
        patched.setattr(broker_retractions, "notify", lambda *_: None)
        taking_back(world).withdraw_reference("H-2", "Taken back")
    seen = {each.anomaly: each.detail for each in found(world)}
    assert set(seen) == {Anomaly.RETRACTION_OVERDUE, Anomaly.RETRACTION_UNNOTICED}
    assert "never shown" in seen[Anomaly.RETRACTION_OVERDUE]
    assert seen[Anomaly.RETRACTION_UNNOTICED] == "1 are owed; 0 are logged."


def test_a_notice_has_no_token_and_another_brokers_is_not_believed(world: World) -> None:
    answer = world.ask([phone(1)])
    taking_back(world).withdraw_reference("H-1", "Taken back")
    (each,) = received(world).fetch()
    for hit in answer.hit_tokens:
        assert hit.token.hex() not in encode(each.notice.payload).decode()
    forged = sign(each.notice.payload, world.homes[NGO].signing_key).document
    with pytest.raises(Exception, match="may not sign it"):
        verify(RetractionNotice, forged, world.space.broker_signing_key)
