"""What this key holder evaluated for a requester before, held against the broker's ledger: the stricter number counts.

Rule (DESIGN 2.5): a broker that tells of less than this holder itself evaluated gets nothing evaluated for it. A holder
knows of numbers of identifiers and of counts, in the quorums it was in: never of more than there was, so it never makes
an honest broker's numbers milder. Of hits, reviews and targets it knows nothing; an earlier tier it sees in the signed
documents of the ladder (`opening_checks`).
"""

from dataclasses import dataclass

from broker.gate.facts import Derived
from broker.protocol.messages.requests import PermitTerms
from clients.keyholder.store import permits
from clients.keyholder.store.database import Connection

DAY_SECONDS = 86_400
LATE_SECONDS = DAY_SECONDS
"""A broker counts from the filing, a holder from its evaluation. What is evaluated within a day of its filing weighs no
longer here than there; so a broker hides a thirtieth of a month at most."""


@dataclass(frozen=True)
class OwnLedger:
    """What was evaluated under other permits of the requester, opened payloads not counted."""

    identifiers_30d: int = 0
    identifiers_90d: int = 0
    counts_30d: int = 0

    def stricter(self, told: Derived, count_budget_millis: int, count_epsilon_millis: int) -> Derived:
        """The broker's numbers, where these are not stricter; what counts cost is the space's to say."""
        spent = self.counts_30d * count_epsilon_millis
        return told.model_copy(
            update={
                "identifiers_30d": max(told.identifiers_30d, self.identifiers_30d),
                "queries_90d": max(told.queries_90d, self.identifiers_90d),
                "count_budget_left_millis": min(
                    told.count_budget_left_millis, max(0, count_budget_millis - spent)
                ),
            }
        )


def own_ledger(connection: Connection, terms: PermitTerms, now: int) -> OwnLedger:
    """What this holder evaluated for the permit's requester up to `now`, by its own clock."""

    def since(days: int) -> permits.Evaluated:
        start = now - days * DAY_SECONDS + LATE_SECONDS
        return permits.evaluated_since(connection, terms.space_id, terms.requester, start, terms.permit_id)

    short, long = since(30), since(90)
    return OwnLedger(short.identifiers, long.identifiers, short.counts)
