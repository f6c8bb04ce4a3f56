"""Which records answers told of: every row against its answer and its record, and every answer against its rows.

Rule (decision 0049): who is notified of a withdrawal is found by these rows, so one that is missing is a recipient who
would never hear of it; and one whose record is gone should be gone too. A deposit that is gone as a whole is
`broker.recovery.deposited`'s, the answers' signatures are `broker.recovery.signed`'s. No token is ever told.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broker.protocol.documents import unverified_payload
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import Disclosure, Permit, TokensAnswered
from broker.recovery.findings import Finding, named
from broker.store import matches, whole
from broker.store import requests as states
from broker.store.database import Connection
from broker.store.deposits import LIVE_STATES
from broker.store.told import token_digest


def check(connection: Connection, progress: Callable[[str, int, int], None]) -> Iterator[Finding]:
    """Every answer, those that tell of nothing too."""
    live = {
        each["deposit_id"]: int(each["deposit_number"])
        for each in whole.rows(connection, "deposits")
        if each["state"] in LIVE_STATES
    }
    total = whole.number(connection, "permits")
    for done, permit in enumerate(whole.rows(connection, "permits")):
        progress("answers and what they told of", done, total)
        try:
            by_digest = {token_digest(token): token for token in _matched(connection, permit)}
            terms = unverified_payload(Permit, permit["document"]).terms
        except NarrowgateError:
            continue  # a finding of its own
        searched = {live[each] for series in terms.series for each in series.deposits if each in live}
        yield from _rows(connection, permit, by_digest, searched)


def _rows(
    connection: Connection, permit: whole.Row, by_digest: Mapping[bytes, bytes], searched: set[int]
) -> Iterator[Finding]:
    rows = whole.some(connection, "told_records", permit_id=permit["permit_id"])
    known = [each for each in rows if each["token_digest"] in by_digest]
    if len(known) != len(rows):
        where = named("told_records", permit)
        yield Finding(
            where, f"{len(rows) - len(known):,} rows are of records that the answer does not tell of."
        )
    without = set(by_digest.values()) - {by_digest[each["token_digest"]] for each in known}
    asked: dict[int, set[bytes]] = {number: set(without) for number in searched if without}
    for each in known:
        asked.setdefault(each["deposit_number"], set()).add(by_digest[each["token_digest"]])
    held = set(matches.held(connection, {number: sorted(tokens) for number, tokens in asked.items()}))
    for each in known:
        number = each["deposit_number"]
        if matches.Match(number, by_digest[each["token_digest"]]) not in held:
            yield Finding(
                named("told_records", each),
                f"deposit_number {number} has no such record any more. Personal data that should be gone: take the "
                "row out.",
            )
    missing = {each.token for each in held if each.token in without}
    if missing:
        yield Finding(
            named("permits", permit),
            f"table told_records lacks {len(missing):,} records that the answer tells of: nobody would be notified "
            "when they are taken back.",
        )


def _matched(connection: Connection, permit: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The tokens that the answer under a permit names; none where there is no answer."""
    requests = whole.some(connection, "requests", request_id=permit["request_id"])
    if permit["disclosure"] is None or not requests or requests[0]["state"] != states.RELEASED:
        return ()
    return unverified_payload(Disclosure, decode(TokensAnswered, permit["disclosure"]).document or "").matched
