"""Evaluation as a story: an honest call is answered once charged; every lie of a broker or requester is refused."""

import hashlib
import itertools
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from broker.gate.facts import AdmitFacts
from broker.protocol import group, oprf, quorum
from broker.protocol.documents import sign, verify
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NotFound,
    NotPermitted,
    Refused,
    Unavailable,
    VerificationFailed,
)
from broker.protocol.messages.evaluation import EvaluationStatement, answer_digest
from broker.protocol.messages.vocabulary import Tier
from clients.keyholder import evaluation
from clients.keyholder.activation import RulesHere
from clients.keyholder.context import ConsistencyNeeded, open_key_holder
from clients.keyholder.destroy import destroy_shares
from clients.keyholder.evaluation import BUDGET_SECONDS, evaluate, holder_budget
from clients.keyholder.held import held_series
from clients.keyholder.own_ledger import OwnLedger
from clients.keyholder.pinning import pin_space
from clients.keyholder.store import permits
from tests.keyholder_calls import ask, charged, evaluations, refused
from tests.keyholder_world import COMPANIES, HOLDER_IDS, NOW, POLICE, Deal, World, conditions

# --- honest ---


def test_the_answers_of_a_quorum_verify_and_give_the_dealers_own_value(full_world: World) -> None:
    deals = full_world.deal_all()
    blinded = [oprf.blind(each, os.urandom) for each in (b"first", b"second")]
    points = tuple(each.blinded_element for each in blinded)
    filed = full_world.admit(deals, points=points)
    asked, deal, answers = (1, 3), deals[1], {}
    for x in asked:
        holder = full_world.holders[HOLDER_IDS[x - 1]]
        answer = evaluate(holder, full_world.caller(POLICE), filed.call(holder, deal, asked))
        statement = verify(EvaluationStatement, answer.statement, holder.keys.signing_public).payload
        assert statement == EvaluationStatement(
            permit_id=filed.terms.permit_id,
            series_id=deal.series_id,
            quorum=asked,
            holder_id=holder.keys.holder_id,
            x=x,
            batch_root=filed.terms.batches[0].batch_root,
            answer_digest=answer_digest(answer.chunks),
            evaluated_at=NOW,
        )
        chunks = [quorum.Chunk(group.split_elements(each.elements), each.proof) for each in answer.chunks]
        answers[x] = quorum.verify_answer(deal.match.commitments, asked, x, points, chunks)
    outputs = oprf.finalize_batch(
        (b"first", b"second"), [each.blind for each in blinded], quorum.combine(answers, asked)
    )
    assert outputs == [oprf.evaluate(deal.k_match, each) for each in (b"first", b"second")]


def test_an_answer_is_charged_once_however_often_and_for_however_many_series(
    world: World, deals: tuple[Deal, ...]
) -> None:
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    assert (evaluations(world), charged(world)) == (1, 2)
    ask(world, filed, deals[0])
    assert (evaluations(world), charged(world)) == (1, 2)
    # A holder of the first quorum failed: the whole quorum is asked anew, with the same points.
    ask(world, filed, deals[0], (1, 3))
    ask(world, filed, deals[2])
    assert (evaluations(world), charged(world)) == (3, 2)


def test_requests_of_one_requester_that_come_at_once_are_all_answered(
    world: World, deals: tuple[Deal, ...]
) -> None:
    """Each is decided on what the others were charged, which moves while they are decided."""
    filed = {size: world.admit(deals) for size in range(1, 9)}

    def answered(size: int) -> None:
        call = filed[size].call(world.holder, deals[0])
        while True:
            try:
                evaluate(world.holder, world.caller(POLICE), call)
                return
            except ConsistencyNeeded as error:
                proof = world.log.consistency(*sorted((error.seen_size, size)))
                call = call.model_copy(update={"consistency": proof})

    with ThreadPoolExecutor(len(filed)) as pool:
        for each in [pool.submit(answered, size) for size in filed]:
            each.result()
    assert (evaluations(world), charged(world)) == (8, 16)


