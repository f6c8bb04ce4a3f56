"""Signed calls: RFC 9421 message signatures with RFC 9530 digests, Ed25519, on every authenticated request.

Rule: one signature, label `call`, tag `narrowgate-v1`, over method, target-uri, and for a body its type, digest and
the Idempotency-Key; with keyid, created and nonce. The window is 60 seconds against the clock passed in. The caller
of `verify_call` must still store (key, nonce) and refuse a repeat: this module keeps nothing.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from broker.protocol.documents import key_identifier, public_bytes
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import RandomBytes, blob_to_text

WINDOW_SECONDS = 60
TAG = "narrowgate-v1"
LABEL = "call"
_BODY_COMPONENTS = ("content-type", "content-digest", "idempotency-key")


class Unauthenticated(NarrowgateError):
    """The call carries no signature this service accepts. Tells nobody which check failed beyond its text."""

    problem = "unauthenticated"


@dataclass(frozen=True)
class VerifiedCall:
    """Evidence that the key `kid` signed exactly this call. `nonce` is still to be checked for a repeat."""

    kid: str
    nonce: str
    created_at: int
    idempotency_key: str | None


class _Headers:
    """The header lines in wire order, duplicates kept, as the signature library reads and writes them."""

    def __init__(self, lines: Iterable[tuple[str, str]]) -> None:
        self.lines = [(name.lower(), value) for name, value in lines]

    def items(self) -> list[tuple[str, str]]:
        return list(self.lines)

    def __iter__(self) -> Iterator[str]:
        return iter(name for name, _ in self.lines)

    def __contains__(self, name: str) -> bool:
        return any(name.lower() == known for known, _ in self.lines)

    def __setitem__(self, name: str, value: str) -> None:
        del self[name]
        self.lines.append((name.lower(), value))

    def __delitem__(self, name: str) -> None:
        self.lines = [line for line in self.lines if line[0] != name.lower()]


@dataclass(frozen=True)
class _Message:
    method: str
    url: str
    headers: _Headers


class _Keys(HTTPSignatureKeyResolver):
    def __init__(
        self, private: Ed25519PrivateKey | None = None, public: Mapping[str, bytes] | None = None
    ) -> None:
        self._private, self._public = private, public or {}

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        if self._private is None:
            raise KeyError("no private key")
        return self._private

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self._public[key_id])


class _Verifier(HTTPMessageVerifier):
    # The library compares with its own clock; ours is an argument, so its bound is opened and ours is checked below.
    max_clock_skew = datetime.timedelta(days=20_000)


def sign_call(
    private_key: Ed25519PrivateKey,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: int,
    random_bytes: RandomBytes,
) -> dict[str, str]:
    """Headers to send: those given, with Content-Digest, Signature-Input and Signature.

    A call with a body needs `content-type` and `idempotency-key` among `headers`. A fresh nonce is drawn each time:
    a retry is a new nonce with the same Idempotency-Key.
    """
    message = _Message(method, url, _Headers(headers.items()))
    covered = ("@method", "@target-uri") + (_BODY_COMPONENTS if body or method == "POST" else ())
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519, key_resolver=_Keys(private=private_key)
    )
    signer.sign(
        message,
        key_id=key_identifier(public_bytes(private_key)),
        created=datetime.datetime.fromtimestamp(now, tz=datetime.UTC),
        nonce=blob_to_text(random_bytes(16)),
        label=LABEL,
        tag=TAG,
        covered_component_ids=covered,
        body=body if len(covered) > 2 else None,
    )
    return dict(message.headers.items())


def verify_call(
    keys: Mapping[str, bytes],
    *,
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    now: int,
) -> VerifiedCall:
    """Verify a call against the raw Ed25519 keys that may call, by thumbprint.

    Args:
        url: the absolute target URI under the service's public origin, as the client wrote it.
        headers: raw header lines, so that duplicates are seen.

    Raises Unauthenticated; the text never repeats a header.
    """
    lines = list(headers)
    names = [name.lower() for name, _ in lines]
    for name in ("signature", "signature-input", *_BODY_COMPONENTS):
        if names.count(name) > 1:
            raise Unauthenticated("A header that a signature covers was sent twice.")
    needs_body = method == "POST" or bool(body)
    required = ("@method", "@target-uri") + (_BODY_COMPONENTS if needs_body else ())
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=_Keys(public=keys))
    try:
        results = verifier.verify(
            _Message(method, url, _Headers(lines)),
            max_age=None,
            expect_tag=TAG,
            require_components=required,
            body=body if needs_body else None,
        )
    except HTTPMessageSignaturesException as error:
        raise Unauthenticated(
            "The call's signature is missing, or does not verify under an accepted key."
        ) from error
    if len(results) != 1:
        raise Unauthenticated("A call bears exactly one signature.")
    parameters = results[0].parameters
    nonce, created = parameters.get("nonce"), parameters.get("created")
    if not isinstance(nonce, str) or not 16 <= len(nonce) <= 64:
        raise Unauthenticated("The call's signature needs a nonce of 16 to 64 characters.")
    if not isinstance(created, int) or abs(now - created) > WINDOW_SECONDS:
        raise Unauthenticated(
            "The call was signed more than 60 seconds from the server's time. Set the clock."
        )
    idempotency_key = next((value for name, value in lines if name.lower() == "idempotency-key"), None)
    if needs_body and (idempotency_key is None or not 8 <= len(idempotency_key) <= 64):
        raise Unauthenticated("A POST needs an Idempotency-Key of 8 to 64 characters.")
    return VerifiedCall(str(parameters["keyid"]), nonce, created, idempotency_key)
