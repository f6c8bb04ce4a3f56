"""Erase a record of the log with its salt, on somebody's order, and record that it was.

Rule (AUDIT 1, docs/data-model.md): the operator does it by hand, with the broker stopped; nothing erases a log record
by itself. When it may be is each kind's rule (`ERASABLE`). Record, salt and the entry that says so are one
transaction, and the bytes are gone from the database's files before success is told. For ADMITTED and REFUSED the
papers of the request that the broker kept go too, since the same facts stand in them. The leaf stays.

What others hold stays with them: auditors who mirrored the record, and each party its own papers.
"""

import json
from dataclasses import dataclass

from broker.audit.log import AuditLog
from broker.audit.records import RecordErased
from broker.context import BrokerKeys, Clock
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.erasure import ERASABLE, Erasable, RecordErasure
from broker.protocol.messages.vocabulary import RecordKind
from broker.settings import Settings
from broker.startup import open_checked
from broker.store import activations, requests
from broker.store.database import Connection, Database
from broker.store.log import erase_record, read_records
from broker.store.requests import StoredRequest

_WITH_PAPERS = (RecordKind.ADMITTED, RecordKind.REFUSED)


@dataclass(frozen=True)
class Erased:
    """What was erased, and the entry that says so."""

    leaf_index: int
    kind: RecordKind
    log_index: int


def erase_stopped(
    settings: Settings,
    keys: BrokerKeys,
    order: RecordErasure,
    clock: Clock,
    random_bytes: RandomBytes,
) -> Erased:
    """Erase while nothing is served. Errors as `broker.startup.open_checked` and `erase`.

    No witness is asked: the next start shows them the log with this entry."""
    opened = open_checked(settings, keys, random_bytes)
    try:
        return erase(opened.database, opened.audit, order, clock())
    finally:
        opened.database.close()


def erase(database: Database, audit: AuditLog, order: RecordErasure, now: int) -> Erased:
    """Erase the record that the order names by its place and, since who orders has looked, its kind.

    Raises NotFound, BadInput (the entry is of another kind than the order says), NotPermitted (its kind is never
    erased), Conflict (not yet, or erased before) or Unavailable; then nothing is erased."""
    index = order.leaf_index
    with database.write() as connection:
        activations.lock(connection)
        kind = _kind(connection, audit, index)
        if order.erased_kind is not kind:
            raise BadInput(f"The entry is of the kind {kind.value}. Look again, then say that kind.")
        stored = read_records(connection, index, index + 1)
        if not stored or stored[0].record is None:
            raise Conflict("The record was erased before. An entry RECORD_ERASED says on whose word.")
        request = _request_of(connection, stored[0].record)
        _check_may_go(connection, index, kind, request, now)
        # The entry first: if it cannot be recorded, nothing is erased.
        record = RecordErased(**order.model_dump())
        receipt = audit.append(connection, RecordKind.RECORD_ERASED, record, now)
        erase_record(connection, index)
        if kind in _WITH_PAPERS and request is not None:
            requests.erase_papers(connection, request.request_id)
    database.empty_wal()
    return Erased(index, kind, receipt.proof.index)


def _kind(connection: Connection, audit: AuditLog, index: int) -> RecordKind:
    if not 0 <= index < audit.size(connection):
        raise NotFound("The log has no entry at this index.")
    return RecordKind(parse_leaf(audit.leaf_page(connection, index, index + 1).leaves[0]).kind)


def _check_may_go(
    connection: Connection, index: int, kind: RecordKind, request: StoredRequest | None, now: int
) -> None:
    rule = ERASABLE.get(kind, Erasable.NEVER)
    if rule is Erasable.NEVER:
        raise NotPermitted(f"Records of the kind {kind.value} are never erased: the log rests on them.")
    newest = activations.newest(connection)
    if rule is Erasable.NOT_IN_FORCE and newest is not None and newest.log_index == index:
        raise Conflict(
            "These rules are in force, and the broker starts by this record. It can go after others are."
        )
    if rule is Erasable.REQUEST_OVER and request is not None and not _is_over(connection, request, now):
        raise Conflict(
            "The request that this record is about is under way. It can go once the request is answered or refused, or "
            "its permit's time is over."
        )


def _is_over(connection: Connection, request: StoredRequest, now: int) -> bool:
    if request.state in (requests.RELEASED, requests.FAILED, requests.REFUSED):
        return True
    permit = requests.permit_of(connection, request.request_id)
    # An open release is never over: the same tokens sent again close it.
    return request.state != requests.RELEASING and permit is not None and permit.expires_at <= now


def _request_of(connection: Connection, record: bytes) -> StoredRequest | None:
    """The request that a record is about, by the first of the names that it has."""
    members = json.loads(record)
    terms = members.get("terms") or {}
    if "request_id" in members:
        return requests.find(connection, bytes.fromhex(members["request_id"]))
    if "permit_id" in members:
        permit = requests.permit(connection, bytes.fromhex(members["permit_id"]))
        return None if permit is None else requests.find(connection, permit.request_id)
    digest = members.get("request_digest") or terms.get("request_digest")
    return None if digest is None else requests.of_digest(connection, bytes.fromhex(digest))