def test_a_call_whose_ground_moves_every_time_is_not_answered_and_not_charged(
    world: World, deals: tuple[Deal, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    filed, counted = world.admit(deals), itertools.count()
    monkeypatch.setattr(evaluation, "own_ledger", lambda *_: OwnLedger(identifiers_30d=next(counted)))
    with pytest.raises(Unavailable, match="the very same call again"):
        ask(world, filed, deals[0])
    assert (evaluations(world), charged(world)) == (0, 0)


def test_the_charge_is_durable_before_an_answer_is_computed(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    drawn: list[int] = []

    def failing(size: int) -> bytes:
        # First the log entry's salt, inside the transaction; then the nonce of the proof.
        drawn.append(size)
        if len(drawn) == 2:
            raise RuntimeError
        return os.urandom(size)

    world.random_bytes = failing
    with pytest.raises(RuntimeError):
        ask(world, filed, deals[0])
    assert (evaluations(world), charged(world)) == (1, 2)
    world.random_bytes = os.urandom
    ask(world, filed, deals[0])
    assert (evaluations(world), charged(world)) == (1, 2)


def test_a_holder_killed_while_it_computes_has_charged(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    call = filed.call(world.holder, deals[0])
    world.holder.close()
    child = os.fork()
    if child == 0:
        drawn: list[int] = []

        def killing(size: int) -> bytes:
            drawn.append(size)
            if len(drawn) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return os.urandom(size)

        holder = open_key_holder(world.directory / HOLDER_IDS[0], world.clock, killing)
        evaluate(holder, world.caller(POLICE), call)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    world.holders[HOLDER_IDS[0]] = open_key_holder(
        world.directory / HOLDER_IDS[0], world.clock, world.random_bytes
    )
    assert (evaluations(world), charged(world)) == (1, 2)


# --- the permit and who bears it ---


def test_a_permit_is_good_from_its_beginning_until_its_end(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    for now in (NOW - 1, NOW + 86_400):
        world.clock.now = now
        with refused(world, Expired, "time is over or has not begun"):
            ask(world, filed, deals[0])
    world.clock.now = NOW + 86_399
    ask(world, filed, deals[0])


def test_another_party_cannot_use_the_permit(world: World, deals: tuple[Deal, ...]) -> None:
    with refused(world, NotPermitted, "another party's"):
        ask(world, world.admit(deals), deals[0], caller=COMPANIES[0])


def test_a_permit_the_broker_did_not_sign_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    forged = replace(filed, permit=sign(filed.permit.payload, world.keys[POLICE]))
    with refused(world, VerificationFailed, "may not sign"):
        ask(world, forged, deals[0])


def test_a_permit_for_other_identifiers_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    others = tuple(oprf.blind(each, os.urandom).blinded_element for each in (b"third", b"fourth"))
    for points in (others, filed.points[:1], filed.points[::-1], (*filed.points, others[0])):
        with refused(world, VerificationFailed, "not those the request was filed with"):
            ask(world, replace(filed, points=points), deals[0])


def test_another_request_of_the_same_requester_does_not_fit_the_permit(
    world: World, deals: tuple[Deal, ...]
) -> None:
    first, second = world.admit(deals), world.admit(deals)
    with refused(world, VerificationFailed, "not the one the permit was given for"):
        ask(world, replace(first, request=second.request), deals[0])


def test_a_permit_id_used_with_other_terms_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    first = world.admit(deals)
    ask(world, first, deals[0])
    again = world.admit(deals, change_terms={"permit_id": first.terms.permit_id})
    call = again.call(world.holder, deals[0], consistency=world.log.consistency(1, 2))
    with refused(world, Conflict, "used here with other terms"):
        evaluate(world.holder, world.caller(POLICE), call)


def test_a_permit_for_an_older_roster_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    members = (*(world.member(name) for name in COMPANIES), world.member(POLICE, suspended=True))
    newer = world.sign_space(roster_version=2, members=members)
    pin_space(world.holder.database, world.holder.keys, newer.document, world.enrolment(), NOW)
    with refused(world, Conflict, "older roster than this key holder"):
        ask(world, filed, deals[0])
    newest = world.admit(deals, change_terms={"roster_version": 3})
    with refused(world, Conflict, "narrowgate keyholder pin"):
        ask(world, newest, deals[0])
    suspended = world.admit(deals, change_terms={"roster_version": 2})
    with refused(world, NotPermitted, "suspended"):
        ask(world, suspended, deals[0])


# --- series, quorum and points ---


def test_a_series_the_permit_does_not_name_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    call = world.admit(deals).call(world.holder, deals[0])
    with refused(world, NotPermitted, "no series of that handle"):
        evaluate(world.holder, world.caller(POLICE), call.model_copy(update={"handle": os.urandom(16)}))


def test_a_series_this_holder_never_accepted_is_not_found(world: World, deals: tuple[Deal, ...]) -> None:
    stranger = world.deal()
    with refused(world, NotFound, "no share"):
        ask(world, world.admit((*deals, stranger)), stranger)


def test_a_destroyed_share_answers_no_more(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    destroy_shares(world.holder, world.caller(COMPANIES[0]), deals[0].series_id, world.withdrawal(deals[0]))
    with refused(world, Conflict, "erased"):
        ask(world, filed, deals[0])
    # The two that are left hide each other no more.
    with refused(world, NotPermitted, "too few of the contributors"):
        ask(world, filed, deals[1])


def test_a_series_whose_retention_ended_answers_no_more(world: World) -> None:
    deals = tuple(
        world.deal(name, changes={"conditions": conditions(retain_until=NOW + 3600)}) for name in COMPANIES
    )
    for each in deals:
        world.deliver(each)
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    world.clock.now = NOW + 3600
    with refused(world, Expired, "retention"):
        ask(world, filed, deals[0])


@pytest.mark.parametrize("names", [(2, 3), (2, 1), (1, 2, 3), (1, 4), (1, 1)])
def test_a_quorum_that_is_none_or_without_this_holder_is_refused(
    world: World, deals: tuple[Deal, ...], names: tuple[int, ...]
) -> None:
    with refused(world, BadInput, "quorum"):
        ask(world, world.admit(deals), deals[0], names)


def test_identity_non_canonical_and_repeated_points_are_refused(
    world: World, deals: tuple[Deal, ...]
) -> None:
    good = oprf.blind(b"first", os.urandom).blinded_element
    for bad, words in ((group.IDENTITY, "identity"), (b"\xff" * 32, "canonical"), (good, "twice")):
        with refused(world, BadInput, words):
            ask(world, world.admit(deals, points=(good, bad)), deals[0])


# --- the record and the key holder's own budget ---


def test_a_record_that_is_not_the_logged_one_is_refused(world: World, deals: tuple[Deal, ...]) -> None:
    filed, other = world.admit(deals), world.admit(deals)
    for changed in (replace(filed, record=other.record), replace(filed, salt=other.salt)):
        with refused(world, VerificationFailed, "digest in the log leaf"):
            ask(world, changed, deals[0])


def test_a_record_sealed_for_another_permit_or_holder_does_not_open(
    full_world: World,
) -> None:
    world, deals = full_world, full_world.deal_all()
    first, second = world.admit(deals), world.admit(deals)
    other_holder = world.holders[HOLDER_IDS[1]]
    for sealed in (second.sealed_to(world.holder), first.sealed_to(other_holder)):
        call = first.call(world.holder, deals[0]).model_copy(update={"sealed_record": sealed})
        with refused(world, VerificationFailed, "does not open"):
            evaluate(world.holder, world.caller(POLICE), call)


def test_the_budget_is_the_rules_limit_times_t_over_n(world: World, deals: tuple[Deal, ...]) -> None:
    with world.holder.database.read() as connection:
        held = held_series(world.holder, connection, deals[0].series_id)
    budget = holder_budget(RulesHere(world.bundle, world.bundle), held)
    assert budget == world.bundle.limits.identifiers_30d * 2 // 3
    earlier = permits.UsedPermit(
        os.urandom(16),
        bytes(32),
        world.space.payload.space_id,
        POLICE,
        Tier.HITS,
        budget - 2,
        NOW - BUDGET_SECONDS + 60,
    )
    with world.holder.database.write() as connection:
        permits.charge_permit(connection, earlier)

    def ledger(facts: AdmitFacts) -> AdmitFacts:
        asked = {"queries_90d": budget, "hits_90d": budget}
        return facts.model_copy(update={"derived": facts.derived.model_copy(update=asked)})

    filed = world.admit(deals, change_facts=ledger)
    ask(world, filed, deals[0])  # the last two
    late = world.admit(deals, inputs=(b"third",), change_facts=ledger)
    call = late.call(world.holder, deals[0], consistency=world.log.consistency(1, 2))
    with refused(world, Refused, "budget"):
        evaluate(world.holder, world.caller(POLICE), call)
    ask(world, filed, deals[1])  # what was charged is still answered
    world.clock.now = NOW + 60
    fresh = world.admit(deals, inputs=(b"third",), change_facts=ledger)
    call = fresh.call(world.holder, deals[0], consistency=world.log.consistency(1, 3))
    evaluate(world.holder, world.caller(POLICE), call)


def test_nothing_kept_of_a_call_tells_its_points(world: World, deals: tuple[Deal, ...]) -> None:
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    world.holder.database.empty_wal()
    stored = world.holder.database.path.read_bytes()
    assert hashlib.sha256(b"".join(filed.points)).digest() in stored
    for point in filed.points:
        assert point not in stored
