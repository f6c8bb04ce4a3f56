"""Rows against the entries that explain them, and entries against the rows they made: both ways, one table of rules.

Rule (DESIGN 3): a row and its entry are written in one transaction, so each names the other. A row that says it is
logged has its entry, of the right kind and about this very row; an entry has its row, with the same names, and with the
documents whose digests it gives. An erased record is compared by kind and index alone. Requests, whose row moves on
from entry to entry, are `broker.recovery.asked`'s.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.vocabulary import RecordKind
from broker.recovery.findings import Finding, entry, named
from broker.recovery.logged import Entry, read_entry
from broker.store import whole
from broker.store.database import Connection

_K = RecordKind


@dataclass(frozen=True)
class Explained:
    """How rows of a table follow from entries. `key` finds the rows, `same` is compared besides: column to field of the
    record. `digests`: column with a document, to the field with its SHA-256. `states`: those a row may be in since."""

    table: str
    index: str
    """The column with the entry's index."""
    kinds: tuple[RecordKind, ...]
    key: tuple[str, ...]
    same: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    of_deposit: bool = False
    """Whether the row bears the number of the deposit that the record names by its id."""


_OF_SERIES = ("space_id", "contributor")
RULES = (
    Explained(
        "enrolments",
        "log_index",
        (_K.ENROLMENT_ACCEPTED,),
        ("kid",),
        ("party_id", "role"),
        {"document": "document_digest"},
        ("accepted",),
    ),
    Explained(
        "spaces",
        "log_index",
        (_K.SPACE_FOUNDED,),
        ("space_id", "roster_version"),
        digests={"document": "document_digest"},
    ),
    Explained("bundle_activations", "log_index", (_K.BUNDLE_ACTIVATED,), ("bundle_digest",)),
    Explained(
        "series",
        "opened_index",
        (_K.SERIES_OPENED,),
        ("series_id",),
        (*_OF_SERIES, "identifier_type", "key_digest"),
        {"manifest": "manifest_digest"},
    ),
    Explained(
        "series",
        "withdrawn_index",
        (_K.SERIES_WITHDRAWN,),
        ("series_id",),
        _OF_SERIES,
        {"withdrawal": "withdrawal_digest"},
        ("withdrawn", "destroyed"),
    ),
    Explained(
        "series",
        "destroyed_index",
        (_K.SERIES_DESTROYED,),
        ("series_id",),
        digests={"withdrawal": "withdrawal_digest"},
        states=("destroyed",),
    ),
    Explained(
        "series",
        "expired_index",
        (_K.SERIES_EXPIRED,),
        ("series_id",),
        (*_OF_SERIES, "retain_until"),
        states=("expired", "withdrawn", "destroyed"),
    ),
    Explained(
        "deposits",
        "admitted_index",
        (_K.DEPOSIT_ADMITTED,),
        ("deposit_id",),
        ("series_id", *_OF_SERIES),
        {"declaration": "declaration_digest"},
    ),
    Explained("deposit_refusals", "log_index", (_K.DEPOSIT_REFUSED,), ("declaration_digest",)),
    Explained(
        "deposits",
        "completed_index",
        (_K.DEPOSIT_COMPLETED,),
        ("deposit_id",),
        states=("complete", "serving", "withdrawn", "expired"),
    ),
    Explained(
        "deposits",
        "serving_index",
        (_K.DEPOSIT_SERVING,),
        ("deposit_id",),
        states=("serving", "withdrawn", "expired"),
    ),
    Explained(
        "deposits",
        "withdrawn_index",
        (_K.DEPOSIT_WITHDRAWN,),
        ("deposit_id",),
        digests={"withdrawal": "withdrawal_digest"},
        states=("withdrawn",),
    ),
    Explained("deposits", "expired_index", (_K.DEPOSIT_EXPIRED,), ("deposit_id",), states=("expired",)),
    Explained(
        "root_changes",
        "log_index",
        (_K.RECORDS_WITHDRAWN,),
        ("number",),
        digests={"document": "withdrawal_digest"},
        of_deposit=True,
    ),
    Explained(
        "root_changes",
        "log_index",
        (_K.RECORDS_REPLACED,),
        ("number",),
        digests={"document": "replacement_digest"},
        of_deposit=True,
    ),
    Explained(
        "approver_statements",
        "log_index",
        (_K.APPROVAL_REFUSED, _K.APPROVAL_WITHDRAWN, _K.EMERGENCY_REVIEWED),
        ("request_digest",),
        digests={"document": "document_digest"},
    ),
    Explained(
        "release_asks",
        "answered_index",
        (_K.RELEASE_ANSWERED,),
        ("permit_id", "series_id"),
        ("contributor",),
        {"answer": "document_digest"},
    ),
    Explained(
        "outcome_reports",
        "log_index",
        (_K.OUTCOME_REPORTED,),
        ("request_id", "number"),
        digests={"document": "report_digest"},
    ),
    Explained(
        "contest_statements",
        "log_index",
        (_K.CONTEST_STATED,),
        ("withdrawal_digest", "state"),
        ("deposit_id", "contributor"),
        {"document": "document_digest"},
    ),
    Explained(
        "retraction_notices",
        "noticed_index",
        (_K.RETRACTION_NOTICED,),
        ("notice_id",),
        ("requester", "due_at"),
        {"document": "notice_digest"},
    ),
    Explained(
        "retraction_notices",
        "acknowledged_index",
        (_K.RETRACTION_ACKNOWLEDGED,),
        ("notice_id",),
        ("requester",),
        {"acknowledgement": "document_digest"},
    ),
)
# A row in this state, or with this column filled, must say where that is logged.
_LOGGED_STATES = {
    ("enrolments", "accepted"): "log_index",
    ("series", "withdrawn"): "withdrawn_index",
    ("series", "destroyed"): "destroyed_index",
    ("series", "expired"): "expired_index",
    ("deposits", "complete"): "completed_index",
    ("deposits", "serving"): "serving_index",
    ("deposits", "expired"): "expired_index",
}
_STATES = {
    "enrolments": ("pending", "accepted"),
    "series": ("open", "closed", "withdrawn", "destroyed", "expired"),
    "deposits": ("admitted", "complete", "serving", "withdrawn", "expired"),
}


