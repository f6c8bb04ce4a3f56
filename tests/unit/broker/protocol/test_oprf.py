"""RFC 9497's vectors in both modes, and what a dishonest or careless side cannot do."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from broker.protocol import group, oprf
from broker.protocol.errors import BadInput, VerificationFailed

SUITES = json.loads((Path(__file__).parents[3] / "vectors" / "rfc9497.json").read_text())["vectors"]
VECTORS = [(suite, vector) for suite in SUITES for vector in suite["vectors"]]
each_vector = pytest.mark.parametrize(
    ("suite", "vector"), VECTORS, ids=[f"mode{s['mode']}-{i}" for i, (s, _) in enumerate(VECTORS)]
)
source = random.Random(9497).randbytes


def listed(text: str) -> list[bytes]:
    return [bytes.fromhex(each) for each in text.split(",")]


def key_of(suite: dict[str, Any]) -> oprf.KeyPair:
    seed, info = bytes.fromhex(suite["seed"]), bytes.fromhex(suite["keyInfo"])
    return oprf.derive_key_pair(seed, info, oprf.Mode(suite["mode"]))


@pytest.mark.parametrize("suite", SUITES, ids=["mode0", "mode1"])
def test_keys_derive_as_in_the_rfc(suite: dict[str, Any]) -> None:
    key = key_of(suite)
    assert key.secret_key.hex() == suite["skSm"]
    assert key.public_key.hex() == suite.get("pkSm", key.public_key.hex())
    assert oprf._HASH_TO_GROUP[oprf.Mode(suite["mode"])].hex() == suite["groupDST"]


@each_vector
def test_blinding_evaluating_and_finalizing_give_the_rfc_values(
    suite: dict[str, Any], vector: dict[str, Any]
) -> None:
    mode, key = oprf.Mode(suite["mode"]), key_of(suite)
    inputs, blinds = listed(vector["Input"]), listed(vector["Blind"])
    blinded = [oprf.blind_with(*pair, mode).blinded_element for pair in zip(inputs, blinds, strict=True)]
    assert blinded == listed(vector["BlindedElement"])
    evaluated = oprf.blind_evaluate_unverified(key.secret_key, blinded)
    assert list(evaluated) == listed(vector["EvaluationElement"])
    outputs = listed(vector["Output"])
    assert [oprf.finalize(*each) for each in zip(inputs, blinds, evaluated, strict=True)] == outputs
    assert oprf.finalize_batch(inputs, blinds, evaluated) == outputs
    assert [oprf.evaluate(key.secret_key, each, mode) for each in inputs] == outputs


@pytest.mark.parametrize("vector", SUITES[1]["vectors"], ids=["one", "other", "batch"])
def test_proofs_are_those_of_the_rfc_and_verify(vector: dict[str, Any]) -> None:
    key, r = key_of(SUITES[1]), bytes.fromhex(vector["Proof"]["r"])
    blinded, evaluated = listed(vector["BlindedElement"]), listed(vector["EvaluationElement"])
    proof = oprf.generate_proof(key.secret_key, key.public_key, blinded, evaluated, lambda transcript: r)
    assert proof.hex() == vector["Proof"]["proof"]
    oprf.verify_proof(key.public_key, blinded, evaluated, proof)


def an_evaluation(count: int = 3) -> tuple[oprf.KeyPair, list[bytes], oprf.Evaluation]:
    key = oprf.derive_key_pair(bytes(32), b"test")
    blinded = [each.blinded_element for each in oprf.blind_many([bytes([i]) for i in range(count)], source)]
    return key, blinded, oprf.blind_evaluate(key.secret_key, key.public_key, blinded, source)


def test_an_honest_evaluation_verifies_and_unblinds_to_what_the_key_owner_computes() -> None:
    key = oprf.derive_key_pair(bytes(32), b"test")
    inputs = [b"one", b"two", b"three"]
    drawn = oprf.blind_many(inputs, source)
    blinded = [each.blinded_element for each in drawn]
    answer = oprf.blind_evaluate(key.secret_key, key.public_key, blinded, source)
    oprf.verify_proof(key.public_key, blinded, answer.elements, answer.proof)
    outputs = oprf.finalize_batch(inputs, [each.blind for each in drawn], answer.elements)
    assert outputs == [oprf.evaluate(key.secret_key, each) for each in inputs]


def test_a_proof_covers_every_element_the_order_and_the_key() -> None:
    key, blinded, answer = an_evaluation()
    a, b, c = answer.elements
    other = oprf.derive_key_pair(bytes(32), b"other").public_key
    wrong: list[tuple[bytes, list[bytes], list[bytes], bytes]] = [
        (other, blinded, [a, b, c], answer.proof),
        (key.public_key, blinded, [b, a, c], answer.proof),
        (key.public_key, blinded[::-1], [a, b, c], answer.proof),
        (key.public_key, blinded, [a, b, group.add(c, group.GENERATOR)], answer.proof),
        (key.public_key, blinded, [a, b], answer.proof),
        (key.public_key, blinded[:2], [a, b], answer.proof),
        (key.public_key, blinded, [a, b, group.IDENTITY], answer.proof),
        (key.public_key, blinded, [a, b, b"\xff" * 32], answer.proof),
        (group.IDENTITY, blinded, [a, b, c], answer.proof),
        (key.public_key, blinded, [a, b, c], answer.proof[:-1]),
        (key.public_key, blinded, [a, b, c], bytes(64)),
        (key.public_key, blinded, [a, b, c], answer.proof[:32] + b"\xff" * 32),
        (key.public_key, blinded, [a, b, c], answer.proof[32:] + answer.proof[:32]),
    ]
    for arguments in wrong:
        with pytest.raises(VerificationFailed):
            oprf.verify_proof(*arguments)
    oprf.verify_proof(key.public_key, blinded, answer.elements, answer.proof)


def test_a_source_of_randomness_that_repeats_itself_does_not_give_the_key_away() -> None:
    key, blinded, _ = an_evaluation()

    def stuck(count: int) -> bytes:
        return b"\x07" * count

    first = oprf.blind_evaluate(key.secret_key, key.public_key, blinded[:2], stuck)
    second = oprf.blind_evaluate(key.secret_key, key.public_key, blinded[1:], stuck)
    (c1, s1), (c2, s2) = ((each.proof[:32], each.proof[32:]) for each in (first, second))
    # With one nonce r, s1 - s2 = (c2 - c1) * k would tell k.
    quotient = group.scalar_multiply(
        group.scalar_subtract(s1, s2), group.scalar_invert(group.scalar_subtract(c2, c1))
    )
    assert quotient != key.secret_key
    # Shown to be the attack: two proofs that do share a nonce give the key.
    r = group.random_scalar(source)
    shared = [
        oprf.generate_proof(key.secret_key, key.public_key, blinded[i : i + 2], each.elements, lambda _: r)
        for i, each in enumerate((first, second))
    ]
    told = group.scalar_multiply(
        group.scalar_subtract(shared[0][32:], shared[1][32:]),
        group.scalar_invert(group.scalar_subtract(shared[1][:32], shared[0][:32])),
    )
    assert told == key.secret_key


def test_the_nonce_takes_fresh_randomness_and_a_short_source_is_refused() -> None:
    key, blinded, answer = an_evaluation()
    again = oprf.blind_evaluate(key.secret_key, key.public_key, blinded, source)
    assert (again.elements, again.proof != answer.proof) == (answer.elements, True)
    with pytest.raises(BadInput):
        oprf.blind_evaluate(key.secret_key, key.public_key, blinded, lambda count: b"\x01" * (count - 1))


def test_one_proof_covers_at_most_4096_elements_and_at_least_one() -> None:
    key = oprf.derive_key_pair(bytes(32), b"test")
    for count in (0, 4097):
        with pytest.raises(BadInput):
            oprf.blind_evaluate(key.secret_key, key.public_key, [group.GENERATOR] * count, source)
        with pytest.raises(BadInput):
            oprf.verify_proof(
                key.public_key, [group.GENERATOR] * count, [group.GENERATOR] * count, b"\x01" * 64
            )


def test_the_two_modes_never_give_one_output() -> None:
    secret = group.random_scalar(source)
    assert oprf.evaluate(secret, b"same") != oprf.evaluate(secret, b"same", oprf.OPRF)


def test_inputs_are_bounded_and_lists_must_fit_each_other() -> None:
    secret = group.random_scalar(source)
    with pytest.raises(BadInput):
        oprf.evaluate(secret, bytes(2**16))
    with pytest.raises(BadInput):
        oprf.finalize_batch([b"a"], [], [])
    with pytest.raises(BadInput):
        oprf.derive_key_pair(bytes(31), b"")


def test_secrets_are_not_in_a_repr() -> None:
    key, drawn = oprf.derive_key_pair(bytes(32), b"test"), oprf.blind(b"input", source)
    assert "secret" not in repr(key)
    assert repr(drawn.blind) not in repr(drawn)
