"""A broker that proves one answer by another's log entry, by an entry of other bytes, or by none.

The program and its keys are the real ones, and the requester is honest. Each lie is about a request that the broker
answered rightly too, so that it is the binding of answer and entry that is found false.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from broker.audit.log import Receipt
from broker.protocol import documents
from broker.protocol.errors import Unavailable, VerificationFailed
from broker.protocol.messages.base import decode, encode, read
from broker.protocol.messages.closings import Released
from broker.protocol.messages.log import OpenedEntry
from broker.protocol.messages.requests import Disclosure, TokensAnswered
from broker.protocol.messages.vocabulary import Tier
from clients.requester import PreparedRequest
from clients.transport import Answer
from tests.threats.forged_entries import planted, signed_anew
from tests.world import BROKER, POLICE, World, phone

ASKED = [phone(3), phone(7), phone(500)]


@dataclass(frozen=True)
class Answered:
    """What the broker rightly answered, which a lie changes."""

    answer: TokensAnswered
    told: Disclosure
    record: Released
    other: OpenedEntry
    """The RELEASED entry of the request that was answered before."""

    @property
    def recorded(self) -> OpenedEntry:
        """Its own RELEASED entry."""
        assert self.answer.recorded is not None
        return self.answer.recorded


Lie = Callable[[World, Answered], TokensAnswered]


def receipt_at(world: World, index: int) -> Receipt:
    with world.broker.database.read() as connection:
        return world.broker.audit.receipt(connection, index)


def by_anothers_proofs(world: World, given: Answered) -> TokensAnswered:
    other = decode(Released, given.other.record)
    release = receipt_at(world, other.release_index).proof
    signed = signed_anew(world, given.told.model_copy(update={"proof": release}))
    return given.answer.model_copy(update={"document": signed.document, "recorded": given.other})


def by_its_own_entry(world: World, given: Answered) -> TokensAnswered:
    other = decode(Released, given.other.record)
    release = receipt_at(world, other.release_index).proof
    signed = signed_anew(world, given.told.model_copy(update={"proof": release}))
    return given.answer.model_copy(update={"document": signed.document})


def other_bytes(_world: World, given: Answered) -> TokensAnswered:
    record = encode(given.record.model_copy(update={"release_index": 0}))
    return with_entry(given, given.recorded.model_copy(update={"record": record}))


def anothers_record(_world: World, given: Answered) -> TokensAnswered:
    record, salt = given.other.record, given.other.salt
    return with_entry(given, given.recorded.model_copy(update={"record": record, "salt": salt}))


def with_entry(given: Answered, entry: OpenedEntry | None) -> TokensAnswered:
    return given.answer.model_copy(update={"recorded": entry})


def record_of(**changes: object) -> Lie:
    """A real entry, signed for and opened, that says something else."""
    return lambda world, given: with_entry(given, planted(world, given.record.model_copy(update=changes)))


def opened_admission(world: World, given: Answered) -> TokensAnswered:
    """An entry of this very request, of another kind: its record opens, and the broker should not show it."""
    kinds = world.log_kinds()
    receipt = receipt_at(world, len(kinds) - 1 - kinds[::-1].index("ADMITTED"))
    return with_entry(given, OpenedEntry(proof=receipt.proof, record=receipt.record, salt=receipt.salt))


LIES: dict[str, tuple[Lie, str]] = {
    "signed anew over another request's RELEASE, with that one's RELEASED": (
        by_anothers_proofs,
        "entry that came with the disclosure is of another request",
    ),
    "signed anew over another request's RELEASE, with its own RELEASED": (
        by_its_own_entry,
        "records another disclosure",
    ),
    "RELEASED was never logged": (lambda world, given: with_entry(given, None), "without the log entry"),
    "a record of other bytes": (other_bytes, "do not give the digest"),
    "another request's record": (anothers_record, "do not give the digest"),
    "the entry of its admission": (opened_admission, "another kind"),
    "a record of another request": (
        record_of(request_digest=hashlib.sha256(b"").digest()),
        "another request",
    ),
    "a record under another name": (record_of(request_id=bytes(16)), "another request"),
    "a record under another permit": (record_of(permit_id=bytes(16)), "another request"),
    "a record of another agency": (record_of(requester="company-1"), "another request"),
    "a record of another disclosure": (
        record_of(disclosure_digest=hashlib.sha256(b"").digest()),
        "records another disclosure",
    ),
    "a record of another tier": (record_of(tier=Tier.COUNT), "records another disclosure"),
    "a record of another decision": (record_of(release_index=0), "another decision"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("bound"))
    for agency in ("company-1", "company-2", "ngo-1"):
        world.deposit(agency, range(10))
    yield world
    world.close()


@pytest.fixture(scope="module")
def prepared(world: World) -> PreparedRequest:
    """A request that is admitted and evaluated: its tokens are ready to be sent."""
    made = world.prepare(ASKED)
    world.requester().file(made.request_id, [world.finding(made)])
    world.requester().evaluate(made.request_id)
    return made


@pytest.fixture(scope="module")
def other(world: World, prepared: PreparedRequest) -> OpenedEntry:
    """The entry of another request of the same agency, admitted and answered after that one was admitted."""
    world.ask(ASKED[:1])
    calls = reversed(world.wire.seen(BROKER, "/v1/requests"))
    last = next(each for each in calls if each.call.path.endswith("/tokens"))
    recorded = read(TokensAnswered, last.answer.body).recorded
    assert recorded is not None
    return recorded


@pytest.mark.parametrize("name", LIES)
def test_an_answer_that_its_entry_does_not_record_is_not_believed_and_kept_as_evidence(
    world: World, prepared: PreparedRequest, other: OpenedEntry, name: str
) -> None:
    lie, words = LIES[name]

    def change(answer: Answer) -> Answer:
        told = read(TokensAnswered, answer.body)
        signed = documents.verify(Disclosure, told.document or "", world.space.broker_signing_key)
        assert told.recorded is not None
        given = Answered(told, signed.payload, decode(Released, told.recorded.record), other)
        return Answer(answer.status, answer.headers, encode(lie(world, given)))

    path = f"/v1/requests/{prepared.request_id.hex()}"
    with (
        world.tamper(BROKER, path, answer=change) as tampering,
        pytest.raises(VerificationFailed, match=words),
    ):
        world.requester().submit(prepared.request_id)
    assert tampering.times == 1
    kept = world.homes[POLICE].vault.names(f"requests/{prepared.request_id.hex()}")
    assert "disclosure-false.jws" in kept
    assert "answer" not in kept


def test_the_same_request_rightly_answered_is_believed(world: World, prepared: PreparedRequest) -> None:
    assert set(world.requester().submit(prepared.request_id).hits) == {phone(3), phone(7)}
    kept = world.homes[POLICE].vault.names(f"requests/{prepared.request_id.hex()}")
    assert "released.json" in kept


def test_the_broker_opens_no_other_entry_to_a_requester(world: World, prepared: PreparedRequest) -> None:
    """Records of admissions and decisions name contributors that a count or hits must not tell."""
    opened = {
        kind: len(receipt_at(world, index).opened().record) > 0
        for index, kind in enumerate(world.log_kinds())
        if kind in ("RELEASED", "FAILED")
    }
    assert opened == {"RELEASED": True}
    for index, kind in enumerate(world.log_kinds()):
        if kind not in opened:
            with pytest.raises(Unavailable, match="not for its requester to open"):
                receipt_at(world, index).opened()
