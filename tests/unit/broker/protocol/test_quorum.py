"""The folded evaluation: t honest answers give the key owner's output, and every other way is caught."""

import itertools
import random

import pytest

from broker.protocol import group, oprf, quorum, shares
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.quorum import Chunk

source = random.Random(9497).randbytes
KEY = group.random_scalar(source)
DEALING = shares.split(KEY, 2, 3, source)
COMMITMENTS = DEALING.commitments
INPUTS = [b"first", b"second", b"third"]
DRAWN = oprf.blind_many(INPUTS, source)
POINTS = [each.blinded_element for each in DRAWN]
WHOLE = [group.multiply(KEY, each) for each in POINTS]


def answer(x: int, members: tuple[int, ...]) -> tuple[Chunk, ...]:
    return quorum.evaluate_share(DEALING.shares[x - 1], COMMITMENTS, members, POINTS, source)


def verified(x: int, members: tuple[int, ...]) -> tuple[bytes, ...]:
    return quorum.verify_answer(COMMITMENTS, members, x, POINTS, answer(x, members))


@pytest.mark.parametrize("members", list(itertools.combinations((1, 2, 3), 2)))
def test_every_quorum_gives_what_the_owner_of_the_key_computes(members: tuple[int, ...]) -> None:
    combined = quorum.combine({x: verified(x, members) for x in members}, members)
    assert combined == WHOLE
    outputs = oprf.finalize_batch(INPUTS, [each.blind for each in DRAWN], combined)
    assert outputs == [oprf.evaluate(KEY, each) for each in INPUTS]


def test_three_of_five_works_the_same_way() -> None:
    dealing, members = shares.split(KEY, 3, 5, source), (1, 4, 5)
    answers = {}
    for x in members:
        chunks = quorum.evaluate_share(dealing.shares[x - 1], dealing.commitments, members, POINTS, source)
        answers[x] = quorum.verify_answer(dealing.commitments, members, x, POINTS, chunks)
    assert quorum.combine(answers, members) == WHOLE


def test_answers_of_two_quorums_are_refused_and_would_give_rubbish() -> None:
    one, other = answer(1, (1, 2)), answer(2, (2, 3))
    # Each verifies for its own quorum, and only there.
    quorum.verify_answer(COMMITMENTS, (2, 3), 2, POINTS, other)
    with pytest.raises(VerificationFailed):
        quorum.verify_answer(COMMITMENTS, (1, 2), 2, POINTS, other)
    assert quorum.combine({1: one[0].elements, 2: other[0].elements}, (1, 2)) != WHOLE


def test_the_unfolded_commitment_does_not_verify_a_folded_answer() -> None:
    chunk = answer(1, (1, 2))[0]
    plain = shares.share_commitment(COMMITMENTS, 1)
    with pytest.raises(VerificationFailed):
        oprf.verify_proof(plain, POINTS, chunk.elements, chunk.proof)


def test_one_holder_cannot_answer_in_anothers_name() -> None:
    with pytest.raises(VerificationFailed):
        quorum.verify_answer(COMMITMENTS, (1, 2), 2, POINTS, answer(1, (1, 2)))


def test_a_lying_holder_is_caught() -> None:
    honest = answer(1, (1, 2))[0]
    a, b, c = honest.elements
    liar = group.random_scalar(source)
    false_key = oprf.KeyPair(liar, group.multiply_base(liar))
    forged = oprf.blind_evaluate(false_key.secret_key, false_key.public_key, POINTS, source)
    claimed = quorum.folded_public_key(COMMITMENTS, (1, 2), 1)
    pretended = oprf.blind_evaluate(liar, claimed, POINTS, source)
    for lie in (
        [Chunk((b, a, c), honest.proof)],
        [Chunk((a, b, group.add(c, group.GENERATOR)), honest.proof)],
        [Chunk((a, b, group.IDENTITY), honest.proof)],
        [Chunk((a, b), honest.proof)],
        [Chunk(tuple(POINTS), honest.proof)],
        [Chunk(forged.elements, forged.proof)],
        [Chunk(pretended.elements, pretended.proof)],
        [honest, honest],
        [],
    ):
        with pytest.raises(VerificationFailed):
            quorum.verify_answer(COMMITMENTS, (1, 2), 1, POINTS, lie)


