"""What passes from hand to hand around a key holder in tests: dealt series, filed requests, the broker's log."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.gate.facts import AdmitFacts
from broker.protocol import checkpoint, leaves, shares, wrapping
from broker.protocol.documents import Signed
from broker.protocol.messages.base import encode
from broker.protocol.messages.evaluation import Consistency, EvaluationCall
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.requests import (
    OpenedRecord,
    Permit,
    PermitSeries,
    PermitTerms,
    Request,
)
from broker.protocol.messages.series import (
    Conditions,
    SeriesManifest,
    key_digest,
)
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from clients.keyholder.context import KeyHolder
from tests.messages_examples import CONDITIONS

NOW = 1_790_000_000
POLICIES = Path(__file__).parents[1] / "policies"
COMPANIES = ("company-1", "company-2", "company-3")
POLICE = "unit-1"
HOLDER_IDS = ("court-office", "privacy-regulator", "rights-ngo")
SALT = bytes(range(32))
FactsChange = Callable[[AdmitFacts], AdmitFacts]


@dataclass
class HandClock:
    """A clock that a test sets."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class Deal:
    """One contributor's keys for one series."""

    signed: Signed[SeriesManifest]
    match: shares.Dealing = field(repr=False)
    open: shares.Dealing = field(repr=False)
    k_match: bytes = field(repr=False)

    @property
    def series_id(self) -> bytes:
        return self.signed.payload_digest

    @property
    def manifest(self) -> SeriesManifest:
        return self.signed.payload


@dataclass(frozen=True)
class Filed:
    """What a requester has in hand after an admission: all that a holder is sent."""

    permit: Signed[Permit]
    request: Signed[Request]
    findings: tuple[str, ...]
    record: bytes
    salt: bytes
    points: tuple[bytes, ...]

    @property
    def terms(self) -> PermitTerms:
        return self.permit.payload.terms

    def sealed_to(self, holder: KeyHolder) -> bytes:
        opened = encode(OpenedRecord(record=self.record, salt=self.salt))
        info = wrapping.facts_info(self.terms.permit_id, holder.keys.holder_id)
        return wrapping.wrap(holder.keys.wrapping.public, opened, info)

    def call(
        self,
        holder: KeyHolder,
        deal: Deal,
        quorum: tuple[int, ...] = (1, 2),
        consistency: Consistency | None = None,
    ) -> EvaluationCall:
        """The call for one series to one holder."""
        series = next(each for each in self.terms.series if each.series_id == deal.series_id)
        return EvaluationCall(
            permit=self.permit.document,
            request=self.request.document,
            findings=self.findings,
            sealed_record=self.sealed_to(holder),
            handle=series.handle,
            quorum=quorum,
            points=b"".join(self.points),
            consistency=consistency,
        )


class BrokerLog:
    """The broker's log, in memory."""

    def __init__(self, key: Ed25519PrivateKey, origin: str = "broker.example.org/log") -> None:
        self.key, self.origin, self.storage = key, origin, MemoryStorage()

    def append(self, record: bytes, salt: bytes, kind: str = RecordKind.ADMITTED.value) -> LogProof:
        leaf = leaves.compose(kind, NOW, record, salt)
        appended = translog.append(self.storage, [leaf.leaf])
        return self.proof(appended.first_index, appended.head.size)

    def proof(self, index: int, size: int) -> LogProof:
        root = translog.root_at(self.storage, size)
        note = checkpoint.sign(self.origin, size, root, self.key, self.origin).decode()
        leaf = next(iter(self.storage.leaves(index, index + 1)))
        path = translog.inclusion_proof(self.storage, index, size)
        return LogProof(index=index, leaf=leaf, path=path, checkpoint=note)

    def consistency(self, old: int, new: int) -> Consistency:
        return Consistency(
            old_size=old, new_size=new, path=translog.consistency_proof(self.storage, old, new)
        )


def conditions(**changes: object) -> Conditions:
    """The usual conditions with changes."""
    return CONDITIONS.model_copy(update={"transfer_ground": "within_union"} | changes)


def permit_series(deal: Deal) -> PermitSeries:
    """A series as a permit names it."""
    manifest = deal.manifest
    digest = key_digest(deal.series_id, 2, 3, manifest.commitments_match, manifest.commitments_open)
    return PermitSeries(
        handle=os.urandom(16),
        series_id=deal.series_id,
        identifier_type=manifest.identifier_type,
        key_digest=digest,
        deposits=(os.urandom(32),),
    )
