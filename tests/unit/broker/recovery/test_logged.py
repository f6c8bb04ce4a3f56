"""What fsck knows of is what a broker writes: no kind of entry and no table is left out when one is added."""

import re

from broker.audit import records
from broker.protocol.messages import closings
from broker.protocol.messages.base import Message
from broker.protocol.messages.vocabulary import RecordKind
from broker.recovery import deposited, explained, logged, signed
from broker.store import whole

LOOKED_AT_ELSEWHERE = {
    # by `logged`
    "log_head",
    "log_leaves",
    "log_records",
    # by `asked`
    "ledger",
    "matches",
    "requests",
    "permits",
    # by `signed`, with the series they are of
    "first_commitments",
    # by `fsck` itself
    "witness_sizes",
}
EXPLAINED_BY_NOTHING = {
    "askings": "counts of a month, made and deleted without an entry",
    "outcomes": "the same",
    "statistics": "made once of both, with noise",
    "nonces": "of calls",
    "idempotency_keys": "of calls",
}


def test_every_kind_of_entry_that_a_broker_records_can_be_opened() -> None:
    written = {RecordKind.ADMITTED, RecordKind.RELEASE}
    homes = {records.__name__, closings.__name__}
    for kind in (*vars(records).values(), *vars(closings).values()):
        if isinstance(kind, type) and issubclass(kind, Message) and kind.__module__ in homes:
            opening = (kind.__doc__ or "").partition(":")[0]
            written |= {RecordKind(name) for name in re.findall(r"[A-Z_]{5,}", opening)}
    assert set(logged.RECORD_TYPES) == written


def test_every_table_is_looked_at_or_it_is_said_why_not() -> None:
    looked_at = {rule.table for rule in explained.RULES} | set(signed._CHECKS) | LOOKED_AT_ELSEWHERE
    looked_at |= set(deposited._GONE_WITH_IT)
    assert looked_at | set(EXPLAINED_BY_NOTHING) == set(whole.TABLES)
    assert not looked_at & set(EXPLAINED_BY_NOTHING)
