"""A stick that is lost, altered, replayed, handed to somebody else or mixed up; and a broker that shows an old log.

What must hold: whoever has a file learns what its header says and no more; a receiver acts on what its sender signed
for it, once, in time and in order; an answer counts for the one bundle it answers and continues the log seen before.
"""

import hashlib
import random
from collections.abc import Callable, Iterator

import pytest

from broker.protocol import carried, checkpoint, documents, wrapping
from broker.protocol.carried import CarriedAnswers, CarriedCalls
from broker.protocol.errors import (
    Expired,
    NarrowgateError,
    NotFound,
    NotPermitted,
    VerificationFailed,
)
from clients.carry import bundles
from clients.contributor import Contributor
from clients.remote import RemoteConflict
from clients.requester import PreparedRequest, Requester
from clients.transport import Awaited
from tests.broker_case import key_of
from tests.carry_case import Carrying, deliver
from tests.world import BROKER, HOLDERS, LOG_ORIGIN, PLAINTEXT, POLICE, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    for name in ("company-1", "company-2", "ngo-1"):
        made.deposit(name, range(5))
    yield made
    made.close()


@pytest.fixture
def stick(world: World) -> Iterator[Carrying]:
    world.let_budgets_refill()
    carrying = Carrying(world, POLICE)
    now = world.now
    yield carrying
    world.now = now
    for _ in range(2):
        carrying.round_trip()


def asking(world: World, stick: Carrying, *numbers: int) -> tuple[PreparedRequest, Callable[[], object]]:
    """A request that was filed as far as the stick, where its call waits; and how it is filed again."""
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare(map(phone, numbers))
    finding = world.finding(prepared)

    def file() -> object:
        return requester.file(prepared.request_id, [finding])

    with pytest.raises(Awaited):
        file()
    return prepared, file


def test_a_stick_that_is_lost_tells_its_finder_nothing_and_costs_nothing(
    world: World, stick: Carrying
) -> None:
    prepared, file = asking(world, stick, 1, 500)
    [lost] = stick.export()
    for secret in (prepared.document, "CASE-1", prepared.request.payload.batches[0].batch_root.hex()):
        assert secret.encode() not in lost.data
    info = b"narrowgate/v1/carried\x00" + lost.header.bundle_id
    for holder in world.holders.values():
        with pytest.raises(VerificationFailed):
            wrapping.unwrap(holder.keys.wrapping.private, carried.unpack(lost.data).sealed, info)
    assert stick.export() == ()

    [again] = stick.export(again=True)
    first = stick.deliver(again)
    admitted = world.log_kinds().count("ADMITTED")
    # The finder hands the lost one in after all: the same call, under the same key, answered as before.
    second = stick.deliver(lost)
    assert world.log_kinds().count("ADMITTED") == admitted
    assert not stick.read_in(second).repeated
    assert not stick.read_in(first).repeated
    assert file()


def test_an_altered_file_is_refused_wherever_it_is_altered(world: World, stick: Carrying) -> None:
    asking(world, stick, 2, 501)
    [bundle] = stick.export()
    before, chance = world.log_kinds(), random.Random(7)
    for place in [0, 21, *(chance.randrange(len(bundle.data)) for _ in range(40)), len(bundle.data) - 1]:
        altered = bytearray(bundle.data)
        altered[place] ^= 1 << chance.randrange(8)
        assert deliver(world, "broker", bytes(altered)).status in (400, 401, 403, 422), place
    for size in (0, 10, 1000, len(bundle.data) - 1):
        assert deliver(world, "broker", bundle.data[:size]).status in (400, 422)
    assert world.log_kinds() == before
    answer = bytearray(stick.deliver(bundle))
    answer[-1] ^= 1
    with pytest.raises(NarrowgateError):
        stick.read_in(bytes(answer))


def test_a_file_that_comes_again_changes_nothing_and_next_month_it_is_refused(
    world: World, stick: Carrying
) -> None:
    asking(world, stick, 3, 502)
    [bundle] = stick.export(seconds=30 * 86_400)
    answer = stick.deliver(bundle)
    before = world.log_kinds()
    again = stick.deliver(bundle)
    assert world.log_kinds() == before
    assert not stick.read_in(answer).repeated
    assert stick.read_in(answer).repeated
    assert stick.read_in(again).repeated
    world.now += 31 * 86_400
    with pytest.raises(Expired):
        stick.deliver(bundle)


def test_a_file_for_another_receiver_is_handed_back_unopened(world: World, stick: Carrying) -> None:
    asking(world, stick, 4, 503)
    [bundle] = stick.export()
    answer = deliver(world, "holder-1", bundle.data)
    assert answer.status == 403
    assert b"for somebody else" in answer.body
    stick.read_in(stick.deliver(bundle))
    # And the answers, brought to another home.
    other = Carrying(world, "company-2")
    with pytest.raises(NotFound):
        other.read_in(stick.deliver(bundle))


def test_nobody_else_signs_a_found_file_as_his_own(world: World, stick: Carrying) -> None:
    asking(world, stick, 1, 504)
    [bundle] = stick.export()
    sealed = carried.unpack(bundle.data).sealed
    thief = world.homes["company-2"]
    stolen = bundle.header.model_copy(update={"sender": "company-2"})
    answer = deliver(world, "broker", carried.pack(stolen, sealed, thief.signing_key))
    assert answer.status == 422
    stranger = key_of("stranger")
    assert deliver(world, "broker", carried.pack(stolen, sealed, stranger)).status == 401
    assert deliver(world, "broker", carried.pack(stolen, sealed, key_of("operator"))).status == 401


