"""Two logs of a real broker: an honest one that tells a whole story, and one that tests plant anomalies in."""

from collections.abc import Iterator

import pytest

from broker.protocol.messages.consent import ContestState
from broker.protocol.messages.vocabulary import PayloadCategory, Purpose, Tier
from clients.deposit_changes.taking_back import TakingBack
from clients.persons.contesting import Contesting
from clients.remote import RefusedByGate
from clients.requesting.answers import AnswerAwaited
from clients.requesting.request_folder import RequestFolder
from tests import gate_world
from tests.world import CONTRIBUTORS, PLAINTEXT, POLICE, World, phone


def contest(world: World, number: int) -> Contesting:
    """An NGO's record of a number is contested under the reference H-NUMBER."""
    name, called = "ngo-1", {phone(number): f"H-{number}"}
    contributor, conditions = world.contributor(name), world.conditions(name)
    series = contributor.open_series(world.space, "phone", conditions)
    contributor.deposit(series, [(phone(number), PLAINTEXT)], references=called)
    acts = Contesting(world.homes[name], world.caller(name), world.clock, world.random(name))
    acts.contest(f"H-{number}", "It was never hers.")
    return acts


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """From hits to a payload, a count, a refusal, an emergency that was reviewed, records taken back twice, and a
    contest that was decided."""
    world = World(tmp_path_factory.mktemp("honest"))
    for name in CONTRIBUTORS:
        world.deposit(name, range(8), highest_tier=Tier.PAYLOAD, payload_category=PayloadCategory.SUBSCRIBER)
    hits = world.ask([phone(1), phone(2), phone(500)])
    sources = world.climb(hits.request_id, [phone(1), phone(2)])
    world.now += 3600
    request = world.climb_prepared(sources.request_id, [phone(2)])
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    with pytest.raises(AnswerAwaited):
        world.requester().run(request.payload.request_id, [finding], approvals)
    (asked,) = world.releasing("ngo-1").asks()
    world.releasing("ngo-1").answer(asked.permit_id, True, "")
    world.requester().submit(request.payload.request_id)
    world.ask([phone(number) for number in range(12)], Tier.COUNT)
    with pytest.raises(RefusedByGate):
        world.ask([phone(3)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    emergency = world.ask([phone(4)], answers={"threat_to_life": True}, basis=gate_world.emergency_basis())
    folder = RequestFolder(world.homes[POLICE].vault, emergency.request_id)
    judge = world.approver("judge-1")
    judge.review(judge.read(folder.document, folder.findings()), True, "A life was in danger.")
    name = "company-1"
    taking_back = TakingBack(world.homes[name], world.caller(name), world.clock, world.random(name))
    for number in (6, 7):
        taking_back.withdraw_identifiers(world.space, {"phone": [phone(number)]}, "It was not its owner's.")
    contest(world, 30).decide("H-30", ContestState.UPHELD, "The recording says it.")
    yield world
    world.close()


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One request about three numbers, answered. Tests plant entries after it, and tell theirs by agency or index."""
    world = World(tmp_path_factory.mktemp("planted"))
    for name in CONTRIBUTORS:
        world.deposit(name, range(3))
    world.ask([phone(1), phone(2), phone(500)])
    yield world
    world.close()
