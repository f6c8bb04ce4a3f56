"""What somebody says is wrong or not theirs: found by nobody, told to whoever was told, ended by its contributor."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import retractions as broker_retractions
from broker.protocol.documents import Signed, sign
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.base import Message
from broker.protocol.messages.consent import (
    ContestState,
    ContestStatement,
    RetractionAcknowledgement,
    RetractionDone,
    RetractionGround,
)
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.auditing.anomalies import look
from clients.auditing.findings import Anomaly, Finding, Known
from clients.auditing.mirrored import MirroredLog
from clients.case_file.gathering import gather
from clients.cli.access_request import _terms
from clients.contributor import DepositResult
from clients.deposit_changes.sieve import Sieve
from clients.depositing.deposit_folder import all_deposits
from clients.persons import contested_records
from clients.persons.access_document import compose
from clients.persons.access_search import Person, search
from clients.persons.contesting import Contesting
from clients.requesting.retractions import Received, Retractions, contested
from tests.gate_world import BUNDLE
from tests.world import BROKER, POLICE, World, phone

pytestmark = pytest.mark.all_only

DAY = 86_400
NGO = "ngo-1"
SAID = "The number was never hers"
CONDITIONS = {"highest_tier": Tier.HITS, "payload_category": PayloadCategory.OWN_REPORT}
ROWS = [(phone(number), b'{"signals":[]}') for number in (1, 2, 3)]
REFERENCES = {phone(1): "H-1", phone(2): "H-2", phone(3): "H-2; H-3"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """phone(1) is H-1's, phone(2) H-2's, phone(3) is of H-2 and H-3, all at the NGO; others know other numbers."""
    made = World(tmp_path)
    made.deposit("company-1", [0, 20])
    made.deposit("company-2", range(5, 15))
    deposit(made)
    yield made
    made.close()


def deposit(
    world: World, rows: list[tuple[str, bytes]] = ROWS, references: dict[str, str] = REFERENCES
) -> DepositResult:
    """What `deposit add` does with a file: rows that may not go in again are left out."""
    contributor, conditions = world.contributor(NGO), world.conditions(NGO, **CONDITIONS)
    sieve = Sieve(world.homes[NGO], world.space, world.now, world.random(NGO))
    going_in = [
        (text, plaintext)
        for text, plaintext in rows
        if sieve.why_left_out(text, references.get(text, ""), conditions) is None
    ]
    series = contributor.open_series(world.space, "phone", conditions)
    return contributor.deposit(series, going_in, references=references)


def ngo(world: World, name: str = NGO) -> Contesting:
    return Contesting(world.homes[name], world.caller(name), world.clock, world.random(name))


def received(world: World) -> Retractions:
    return Retractions(world.homes[POLICE], world.space, world.caller(POLICE), world.clock)


def grounds(notices: tuple[Received, ...]) -> list[str]:
    return sorted(each.notice.payload.ground.value for each in notices)


def found(world: World) -> list[Finding]:
    """What the auditor finds about notices."""
    world.auditor().verify()
    looked = look(MirroredLog(world.homes["auditor-1"], world.space).entries(), Known({}, world.space))
    return [each for each in looked.findings if each.anomaly.value.startswith("retraction-")]


def access_answer(world: World, name: str, person: Person) -> str:
    """What a person is told who asks an agency what it holds about them."""
    terms = _terms(BUNDLE, "eu-gdpr")
    held = search(world.homes[name], person, world.now)
    document = compose(name, "SAR-1", terms, held, (), by_reference=True, now=world.now)
    return " ".join(document.markdown().split())


def test_what_is_contested_is_found_by_nobody_and_whoever_was_told_is_told(world: World) -> None:
    first = world.ask([phone(1), phone(2), phone(7)])
    assert phone(1) in first.hits
    world.ask([phone(7), phone(8)])
    assert ngo(world).contest("H-1", SAID).taken[0].records == 1
    assert phone(1) not in world.ask([phone(1), phone(9)]).hits
    (notice,) = received(world).fetch()
    said = notice.notice.payload
    assert (said.ground, said.request_id) == (RetractionGround.CONTESTED, first.request_id)
    assert NGO not in notice.notice.document
    assert SAID.encode() not in (world.folder / "broker.sqlite3").read_bytes()
    received(world).acknowledge(said.notice_id, "officer-1", done=RetractionDone.RESTRICTED)
    assert received(world).fetch() == ()


def test_a_deposit_holds_it_back_until_it_is_upheld_and_it_stands_again(world: World) -> None:
    first = world.ask([phone(1), phone(7)])
    ngo(world).contest("H-1", SAID)
    deposit(world)
    assert phone(1) not in world.ask([phone(1), phone(8)]).hits, "the file has the row, and it is held back"
    told = ngo(world).decide("H-1", ContestState.UPHELD, "The recording says the number")
    assert [each.sent for each in told.parts] == [True]
    assert grounds(received(world).fetch()) == ["contested", "stands_again"]
    assert phone(1) not in world.ask([phone(1), phone(9)]).hits, "nothing is put back before a deposit"
    deposit(world)
    assert phone(1) in world.ask([phone(1), phone(10)]).hits
    for each in received(world).fetch():
        done = {"contested": RetractionDone.RESTRICTED, "stands_again": RetractionDone.NOTED}
        word = done[each.notice.payload.ground.value]
        received(world).acknowledge(each.notice.payload.notice_id, "officer-1", done=word)
    assert phone(1) in first.hits
    world.now += 30 * DAY
    assert found(world) == []


def test_what_is_withdrawn_stays_out_whatever_file_it_stands_in(world: World) -> None:
    world.ask([phone(1), phone(7)])
    ngo(world).contest("H-1", SAID)
    ngo(world).decide("H-1", ContestState.WITHDRAWN, "It was typed into the wrong row")
    for notice in received(world).fetch():
        received(world).acknowledge(notice.notice.payload.notice_id, "officer-1")
    deposit(world)
    # Under no reference at all, it is the identifier that is known again.
    deposit(world, [(phone(1), b'{"signals":[]}'), (phone(30), b'{"signals":[]}')], {})
    hits = world.ask([phone(1), phone(30)]).hits
    assert (phone(1) in hits, phone(30) in hits) == (False, True)
    with pytest.raises(BadInput, match="nothing to deposit"):
        deposit(world, [(phone(1), b'{"signals":[]}')], {})


def test_a_record_of_two_persons_stays_unless_the_desk_says_so(world: World) -> None:
    result = ngo(world).contest("H-2", SAID)
    assert (sum(each.records for each in result.taken), result.shared) == (1, 1)
    hits = world.ask([phone(2), phone(3)]).hits
    assert (phone(2) in hits, phone(3) in hits) == (False, True)
    assert ngo(world).contest("H-2", SAID, shared_too=True).taken[0].records == 1
    assert phone(3) not in world.ask([phone(3), phone(8)]).hits


def test_nobody_contests_or_decides_for_another(world: World) -> None:
    ngo(world).contest("H-1", SAID)
    known = contested_records.find(world.homes[NGO], "H-1")
    assert known is not None
    (part,) = known.parts

    def post(signer: str, contributor: str, state: ContestState, reason: str) -> ReceiptMessage:
        said = ContestStatement(
            contributor=contributor,
            deposit_id=part.deposit_id,
            withdrawal_digest=part.withdrawal_digest,
            state=state,
            reason=reason,
            stated_at=world.now,
        )
        document = sign(said, world.homes[signer].signing_key).document
        url = f"{BROKER}/v1/deposits/{part.deposit_id.hex()}/decide-contest"
        return world.caller(signer).post(url, DocumentMessage(document=document), ReceiptMessage)

    for name in ("company-1", POLICE):
        with pytest.raises(NotFound):
            post(name, name, ContestState.UPHELD, "It is right")
    for state, reason in ((ContestState.CONTESTED, ""), (ContestState.UPHELD, " ")):
        with pytest.raises(BadInput):
            post(NGO, NGO, state, reason)
    with pytest.raises(BadInput):
        post(NGO, "company-1", ContestState.UPHELD, "It is right")
    first = post(NGO, NGO, ContestState.UPHELD, "It is right")
    assert post(NGO, NGO, ContestState.UPHELD, "It is right").proof.index == first.proof.index
    with pytest.raises(Conflict):
        post(NGO, NGO, ContestState.WITHDRAWN, "It is wrong after all")
    assert world.log_kinds().count("CONTEST_STATED") == 2


def test_a_statement_is_about_the_withdrawal_it_comes_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The NGO's client says of another withdrawal that it is contested, and company-1 signs in its place."""

    def other(kind: str) -> None:
        def signed(message: Message, key: Ed25519PrivateKey) -> Signed[Message]:
            if isinstance(message, ContestStatement):
                changed = (
                    {"withdrawal_digest": bytes(32)} if kind == "digest" else {"contributor": "company-1"}
                )
                message = message.model_copy(update=changed)
                if kind == "signer":
                    key = world.homes["company-1"].signing_key
            return sign(message, key)

        monkeypatch.setattr("clients.deposit_changes.root_changes.documents.sign", signed)

    for kind, refusal in (("digest", BadInput), ("name", BadInput), ("signer", VerificationFailed)):
        other(kind)
        with pytest.raises(refusal):
            ngo(world).contest("H-1", SAID)
        monkeypatch.undo()
        (deposit_folder,) = all_deposits(world.homes[NGO])
        world.homes[NGO].vault.erase(f"deposits/{deposit_folder.deposit_id.hex()}/changing")
    assert "RECORDS_WITHDRAWN" not in world.log_kinds()


