"""The entries of an auditor's mirror, verified again as they are read, each with the request it belongs to.

Rule (AUDIT 1): the checkpoint must verify under the pinned log key, the leaves give its root, and each record open its
leaf, here as in `audit verify`; a file that somebody changed since raises. What belongs to a request is told by permit,
request id and request digest, as the entries before it name them. Nothing is fetched, and no clock is read: the time
of the last entry is the time up to which the mirror knows.

It reads as the log goes on, so the root is only known to fit when the last entry was taken.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from broker.protocol import leaves, merkle
from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.messages.log import LoggedRecord
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.auditing.log_key_entries import earlier_rosters
from clients.auditing.logged import Agency, Decision, DepositFacts, Record, RequestFacts
from clients.home import Home
from clients.mirrors.mirror import Mirror
from clients.mirrors.watched_log import broker_log

_TIERS = tuple(Tier)
_NEEDED: Mapping[str, tuple[str, ...]] = {
    RecordKind.ADMITTED: ("terms", "decision"),
    RecordKind.REFUSED: ("request_id", "requester", "decision"),
    RecordKind.TOKENS: ("permit_id", "request_id", "requester"),
    RecordKind.RELEASE: ("permit_id", "request_id", "requester", "decision"),
    RecordKind.RELEASED: ("permit_id", "tier", "release_index"),
    RecordKind.FAILED: ("permit_id", "release_index"),
    RecordKind.DISCLOSURE_READ: ("permit_id", "request_id", "requester", "tier"),
    RecordKind.RELEASE_ASKED: ("permit_id", "series_id", "contributor", "until_at"),
    RecordKind.RELEASE_ANSWERED: ("permit_id", "series_id"),
    RecordKind.CONTEST_STATED: ("contributor", "document_digest", "withdrawal_digest", "state"),
    RecordKind.RETRACTION_NOTICED: ("notice_id", "requester", "withdrawal_digest", "due_at"),
    RecordKind.RETRACTION_ACKNOWLEDGED: ("notice_id", "requester"),
    RecordKind.EMERGENCY_REVIEWED: ("request_digest", "justified"),
    RecordKind.BUNDLE_ACTIVATED: ("bundle_digest",),
    RecordKind.RECORDS_WITHDRAWN: ("deposit_id", "contributor", "number"),
    RecordKind.RECORDS_REPLACED: ("deposit_id", "contributor", "number"),
    RecordKind.RECORD_ERASED: ("leaf_index",),
    RecordKind.DEPOSIT_ADMITTED: ("decision",),
    RecordKind.DEPOSIT_REFUSED: ("decision",),
}
"""Members without which an entry of that kind cannot be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `record` is None once erased; the texts of decisions in it are left out, since `decisions` holds what
    they say. `about` are the facts of the request it belongs to, where known."""

    index: int
    recorded_at: int
    kind: str
    record: Record | None = field(repr=False)
    decisions: tuple[Decision, ...] = field(repr=False)
    """None, one, or for a release under changed rules two: what is in force, and what was at the admission."""
    about: RequestFacts | None = field(repr=False)
    depositor: Agency | None = field(repr=False)
    """Whose deposit it is about, where that is known."""

    @property
    def outcome(self) -> str | None:
        """ALLOW when all its decisions allow, DENY when one does not, None where nothing was decided."""
        if not self.decisions:
            return None
        allowed = all(each.outcome == Outcome.ALLOW for each in self.decisions)
        return Outcome.ALLOW.value if allowed else Outcome.DENY.value

    @property
    def tier(self) -> str | None:
        """The tier it was decided as, the lower of two; or the tier disclosed; or that of the request."""
        decided = [_TIERS.index(Tier(each.tier)) for each in self.decisions if each.tier is not None]
        if decided:
            return _TIERS[min(decided)].value
        told = None if self.record is None else self.record.tier
        return told or (None if self.about is None else self.about.tier)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that decided, once each."""
        return tuple(dict.fromkeys(rule for each in self.decisions for rule in each.rules))

    @property
    def agency(self) -> str | None:
        """Who acted, or whose request or deposit it is about."""
        if self.record is not None:
            named = self.record.contributor or self.record.party_id or self.record.founder
            named = named or self.record.auditor or self.record.requester
            if named is not None:
                return named
        party = self.depositor if self.about is None else self.about.requester
        return None if party is None else party.agency_id

    @property
    def bundle(self) -> str | None:
        """The digest of the rules in force that it was decided under."""
        return self.decisions[0].bundle_digest if self.decisions else None


