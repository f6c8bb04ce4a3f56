"""Erase a record of this holder's own log with its salt, on somebody's order, and log that it was.

Rule (docs/data-model.md): as at the broker. The operator does it with the service stopped; record, salt and the entry
are one transaction, and the bytes are gone from the files before success is told. What budgets and replies rest on are
the holder's other tables, which stay.
"""

from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.erasure import ERASABLE, Erasable, RecordErasure
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.context import KeyHolder
from clients.keyholder.own_log import RecordErased
from clients.keyholder.store import pinned
from clients.keyholder.store.log import erase_record_at, record_at


def erase(holder: KeyHolder, order: RecordErasure) -> int:
    """Erase the record that the order names, and return the index of the entry that says so.

    Raises NotFound, BadInput (the entry is of another kind), NotPermitted (its kind is never erased), Conflict (not
    yet, or erased before) or Unavailable; then nothing is erased."""
    index = order.leaf_index
    with holder.database.write() as connection:
        if index >= holder.log.size(connection):
            raise NotFound("The log has no entry at this index.")
        kind = RecordKind(parse_leaf(holder.log.leaf_page(connection, index, index + 1).leaves[0]).kind)
        if order.erased_kind is not kind:
            raise BadInput(f"The entry is of the kind {kind.value}. Look again, then say that kind.")
        if record_at(connection, index) is None:
            raise Conflict("The record was erased before. An entry RECORD_ERASED says on whose word.")
        rule = ERASABLE.get(kind, Erasable.NEVER)
        if rule is Erasable.NEVER:
            raise NotPermitted(f"Records of the kind {kind.value} are never erased: the log rests on them.")
        current = pinned.activation(connection)
        if rule is Erasable.NOT_IN_FORCE and current is not None and current.log_index == index:
            raise Conflict("These rules are in force here. The record can go after others are.")
        record = RecordErased(**order.model_dump())
        logged = holder.log.append(connection, RecordKind.RECORD_ERASED, record, holder.clock())
        erase_record_at(connection, index)
    holder.database.empty_wal()
    return logged
