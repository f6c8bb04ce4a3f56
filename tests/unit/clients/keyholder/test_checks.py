"""The checks on the broker's log: one log that only grows, that this permit stands in, or no answer."""

import pytest

from broker.protocol.checkpoint import ED25519_COSIGNATURE, VerifierKey
from broker.protocol.documents import public_bytes
from broker.protocol.errors import Conflict, VerificationFailed
from broker.protocol.messages.evaluation import Consistency
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.checks import LogForked
from clients.keyholder.context import ConsistencyNeeded
from clients.keyholder.evaluation import evaluate
from clients.keyholder.pinning import pin_space
from clients.keyholder.store import permits
from tests.keyholder_world import NOW, POLICE, BrokerLog, Deal, Filed, World


def ask(world: World, filed: Filed, deal: Deal, consistency: Consistency | None = None) -> None:
    evaluate(world.holder, world.caller(POLICE), filed.call(world.holder, deal, consistency=consistency))


def seen_size(world: World) -> int:
    with world.holder.database.read() as connection:
        seen = permits.seen(connection, [public_bytes(world.keys["log"])])
    return 0 if seen is None else seen.size


def forks(world: World) -> int:
    with world.holder.database.read() as connection:
        return permits.count_forks(connection)


def grow(world: World, entries: int) -> None:
    for number in range(entries):
        world.log.append(str(number).encode(), bytes(32), "TOKENS")


def test_the_first_checkpoint_is_taken_on_trust_and_the_next_must_continue_it(
    world: World, deals: tuple[Deal, ...]
) -> None:
    grow(world, 4)
    ask(world, world.admit(deals), deals[0])
    assert seen_size(world) == 5
    grow(world, 2)
    later = world.admit(deals)
    with pytest.raises(ConsistencyNeeded) as caught:
        ask(world, later, deals[0])
    assert caught.value.seen_size == 5
    with pytest.raises(ConsistencyNeeded):
        ask(world, later, deals[0], world.log.consistency(4, 8))
    ask(world, later, deals[0], world.log.consistency(5, 8))
    assert seen_size(world) == 8


def test_an_older_permit_is_answered_when_what_was_seen_continues_it(
    world: World, deals: tuple[Deal, ...]
) -> None:
    grow(world, 2)
    older = world.admit(deals)
    grow(world, 3)
    ask(world, world.admit(deals), deals[0])
    assert seen_size(world) == 7
    with pytest.raises(ConsistencyNeeded) as caught:
        ask(world, older, deals[0])
    assert caught.value.seen_size == 7
    ask(world, older, deals[0], world.log.consistency(3, 7))
    assert seen_size(world) == 7


def test_a_proof_to_a_log_that_was_seen_before_is_asked_for_again_and_accuses_nobody(
    world: World, deals: tuple[Deal, ...]
) -> None:
    """Between the holder's answer and the proof it was shown a newer log, in another requester's permit."""
    grow(world, 2)
    older = world.admit(deals)
    grow(world, 3)
    ask(world, world.admit(deals), deals[0])
    late = world.log.consistency(3, 7)
    grow(world, 1)
    newer = world.admit(deals)
    ask(world, newer, deals[0], world.log.consistency(7, 9))
    with pytest.raises(ConsistencyNeeded) as caught:
        ask(world, older, deals[0], late)
    assert caught.value.seen_size == 9
    ask(world, older, deals[0], world.log.consistency(3, 9))


def test_the_same_size_needs_no_proof(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    ask(world, filed, deals[1])
    assert seen_size(world) == 1


def test_a_proof_that_does_not_connect_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    ask(world, world.admit(deals), deals[0])
    grow(world, 3)
    later = world.admit(deals)
    right = world.log.consistency(1, 5)
    wrong = right.model_copy(update={"path": (*right.path[:-1], bytes(32))})
    with pytest.raises(VerificationFailed):
        ask(world, later, deals[0], wrong)
    assert seen_size(world) == 1


def test_a_fork_at_one_size_is_refused_and_kept_as_evidence(world: World, deals: tuple[Deal, ...]) -> None:
    ask(world, world.admit(deals), deals[0])
    world.log = BrokerLog(world.keys["log"])
    forked = world.admit(deals)
    for _ in range(2):
        with pytest.raises(LogForked, match="forked"):
            ask(world, forked, deals[0])
    assert (forks(world), seen_size(world)) == (1, 1)


def test_a_longer_log_that_forgot_what_was_seen_cannot_be_connected(
    world: World, deals: tuple[Deal, ...]
) -> None:
    grow(world, 1)
    ask(world, world.admit(deals), deals[0])
    world.log = BrokerLog(world.keys["log"])
    grow(world, 4)
    rewritten = world.admit(deals)
    with pytest.raises(VerificationFailed):
        ask(world, rewritten, deals[0], world.log.consistency(2, 5))
    assert seen_size(world) == 2


def test_a_checkpoint_of_another_key_or_log_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    world.log = BrokerLog(world.keys["broker"])
    with pytest.raises(VerificationFailed, match="not signed with the log's key"):
        ask(world, world.admit(deals), deals[0])
    world.log = BrokerLog(world.keys["log"], "other.example.org/log")
    with pytest.raises(VerificationFailed):
        ask(world, world.admit(deals), deals[0])


def test_an_entry_of_another_kind_is_no_admission(world: World, deals: tuple[Deal, ...]) -> None:
    with pytest.raises(VerificationFailed, match="of another kind"):
        ask(world, world.admit(deals, kind=RecordKind.REFUSED), deals[0])


def test_a_proof_of_another_entry_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    grow(world, 1)
    filed = world.admit(deals)
    elsewhere = world.log.proof(0, 2)
    assert filed.permit.payload.proof.index == 1
    with pytest.raises(VerificationFailed):
        ask(world, world.with_proof(filed, elsewhere), deals[0])
    moved = filed.permit.payload.proof.model_copy(update={"index": 0})
    with pytest.raises(VerificationFailed):
        ask(world, world.with_proof(filed, moved), deals[0])


def test_in_a_space_with_witnesses_a_permit_of_a_trial_is_not_answered(
    world: World, deals: tuple[Deal, ...]
) -> None:
    """That one without cosignatures is not either: tests/threats/test_witnesses.py."""
    witness = str(VerifierKey("w1.example.org", ED25519_COSIGNATURE, bytes(32)))
    witnessed = world.sign_space(roster_version=2, witnesses=(witness,), witness_quorum=1, trial=False)
    pin_space(world.holder.database, world.holder.keys, witnessed.document, world.enrolment(), NOW)
    pretended = world.admit(deals, change_terms={"roster_version": 2})
    with pytest.raises(Conflict, match="kind of the space"):
        ask(world, pretended, deals[0])
