"""A contributor and a requester without a network: the same steps, over files, with the same end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.gate.bundle import load
from broker.protocol.messages.vocabulary import AgencyKind
from clients.contributor import Contributor
from clients.deposit_changes.taking_back import TakingBack
from clients.founder import join
from clients.keyholder import activation
from clients.remote import RefusedByGate
from clients.requester import Requester
from clients.requesting.payloads import Payloads
from clients.requesting.retractions import Retractions
from clients.statistics import read_statistics
from clients.transport import Awaited
from tests import rules
from tests.carry_case import Carrying
from tests.threats import climbing
from tests.world import PLAINTEXT, POLICE, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def contributor(world: World, carrying: Carrying, name: str) -> Contributor:
    return Contributor(world.homes[name], carrying.caller(), world.clock, world.random(name))


def test_a_deposit_and_a_request_travel_as_files(world: World) -> None:
    world.deposit("company-2", range(3, 8))
    world.deposit("ngo-1", range(4, 12))
    carrying = Carrying(world, "company-1")
    agreed = world.conditions("company-1")
    acts = contributor(world, carrying, "company-1")
    series = carrying.take(lambda: acts.open_series(world.space, "phone", agreed))
    assert carrying.trips == 3
    records = [(phone(each), PLAINTEXT) for each in range(5)]
    result = carrying.take(lambda: acts.deposit(series, records))
    assert result.identifiers == 5
    assert carrying.trips == 5

    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(4), phone(900)])
    finding = world.finding(prepared)
    answer = stick.take(lambda: requester.run(prepared.request_id, [finding]))
    assert set(answer.hits) == {phone(1), phone(4)}
    assert stick.trips == 3


def test_a_series_is_withdrawn_over_a_stick(world: World) -> None:
    carrying = Carrying(world, "company-1")
    acts = contributor(world, carrying, "company-1")
    agreed = world.conditions("company-1")
    series = carrying.take(lambda: acts.open_series(world.space, "phone", agreed))
    carrying.take(lambda: acts.deposit(series, [(phone(1), PLAINTEXT)]))
    before = carrying.trips
    # The broker first; then the holders, whose receipts come later; then the broker again.
    result = carrying.take(lambda: acts.withdraw(series, "A mistake"))
    assert not result.complete
    carrying.round_trip()
    result = carrying.take(lambda: acts.withdraw(series, "A mistake"))
    assert result.complete
    assert carrying.trips - before == 3
    assert world.log_kinds().count("SERIES_DESTROYED") == 1


def test_an_answer_outlives_the_lost_bundle_that_asked_for_it_first(world: World) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    with pytest.raises(Awaited):
        requester.file(prepared.request_id, [finding])
    [lost] = stick.export(seconds=86_400)
    [again] = stick.export(again=True, seconds=2 * 86_400)
    answers = stick.deliver(lost)
    world.now += 86_300
    stick.read_in(stick.deliver(again))
    # Found after all, with what was answered in its time.
    stick.read_in(answers)
    world.now += 200
    assert stick.export() == (), "the day of the first is over, and nothing waits"
    assert requester.file(prepared.request_id, [finding])
    assert {each.bundle_id for each in stick.outbox.sent()} == {again.header.bundle_id}
    world.now += 86_400
    stick.export()
    assert stick.home.vault.names("carry/answers") == (), "both are over"


def test_with_one_key_holder_down_the_others_are_named_and_the_request_goes_on(world: World) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    stick.take(lambda: requester.file(prepared.request_id, [finding]))
    with pytest.raises(Awaited):
        requester.evaluate(prepared.request_id)
    # The sticks to holders 1 and 2 are written, and the one to 1 is lost for good.
    assert {each.header.recipient for each in stick.export()} == {"holder-1", "holder-2"}
    with pytest.raises(Awaited):
        requester.evaluate(prepared.request_id, (2, 3))
    stick.take(lambda: requester.evaluate(prepared.request_id, (2, 3)))
    answer = stick.take(lambda: requester.submit(prepared.request_id))
    assert set(answer.hits) == {phone(1)}


def test_a_holder_that_refuses_says_so_over_a_stick_and_the_others_evaluate(
    world: World, tmp_path: Path
) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    stick.take(lambda: requester.file(prepared.request_id, [finding]))
    stricter = rules.forbidding(tmp_path / "stricter", "admit", "true")
    source = rules.sign_rules(stricter, world.now - 600, world.bundle.digest)
    activation.activate(world.holders[1], source)

    # One refuses: the next quorum takes another trip, and the answer comes.
    before = stick.trips
    stick.take(lambda: requester.evaluate(prepared.request_id))
    answer = stick.take(lambda: requester.submit(prepared.request_id))
    assert set(answer.hits) == {phone(1)}
    recipients = [each.header.recipient for each in stick.files]
    assert recipients.count("holder-1") == 1, "who refused is not asked again"
    assert stick.trips - before <= 4

    # Two refuse: no quorum is left, and that is told with their names, again without a trip.
    activation.activate(world.holders[2], source)
    world.let_budgets_refill()
    prepared = world.prepare([phone(2), phone(901)])
    finding = world.finding(prepared)
    stick.take(lambda: requester.file(prepared.request_id, [finding]))
    with pytest.raises(RefusedByGate, match="Holder 1 and Holder 2 decided again") as refused:
        stick.take(lambda: requester.evaluate(prepared.request_id))
    assert refused.value.reasons or refused.value.rules
    trips = stick.trips
    with pytest.raises(RefusedByGate):
        requester.evaluate(prepared.request_id)
    assert stick.trips == trips
    assert stick.export() == (), "nothing waits"


def test_a_member_joins_over_a_stick_and_deposits(world: World) -> None:
    helpline = world.newcomer("survivors-helpline", AgencyKind.HELPLINE, "DE")
    signed = world.founder().add_member(None, helpline.enrolment)
    founder = world.homes["company-1"].enrolment
    for holder in world.holders.values():
        world.pin(holder, signed)
    # The broker's key can be checked only once the space is pinned: the first try pins it, and waits for the salt.
    stick = Carrying(world, "survivors-helpline", begin=False)
    stick.bundles.begin([])
    with pytest.raises(Awaited):
        join(helpline, stick.caller(), signed.document, founder)
    assert not helpline.has_salt(signed.payload)
    stick.begin()
    stick.take(lambda: join(helpline, stick.caller(), signed.document, founder))
    assert helpline.salt(signed.payload) == world.homes["company-1"].salt(signed.payload)
    assert stick.trips == 1

    acts = contributor(world, stick, "survivors-helpline")
    agreed = world.conditions("survivors-helpline")
    series = stick.take(lambda: acts.open_series(signed.payload, "phone", agreed))
    result = stick.take(lambda: acts.deposit(series, [(phone(1), PLAINTEXT)]))
    assert result.identifiers == 1


def test_notices_of_what_was_taken_back_and_statistics_travel_too(world: World) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    stick.take(lambda: requester.run(prepared.request_id, [finding]))

    owner = world.homes["company-1"]
    taking_back = TakingBack(owner, world.caller("company-1"), world.clock, world.random("company-1"))
    taking_back.withdraw_identifiers(world.space, {"phone": [phone(1)]}, "A mistake")
    received = Retractions(world.homes[POLICE], world.space, stick.caller(), world.clock)
    (notice,) = stick.take(received.fetch)
    assert notice.identifiers == 1
    stick.take(lambda: received.acknowledge(notice.notice.payload.notice_id, "officer-1"))
    assert world.log_kinds().count("RETRACTION_ACKNOWLEDGED") == 1

    offline = Carrying(world, "company-2")
    told = offline.take(lambda: read_statistics(offline.home, world.space, offline.caller()))
    assert told == read_statistics(offline.home, world.space, world.caller("company-2"))
    assert offline.trips == 1


def test_a_payload_is_asked_opened_and_refused_over_a_stick(world: World, tmp_path: Path) -> None:
    for name, numbers in (("company-1", range(10)), ("company-2", range(5, 15)), ("ngo-1", range(12, 20))):
        world.deposit(name, numbers, **climbing.PAYLOAD)
    hits = world.ask([phone(3), phone(7), phone(13)])
    sources = world.climb(hits.request_id, [phone(3), phone(7)])
    request = world.climb_prepared(sources.request_id, [phone(7)])
    finding, request_id = world.finding_on(request), request.payload.request_id
    approvals = world.approvals(request, finding, *climbing.PEOPLE)
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    stick.take(lambda: requester.run(request_id, [finding], approvals))
    payloads = Payloads(world.homes[POLICE], world.space, stick.caller(), world.clock)

    # Two holders' operators put stricter rules in force meanwhile: they open nothing, and say so in their answers.
    stricter = rules.forbidding(tmp_path / "stricter", "release", 'context.tier == "payload"')
    source = rules.sign_rules(stricter, world.now - 600, world.bundle.digest)
    for x in (1, 2):
        activation.activate(world.holders[x], source)
    with pytest.raises(RefusedByGate, match="Holder 1 and Holder 2 decided again"):
        stick.take(lambda: payloads.open(request_id))

    # They go back to the rules before, the refusals are forgotten, and the same step opens it.
    back = rules.changed_rules(tmp_path / "back", lambda text: text + "# as before\n")
    for x in (1, 2):
        activation.activate(world.holders[x], rules.sign_rules(back, world.now - 300, load(stricter).digest))
    assert stick.outbox.forget_refusals() >= 2
    opened = stick.take(lambda: payloads.open(request_id))
    assert {each.plaintext for each in opened.payloads} == {PLAINTEXT}
