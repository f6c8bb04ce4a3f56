"""Put a bundle of rules in force at this broker, through its log; and find the one that is.

Rule (decision 0014): activation is a step of its own, taken by the operator and not by starting the program. Whatever
fails, nothing is in force that was not before: the bundle is loaded, checked and copied to the shelf first, then entry
and row are one transaction. What is in force is read from the entry; one that an earlier release wrote, without
officers' approvals, puts nothing in force.
"""

from dataclasses import dataclass
from pathlib import Path

from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.gate import bundle as bundles
from broker.gate.activation import InForce, check_approved, read_signatures
from broker.gate.bundle import Bundle
from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import BadInput, Conflict
from broker.protocol.messages.base import decode
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import activations
from broker.store.database import Connection, Database


@dataclass(frozen=True)
class Activation:
    """What was put in force. `log_index` is None when it was so before."""

    bundle: Bundle
    valid_from: int
    log_index: int | None


def activate(
    database: Database,
    audit: AuditLog,
    shelf: BundleShelf,
    officers: PinnedOfficers,
    source: Path,
    now: int,
) -> Activation:
    """Put the bundle in `source` in force. One that is in force is put back on the shelf, and nothing is recorded.

    Raises BadInput for a bundle that does not load, what `check_approved` raises, or Unavailable."""
    bundle, signatures, pinned = bundles.load(source), read_signatures(source), officers.all()
    with database.write() as connection:
        activations.lock(connection)
        current = in_force(connection, audit)
        if current is not None and current.bundle_digest == bundle.digest:
            shelf.keep(source, bundle)
            return Activation(bundle, current.valid_from, None)
        approved = check_approved(bundle, signatures, pinned, current, now)
        shelf.keep(source, bundle)
        record = BundleActivated(
            bundle_digest=bundle.digest,
            previous_digest=None if current is None else current.bundle_digest,
            valid_from=approved.valid_from,
            approvals=approved.approvals,
        )
        receipt = audit.append(connection, RecordKind.BUNDLE_ACTIVATED, record, now)
        activations.add(connection, bundle.digest, now, receipt.proof.index)
    return Activation(bundle, approved.valid_from, receipt.proof.index)


def in_force(connection: Connection, audit: AuditLog) -> InForce | None:
    """What the log says was put in force last, by officers' approvals; None if nothing was. Raises Unavailable."""
    newest = activations.newest(connection)
    if newest is None:
        return None
    try:
        record = decode(BundleActivated, audit.receipt(connection, newest.log_index).record)
    except BadInput:
        return None
    return InForce(record.bundle_digest, record.valid_from)


def bundle_in_force(connection: Connection, audit: AuditLog, shelf: BundleShelf) -> Bundle:
    """The rules to serve by. Raises Conflict if none are in force, NotFound or VerificationFailed for the shelf."""
    current = in_force(connection, audit)
    if current is None:
        raise Conflict(
            "No rules are in force at this broker. Its operator activates a bundle that two officers signed: "
            "narrowgate broker activate"
        )
    return shelf.get(current.bundle_digest)
