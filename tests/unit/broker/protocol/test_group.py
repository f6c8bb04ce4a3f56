"""The group: RFC vectors, its laws, and what is refused at the door."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import group
from broker.protocol.errors import BadInput

# RFC 9496 A.1: the multiples 1 to 5 of the generator.
MULTIPLES = [
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
    "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
    "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
]
scalars = st.integers(min_value=1, max_value=group.ORDER - 1).map(group.scalar_from_int)
few = settings(max_examples=25)


def test_the_multiples_of_the_generator_are_those_of_the_rfc() -> None:
    assert [group.multiply_base(group.scalar_from_int(n)).hex() for n in range(1, 6)] == MULTIPLES
    assert group.GENERATOR.hex() == MULTIPLES[0]


def test_expansion_follows_the_steps_of_the_rfc() -> None:
    # RFC 9380 K.3, expand_message_xmd(SHA-512), has lengths 32 and 128; the length is hashed, so the vectors for 64
    # bytes are computed here by the RFC's own steps, with the loop written out.
    dst = b"QUUX-V01-CS02-with-expander-SHA512-256"
    for message in (b"", b"abc", b"q128_" + b"q" * 128):
        dst_prime = dst + bytes([len(dst)])
        b_0 = hashlib.sha512(bytes(128) + message + b"\x00\x40\x00" + dst_prime).digest()
        b_1 = hashlib.sha512(b_0 + b"\x01" + dst_prime).digest()
        assert group.expand_message(message, dst) == b_1


@few
@given(scalars, scalars)
def test_multiplication_distributes_over_both_additions(a: bytes, b: bytes) -> None:
    point = group.hash_to_group(b"any", b"test")
    if any(group.scalar_add(a, b)):
        both = group.multiply(group.scalar_add(a, b), point)
        assert both == group.add(group.multiply(a, point), group.multiply(b, point))
        assert group.subtract(both, group.multiply(b, point)) == group.multiply(a, point)
    assert group.multiply(a, group.multiply(b, point)) == group.multiply(group.scalar_multiply(a, b), point)


@few
@given(scalars, scalars)
def test_scalars_are_numbers_modulo_the_order(a: bytes, b: bytes) -> None:
    x, y = int.from_bytes(a, "little"), int.from_bytes(b, "little")
    assert group.scalar_add(a, b) == group.scalar_from_int(x + y)
    assert group.scalar_subtract(a, b) == group.scalar_from_int(x - y)
    assert group.scalar_multiply(a, b) == group.scalar_from_int(x * y)
    assert group.scalar_negate(a) == group.scalar_from_int(-x)
    assert group.scalar_invert(a) == group.scalar_from_int(pow(x, -1, group.ORDER))


@few
@given(st.lists(scalars, max_size=8))
def test_inverting_in_a_batch_is_inverting_each(many: list[bytes]) -> None:
    assert group.scalar_invert_batch(many) == [group.scalar_invert(each) for each in many]


@pytest.mark.parametrize(
    "bad",
    [b"", bytes(31), bytes(32), bytes(33), b"\x01" + bytes(31), b"\xff" * 32],
    ids=["empty", "short", "identity", "long", "negative", "non-canonical"],
)
def test_what_is_no_element_is_refused_at_every_door(bad: bytes) -> None:
    one = group.scalar_from_int(1)
    with pytest.raises(BadInput):
        group.check_element(bad)
    with pytest.raises(BadInput):
        group.multiply(one, bad)
    if bad != group.IDENTITY:
        for operation in (group.add, group.subtract):
            with pytest.raises(BadInput):
                operation(bad, group.GENERATOR)
            with pytest.raises(BadInput):
                operation(group.GENERATOR, bad)


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(33), group.ORDER.to_bytes(32, "little"), b"\xff" * 32])
def test_what_is_no_scalar_is_refused_at_every_door(bad: bytes) -> None:
    one = group.scalar_from_int(1)
    doors: list[Callable[[], object]] = [
        lambda: group.check_scalar(bad),
        lambda: group.multiply(bad, group.GENERATOR),
        lambda: group.multiply_base(bad),
        lambda: group.scalar_add(bad, one),
        lambda: group.scalar_subtract(one, bad),
        lambda: group.scalar_multiply(one, bad),
        lambda: group.scalar_negate(bad),
        lambda: group.scalar_invert(bad),
        lambda: group.scalar_invert_batch([one, bad]),
    ]
    for door in doors:
        with pytest.raises(BadInput):
            door()


def test_zero_is_a_number_but_no_key() -> None:
    zero = bytes(32)
    assert group.scalar_add(zero, zero) == zero
    for door in (group.check_scalar, group.multiply_base, group.scalar_invert):
        with pytest.raises(BadInput):
            door(zero)


def test_an_error_never_repeats_what_was_sent() -> None:
    with pytest.raises(BadInput) as caught:
        group.check_element(b"\xab" * 32)
    assert "abab" not in str(caught.value)


def test_a_broken_source_of_randomness_draws_no_scalar() -> None:
    for source in (bytes, lambda n: bytes(n - 1) + b"\x01" * 2, lambda n: b""):
        with pytest.raises(BadInput):
            group.random_scalar(source)


def test_a_random_scalar_is_all_64_bytes_modulo_the_order() -> None:
    wide = bytes(range(100, 164))
    expected = int.from_bytes(wide, "little") % group.ORDER
    assert group.random_scalar(lambda n: wide[:n]) == group.scalar_from_int(expected)


def test_elements_sent_one_after_another_are_cut_apart() -> None:
    assert group.split_elements(b"a" * 32 + b"b" * 32) == (b"a" * 32, b"b" * 32)
    with pytest.raises(BadInput):
        group.split_elements(b"a" * 33)


@pytest.mark.parametrize("dst", [b"", b"d" * 256])
def test_a_domain_separation_tag_has_a_sound_length(dst: bytes) -> None:
    with pytest.raises(BadInput):
        group.hash_to_group(b"any", dst)
