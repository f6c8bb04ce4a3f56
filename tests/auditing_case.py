"""A real broker's log with entries planted in it, as only the broker itself could write them, and the auditor's look.

A planted entry is a real one of this log changed in one place and appended by the broker's own audit log, so it opens
its leaf, is signed for and is mirrored like any other. Each planted story has an agency of its own, so that stories in
one log do not meet.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update

from broker.audit.records import RequestRefused, TokensReceived
from broker.protocol.messages.base import Message, MessageT, decode
from broker.protocol.messages.closings import Failed, Released
from broker.protocol.messages.erasure import ErasureGround, RecordErasure, order
from broker.protocol.messages.requests import AdmissionRecord, ReleaseDecided
from broker.protocol.messages.vocabulary import RecordKind
from broker.store.tables import log_records
from clients.auditing.anomalies import Looked, look
from clients.auditing.findings import Anomaly, Finding, Known, Numbers
from clients.auditing.mirrored import Entry, MirroredLog
from tests.world import World

DAY_SECONDS = 86_400


def numbers_of(world: World) -> dict[str, Numbers]:
    """The numbers of the world's rules, as the command line reads them from a folder."""
    limits = world.bundle.limits
    names = Numbers.__dataclass_fields__
    return {world.bundle.digest.hex(): Numbers(**{name: getattr(limits, name) for name in names})}


def mirror(world: World) -> MirroredLog:
    """The auditor's mirror, brought up to date."""
    world.auditor().verify()
    return MirroredLog(world.homes["auditor-1"], world.space)


def entries(world: World) -> tuple[Entry, ...]:
    """Every entry of the mirror, brought up to date."""
    return tuple(mirror(world).entries())


def looked(world: World, numbers: Mapping[str, Numbers] | None = None) -> Looked:
    """What an auditor finds, with the world's rules at hand unless others are given."""
    known = Known(numbers_of(world) if numbers is None else numbers, world.space)
    return look(mirror(world).entries(), known)


def found(world: World, anomaly: Anomaly, agency: str | None = None) -> list[Finding]:
    """The findings of one kind, about one party where it is named."""
    return [
        each
        for each in looked(world).findings
        if each.anomaly is anomaly and (agency is None or each.party == agency)
    ]


def record_at(world: World, kind: type[MessageT], index: int) -> MessageT:
    """A record of the broker's log."""
    with world.broker.database.read() as connection:
        return decode(kind, world.broker.audit.receipt(connection, index).record)


def plant(world: World, kind: RecordKind, record: Message, at: int | None = None) -> int:
    """Append an entry as the broker would. Returns its index."""
    with world.broker.database.write() as connection:
        now = world.now if at is None else at
        return world.broker.audit.append(connection, kind, record, now).proof.index


def erase(world: World, index: int) -> None:
    """Erase a record with its salt, as an operator can who says nothing of it."""
    with world.broker.database.write() as connection:
        connection.execute(
            update(log_records).where(log_records.c.leaf_index == index).values(record=None, salt=None)
        )


def ordered(kind: RecordKind, index: int) -> RecordErasure:
    """A court orders that the record of an entry is erased."""
    return order(index, kind, ErasureGround.COURT_ORDER, "Court of Example, letter 7", "It was unlawful.")


