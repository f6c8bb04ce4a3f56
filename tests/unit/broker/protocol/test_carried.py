"""What a bundle's bytes say, to everybody and to its receiver; and that any other bytes are refused."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import carried, documents, wrapping
from broker.protocol.carried import CarriedCall, CarriedCalls, CarriedHeader
from broker.protocol.errors import BadInput, Expired, NarrowgateError, NotPermitted, VerificationFailed

SENDER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
RECEIVER = wrapping.WrappingKeyPair(b"r" * 96, wrapping.public_of(b"r" * 96))
OTHER = wrapping.WrappingKeyPair(b"o" * 96, wrapping.public_of(b"o" * 96))
KID = "R" * 43
NOW = 1_795_000_000
BODY = b"records" * 10


def bundle(body: bytes = BODY, **changes: object) -> bytes:
    call = CarriedCall(
        method="POST",
        target=f"/v1/deposits/{'ab' * 32}/batches/0",
        content_type="application/octet-stream",
        idempotency_key="k" * 22,
        size=len(body),
    )
    index = CarriedCalls(calls=(call,))
    sender = documents.key_identifier(documents.public_bytes(SENDER))
    sealed = carried.seal(carried.frame(index, [body]), RECEIVER.public, bytes(16), sender, KID)
    fields = {
        "bundle_id": bytes(16),
        "kind": "calls",
        "sender": "unit-1",
        "recipient": "broker",
        "recipient_kid": KID,
        "number": 1,
        "steps": carried.steps_of(index.calls),
        "sealed_digest": hashlib.sha256(sealed).digest(),
        "created_at": NOW,
        "expires_at": NOW + 86_400,
    }
    return carried.pack(CarriedHeader.model_validate(fields | changes), sealed, SENDER)


def opened(
    data: bytes, now: int = NOW, kid: str = KID, keys: wrapping.WrappingKeyPair = RECEIVER
) -> list[bytes]:
    packed = carried.unpack(data)
    signed = carried.verify(packed, documents.public_bytes(SENDER), kid, now)
    return carried.open_bundle(signed, packed.sealed, keys.private, CarriedCalls)[1]


@settings(max_examples=20)
@given(body=st.binary(max_size=300))
def test_what_goes_in_comes_out_for_its_receiver_alone(body: bytes) -> None:
    data = bundle(body)
    assert opened(data) == [body]
    with pytest.raises(VerificationFailed):
        opened(data, keys=OTHER)
    with pytest.raises(NotPermitted):
        opened(data, kid="O" * 43)


def test_everybody_reads_who_to_whom_and_which_steps() -> None:
    claimed = carried.unpack(bundle()).claimed
    assert (claimed.sender, claimed.recipient, claimed.number) == ("unit-1", "broker", 1)
    assert [(each.step, each.calls, each.size) for each in claimed.steps] == [("records of a deposit", 1, 70)]


@settings(max_examples=60)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_altered_bit_is_taken(place: int, bit: int) -> None:
    data = bytearray(bundle())
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(NarrowgateError):
        opened(bytes(data))


def test_a_bundle_counts_in_its_time_alone() -> None:
    assert opened(bundle(), NOW + 86_399)
    with pytest.raises(Expired):
        opened(bundle(), NOW + 86_400)
    with pytest.raises(BadInput, match="times"):
        opened(bundle(), NOW - carried.CLOCK_SECONDS - 1)
    with pytest.raises(BadInput, match="times"):
        opened(bundle(expires_at=NOW + carried.LONGEST_SECONDS + 1))


def test_a_header_that_says_other_steps_than_are_inside_is_refused() -> None:
    with pytest.raises(BadInput, match="other steps"):
        opened(bundle(steps=()))
    with pytest.raises(BadInput, match="other steps"):
        opened(bundle(kind="answers"))


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1/operator/purge"),
        ("POST", "/v1/enrolments"),
        ("POST", "/v1/carried"),
        ("GET", "/v1/audit/records?start=0&end=9"),
        ("GET", "/v1/log/proof?index=1\n"),
        ("POST", "/v1/requests/"),
        ("POST", "/v1/deposits/../operator/purge"),
    ],
)
def test_only_the_steps_of_parties_are_carried(method: str, target: str) -> None:
    with pytest.raises(NotPermitted):
        carried.step_of(method, target)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", carried.MAGIC, carried.MAGIC + b"\x00\x00\x00\x09short"]
)
def test_what_is_no_bundle_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(BadInput, match="not a carried bundle"):
        carried.unpack(data)
