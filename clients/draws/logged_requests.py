"""What the auditor's mirror of the log says about one request: its permit's terms, and the tokens sent under it.

Rule: only records that opened their leaves are in a mirror, so this is the log's word and not the broker's. Of the
broker's own kinds of record an auditor needs to know the members that are read here, and no more.

It mirrors nothing (see `clients.auditor`) and judges nothing.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from broker.protocol import leaves
from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import AdmissionRecord, PermitTerms
from broker.protocol.messages.vocabulary import RecordKind
from clients.mirrors.mirror import Mirror

DAY_SECONDS = 86_400
_MISSING = "The mirror of the log has no such request, or its record was erased. Use: narrowgate audit verify"


@dataclass(frozen=True)
class LoggedTokens:
    """What a TOKENS entry says: the root over the one submission under a permit, and the digest of its nonce."""

    index: int
    request_id: bytes
    token_root: bytes
    nonce_digest: bytes


@dataclass(frozen=True)
class LoggedRequest:
    """An admitted request as the log has it. `tokens` is None if none were sent by the last audit."""

    index: int
    terms: PermitTerms
    retention_days: int
    tokens: LoggedTokens | None

    @property
    def kept_until(self) -> int:
        """When the requester erases what a draw needs, Unix seconds."""
        return self.terms.not_before_at + self.retention_days * DAY_SECONDS


def find_by_digest(mirror: Mirror, request_digest: bytes) -> LoggedRequest:
    """The admitted request whose signed document has that SHA-256. Raises NotFound, or VerificationFailed."""
    return _find(mirror, lambda terms, _: terms.request_digest == request_digest)


def find_by_id(mirror: Mirror, request_id: bytes) -> LoggedRequest:
    """The admitted request of that id, which the log names once tokens were sent. Raises NotFound."""
    return _find(mirror, lambda _, tokens: tokens is not None and tokens.request_id == request_id)


def _find(mirror: Mirror, wanted: Callable[[PermitTerms, LoggedTokens | None], bool]) -> LoggedRequest:
    admitted: dict[bytes, tuple[int, AdmissionRecord]] = {}
    sent: dict[bytes, LoggedTokens] = {}
    for index, kind, record in _entries(mirror):
        if kind == RecordKind.ADMITTED:
            admission = decode(AdmissionRecord, record)
            admitted[admission.terms.permit_id] = index, admission
        elif kind == RecordKind.TOKENS:
            members = json.loads(record)
            sent[bytes.fromhex(members["permit_id"])] = _tokens(index, members)
    for permit_id, (index, admission) in admitted.items():
        tokens = sent.get(permit_id)
        if wanted(admission.terms, tokens):
            return LoggedRequest(index, admission.terms, _retention_days(admission.decision), tokens)
    raise NotFound(_MISSING)


def _entries(mirror: Mirror) -> Iterator[tuple[int, str, bytes]]:
    kept = mirror.leaves(0, mirror.records_kept())
    for logged, leaf in zip(mirror.records(), kept, strict=True):
        if logged.record is not None:
            yield logged.index, leaves.parse_leaf(leaf).kind, logged.record


def _retention_days(decision: str) -> int:
    try:
        return int(json.loads(decision)["facts"]["claims"]["retention_days"])
    except (ValueError, TypeError, KeyError):
        raise VerificationFailed(
            "The decision in the log does not say how long the answer is kept. Tell the broker's operator."
        ) from None


def _tokens(index: int, members: dict[str, Any]) -> LoggedTokens:
    return LoggedTokens(
        index=index,
        request_id=bytes.fromhex(members["request_id"]),
        token_root=bytes.fromhex(members["token_root"]),
        nonce_digest=bytes.fromhex(members["nonce_digest"]),
    )