def changed(decision: str, facts: Mapping[str, Any], **members: Any) -> str:
    """A decision's text with other facts about the request, and other members."""
    told = json.loads(decision)
    told |= members
    request = told["facts"].get("admitted", told["facts"])
    request |= facts
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True)
class Story:
    """One request of an agency that nobody else speaks of; its entries are those of the log's own first request."""

    world: World
    agency: str
    number: int = 1

    @property
    def permit_id(self) -> bytes:
        """The permit's id."""
        return self.digest[:16]

    @property
    def request_id(self) -> bytes:
        """The request's id."""
        return self.digest[16:]

    @property
    def digest(self) -> bytes:
        """The digest of the request."""
        return hashlib.sha256(f"{self.agency} {self.number}".encode()).digest()

    @property
    def _facts(self) -> dict[str, Any]:
        requester: dict[str, Any] = {"agency_id": self.agency, "kind": "police", "jurisdiction": "NL"}
        requester |= {"mandates": ["identify_victim"], "suspended": False}
        return {"requester": requester, "request_digest": self.digest.hex()}

    def _first(self, kind: RecordKind) -> int:
        return self.world.log_kinds().index(kind.value)

    def admitted(self, at: int | None = None, **facts: Any) -> int:
        """ADMITTED, with other facts; derived facts are given whole."""
        base = record_at(self.world, AdmissionRecord, self._first(RecordKind.ADMITTED))
        now = self.world.now if at is None else at
        members = {"bundle_digest": facts.pop("bundle_digest", self.world.bundle.digest.hex())}
        decision = changed(base.decision, self._facts | {"now": now} | facts, **members)
        terms = base.terms.model_copy(
            update={
                "permit_id": self.permit_id,
                "requester": self.agency,
                "request_digest": self.digest,
                "decision_digest": hashlib.sha256(decision.encode()).digest(),
            }
        )
        return plant(self.world, RecordKind.ADMITTED, AdmissionRecord(terms=terms, decision=decision), at)

    def refused(self, at: int | None = None, **members: Any) -> int:
        """REFUSED, on the facts of the first admitted request; `members` are the decision's."""
        base = record_at(self.world, AdmissionRecord, self._first(RecordKind.ADMITTED))
        now = self.world.now if at is None else at
        record = RequestRefused(
            request_id=self.request_id,
            space_id=self.world.space.space_id,
            requester=self.agency,
            request_digest=self.digest,
            finding_digests=(),
            decision=changed(base.decision, self._facts | {"now": now}, outcome="DENY", **members),
        )
        return plant(self.world, RecordKind.REFUSED, record, at)

    def tokens(self) -> int:
        """TOKENS."""
        base = record_at(self.world, TokensReceived, self._first(RecordKind.TOKENS))
        return plant(self.world, RecordKind.TOKENS, base.model_copy(update=self._named))

    def release(self, at: int | None = None, made_up: Mapping[str, Any] | None = None, **members: Any) -> int:
        """RELEASE of what this story was admitted, where it was; `members` are the decision's, and `made_up` changes
        the facts of the admission in it."""
        base = record_at(self.world, ReleaseDecided, self._first(RecordKind.RELEASE))
        told, text = json.loads(base.decision), self._admission()
        if text is not None:
            told["facts"] |= {
                "admission_digest": hashlib.sha256(text.encode()).hexdigest(),
                "admitted": json.loads(text)["facts"],
            }
        decision = changed(json.dumps(told), {**self._facts, **(made_up or {})}, **members)
        record = base.model_copy(update=self._named | {"decision": decision})
        return plant(self.world, RecordKind.RELEASE, record, at)

    def released(self, release_index: int, at: int | None = None) -> int:
        """RELEASED."""
        base = record_at(self.world, Released, self._first(RecordKind.RELEASED))
        record = base.model_copy(update=self._named | {"release_index": release_index})
        return plant(self.world, RecordKind.RELEASED, record, at)

    def _admission(self) -> str | None:
        """The decision that admitted this story, the first if there are several."""
        for index, kind in enumerate(self.world.log_kinds()):
            if kind == RecordKind.ADMITTED:
                record = record_at(self.world, AdmissionRecord, index)
                if record.terms.permit_id == self.permit_id:
                    return record.decision
        return None

    def failed(self, release_index: int) -> int:
        """FAILED."""
        record = Failed(
            **self._named,
            request_digest=bytes(32),
            release_index=release_index,
            problem="refused",
            told_digest=bytes(32),
        )
        return plant(self.world, RecordKind.FAILED, record)

    @property
    def _named(self) -> dict[str, Any]:
        return {"permit_id": self.permit_id, "request_id": self.request_id, "requester": self.agency}