def rows_of(connection: Connection, logged: Entry) -> Iterator[Finding]:
    """Whether an entry's rows are there and say the same."""
    for rule in RULES if logged.record is not None else ():
        if logged.kind in rule.kinds:
            yield from _rows_of(connection, rule, logged)


def _rows_of(connection: Connection, rule: Explained, logged: Entry) -> Iterator[Finding]:
    key = {name: _plain(getattr(logged.record, name)) for name in rule.key}
    if rule.of_deposit:
        deposit = whole.some(connection, "deposits", deposit_id=getattr(logged.record, "deposit_id", b""))
        key["deposit_number"] = deposit[0]["deposit_number"] if deposit else -1
    found = whole.some(connection, rule.table, **key, **{rule.index: logged.index})
    if not found:
        yield Finding(
            entry(logged.index, logged.kind.value), f"table {rule.table} has no row that it explains."
        )
    for row in found:
        wrong = [name for name in rule.same if row[name] != _plain(getattr(logged.record, name))]
        wrong += [
            name
            for name, digest in rule.digests.items()
            if row[name] is None
            or hashlib.sha256(row[name].encode()).digest() != getattr(logged.record, digest)
        ]
        if rule.states and row["state"] not in rule.states:
            wrong.append("state")
        if wrong:
            yield Finding(
                named(rule.table, row),
                f"{', '.join(wrong)} differ from what {entry(logged.index, logged.kind.value)} says.",
            )


def entries_of(connection: Connection, progress: Callable[[str, int, int], None]) -> Iterator[Finding]:
    """Whether every row that should be logged is, by an entry about this very row."""
    tables = list(dict.fromkeys(rule.table for rule in RULES))
    for done, table in enumerate(tables):
        progress("tables of what is logged", done, len(tables))
        rules = [rule for rule in RULES if rule.table == table]
        for row in whole.rows(connection, table):
            yield from _state(connection, table, row)
            for index in dict.fromkeys(rule.index for rule in rules):
                if row[index] is not None:
                    yield from _entry_of(
                        connection, [rule for rule in rules if rule.index == index], row, row[index]
                    )


def _entry_of(
    connection: Connection, rules: list[Explained], row: whole.Row, index: int
) -> Iterator[Finding]:
    where = named(rules[0].table, row)
    stored = whole.entry_at(connection, index)
    if stored is None:
        yield Finding(where, f"{rules[0].index} names {entry(index)}, which is not there.")
        return
    try:
        logged = read_entry(stored)
    except (VerificationFailed, BadInput):
        return  # a finding of its own
    rule = next((each for each in rules if logged.kind in each.kinds), None)
    if rule is None:
        yield Finding(where, f"{rules[0].index} names {entry(index, logged.kind.value)}, of another kind.")
        return
    if logged.record is None:
        return
    if any(row[name] != _plain(getattr(logged.record, name)) for name in rule.key):
        yield Finding(
            where, f"{rule.index} names {entry(index, logged.kind.value)}, which is about another row."
        )


def _state(connection: Connection, table: str, row: whole.Row) -> Iterator[Finding]:
    states = _STATES.get(table)
    if states is not None and row["state"] not in states:
        yield Finding(named(table, row), "its state is none that the broker knows.")
    index = _LOGGED_STATES.get((table, row.get("state", "")))
    missing = index is not None and row[index] is None
    if table == "deposits" and row["state"] == "withdrawn" and row["withdrawn_index"] is None:
        # It went with its whole series.
        series = whole.some(connection, "series", series_id=row["series_id"])
        missing = not series or series[0]["withdrawn_index"] is None
    if table == "release_asks":
        missing = (row["answer"] is None) != (row["answered_index"] is None)
    if table == "enrolments" and row["state"] == "pending" and row["log_index"] is not None:
        missing = True
    if missing:
        yield Finding(named(table, row), "its state is explained by no entry of the log.")


def _plain(value: Any) -> Any:
    """As it is stored: words of a vocabulary as text."""
    return getattr(value, "value", value)
