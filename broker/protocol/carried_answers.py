"""The bundle of answers that goes back to whoever sent calls: sealed to that party, signed by the service.

Rule: it names the one bundle it answers, so that an old answer cannot be shown for a new question, and counts no longer
than the longest a bundle may travel. Zeros are put behind it, up to a size that follows from the calls alone, so that
whoever carries it cannot count hits: see `padded`. It opens nothing and keeps nothing.
"""

import hashlib
from collections.abc import Sequence
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import carried, documents
from broker.protocol.carried import CarriedAnswers, CarriedHeader, CarriedStep
from broker.protocol.documents import Signed
from broker.protocol.messages.base import RandomBytes

LEAST_BYTES = 128 * 1024
"""Room for what does not grow with the calls: a permit, a refusal, sources, notices, some fifteen sealed records."""
_LARGEST_ROOM_BYTES = 32 * 1024 * 1024
_LARGEST_STEP_BYTES = 4 * 1024 * 1024
_GROWS = MappingProxyType({"tokens of a request": 4, "evaluate a request": 1})
"""Bytes of an answer for each byte asked, at most. A token is asked in 22 bytes; told as a hit, in base64 in a signed
document, in 34, and again in 29 for its source: 63 of 88."""


def padded(content: bytes, steps: Sequence[CarriedStep]) -> bytes:
    """Content with zeros behind it.

    It fills the room that the calls' sizes, which everybody may read, leave for the largest answers at the tier `hits`,
    and at `sources` for those that name some fifty contributors. What needs more, such as sealed records, doubles it,
    from 4 MiB on adds 4 MiB: so that a size tells a range and no number."""
    room = LEAST_BYTES + sum(_GROWS.get(each.step, 0) * each.size for each in steps)
    size = min(room, _LARGEST_ROOM_BYTES)
    while size < len(content):
        size += min(size, _LARGEST_STEP_BYTES)
    return content.ljust(size, b"\x00")


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
    content = padded(carried.frame(index, bodies), said.steps)
    sealed = carried.seal(content, recipient_key, bundle_id, kid, calls.kid)
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
