"""The ledger of every agency, counted again from the log's own entries.

Rule (POLICY L10, L11, L15): an admitted request is charged its identifiers at the time it was decided, unless it goes
on from an earlier one; its matches are entered when its release is decided, and a count's privacy loss is reserved and
then settled; what went by the emergency route owes a review. That is what the broker says it does, so what comes out
here is what its ledger must have said. The broker's own ledger is not in the log, but in each decision's facts.

It compares nothing: see `clients.auditing.budgets` and `clients.auditing.reviews`.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.auditing.findings import DAY_SECONDS, Counted, Decided
from clients.auditing.logged import RequestFacts
from clients.auditing.mirrored import Entry

EMERGENCY = "G3"
_COUNTED = (RecordKind.ADMITTED, RecordKind.RELEASE, RecordKind.RELEASED, RecordKind.EMERGENCY_REVIEWED)
_SHORT_SECONDS = 30 * DAY_SECONDS
_LONG_SECONDS = 90 * DAY_SECONDS
_KEPT_SECONDS = _LONG_SECONDS + _SHORT_SECONDS
"""A charge counts for 90 days; it is kept for a month longer, should the broker's clock be put back."""


@dataclass(slots=True)
class Charge:
    """What one admitted request was charged, and what it owes.

    `emergency` says that its release went by the emergency route; `review_due_at` is None where no review is owed, or
    where the rules that say by when are not at hand."""

    charged_at: int
    identifiers: int
    hits: int = 0
    epsilon_millis: int = 0
    emergency: bool = False
    review_days: int | None = None
    review_due_at: int | None = None
    reviewed: bool = False


@dataclass(slots=True)
class _Account:
    """The charges of one agency of a space that still count, and those that owe a review."""

    recent: deque[Charge] = field(default_factory=deque)
    owing: list[Charge] = field(default_factory=list)


@dataclass
class Ledger:
    """The charges so far, by agency of a space; and by request digest, for what is entered later."""

    accounts: defaultdict[tuple[str, str], _Account] = field(default_factory=lambda: defaultdict(_Account))
    by_request: dict[str, Charge] = field(default_factory=dict)
    complete: bool = True

    def decided(self, entry: Entry) -> Decided | None:
        """What an entry decided on a request, with the ledger that the entries before it add up to."""
        if entry.kind not in (RecordKind.ADMITTED, RecordKind.REFUSED) or not entry.decisions:
            return None
        facts = entry.decisions[0].request
        return None if facts is None else Decided(facts, self._at(facts))

    def enter(self, entry: Entry, review_days: int | None) -> None:
        """Enter what an entry charges, finds or owes."""
        if entry.record is None:
            self.complete = self.complete and entry.kind not in _COUNTED
            return
        facts = entry.about
        if facts is None:
            return
        account = self.accounts[facts.space_id, facts.requester.agency_id]
        if entry.kind == RecordKind.ADMITTED:
            counted = entry.record.terms is not None and entry.record.terms.tier == Tier.COUNT
            charge = Charge(
                facts.now,
                0 if facts.goes_on else facts.identifiers,
                epsilon_millis=facts.derived.count_cost_millis if counted else 0,
            )
            account.recent.append(charge)
            self.by_request[facts.request_digest] = charge
        elif (known := self.by_request.get(facts.request_digest)) is not None:
            owed = known.review_due_at
            _settle(known, entry, facts, review_days)
            if owed is None and known.review_due_at is not None:
                account.owing.append(known)

    def _at(self, facts: RequestFacts) -> Counted:
        """What is counted for the requester at the time its request is decided."""
        now, account = facts.now, self.accounts[facts.space_id, facts.requester.agency_id]
        while account.recent and account.recent[0].charged_at <= now - _KEPT_SECONDS:
            account.recent.popleft()
        account.owing = [each for each in account.owing if not each.reviewed]
        longer = [each for each in account.recent if each.charged_at > now - _LONG_SECONDS]
        shorter = [each for each in longer if each.charged_at > now - _SHORT_SECONDS]
        return Counted(
            identifiers_30d=sum(each.identifiers for each in shorter),
            queries_90d=sum(each.identifiers for each in longer),
            hits_90d=sum(each.hits for each in longer),
            epsilon_millis_30d=sum(each.epsilon_millis for each in shorter),
            overdue_reviews=sum(
                each.review_due_at is not None and each.review_due_at < now for each in account.owing
            ),
            complete=self.complete,
        )


def _settle(charge: Charge, entry: Entry, facts: RequestFacts, review_days: int | None) -> None:
    if entry.kind == RecordKind.RELEASE:
        result = getattr(entry.decisions[0].facts, "result", None)
        charge.hits = 0 if facts.goes_on or result is None else result.hits
        allowed = entry.outcome == Outcome.ALLOW
        charge.epsilon_millis = facts.derived.count_cost_millis if allowed and entry.tier == Tier.COUNT else 0
        charge.emergency, charge.review_days = allowed and EMERGENCY in entry.rules, review_days
    elif entry.kind == RecordKind.RELEASED and charge.emergency and charge.review_days is not None:
        charge.review_due_at = entry.recorded_at + charge.review_days * DAY_SECONDS
    elif entry.kind == RecordKind.EMERGENCY_REVIEWED and entry.record is not None:
        if entry.record.justified:
            charge.reviewed = True
        elif charge.review_due_at is not None:
            charge.review_due_at = entry.recorded_at
