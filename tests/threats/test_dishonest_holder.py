"""Key holders that answer wrongly, refuse or are down, with their real keys: the rest serve, or the error is clear."""

from collections.abc import Callable
from itertools import combinations

import pytest

from broker.protocol import documents, group, quorum, shares
from broker.protocol.errors import Unavailable, VerificationFailed
from broker.protocol.messages.base import Message, encode, read
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.evaluation import (
    Chunk,
    EvaluationAnswer,
    EvaluationStatement,
    answer_digest,
)
from broker.protocol.messages.series import Acceptance
from clients.remote import RefusedByGate
from clients.transport import Answer
from tests.threats import colluding
from tests.world import BROKER, HOLDERS, POLICE, World, phone

pytestmark = pytest.mark.all_only

ASKED = [phone(3), phone(7), phone(500)]
HITS = {phone(3), phone(7)}
Lie = Callable[[World, int, EvaluationAnswer], EvaluationAnswer]


def resigned(world: World, x: int, answer: EvaluationAnswer, **changes: object) -> EvaluationAnswer:
    """The holder's own signature over a changed statement, which fits the chunks of the answer."""
    keys = world.holders[x].keys
    honest = documents.verify(EvaluationStatement, answer.statement, keys.signing_public).payload
    said = honest.model_copy(update={"answer_digest": answer_digest(answer.chunks)} | changes)
    return answer.model_copy(update={"statement": documents.sign(said, keys.signing_key).document})


def with_chunk(answer: EvaluationAnswer, elements: bytes, proof: bytes) -> EvaluationAnswer:
    """The answer with other elements or another proof."""
    return answer.model_copy(update={"chunks": (Chunk(elements=elements, proof=proof),)})


def _another_element(world: World, x: int, answer: EvaluationAnswer) -> EvaluationAnswer:
    (chunk,) = answer.chunks
    false = group.add(chunk.elements[:32], chunk.elements[32:64])
    return resigned(world, x, with_chunk(answer, false + chunk.elements[32:], chunk.proof))


def _another_key(world: World, x: int, answer: EvaluationAnswer) -> EvaluationAnswer:
    """A sound proof, under a share of another polynomial."""
    dealing = shares.split(group.random_scalar(world.random("mallory")), 2, 3, world.random("mallory"))
    points = group.split_elements(answer.chunks[0].elements)
    members = (1, 2) if x < 3 else (1, 3)
    (made,) = quorum.evaluate_share(
        dealing.shares[x - 1], dealing.commitments, members, points, world.random("mallory")
    )
    return resigned(world, x, with_chunk(answer, b"".join(made.elements), made.proof))


def _without_signature(_world: World, _x: int, answer: EvaluationAnswer) -> EvaluationAnswer:
    (chunk,) = answer.chunks
    return with_chunk(answer, chunk.elements[32:64] + chunk.elements[:32] + chunk.elements[64:], chunk.proof)


def _swapped_order(world: World, x: int, answer: EvaluationAnswer) -> EvaluationAnswer:
    return resigned(world, x, _without_signature(world, x, answer))


def _cut_short(world: World, x: int, answer: EvaluationAnswer) -> EvaluationAnswer:
    (chunk,) = answer.chunks
    return resigned(world, x, with_chunk(answer, chunk.elements[:-32], chunk.proof))


def _false_proof(world: World, x: int, answer: EvaluationAnswer) -> EvaluationAnswer:
    (chunk,) = answer.chunks
    return resigned(world, x, with_chunk(answer, chunk.elements, chunk.proof[32:] + chunk.proof[:32]))


def about(**changes: object) -> Lie:
    """The right answer under a statement about something else."""
    return lambda world, x, answer: resigned(world, x, answer, **changes)


LIES = {
    "another element": _another_element,
    "another key": _another_key,
    "not signed for": _without_signature,
    "another order": _swapped_order,
    "cut short": _cut_short,
    "false proof": _false_proof,
    "another permit": about(permit_id=bytes(16)),
    "another series": about(series_id=bytes(32)),
    "another batch": about(batch_root=bytes(32)),
    "another quorum": about(quorum=(1, 3)),
}


