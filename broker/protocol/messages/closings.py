"""The records of the two entries that close a release: RELEASED, an answer left; FAILED, none did.

Rule (decision 0022): such a record names the request and the exact answer by their digests, and nothing that the
requester was not told. So the requester gets record and salt of its own entry, and shows anybody, offline, that the log
records exactly this answer to exactly this request. What was decided on stays in RELEASE, which requesters cannot open.

Nothing is compared here: see `clients.requester_checks.disclosures` and `clients.requester_checks.refusals`.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

import rfc8785

from broker.protocol.messages.base import Bytes32, Count, Id16, Message, Slug
from broker.protocol.messages.vocabulary import Tier


class Released(Message):
    """RELEASED: the answer that left. `release_index` is the entry of the decision to let it leave."""

    v: Literal[1] = 1
    permit_id: Id16
    request_id: Id16
    request_digest: Bytes32
    requester: Slug
    tier: Tier
    disclosure_digest: Bytes32
    """SHA-256 of the signed disclosure, as `documents.Signed.digest`."""
    release_index: Count


class Failed(Message):
    """FAILED: nothing of a decided release left; `problem` is the slug the caller was told."""

    v: Literal[1] = 1
    permit_id: Id16
    request_id: Id16
    request_digest: Bytes32
    requester: Slug
    release_index: Count
    problem: Slug
    told_digest: Bytes32
    """What the requester was told: see `told_digest`."""


def told_digest(
    rules: Sequence[str],
    reasons: Sequence[str],
    law: Sequence[str],
    missed: Sequence[str],
    notes: Sequence[str],
) -> bytes:
    """SHA-256 of the RFC 8785 JSON of what a refused caller is told; 32 bytes."""
    words = {"rules": rules, "reasons": reasons, "law": law, "missed": missed, "notes": notes}
    return hashlib.sha256(rfc8785.dumps({name: list(said) for name, said in words.items()})).digest()
