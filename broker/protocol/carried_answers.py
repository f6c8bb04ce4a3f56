"""The bundle of answers that goes back to whoever sent calls: sealed to that party, signed by the service.

Rule: it names the one bundle it answers, so that an old answer cannot be shown for a new question, and counts no longer
than the longest a bundle may travel. It opens nothing and keeps nothing.
"""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import carried, documents
from broker.protocol.carried import CarriedAnswers, CarriedHeader
from broker.protocol.documents import Signed
from broker.protocol.messages.base import RandomBytes


def answer_bundle(
    calls: Signed[CarriedHeader],
    recipient_key: bytes,
    index: CarriedAnswers,
    bodies: Sequence[bytes],
    *,
    signing_key: Ed25519PrivateKey,
    now: int,
    random_bytes: RandomBytes,
) -> bytes:
    """The file with the answers to a verified bundle of calls, sealed to its sender's wrapping key."""
    said, bundle_id = calls.payload, random_bytes(16)
    kid = documents.key_identifier(documents.public_bytes(signing_key))
    sealed = carried.seal(carried.frame(index, bodies), recipient_key, bundle_id, kid, calls.kid)
    header = CarriedHeader(
        bundle_id=bundle_id,
        kind="answers",
        sender=said.recipient,
        recipient=said.sender,
        recipient_kid=calls.kid,
        number=said.number,
        answers=said.bundle_id,
        steps=said.steps,
        sealed_digest=hashlib.sha256(sealed).digest(),
        created_at=now,
        expires_at=now + carried.LONGEST_SECONDS,
    )
    return carried.pack(header, sealed, signing_key)