def lying(world: World, x: int, lie: Lie) -> Callable[[Answer], Answer]:
    """Holder x tells this lie in each of its answers."""

    def changed(answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        false: Message = lie(world, x, read(EvaluationAnswer, answer.body))
        return Answer(200, answer.headers, encode(false))

    return changed


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_is_not_believed_and_kept_as_evidence(world: World, lie: Lie) -> None:
    prepared = world.prepare(ASKED)
    world.requester().file(prepared.request_id, [world.finding(prepared)])
    with (
        world.tamper(HOLDERS[1], "/v1/evaluations", answer=lying(world, 1, lie)) as tampering,
        pytest.raises(VerificationFailed, match=r"Holder 1 \(key holder 1\).*kept as evidence"),
    ):
        world.requester().evaluate(prepared.request_id, quorum=(1, 2))
    assert tampering.times >= 1
    kept = world.homes[POLICE].vault.names(f"requests/{prepared.request_id.hex()}/answers/1-2")
    assert any(name.endswith("-1.false") for name in kept)


@pytest.mark.parametrize("liar", list(HOLDERS))
def test_with_one_lying_holder_the_other_two_serve(world: World, liar: int) -> None:
    prepared = world.prepare(ASKED)
    finding, honest = world.finding(prepared), [x for x in HOLDERS if x != liar]
    with world.tamper(HOLDERS[liar], "/v1/evaluations", answer=lying(world, liar, _another_element)):
        assert set(world.requester().run(prepared.request_id, [finding]).hits) == HITS
    folder = f"requests/{prepared.request_id.hex()}/answers/{honest[0]}-{honest[1]}"
    assert len(world.homes[POLICE].vault.names(folder)) == 2 * 3


def test_two_lying_holders_of_three_give_no_answer_but_their_names(world: World) -> None:
    prepared = world.prepare(ASKED)
    finding = world.finding(prepared)
    with (
        world.tamper(HOLDERS[1], "/v1/evaluations", answer=lying(world, 1, _another_element)),
        world.tamper(HOLDERS[3], "/v1/evaluations", answer=lying(world, 3, _another_element)),
        pytest.raises(VerificationFailed, match=r"Holder 1 \(key holder 1\).*kept as evidence"),
    ):
        world.requester().run(prepared.request_id, [finding])
    # Honest again, they are asked again: nothing false was kept as true.
    assert set(world.requester().run(prepared.request_id).hits) == HITS


def test_answers_of_two_quorums_do_not_mix(world: World) -> None:
    """Holder 1 gives its answer for quorum {1, 2} where {1, 3} asks: each holds for its own quorum alone."""
    papers = colluding.admitted(world, ASKED)
    sheet = papers.admission.series[0]
    points = group.split_elements(papers.points)
    answers = {
        (x, members): colluding.ask(world, papers, x, members)
        for members in combinations(HOLDERS, 2)
        for x in members
    }
    parts = {
        key: [quorum.Chunk(group.split_elements(one.elements), one.proof) for one in answer.chunks]
        for key, answer in answers.items()
    }
    sums = set()
    for members in combinations(HOLDERS, 2):
        verified = {
            x: quorum.verify_answer(sheet.commitments_match, members, x, points, parts[x, members])
            for x in members
        }
        sums.add(tuple(quorum.combine(verified, members)))
    assert len(sums) == 1, "every quorum comes to the same elements"
    with pytest.raises(VerificationFailed):
        quorum.verify_answer(sheet.commitments_match, (1, 3), 1, points, parts[1, (1, 2)])
    mixed = {1: parts[1, (1, 2)][0].elements, 3: parts[3, (1, 3)][0].elements}
    assert tuple(quorum.combine(mixed, (1, 3))) not in sums

    def replayed(_world: World, x: int, answer: EvaluationAnswer) -> EvaluationAnswer:
        return next(old for (holder, members), old in answers.items() if holder == x and members == (1, 2))

    prepared = world.prepare(ASKED)
    finding = world.finding(prepared)
    with world.tamper(HOLDERS[1], "/v1/evaluations", answer=lying(world, 1, replayed)) as tampering:
        world.take_down(HOLDERS[2])
        with pytest.raises(VerificationFailed, match="another question"):
            world.requester().run(prepared.request_id, [finding])
        world.bring_up()
    assert tampering.times >= 1


@pytest.mark.parametrize("silent", list(HOLDERS))
def test_with_any_one_holder_down_the_others_serve(world: World, silent: int) -> None:
    world.take_down(HOLDERS[silent])
    before = world.evaluations()
    try:
        assert set(world.ask(ASKED).hits) == HITS
    finally:
        world.bring_up()
    asked = {x for x, number in world.evaluations().items() if number > before[x]}
    assert asked == set(HOLDERS) - {silent}


def test_fewer_holders_than_the_threshold_are_a_clear_error_and_nothing_is_lost(world: World) -> None:
    prepared = world.prepare(ASKED)
    finding = world.finding(prepared)
    for down in ((1, 2), (1, 3), (2, 3), (1, 2, 3)):
        world.take_down(*(HOLDERS[x] for x in down))
        try:
            with pytest.raises(Unavailable, match="Too few key holders answer: 2 of 3 are needed") as error:
                world.requester().run(prepared.request_id, [finding])
        finally:
            world.bring_up()
        # Whoever is asked at the same time as one that failed may not be asked at all.
        named = {x for x in HOLDERS if f"Holder {x}" in error.value.detail}
        assert len(named) >= 2
        assert named <= set(down)
    assert world.wire.seen(BROKER, f"/v1/requests/{prepared.request_id.hex()}") == []
    assert set(world.requester().run(prepared.request_id).hits) == HITS


def test_a_holder_that_refuses_without_reason_does_not_stop_the_others(world: World) -> None:
    def refusing(answer: Answer) -> Answer:
        body = (
            b'{"type":"urn:narrowgate:problem:refused","status":403,"detail":"No.",'
            b'"rules":["L03"],"reasons":["No."],"law":["None"]}'
        )
        return Answer(403, (("content-type", "application/problem+json"),), body)

    with world.tamper(HOLDERS[1], "/v1/evaluations", answer=refusing) as tampering:
        assert set(world.ask(ASKED).hits) == HITS
        assert tampering.times == 1
        with (
            world.tamper(HOLDERS[2], "/v1/evaluations", answer=refusing),
            pytest.raises(RefusedByGate) as both,
        ):
            world.ask(ASKED)
    assert "Holder 1 and Holder 2" in both.value.detail


def test_a_holder_that_asks_for_proof_without_end_is_left_aside(world: World) -> None:
    def insatiable(answer: Answer) -> Answer:
        body = b'{"type":"urn:narrowgate:problem:consistency-needed","status":409,"detail":"More.","seen_size":1}'
        return Answer(409, (("content-type", "application/problem+json"),), body)

    with world.tamper(HOLDERS[1], "/v1/evaluations", answer=insatiable) as tampering:
        assert set(world.ask(ASKED).hits) == HITS
    assert 1 <= tampering.times <= 5


def test_a_holder_that_accepts_other_keys_than_it_was_dealt_is_found_by_the_contributor(
    world: World,
) -> None:
    def other_keys(answer: Answer) -> Answer:
        keys = world.holders[2].keys
        honest = documents.verify(
            Acceptance, read(DocumentMessage, answer.body).document, keys.signing_public
        ).payload
        false = documents.sign(honest.model_copy(update={"key_digest": bytes(32)}), keys.signing_key)
        return Answer(200, answer.headers, encode(DocumentMessage(document=false.document)))

    kinds = world.log_kinds()
    agreed = world.conditions("company-1", inclusion_criterion="A second file")
    with (
        world.tamper(HOLDERS[2], "/v1/series", answer=other_keys) as tampering,
        pytest.raises(VerificationFailed, match="another series or other keys"),
    ):
        world.contributor("company-1").open_series(world.space, "phone", agreed)
    assert tampering.times == 1
    assert world.log_kinds() == kinds
    assert world.contributor("company-1").open_series(world.space, "phone", agreed)
    assert world.log_kinds() == [*kinds, "SERIES_OPENED"]
