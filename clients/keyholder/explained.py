"""A key holder's rows against the entries of its own log that explain them, and entries against the rows they made.

Rule (DESIGN 2.5): a row and its entry are written in one transaction, so each names the other. What a permit was used
for, which rules are in force, what approvers said and which restore was accepted all rest on such rows: one that is
gone would let a permit be used twice, or a refusal be forgotten. Of an erased record kind and index alone are compared.

Rows come in the order of the entries they name, beside a walk through the log, so memory does not grow.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.stored import Entry, Finding, entry_name
from clients.keyholder.store import whole
from clients.keyholder.store.database import Connection

_K = RecordKind


@dataclass(frozen=True)
class Explained:
    """How rows of a table follow from entries. `same`: columns that are fields of the record; `digests`: a column with
    a document, to the field with its SHA-256."""

    table: str
    kinds: tuple[RecordKind, ...]
    named_by: str
    same: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


RULES = (
    Explained("rule_activations", (_K.BUNDLE_ACTIVATED,), "bundle_digest", ("bundle_digest", "valid_from")),
    Explained("evaluations", (_K.EVALUATED, _K.OPENED), "permit_id", ("permit_id", "series_id", "quorum")),
    Explained(
        "approver_statements",
        (_K.APPROVAL_VOIDED,),
        "subject_digest",
        ("request_digest", "person"),
        {"document": "document_digest"},
    ),
    Explained("restores", (_K.RESTORE_ACCEPTED,), "log_index", digests={"document": "document_digest"}),
)


class RowsOfEntries:
    """Compares the tables that name entries by `log_index` with a walk through the log: `see` each, then `finish`."""

    def __init__(self, connection: Connection) -> None:
        self._tables = [_Table(connection, rule) for rule in RULES]

    def see(self, entry: Entry) -> Iterator[Finding]:
        """What is wrong between the next entry and the rows that name it."""
        for table in self._tables:
            yield from table.see(entry)

    def finish(self) -> Iterator[Finding]:
        """What is wrong with rows that name no entry at all."""
        for table in self._tables:
            yield from table.unexplained(None)


class _Table:
    def __init__(self, connection: Connection, rule: Explained) -> None:
        self._rule = rule
        self._rows = whole.rows(connection, rule.table, "log_index")
        self._next = next(self._rows, None)

    def see(self, entry: Entry) -> Iterator[Finding]:
        yield from self.unexplained(entry.index)
        found = 0
        while self._next is not None and self._next["log_index"] == entry.index:
            found += 1
            yield from self._compare(self._next, entry)
            self._next = next(self._rows, None)
        if entry.kind in self._rule.kinds and not found:
            where = entry_name(entry.index, entry.kind.value)
            yield Finding(where, f"table {self._rule.table} has no row that it explains.")

    def unexplained(self, before: int | None) -> Iterator[Finding]:
        """Rows that name an entry before this one which is not there or cannot be read; None for all that are left."""
        while self._next is not None and (before is None or self._next["log_index"] < before):
            what = f"names {entry_name(self._next['log_index'])}, which is not there or cannot be read."
            yield Finding(self._named(self._next), what)
            self._next = next(self._rows, None)

    def _compare(self, row: whole.Row, entry: Entry) -> Iterator[Finding]:
        told = entry_name(entry.index, entry.kind.value)
        if entry.kind not in self._rule.kinds:
            yield Finding(self._named(row), f"names {told}, which is of another kind.")
            return
        if entry.record is None:
            return
        differing = [name for name in self._rule.same if row[name] != _stored(getattr(entry.record, name))]
        differing += [
            column
            for column, digest in self._rule.digests.items()
            if hashlib.sha256(row[column].encode()).digest() != getattr(entry.record, digest)
        ]
        if differing:
            yield Finding(self._named(row), f"{', '.join(differing)} differ from what {told} says.")

    def _named(self, row: whole.Row) -> str:
        return named(self._rule.table, self._rule.named_by, row[self._rule.named_by])


def named(table: str, column: str, value: Any) -> str:
    """A row, by one of its names; long ones are cut to 16 digits."""
    return f"table {table}, {column} {value.hex()[:16] if isinstance(value, bytes) else value}"


def _stored(value: Any) -> Any:
    """A field of a record as its column has it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else value