class MirroredLog:
    """The log of a space's broker as the auditor mirrored it.

    Raises NotFound before the first audit, or VerificationFailed for a checkpoint that is not the log's."""

    def __init__(self, home: Home, space: Space) -> None:
        log = broker_log(space, earlier_rosters(home, space))
        self._mirror = Mirror(home.vault, log.folder)
        note = self._mirror.checkpoint()
        if note is None:
            raise NotFound("Nothing is mirrored in this home yet. Use: narrowgate audit verify")
        self.checkpoint = log.verify_kept(note)

    def entries(self) -> Iterator[Entry]:
        """Every entry up to the checkpoint, in the log's order.

        Raises VerificationFailed for a record that does not open its leaf or cannot be read, for leaves that do not
        give the signed root, or where the records of some leaves were not fetched yet."""
        size, frontier, requests = self.checkpoint.size, merkle.Frontier(), _Requests()
        if self._mirror.records_kept() < size:
            raise VerificationFailed(
                "The last audit ended before all records were fetched. Use: narrowgate audit verify"
            )
        for leaf, logged in zip(self._mirror.leaves(0, size), self._mirror.records(), strict=False):
            frontier.append(merkle.leaf_hash(leaf))
            yield requests.entry(leaf, logged)
        if frontier.root() != self.checkpoint.root:
            raise VerificationFailed(
                "The mirrored leaves do not give the signed root any more: the mirror in this home is damaged. "
                "Move its folder away as evidence and mirror anew."
            )


class _Requests:
    """Which request or deposit an entry belongs to, by the ids that earlier entries gave it."""

    def __init__(self) -> None:
        self._facts: dict[str, RequestFacts] = {}
        self._depositors: dict[str, Agency] = {}

    def entry(self, leaf: bytes, logged: LoggedRecord) -> Entry:
        """The entry of a leaf and its record. Raises VerificationFailed."""
        content = leaves.parse_leaf(leaf)
        record = _record(leaf, content.kind, logged)
        try:
            texts = (record.decision, record.earlier_decision) if record is not None else ()
            decisions = tuple(Decision.model_validate_json(text) for text in texts if text is not None)
        except ValidationError:
            raise _unreadable(logged.index) from None
        if record is not None:
            # Read above, and by far the longest member: a log of them would not fit into memory.
            record = record.model_copy(update={"decision": None, "earlier_decision": None})
        about = self._about(record, decisions)
        depositor = self._depositor(record, decisions)
        return Entry(logged.index, content.recorded_at, content.kind, record, decisions, about, depositor)

    def _depositor(self, record: Record | None, decisions: tuple[Decision, ...]) -> Agency | None:
        if record is None:
            return None
        names = [name for name in (record.deposit_id, record.series_id) if name is not None]
        found = [each.facts.contributor for each in decisions if isinstance(each.facts, DepositFacts)]
        self._depositors.update((name, party) for party in found for name in names)
        return next((self._depositors[name] for name in names if name in self._depositors), None)

    def _about(self, record: Record | None, decisions: tuple[Decision, ...]) -> RequestFacts | None:
        if record is None:
            return None
        names = [record.permit_id, record.request_id, record.request_digest]
        for terms in (record.terms, record.opening):
            if terms is not None:
                names += [terms.permit_id, terms.request_digest]
        named = [name for name in names if name is not None]
        # A decision on a request speaks for itself: else an entry before it, such as a refusal made up under the same
        # digest, would put another agency and case in the place of its own.
        own = next((each.facts for each in decisions if isinstance(each.facts, RequestFacts)), None)
        known = next((self._facts[name] for name in named if name in self._facts), None)
        facts = own or known or next((each.request for each in decisions), None)
        if facts is not None:
            admitted = own is not None and record.terms is not None
            self._facts.update((name, facts) for name in named if admitted or name not in self._facts)
        return facts


def _record(leaf: bytes, kind: str, logged: LoggedRecord) -> Record | None:
    if logged.record is None or logged.salt is None:
        return None
    leaves.verify_record(leaf, logged.record, logged.salt)
    try:
        record = Record.model_validate_json(logged.record)
    except ValidationError:
        raise _unreadable(logged.index) from None
    if any(getattr(record, name) is None for name in _NEEDED.get(kind, ())):
        raise _unreadable(logged.index)
    return record


def _unreadable(index: int) -> VerificationFailed:
    return VerificationFailed(
        f"The record of entry {index} is not what its kind should hold. Look at it with: narrowgate audit show"
    )
