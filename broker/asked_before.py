"""What the ledger says of a result, once tokens met records and before anything leaves (POLICY L10, L15).

Rule: it is read, and what the next request is compared with is kept, in the transaction of the decision, under the
lock of the requester's ledger: of two calls at once the second sees what the first was told. How often a target was
found is counted in the matches that are kept anyway; of a count, sketches are kept and no token (decision 15). Of a
token that matched nothing the broker knows nothing afterwards. It decides nothing: the rules are L10a and L15a.
"""

from collections.abc import Sequence

from broker.context import Broker
from broker.gate.facts import Result
from broker.matching.count import sum_digest
from broker.matching.distance import SALT_BYTES, distance, is_same, sketch
from broker.matching.evidence import Matches, split
from broker.permits import Held
from broker.protocol.messages.vocabulary import NAMES_CONTRIBUTORS, Tier
from broker.store import counted_sets, ledger
from broker.store import matches as match_rows
from broker.store.database import Connection


def result(broker: Broker, connection: Connection, held: Held, matches: Matches, now: int) -> Result:
    """What was found, how often the target found most was found before, and the nearest count told before.

    The caller holds the lock of the requester's ledger. Raises Unavailable when the database fails."""
    terms = held.admitted.terms
    asks = match_rows.Asks()
    if terms.tier is not Tier.COUNT:
        asks = match_rows.most_asks(
            connection,
            matches.pairs,
            space_id=terms.space_id,
            requester=terms.requester,
            ladder_id=ledger.ladder(connection, held.request.request_id),
            since=now - broker.bundle.limits.target_days * ledger.DAY_SECONDS,
        )
    return Result(
        hits=len(matches.pairs),
        contributors=matches.contributors,
        target_asks=asks.own,
        target_asks_by_anyone=asks.by_anyone,
        nearest_count=_nearest(broker, connection, held, matches, now),
    )


def keep_count(broker: Broker, connection: Connection, held: Held, matches: Matches, now: int) -> None:
    """Keep what a count is told of, so that the next one can be compared with it.

    Of the very same count nothing is kept a second time: each sketch more would say more of what was asked."""
    terms, counted = held.admitted.terms, _counted(matches)
    for each in _earlier(connection, held, matches, now):
        if is_same(broker.keys.count_key, each.sketch, counted):
            counted_sets.renew(connection, each.request_id, now)
            return
    salt = broker.random_bytes(SALT_BYTES)
    counted_sets.keep(
        connection,
        space_id=terms.space_id,
        requester=terms.requester,
        request_id=held.request.request_id,
        sketches={
            number: sketch(broker.keys.count_key, salt, counted, tokens)
            for number, tokens in _searched(matches).items()
        },
        now=now,
    )


def _nearest(broker: Broker, connection: Connection, held: Held, matches: Matches, now: int) -> int | None:
    """None at a tier that never leaves as a count, too."""
    if held.admitted.terms.tier in NAMES_CONTRIBUTORS:
        return None
    searched, counted = _searched(matches), _counted(matches)
    found = (
        distance(broker.keys.count_key, each.sketch, counted, searched[each.deposit_number])
        for each in _earlier(connection, held, matches, now)
    )
    return min((each for each in found if each is not None), default=None)


def _earlier(
    connection: Connection, held: Held, matches: Matches, now: int
) -> Sequence[counted_sets.Counted]:
    terms, numbers = held.admitted.terms, [each.deposit_number for each in matches.deposits]
    return counted_sets.earlier(connection, terms.space_id, terms.requester, numbers, now)


def _searched(matches: Matches) -> dict[int, list[bytes]]:
    """The tokens asked of each deposit that was searched, by its number."""
    lists = {each.deposit_id: each.tokens for each in matches.recorded.tokens.lists}
    return {each.deposit_number: list(split(lists[each.deposit_id])) for each in matches.deposits}


def _counted(matches: Matches) -> bytes:
    return sum_digest(matches.recorded.tokens.digest, [each.deposit_id for each in matches.deposits])