def test_each_notice_is_answered_as_its_ground_lets(world: World) -> None:
    world.ask([phone(1), phone(7)])
    ngo(world).contest("H-1", SAID)
    (notice,) = received(world).fetch()
    notice_id = notice.notice.payload.notice_id
    with pytest.raises(BadInput, match="restricted, erased, kept"):
        received(world).acknowledge(notice_id, "officer-1", done=RetractionDone.NOTED)
    said = RetractionAcknowledgement(
        notice_id=notice_id,
        notice_digest=notice.notice.digest,
        requester=POLICE,
        done=RetractionDone.NOTED,
        lawful_ground="",
        officer="officer-1",
        acknowledged_at=world.now,
    )
    document = sign(said, world.homes[POLICE].signing_key).document
    url = f"{BROKER}/v1/retractions/{notice_id.hex()}"
    with pytest.raises(BadInput, match="restricted or erased or kept"):
        world.caller(POLICE).post(url, DocumentMessage(document=document), ReceiptMessage)


def test_what_is_set_aside_leaves_the_home_in_no_case_folder_until_it_is_decided(world: World) -> None:
    first = world.ask([phone(1), phone(2), phone(7)])
    home = world.homes[POLICE]
    ngo(world).contest("H-1", SAID)
    assert gather(home, first.request_id), "the notice is not fetched: it cannot be known"
    (notice,) = received(world).fetch()
    received(world).acknowledge(notice.notice.payload.notice_id, "officer-1", done=RetractionDone.RESTRICTED)
    assert contested(home, world.space, first.request_id) == {phone(1)}
    with pytest.raises(Conflict, match="contested"):
        gather(home, first.request_id)
    assert "not used until that is decided: identifier 1 of your list" in access_answer(
        world, POLICE, Person((phone(1),))
    )
    ngo(world).decide("H-1", ContestState.UPHELD, "The recording says the number")
    received(world).fetch()
    assert contested(home, world.space, first.request_id) == frozenset()
    assert gather(home, first.request_id)
    assert "not used until" not in access_answer(world, POLICE, Person((phone(1),)))


