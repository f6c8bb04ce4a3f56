"""Signed documents: what outlives a call.

Rule: a document is a JWS in compact serialisation (RFC 7515) with alg Ed25519 (RFC 9864), a `typ` per kind, and the
signer's RFC 7638 thumbprint as `kid`; its header has exactly these three members. The payload is RFC 8785 JSON of
one closed type. Digests are taken over the exact bytes received and nothing is re-serialised.

It does not decide whether a signer may sign a kind: callers pass the one key, or the roster, they accept.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import MessageT, blob_from_text, blob_to_text, decode, encode

ALGORITHM = "Ed25519"
MAXIMUM_DOCUMENT_BYTES = 4 * 1024 * 1024

__all__ = ["Signed", "key_identifier", "public_bytes", "sign", "unverified_kid", "verify"]


@dataclass(frozen=True)
class Signed(Generic[MessageT]):
    """Evidence that `payload` was signed by the key `kid`: made by `sign` and `verify` only.

    `digest` is SHA-256 of the whole compact document; `payload_digest` of the payload's exact bytes.
    """

    payload: MessageT
    document: str
    kid: str
    digest: bytes
    payload_digest: bytes


def public_bytes(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """The 32 raw bytes of an Ed25519 public key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_identifier(public_key: bytes) -> str:
    """RFC 7638 thumbprint of a raw Ed25519 public key, base64url."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": blob_to_text(public_key)}
    return blob_to_text(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def typ_of(kind: type[MessageT]) -> str:
    """The `typ` of a kind: its class's `TYP`."""
    name = getattr(kind, "TYP", None)
    if not isinstance(name, str):
        raise TypeError(f"{kind.__name__} is not a kind of document")
    return f"narrowgate-{name}-v1+jws"


def sign(payload: MessageT, private_key: Ed25519PrivateKey) -> Signed[MessageT]:
    """Sign `payload` as a document of its kind."""
    public_key = public_bytes(private_key)
    header = {"alg": ALGORITHM, "kid": key_identifier(public_key), "typ": typ_of(type(payload))}
    data = encode(payload)
    document = jws.serialize_compact(header, data, OKPKey.import_key(private_key), algorithms=[ALGORITHM])
    return _signed(payload, document, header["kid"], data)


def unverified_kid(document: str) -> str:
    """The `kid` a document claims, to find its key by. Proves nothing. Raises BadInput."""
    return str(_header(document)["kid"])


def unverified_payload(kind: type[MessageT], document: str) -> MessageT:
    """The payload a document claims, to find by it what it is verified with. Proves nothing. Raises BadInput."""
    _header(document)
    return decode(kind, blob_from_text(document.split(".")[1]))


def verify(kind: type[MessageT], document: str, keys: bytes | Mapping[str, bytes]) -> Signed[MessageT]:
    """Verify a document of `kind`.

    Args:
        kind: the payload's type; a document of any other `typ` is refused.
        document: JWS compact serialisation.
        keys: the one raw Ed25519 public key that may have signed, or those that may by `kid`.

    Returns: the evidence. Raises BadInput (malformed) or VerificationFailed (not signed by a key that may).
    """
    header = _header(document)
    if header["typ"] != typ_of(kind):
        raise BadInput(f"This is not a {kind.__name__} document. Check that the right file was sent.")
    by_kid = {key_identifier(keys): keys} if isinstance(keys, bytes) else keys
    public_key = by_kid.get(header["kid"])
    if public_key is None or key_identifier(public_key) != header["kid"]:
        raise VerificationFailed(f"The {kind.__name__} document is signed by a key that may not sign it.")
    try:
        key = OKPKey.import_key(Ed25519PublicKey.from_public_bytes(public_key))
        result = jws.deserialize_compact(document, key, algorithms=[ALGORITHM])
    except (JoseError, ValueError) as error:
        raise VerificationFailed(f"The signature of the {kind.__name__} document does not verify.") from error
    return _signed(decode(kind, result.payload), document, header["kid"], result.payload)


def _signed(payload: MessageT, document: str, kid: str, data: bytes) -> Signed[MessageT]:
    digest = hashlib.sha256(document.encode("ascii")).digest()
    return Signed(payload, document, kid, digest, hashlib.sha256(data).digest())


def _header(document: str) -> dict[str, str]:
    if len(document) > MAXIMUM_DOCUMENT_BYTES or document.count(".") != 2:
        raise BadInput("This is not a signed document (three parts in base64url, divided by dots).")
    parts = document.split(".")
    decoded = [blob_from_text(part) for part in parts]
    try:
        header = json.loads(decoded[0])
    except (ValueError, RecursionError) as error:
        raise BadInput("The header of the signed document is not JSON.") from error
    if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ"}:
        raise BadInput("The header of a signed document has exactly alg, kid and typ.")
    if header["alg"] != ALGORITHM or not all(isinstance(value, str) for value in header.values()):
        raise BadInput("A signed document here has alg Ed25519 (RFC 9864).")
    return header
