"""The self-test: any member may ask, both keys answer, the answers of a quorum give the dealer's own value."""

import pytest

from broker.protocol import group, oprf, quorum, tokens
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.messages.evaluation import Chunk, SelfTestCall
from clients.keyholder.context import Caller
from clients.keyholder.destroy import destroy_shares
from clients.keyholder.self_test import answer_self_test
from tests.keyholder_world import COMPANIES, POLICE, World

CALL = SelfTestCall(quorum=(1, 3))


def unwired(chunk: Chunk) -> quorum.Chunk:
    return quorum.Chunk(group.split_elements(chunk.elements), chunk.proof)


def test_two_of_three_holders_give_the_dealers_own_value(full_world: World) -> None:
    deal = full_world.deal()
    full_world.deliver(deal)
    point = oprf.hash_input(tokens.self_test_input(deal.series_id))
    match, opened = {}, {}
    for x, holder in enumerate(full_world.holders.values(), 1):
        if x in CALL.quorum:
            answer = answer_self_test(holder, full_world.caller(POLICE), deal.series_id, CALL)
            match[x] = quorum.verify_answer(
                deal.match.commitments, CALL.quorum, x, (point,), (unwired(answer.match),)
            )
            opened[x] = quorum.verify_answer(
                deal.open.commitments, CALL.quorum, x, (point,), (unwired(answer.open),)
            )
    assert quorum.combine(match, CALL.quorum) == [group.multiply(deal.k_match, point)]
    assert quorum.combine(opened, CALL.quorum) != quorum.combine(match, CALL.quorum)


def test_who_is_no_member_gets_no_answer(world: World) -> None:
    deal = world.deal()
    world.deliver(deal)
    with pytest.raises(NotPermitted):
        answer_self_test(world.holder, Caller("x" * 43, bytes(32)), deal.series_id, CALL)


def test_a_quorum_without_this_holder_or_of_another_size_is_refused(world: World) -> None:
    deal = world.deal()
    world.deliver(deal)
    for names in ((2, 3), (1, 2, 3), (3, 1), (1, 4)):
        with pytest.raises(BadInput):
            answer_self_test(
                world.holder, world.caller(COMPANIES[0]), deal.series_id, SelfTestCall(quorum=names)
            )


def test_an_unknown_or_withdrawn_series_is_not_tested(world: World) -> None:
    deal = world.deal()
    caller = world.caller(COMPANIES[0])
    with pytest.raises(NotFound):
        answer_self_test(world.holder, caller, deal.series_id, CALL)
    world.deliver(deal)
    destroy_shares(world.holder, caller, deal.series_id, world.withdrawal(deal))
    with pytest.raises(Conflict, match="erased"):
        answer_self_test(world.holder, caller, deal.series_id, CALL)