@pytest.mark.parametrize(
    "person", [Person((phone(1),)), Person((), ("H-1",))], ids=["identifier", "reference"]
)
def test_an_answer_to_a_request_of_access_names_the_state(world: World, person: Person) -> None:
    assert "Contested" not in access_answer(world, NGO, person)
    ngo(world).contest("H-1", SAID)
    text = access_answer(world, NGO, person)
    assert "Until we decide, it is held back and compared with nothing." in text
    assert SAID not in text
    ngo(world).decide("H-1", ContestState.WITHDRAWN, "It was typed into the wrong row")
    assert "we withdrew it; it is not shared again" in access_answer(world, NGO, person)
    assert "Contested" not in access_answer(world, NGO, Person((phone(2),), ("H-2",)))


def test_a_broker_that_tells_nobody_how_a_contest_ended_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask([phone(1), phone(7)])
    ngo(world).contest("H-1", SAID)
    with monkeypatch.context() as patched:
        patched.setattr(broker_retractions, "notify", lambda *_: None)
        ngo(world).decide("H-1", ContestState.UPHELD, "The recording says the number")
    assert [(each.anomaly, each.detail) for each in found(world)] == [
        (Anomaly.RETRACTION_UNNOTICED, "1 are owed; 0 are logged.")
    ]
