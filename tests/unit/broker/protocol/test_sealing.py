"""Sealed records: what went in comes out, all are of one length, and none opens in another place."""

import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import sealing
from broker.protocol.errors import BadInput, VerificationFailed

KEY = b"k" * 32
AAD = b"narrowgate/v1/record\x00" + b"s" * 16 + b"d" * 32 + b"t" * 16 + b"\x00\x00\x00\x01\x00\x00\x02\x00"


def source(count: int) -> bytes:
    return b"n" * count


def seal(
    plaintext: bytes,
    key: bytes = KEY,
    space_id: bytes = b"s" * 16,
    deposit_id: bytes = b"d" * 32,
    token: bytes = b"t" * 16,
    record_version: int = 1,
    size_class: int = 512,
    random_bytes: Callable[[int], bytes] = source,
) -> bytes:
    return sealing.seal(
        key,
        plaintext,
        space_id=space_id,
        deposit_id=deposit_id,
        token=token,
        record_version=record_version,
        size_class=size_class,
        random_bytes=random_bytes,
    )


def open_sealed(
    sealed: bytes,
    key: bytes = KEY,
    space_id: bytes = b"s" * 16,
    deposit_id: bytes = b"d" * 32,
    token: bytes = b"t" * 16,
    record_version: int = 1,
    size_class: int = 512,
) -> bytes:
    return sealing.open_sealed(
        key,
        sealed,
        space_id=space_id,
        deposit_id=deposit_id,
        token=token,
        record_version=record_version,
        size_class=size_class,
    )


def test_a_record_on_the_wire_is_nonce_and_ciphertext_bound_to_its_place() -> None:
    padded = b"\x00\x00\x00\x05hello" + bytes(503)
    assert seal(b"hello") == b"n" * 12 + ChaCha20Poly1305(KEY).encrypt(b"n" * 12, padded, AAD)


@settings(max_examples=30)
@given(st.binary(max_size=508), st.sampled_from(sealing.SIZE_CLASSES))
def test_a_record_comes_back_whole_and_its_length_tells_nothing(plaintext: bytes, size_class: int) -> None:
    sealed = seal(plaintext, size_class=size_class)
    assert len(sealed) == sealing.sealed_bytes(size_class) == 12 + size_class + 16
    assert open_sealed(sealed, size_class=size_class) == plaintext


def test_a_full_class_is_used_to_the_last_byte_and_not_beyond() -> None:
    assert open_sealed(seal(b"x" * 508)) == b"x" * 508
    with pytest.raises(BadInput, match="larger class"):
        seal(b"x" * 509)


def test_a_record_moved_to_another_place_does_not_open() -> None:
    sealed = seal(b"hello")
    moves: list[Callable[[], bytes]] = [
        lambda: open_sealed(sealed, key=b"K" * 32),
        lambda: open_sealed(sealed, space_id=b"S" * 16),
        lambda: open_sealed(sealed, deposit_id=b"D" * 32),
        lambda: open_sealed(sealed, token=b"T" * 16),
        lambda: open_sealed(sealed, record_version=2),
        lambda: open_sealed(sealed, size_class=2048),
        lambda: open_sealed(sealed[:-1]),
        lambda: open_sealed(sealed + b"x"),
        lambda: open_sealed(b""),
    ]
    for move in moves:
        with pytest.raises(VerificationFailed):
            move()


@settings(max_examples=40)
@given(st.integers(0, 12 + 512 + 16 - 1), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_noticed(place: int, change: int) -> None:
    sealed = bytearray(seal(b"hello"))
    sealed[place] ^= change
    with pytest.raises(VerificationFailed):
        open_sealed(bytes(sealed))


@pytest.mark.parametrize(
    "padded",
    [
        b"\x00\x00\x00\x05hello" + bytes(502) + b"!",
        b"\xff\xff\xff\xff" + bytes(508),
        b"\x00\x00\x01\xfd" + bytes(508),
    ],
    ids=["something in the padding", "length beyond everything", "length one beyond the class"],
)
def test_padding_by_another_rule_is_refused_even_under_the_right_key(padded: bytes) -> None:
    sealed = b"n" * 12 + ChaCha20Poly1305(KEY).encrypt(b"n" * 12, padded, AAD)
    with pytest.raises(VerificationFailed):
        open_sealed(sealed)


def test_what_has_not_its_size_is_refused() -> None:
    attempts: list[Callable[[], object]] = [
        lambda: seal(b"", key=b"k" * 16),
        lambda: seal(b"", space_id=b"s" * 17, deposit_id=b"d" * 31),
        lambda: seal(b"", token=b"t" * 15),
        lambda: seal(b"", record_version=-1),
        lambda: seal(b"", record_version=2**32),
        lambda: seal(b"", size_class=513),
        lambda: seal(b"", random_bytes=lambda count: b"n"),
        lambda: sealing.sealed_bytes(0),
        lambda: sealing.record_leaf(b"t" * 15, b"sealed", 1),
    ]
    for attempt in attempts:
        with pytest.raises(BadInput):
            attempt()


def test_a_leaf_of_the_deposits_root_binds_token_bytes_and_version() -> None:
    sealed = seal(b"hello")
    leaf = sealing.record_leaf(b"t" * 16, sealed, 7)
    assert leaf == b"t" * 16 + hashlib.sha256(sealed).digest() + b"\x00\x00\x00\x07"
