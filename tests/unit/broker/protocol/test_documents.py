"""Signed documents: what a signature must bear, and every way of tampering with one."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from broker.protocol import documents
from broker.protocol.errors import BadInput, NarrowgateError, VerificationFailed
from broker.protocol.messages.base import blob_from_text, blob_to_text, encode
from broker.protocol.messages.series import Acceptance, SeriesClosing

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = documents.public_bytes(KEY)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
CLOSING = SeriesClosing(series_id=bytes(32), closed_at=1_790_000_000)
SIGNED = documents.sign(CLOSING, KEY)


def with_header(header: dict[str, object], payload: bytes | None = None) -> str:
    data = encode(CLOSING) if payload is None else payload
    key = OKPKey.import_key(KEY)
    return jws.serialize_compact(header, data, key, algorithms=["Ed25519"])


def test_a_document_verifies_and_keeps_its_exact_bytes() -> None:
    verified = documents.verify(SeriesClosing, SIGNED.document, PUBLIC)
    assert verified == SIGNED
    assert blob_from_text(SIGNED.document.split(".")[1]) == encode(CLOSING)


def test_the_thumbprint_is_that_of_rfc_8037_appendix_a() -> None:
    public = blob_from_text("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert documents.key_identifier(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_header_nested_without_end_is_refused_like_any_other() -> None:
    deep = blob_to_text(b"[" * 100_000)
    with pytest.raises(BadInput, match="header"):
        documents.unverified_kid(f"{deep}.{SIGNED.document.split('.', 1)[1]}")


def test_a_signature_is_deterministic() -> None:
    assert documents.sign(CLOSING, KEY).document == SIGNED.document


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="Acceptance"):
        documents.verify(Acceptance, SIGNED.document, PUBLIC)


def test_a_key_that_is_not_on_the_roster_is_refused() -> None:
    with pytest.raises(VerificationFailed):
        documents.verify(SeriesClosing, SIGNED.document, documents.public_bytes(OTHER))
    with pytest.raises(VerificationFailed):
        documents.verify(SeriesClosing, SIGNED.document, {})


def test_a_roster_that_files_a_key_under_anothers_name_is_refused() -> None:
    with pytest.raises(VerificationFailed):
        documents.verify(SeriesClosing, SIGNED.document, {SIGNED.kid: documents.public_bytes(OTHER)})


@given(st.data())
def test_a_document_changed_in_any_character_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(SIGNED.document) - 1))
    letter = data.draw(st.sampled_from("ABab01-_.=+/"))
    changed = SIGNED.document[:place] + letter + SIGNED.document[place + 1 :]
    if changed != SIGNED.document:
        with pytest.raises(NarrowgateError):
            documents.verify(SeriesClosing, changed, PUBLIC)


KID = documents.key_identifier(PUBLIC)
TYP = documents.typ_of(SeriesClosing)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "Ed25519", "kid": KID, "typ": TYP, "crit": ["x"], "x": 1},
        {"alg": "Ed25519", "kid": KID, "typ": TYP, "jku": "https://example.org/"},
        {"alg": "Ed25519", "kid": KID},
        {"alg": "Ed25519", "typ": TYP},
    ],
)
def test_a_header_with_more_or_fewer_members_is_refused(header: dict[str, object]) -> None:
    parts = SIGNED.document.split(".")
    parts[0] = blob_to_text(json.dumps(header).encode())
    with pytest.raises(BadInput):
        documents.verify(SeriesClosing, ".".join(parts), PUBLIC)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "EdDSA"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    parts = SIGNED.document.split(".")
    parts[0] = blob_to_text(json.dumps({"alg": algorithm, "kid": KID, "typ": TYP}).encode())
    with pytest.raises(BadInput, match="Ed25519"):
        documents.verify(SeriesClosing, ".".join(parts), PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload + b" ",
        lambda payload: payload.replace(b'"v":1', b'"v":1.0'),
        lambda payload: payload.replace(b'{"closed_at"', b'{"closed_at":5,"closed_at"'),
        lambda payload: payload.replace(b'"v":1', b'"v":2'),
        lambda payload: payload.replace(b'"v":1', b'"v":1,"w":1'),
    ],
    ids=["space", "number form", "repeated member", "version", "extra field"],
)
def test_a_signed_payload_that_is_not_canonical_is_refused(change: Callable[[bytes], bytes]) -> None:
    document = with_header({"alg": "Ed25519", "kid": KID, "typ": TYP}, change(encode(CLOSING)))
    with pytest.raises(BadInput):
        documents.verify(SeriesClosing, document, PUBLIC)


@given(st.text(max_size=200))
def test_any_text_that_is_not_a_document_is_refused_without_a_crash(text: str) -> None:
    with pytest.raises(NarrowgateError) as caught:
        documents.verify(SeriesClosing, text, PUBLIC)
    assert len(text) < 12 or text not in str(caught.value)