def test_a_polynomial_too_short_for_the_quorum_is_refused_on_both_sides() -> None:
    padded = (*COMMITMENTS, group.IDENTITY)
    for commitments in (COMMITMENTS, padded):
        with pytest.raises(VerificationFailed):
            quorum.evaluate_share(DEALING.shares[0], commitments, (1, 2, 3), POINTS, source)
        with pytest.raises(VerificationFailed):
            quorum.folded_public_key(commitments, (1, 2, 3), 1)


def test_a_copied_share_does_not_pass_at_another_place() -> None:
    # Holder 2 answers with holder 1's share in its own name: fewer than t shares, t names.
    copy = shares.Share(2, DEALING.shares[0].value)
    with pytest.raises(VerificationFailed):
        quorum.evaluate_share(copy, COMMITMENTS, (1, 2), POINTS, source)
    key = quorum.folded_key(copy, (1, 2))
    evaluation = oprf.blind_evaluate(key.secret_key, key.public_key, POINTS, source)
    with pytest.raises(VerificationFailed):
        quorum.verify_answer(COMMITMENTS, (1, 2), 2, POINTS, [Chunk(evaluation.elements, evaluation.proof)])


@pytest.mark.parametrize(
    "points",
    [
        [],
        [POINTS[0], POINTS[0]],
        [group.IDENTITY],
        [POINTS[0], b"\xff" * 32],
        [b"short"],
        [b"\x01" + bytes(31)],
    ],
    ids=["none", "repeated", "identity", "non-canonical", "short", "negative"],
)
def test_points_a_holder_must_not_touch_are_refused(points: list[bytes]) -> None:
    with pytest.raises(BadInput):
        quorum.evaluate_share(DEALING.shares[0], COMMITMENTS, (1, 2), points, source)


def test_many_points_are_answered_in_chunks_with_a_proof_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quorum, "CHUNK_ELEMENTS", 2)
    chunks = answer(1, (1, 2))
    assert [len(each.elements) for each in chunks] == [2, 1]
    whole = quorum.verify_answer(COMMITMENTS, (1, 2), 1, POINTS, chunks)
    assert whole == chunks[0].elements + chunks[1].elements
    for wrong in (chunks[:1], chunks[::-1]):
        with pytest.raises(VerificationFailed):
            quorum.verify_answer(COMMITMENTS, (1, 2), 1, POINTS, wrong)


def test_combining_needs_exactly_the_quorum_and_equal_lengths() -> None:
    first, second = verified(1, (1, 2)), verified(2, (1, 2))
    for answers in (
        {1: first},
        {1: first, 3: second},
        {1: first, 2: second, 3: second},
        {1: first, 2: second[:2]},
    ):
        with pytest.raises(BadInput):
            quorum.combine(answers, (1, 2))
    with pytest.raises(BadInput):
        quorum.combine({}, ())


@pytest.mark.parametrize("members", [(), (1,), (2, 1), (1, 1), (0, 1), (1, 4), (1, 2, 3)])
def test_a_quorum_is_exactly_t_of_the_roster_in_order(members: tuple[int, ...]) -> None:
    with pytest.raises(BadInput):
        quorum.check_quorum(members, 2, 3)


def test_a_sound_quorum_is_returned() -> None:
    assert quorum.check_quorum([1, 3], 2, 3) == (1, 3)


def test_a_holder_outside_the_quorum_has_no_folded_key() -> None:
    with pytest.raises(BadInput):
        quorum.folded_key(DEALING.shares[2], (1, 2))
    with pytest.raises(BadInput):
        quorum.folded_public_key(COMMITMENTS, (1, 2), 3)