def test_files_that_come_in_the_wrong_order_wait_for_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "MAXIMUM_CONTENT_BYTES", 6_000)
    stick = Carrying(world, "company-1")
    acts = Contributor(world.homes["company-1"], stick.caller(), world.clock, world.random("company-1"))
    series = acts.find_series(world.space, "phone", world.conditions("company-1"))
    assert series is not None
    records = [(phone(number), PLAINTEXT) for number in range(100, 120)]
    with pytest.raises(Awaited):
        acts.deposit(series, records)
    files = [each for each in stick.export() if each.header.recipient == "broker"]
    assert len(files) == 3
    before = world.log_kinds()
    for wrong in files[1:]:
        with pytest.raises(RemoteConflict, match="Wait for"):
            stick.deliver(wrong)
    assert world.log_kinds() == before
    answers = [stick.deliver(each) for each in files]
    for answer in reversed(answers):
        stick.read_in(answer)
    for each in stick.files:
        if each.header.recipient != "broker":
            stick.read_in(stick.deliver(each))
    assert stick.take(lambda: acts.deposit(series, records)).identifiers == 20


def test_an_old_answer_does_not_answer_a_new_question(world: World, stick: Carrying) -> None:
    asking(world, stick, 2, 505)
    [first] = stick.export()
    old = stick.deliver(first)
    stick.read_in(old)
    _, file = asking(world, stick, 3, 506)
    stick.export()
    assert stick.read_in(old).repeated
    with pytest.raises(Awaited):
        file()


def test_a_broker_that_shows_another_log_than_before_is_found_out(world: World, stick: Carrying) -> None:
    asking(world, stick, 1, 507)
    stick.round_trip()
    [seen] = stick.outbox.seen(world.space.space_id)
    _, file = asking(world, stick, 2, 508)
    [bundle] = stick.export()
    honest = carried.unpack(stick.deliver(bundle))
    private = stick.home.vault.read_secret("secrets/wrapping")
    signed = documents.verify(carried.CarriedHeader, honest.document, world.broker_keys.signing_public)
    index, bodies = carried.open_bundle(signed, honest.sealed, private, CarriedAnswers)
    for size in (seen.size, seen.size + 1, max(1, seen.size - 1)):
        note = checkpoint.sign(
            LOG_ORIGIN, size, hashlib.sha256(b"another log").digest(), key_of("log"), LOG_ORIGIN
        )
        forged = index.model_copy(update={"checkpoint": note.decode()})
        kid = documents.key_identifier(world.broker_keys.signing_public)
        content, header = carried.frame(forged, bodies), signed.payload
        own = header.recipient_kid
        sealed = carried.seal(content, wrapping.public_of(private), header.bundle_id, kid, own)
        lying = header.model_copy(update={"sealed_digest": hashlib.sha256(sealed).digest()})
        with pytest.raises(VerificationFailed, match="does not continue"):
            stick.read_in(carried.pack(lying, sealed, world.broker_keys.signing_key))
    with pytest.raises(Awaited):
        file()
    stick.read_in(stick.deliver(bundle))


def test_two_sticks_of_one_requester_are_on_their_way_at_once(world: World, stick: Carrying) -> None:
    first, file_first = asking(world, stick, 1, 509)
    [one] = stick.export()
    second, file_second = asking(world, stick, 4, 510)
    [two] = stick.export()
    answer_two, answer_one = stick.deliver(two), stick.deliver(one)
    stick.read_in(answer_one)
    stick.read_in(answer_two)
    for file in (file_first, file_second):
        assert file()
    # Both views of the log stay until one answer connects them.
    seen = {each.size for each in stick.outbox.seen(world.space.space_id)}
    assert len(seen) == 2
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    assert set(stick.take(lambda: requester.run(first.request_id)).hits) == {phone(1)}
    assert set(stick.take(lambda: requester.run(second.request_id)).hits) == {phone(4)}
    assert len(stick.outbox.seen(world.space.space_id)) == 1


def test_what_no_stick_may_carry_is_refused_on_both_sides(world: World, stick: Carrying) -> None:
    with pytest.raises(NotPermitted):
        stick.caller().get_public(f"{BROKER}/v1/operator/enrolments")
    asking(world, stick, 2, 511)
    [bundle] = stick.export()
    key, own = world.broker.keys.carry.public, stick.home.signing_key
    kid = documents.key_identifier(documents.public_bytes(own))
    for target in (
        "/v1/operator/enrolments",
        "/v1/carried/key",
        "/metrics",
        "/v1/deposits/../operator/purge",
    ):
        call = carried.CarriedCall(method="GET", target=target, size=0)
        sealed = carried.seal(
            carried.frame(CarriedCalls(calls=(call,)), [b""]),
            key,
            bundle.header.bundle_id,
            kid,
            bundle.header.recipient_kid,
        )
        header = bundle.header.model_copy(update={"sealed_digest": hashlib.sha256(sealed).digest()})
        assert deliver(world, "broker", carried.pack(header, sealed, own)).status == 403


def test_no_caller_on_the_network_can_say_that_a_bundle_came(world: World) -> None:
    name = {"narrowgate.carried": "company-1", "narrowgate-carried": "company-1"}
    for origin, path in ((BROKER, "/v1/releases"), (HOLDERS[1], "/v1/evaluations")):
        method = "GET" if origin == BROKER else "POST"
        status, _, _ = world.wire.apps[origin].send(method, f"{origin}{path}", name, b"")
        assert status == 401
