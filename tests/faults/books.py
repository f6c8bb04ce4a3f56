"""What stands in a broker's database after a fault, read beside the broker that was started again.

Rule: only the log, its records, the requests and the ledger are read, read-only. Rows and entries must agree one to
one: each filed request has one entry of its admission or refusal, each admitted one a row in the ledger, and a
request's state and index are those of its latest entry.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import NullPool, create_engine, text

from broker.protocol.errors import VerificationFailed
from broker.protocol.leaves import parse_leaf, verify_record

DECIDED = ("ADMITTED", "REFUSED")
STATES = {
    "ADMITTED": "admitted",
    "REFUSED": "refused",
    "TOKENS": "tokens",
    "RELEASE": "releasing",
    "RELEASED": "released",
    "FAILED": "failed",
}


@dataclass(frozen=True)
class Entry:
    """A leaf's place and hash: what an acknowledgement names."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True)
class StepEntry:
    """An entry with what its record says it is about."""

    index: int
    kind: str
    step: str | None
    """The request, in hexadecimal; None for an entry of another kind."""

    @property
    def kind_of_step(self) -> str:
        """Entries of one such kind stand in the log once for each request."""
        return {"REFUSED": "ADMITTED", "FAILED": "RELEASED"}.get(self.kind, self.kind)


class Books:
    """One database. `first` is the number of entries that were there before the oracle's first call."""

    def __init__(self, url: str, first: int = 0) -> None:
        sqlite = url.removeprefix("sqlite:///")
        read_only = url if sqlite == url else f"sqlite:///file:{sqlite}?mode=ro&uri=true"
        # Opened for each query: what was opened once would be another file after some faults.
        self._engine = create_engine(read_only, poolclass=NullPool)
        self.first = first

    def leaves(self) -> list[Entry]:
        """Every leaf, in order."""
        rows = self._rows("SELECT leaf_index, leaf FROM log_leaves ORDER BY leaf_index")
        return [Entry(index, hashlib.sha256(b"\0" + leaf).digest()) for index, leaf in rows]

    def entries(self) -> list[StepEntry]:
        """Every entry; those of requests named by the request."""
        query = (
            "SELECT leaf_index, leaf, record FROM log_leaves JOIN log_records USING (leaf_index) ORDER BY 1"
        )
        named = {
            bytes(digest).hex(): bytes(name).hex()
            for name, digest in self._rows("SELECT request_id, request_digest FROM requests")
        }
        return [
            _entry(index, parse_leaf(leaf).kind, record, named) for index, leaf, record in self._rows(query)
        ]

    def torn(self, leaves: Sequence[Entry], entries: Sequence[StepEntry]) -> Iterable[str]:
        """Where rows and entries do not agree, in words."""
        if [entry.index for entry in leaves] != list(range(len(leaves))):
            yield "the log has a gap"
        query = "SELECT leaf, record, salt FROM log_leaves LEFT JOIN log_records USING (leaf_index)"
        for leaf, record, salt in self._rows(query):
            try:
                verify_record(leaf, record or b"", salt or b"")
            except VerificationFailed:
                yield "a leaf is without its record"
        latest = {entry.step: entry for entry in entries if entry.step is not None}
        query = "SELECT request_id, state, log_index FROM requests"
        requests = {bytes(name).hex(): (state, index) for name, state, index in self._rows(query)}
        if set(requests) != set(latest):
            yield f"{len(requests)} requests, {len(latest)} of them in the log"
        for name, (state, index) in requests.items():
            entry = latest.get(name)
            if entry is not None and (state, index) != (STATES[entry.kind], entry.index):
                yield f"a request is {state} by entry {index}, and in the log {entry.kind} by {entry.index}"
        charged = sorted(bytes(name).hex() for (name,) in self._rows("SELECT request_id FROM ledger"))
        if charged != sorted({entry.step for entry in entries if entry.kind == "ADMITTED" and entry.step}):
            yield "the ledger's rows are not the admissions of the log"
        hits = {bytes(name).hex() for (name,) in self._rows("SELECT request_id FROM ledger WHERE hits > 0")}
        if hits != {entry.step for entry in entries if entry.kind == "RELEASE"}:
            yield "the hits in the ledger are not the releases of the log"

    def _rows(self, query: str) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(query)).all())


def _entry(index: int, kind: str, record: bytes | None, named: dict[str, str]) -> StepEntry:
    if kind not in STATES or record is None:
        return StepEntry(index, kind, None)
    told = json.loads(record)
    if kind == "ADMITTED":
        digest = told["terms"]["request_digest"]
        return StepEntry(index, kind, named.get(digest, f"unknown {digest}"))
    return StepEntry(index, kind, told["request_id"])
