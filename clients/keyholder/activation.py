"""Rules at a key holder: put in force by its own operator, and which of them a permit is decided by.

Rule (decision 0014): the operator activates a bundle that two officers pinned here approved, whatever the broker did;
it is an entry of the holder's own log. A decision is made again under the rules it was taken under, if they were once
activated here, and as of now under those in force: both must allow. It reads no permit itself.
"""

from dataclasses import dataclass, field
from pathlib import Path

from broker.gate import bundle as bundles
from broker.gate.activation import InForce, check_approved, read_signatures
from broker.gate.bundle import Bundle
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import Conflict
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.context import KeyHolder
from clients.keyholder.own_log import BundleActivated
from clients.keyholder.store import pinned
from clients.keyholder.store.database import Connection


@dataclass(frozen=True)
class Activation:
    """What was put in force. `log_index` is None when it was so before."""

    bundle: Bundle
    valid_from: int
    log_index: int | None


@dataclass(frozen=True)
class RulesHere:
    """The rules that a decision was taken under, once activated here, and those in force here now."""

    decided_under: Bundle = field(repr=False)
    in_force: Bundle = field(repr=False)

    @property
    def all(self) -> tuple[Bundle, ...]:
        """Both, or the one that they are; those of the decision first."""
        if self.decided_under.digest == self.in_force.digest:
            return (self.in_force,)
        return (self.decided_under, self.in_force)

    @property
    def identifiers_30d(self) -> int:
        """The stricter limit of identifiers that one requester may ask about in 30 days."""
        return min(each.limits.identifiers_30d for each in self.all)

    @property
    def count_contributors(self) -> int:
        """The stricter least number of contributors that an answer which names nobody is over."""
        return max(each.limits.count_contributors for each in self.all)


def activate(holder: KeyHolder, source: Path) -> Activation:
    """Put the bundle in `source` in force here. One that is in force is put back on the shelf, and nothing is logged.

    Raises BadInput for a bundle that does not load, what `check_approved` raises, or Unavailable."""
    bundle, signatures, officers = bundles.load(source), read_signatures(source), holder.officers.all()
    now = holder.clock()
    with holder.database.write() as connection:
        current = pinned.activation(connection)
        if current is not None and current.bundle_digest == bundle.digest:
            holder.shelf.keep(source, bundle)
            return Activation(bundle, current.valid_from, None)
        before = None if current is None else InForce(current.bundle_digest, current.valid_from)
        approved = check_approved(bundle, signatures, officers, before, now)
        holder.shelf.keep(source, bundle)
        record = BundleActivated(
            bundle_digest=bundle.digest,
            previous_digest=None if before is None else before.bundle_digest,
            valid_from=approved.valid_from,
            approvals=approved.approvals,
        )
        index = holder.log.append(connection, RecordKind.BUNDLE_ACTIVATED, record, now)
        pinned.activate(connection, pinned.Activation(bundle.digest, approved.valid_from, now, index))
    return Activation(bundle, approved.valid_from, index)


def rules_for(connection: Connection, shelf: BundleShelf, decided_under: bytes) -> RulesHere:
    """The rules of a permit and those in force here. Raises Conflict when either were never activated here."""
    current = pinned.activation(connection)
    if current is None:
        raise Conflict("This key holder has no rules in force yet. Its operator activates a bundle first.")
    return RulesHere(activated_once(connection, shelf, decided_under), shelf.get(current.bundle_digest))


def activated_once(connection: Connection, shelf: BundleShelf, digest: bytes) -> Bundle:
    """Rules that are in force here, or were. Raises Conflict for others."""
    if not pinned.was_activated(connection, digest):
        raise Conflict(
            "The request was decided under rules that this key holder's operator never put in force. Ask the operator "
            "whether it is to activate them, or ask other holders."
        )
    return shelf.get(digest)
