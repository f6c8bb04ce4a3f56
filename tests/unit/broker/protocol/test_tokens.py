"""Tokens and keys: built of the published constructions, and whatever differs in name differs in token."""

import hashlib
import hmac
import random

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import group, oprf, tokens
from broker.protocol.errors import BadInput

source = random.Random(6962).randbytes
SALT, SERIES, DEPOSIT, SPACE = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, b"\x04" * 16
K_MATCH, K_OPEN = group.random_scalar(source), group.random_scalar(source)
CANONICAL = "phone/1|+447700900123"


def test_the_salted_hash_is_the_keyed_hash_of_label_and_canonical_form() -> None:
    expected = hmac.new(SALT, b"narrowgate/v1/id\x00" + CANONICAL.encode(), hashlib.sha512).digest()
    assert tokens.salted_hash(SALT, CANONICAL) == expected
    assert tokens.salt_id(SALT) == hashlib.sha256(b"narrowgate/v1/salt-id" + SALT).digest()


def test_masking_is_the_verifiable_mode_under_each_key() -> None:
    h = tokens.salted_hash(SALT, CANONICAL)
    outputs = tokens.mask(K_MATCH, K_OPEN, h)
    assert outputs == tokens.Outputs(oprf.evaluate(K_MATCH, h), oprf.evaluate(K_OPEN, h))
    assert tokens.mask(K_MATCH, None, h) == tokens.Outputs(outputs.y_match, b"")


def test_what_a_requester_derives_is_what_the_contributor_deposited() -> None:
    h = tokens.salted_hash(SALT, CANONICAL)
    drawn = oprf.blind(h, source)
    y = oprf.finalize(h, drawn.blind, group.multiply(K_MATCH, drawn.blinded_element))
    deposited = tokens.derive(tokens.mask(K_MATCH, None, h).y_match, SERIES, SPACE, DEPOSIT)
    assert tokens.derive(y, SERIES, SPACE, DEPOSIT) == deposited


@pytest.mark.parametrize(("y_match", "y_open"), [(b"m" * 64, b"o" * 64), (b"m" * 64, b"")])
def test_token_and_key_are_hkdf_of_the_outputs(y_match: bytes, y_open: bytes) -> None:
    def hkdf(length: int, label: bytes, material: bytes) -> bytes:
        return HKDF(SHA256(), length, SERIES, label + SPACE + DEPOSIT).derive(material)

    assert tokens.derive(y_match, SERIES, SPACE, DEPOSIT) == hkdf(16, b"narrowgate/v1/token\x00", y_match)
    assert tokens.seal_key(y_match, y_open, SERIES, SPACE, DEPOSIT) == hkdf(
        32, b"narrowgate/v1/seal\x00", y_match + y_open
    )


@settings(max_examples=40)
@given(st.integers(0, 3), st.binary(min_size=1, max_size=1))
def test_another_output_series_space_or_deposit_gives_another_token_and_key(place: int, mark: bytes) -> None:
    own = [b"m" * 64, SERIES, SPACE, DEPOSIT]
    other = list(own)
    other[place] = mark + own[place][1:]
    if other != own:
        assert tokens.derive(*own) != tokens.derive(*other)
        assert tokens.seal_key(own[0], b"", *own[1:]) != tokens.seal_key(other[0], b"", *other[1:])


def test_without_the_second_output_the_payloads_key_is_another() -> None:
    with_open = tokens.seal_key(b"m" * 64, b"o" * 64, SERIES, SPACE, DEPOSIT)
    assert with_open != tokens.seal_key(b"m" * 64, b"", SERIES, SPACE, DEPOSIT)


def test_ids_and_outputs_of_another_length_are_refused() -> None:
    for wrong in [
        (b"m" * 63, SERIES, SPACE, DEPOSIT),
        (b"m" * 64, SERIES[1:], SPACE + b"x", DEPOSIT),
        (b"m" * 64, SERIES, SPACE + DEPOSIT[:1], DEPOSIT[1:]),
    ]:
        with pytest.raises(BadInput):
            tokens.derive(*wrong)
        with pytest.raises(BadInput):
            tokens.seal_key(wrong[0], b"", *wrong[1:])
    with pytest.raises(BadInput):
        tokens.seal_key(b"m" * 64, b"o" * 32, SERIES, SPACE, DEPOSIT)
    with pytest.raises(BadInput):
        tokens.salt_id(b"short")
    with pytest.raises(BadInput):
        tokens.salted_hash(b"short", CANONICAL)


def test_the_self_test_can_be_nobodys_identifier() -> None:
    assert tokens.self_test_input(SERIES) == b"narrowgate/v1/self-test\x00" + SERIES
    assert len(tokens.self_test_input(SERIES)) != tokens.SALTED_HASH_BYTES
    assert tokens.self_test_plaintext(SERIES) == b'{"self_test":"' + b"02" * 32 + b'","v":1}'
    for function in (tokens.self_test_input, tokens.self_test_plaintext):
        with pytest.raises(BadInput):
            function(b"short")


def test_outputs_are_not_in_a_repr() -> None:
    assert "y_" not in repr(tokens.Outputs(b"m" * 64, b"o" * 64))
