"""Wrapping to a recipient: only its key, only under the same purpose."""

import itertools
from collections.abc import Callable

import pytest

from broker.protocol import wrapping
from broker.protocol.errors import BadInput, VerificationFailed

OWN = wrapping.generate_key_pair()
INFO = wrapping.salt_info(b"s" * 16, b"i" * 32, "kid")


def test_a_wrapped_secret_opens_for_its_recipient() -> None:
    wrapped = wrapping.wrap(OWN.public, b"x" * 32, INFO)
    assert len(wrapped) == 32 + wrapping.OVERHEAD_BYTES
    assert wrapping.unwrap(OWN.private, wrapped, INFO) == b"x" * 32


def test_a_key_written_down_and_read_again_is_the_same_key() -> None:
    assert (len(OWN.private), len(OWN.public)) == (wrapping.PRIVATE_BYTES, wrapping.PUBLIC_BYTES)
    assert wrapping.public_of(bytes(OWN.private)) == OWN.public
    assert wrapping.generate_key_pair().public != OWN.public


def test_another_key_or_purpose_or_altered_bytes_do_not_open() -> None:
    wrapped = wrapping.wrap(OWN.public, b"x" * 32, INFO)
    other = wrapping.generate_key_pair()
    # Each half of the hybrid counts: with one half another's, nothing opens.
    half_mlkem = other.private[:64] + OWN.private[64:]
    half_x25519 = OWN.private[:64] + other.private[64:]
    attempts: list[tuple[bytes, bytes, bytes]] = [
        (other.private, wrapped, INFO),
        (half_mlkem, wrapped, INFO),
        (half_x25519, wrapped, INFO),
        (OWN.private, wrapped, INFO + b"x"),
        (OWN.private, wrapped, b""),
        (OWN.private, wrapped[:-1], INFO),
        (OWN.private, wrapped + b"x", INFO),
        (OWN.private, b"", INFO),
        (OWN.private, bytes([wrapped[0] ^ 1]) + wrapped[1:], INFO),
        (OWN.private, wrapped[:1088] + bytes(32) + wrapped[1120:], INFO),
    ]
    for attempt in attempts:
        with pytest.raises(VerificationFailed):
            wrapping.unwrap(*attempt)


@pytest.mark.parametrize(
    "public", [b"", OWN.public[:-1], b"\xff" * 1216, OWN.public[:1184] + bytes(32)], ids=range(4)
)
def test_what_is_no_key_is_refused(public: bytes) -> None:
    with pytest.raises(BadInput):
        wrapping.wrap(public, b"x", INFO)


def test_a_private_key_of_another_length_is_refused() -> None:
    with pytest.raises(BadInput):
        wrapping.unwrap(OWN.private[:-1], wrapping.wrap(OWN.public, b"x", INFO), INFO)


def test_purposes_are_told_apart_by_bytes() -> None:
    infos = [
        wrapping.share_info(b"s" * 32, "holder", 1),
        wrapping.share_info(b"s" * 32, "holder", 2),
        wrapping.share_info(b"s" * 32, "holder1", 1),
        wrapping.share_info(b"t" * 32, "holder", 1),
        wrapping.salt_info(b"s" * 16, b"s" * 32, "holder"),
        wrapping.facts_info(b"s" * 16, "holder"),
    ]
    for one, other in itertools.combinations(infos, 2):
        assert not one.startswith(other)
        assert not other.startswith(one)
    assert infos[0] == b"narrowgate/v1/share\x00" + b"s" * 32 + b"\x00\x06holder\x00\x01"


def test_ids_of_another_length_are_refused() -> None:
    attempts: list[Callable[[], bytes]] = [
        lambda: wrapping.share_info(b"s", "holder", 1),
        lambda: wrapping.share_info(b"s" * 32, "holder", 0),
        lambda: wrapping.share_info(b"s" * 32, "h" * 65_536, 1),
        lambda: wrapping.salt_info(b"s" * 32, b"s" * 16, "kid"),
        lambda: wrapping.facts_info(b"", "holder"),
    ]
    for attempt in attempts:
        with pytest.raises(BadInput):
            attempt()


def test_a_private_key_is_not_in_a_repr() -> None:
    assert "private" not in repr(OWN)
