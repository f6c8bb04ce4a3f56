"""Calls: what a signature must cover, and what makes it refused."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol.calls import Unauthenticated, VerifiedCall, sign_call, verify_call
from broker.protocol.documents import key_identifier, public_bytes

NOW = 1_800_000_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {key_identifier(public_bytes(KEY)): public_bytes(KEY)}
URL = "http://127.0.0.1:8000/v1/requests"
HEADERS = {"content-type": "application/json", "idempotency-key": "0123456789abcdef"}


def signed(method: str = "POST", body: bytes = b'{"a":1}', now: int = NOW) -> dict[str, str]:
    return sign_call(
        KEY,
        method=method,
        url=URL,
        headers=HEADERS if method == "POST" else {},
        body=body,
        now=now,
        random_bytes=os.urandom,
    )


def verify(
    headers: dict[str, str], method: str = "POST", body: bytes = b'{"a":1}', url: str = URL, now: int = NOW
) -> VerifiedCall:
    return verify_call(KEYS, method=method, url=url, headers=headers.items(), body=body, now=now)


def test_a_signed_call_verifies_and_names_its_key() -> None:
    call = verify(signed())
    assert call.kid in KEYS
    assert call.idempotency_key == HEADERS["idempotency-key"]


def test_a_read_needs_no_body_and_no_idempotency_key() -> None:
    assert verify(signed("GET", b""), "GET", b"").idempotency_key is None


def test_every_call_has_a_nonce_of_its_own() -> None:
    assert verify(signed()).nonce != verify(signed()).nonce


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"body": b'{"a":2}'},
        {"body": b""},
        {"url": URL + "?more=1"},
        {"url": URL.replace("127.0.0.1", "localhost")},
        {"now": NOW + 61},
        {"now": NOW - 61},
    ],
)
def test_a_call_changed_on_the_way_or_out_of_its_window_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        verify(signed(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["signature", "signature-input", "content-digest", "idempotency-key", "content-type"]
)
def test_a_call_that_lacks_a_covered_header_is_refused(name: str) -> None:
    headers = signed()
    del headers[name]
    with pytest.raises(Unauthenticated):
        verify(headers)


def test_a_repeated_header_is_refused() -> None:
    lines = [*signed().items(), ("idempotency-key", "another-key-000")]
    with pytest.raises(Unauthenticated, match="twice"):
        verify_call(KEYS, method="POST", url=URL, headers=lines, body=b'{"a":1}', now=NOW)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        verify_call({}, method="POST", url=URL, headers=signed().items(), body=b'{"a":1}', now=NOW)
