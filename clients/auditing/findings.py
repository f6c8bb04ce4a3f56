"""What an auditor should look at first: the anomalies that are looked for, what each means, and one that was found.

Rule: an anomaly is a reason to look and not a verdict; each names its entries, so that `audit show` and the parties'
own files can be put beside it. The list is closed and in the order in which to look. Numbers that a check compares
with are the rules' own, from the auditor's copy of the bundle that the decision names; without that copy the check is
left out and said to be. Which checks there are is in `clients.auditing.anomalies`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from broker.protocol.messages.parties import Space
from clients.auditing.logged import RequestFacts
from clients.auditing.mirrored import Entry

DAY_SECONDS = 86_400


class Anomaly(StrEnum):
    """The anomalies by name, what weighs most first."""

    DISCLOSED_UNDECIDED = "disclosed-undecided"
    DISCLOSED_THOUGH_REFUSED = "disclosed-though-refused"
    RELEASE_WITHOUT_ADMISSION = "release-without-admission"
    RELEASE_WITHOUT_TOKENS = "release-without-tokens"
    OTHER_ADMISSION = "other-admission"
    ADMITTED_TWICE = "admitted-twice"
    TOKENS_TWICE = "tokens-twice"
    RELEASE_TWICE = "release-twice"
    CLOSED_TWICE = "closed-twice"
    OPEN_RELEASE = "open-release"
    ERASED_UNRECORDED = "erased-unrecorded"
    LOG_KEY_LOST = "log-key-lost"
    OTHER_RULES = "other-rules"
    LEDGER_KINDER = "ledger-kinder"
    LEDGER_STRICTER = "ledger-stricter"
    REVIEW_NOT_JUSTIFIED = "review-not-justified"
    REVIEW_OVERDUE = "review-overdue"
    NEAR_BUDGET = "near-budget"
    LOW_HIT_RATE = "low-hit-rate"
    MANY_REQUESTS = "many-requests"
    FULL_BATCHES = "full-batches"
    REFUSED_IN_A_ROW = "refused-in-a-row"
    SILENT_CONTRIBUTOR = "silent-contributor"
    CONTEST_UNDECIDED = "contest-undecided"
    RETRACTION_UNNOTICED = "retraction-unnoticed"
    RETRACTION_OVERDUE = "retraction-overdue"
    ROOT_NUMBERS = "root-numbers"
    CLOCK_BACK = "clock-back"
    RECORDS_ERASED = "records-erased"


MEANING: Mapping[Anomaly, str] = MappingProxyType(
    {
        Anomaly.DISCLOSED_UNDECIDED: "A disclosure names no decision to release that stands before it in the log.",
        Anomaly.DISCLOSED_THOUGH_REFUSED: "The decision to release was a refusal, and a disclosure was signed on it.",
        Anomaly.RELEASE_WITHOUT_ADMISSION: "A release was decided for a permit that the log never admitted.",
        Anomaly.RELEASE_WITHOUT_TOKENS: "A release was decided for a permit under which no tokens were recorded.",
        Anomaly.OTHER_ADMISSION: "A release was decided on other facts than its request was admitted on, or above its "
        "permit's tier: on made-up facts the rules may allow it, and deciding it again shows nothing.",
        Anomaly.ADMITTED_TWICE: "One request, or one permit, was admitted more than once; a permit is for one use.",
        Anomaly.TOKENS_TWICE: "Tokens were taken more than once under one permit; a permit is for one use.",
        Anomaly.RELEASE_TWICE: "The release of one request, or permit, was decided more than once.",
        Anomaly.CLOSED_TWICE: "One decision to release led to more than one disclosure or failure.",
        Anomaly.OPEN_RELEASE: "A release was decided and neither a disclosure nor a failure followed: the broker was "
        "interrupted, or told somebody something without saying so. Ask broker and requester.",
        Anomaly.ERASED_UNRECORDED: "Records are gone and no entry says on whose word: nobody may erase one unrecorded. "
        "What rests on them cannot be checked. Ask the broker's operator.",
        Anomaly.LOG_KEY_LOST: "The log's key was changed without the old key's signature, as that was said to be lost: "
        "whoever can append to the log can do so. Ask founder and witnesses whether they were told.",
        Anomaly.OTHER_RULES: "The decision was taken under other rules than the log says were in force.",
        Anomaly.LEDGER_KINDER: "The broker decided on a ledger that is kinder to the agency than the log's own entries "
        "add up to, so a limit could be passed unseen.",
        Anomaly.LEDGER_STRICTER: "The broker decided on a ledger that is harder on the agency than the log's own "
        "entries add up to.",
        Anomaly.REVIEW_NOT_JUSTIFIED: "A judge or reviewer found that an emergency disclosure was not justified.",
        Anomaly.REVIEW_OVERDUE: "An emergency disclosure should have been reviewed by now, and nobody did.",
        Anomaly.NEAR_BUDGET: "The agency used more than four fifths of its identifiers for 30 days.",
        Anomaly.LOW_HIT_RATE: "Hardly any of the agency's questions ever matched: guessing looks like this.",
        Anomaly.MANY_REQUESTS: "Many requests of an agency within a day, hardly a match: trying out looks like this.",
        Anomaly.FULL_BATCHES: "Many requests of an agency are as large as the rules let them be: lists look like this.",
        Anomaly.REFUSED_IN_A_ROW: "The agency was refused again and again for asking about too many or too often.",
        Anomaly.SILENT_CONTRIBUTOR: "A contributor was asked about its own records and said nothing, which refused. "
        "Does it know that it is asked?",
        Anomaly.CONTEST_UNDECIDED: "Somebody says that records are wrong or not theirs, and their contributor has "
        "neither upheld nor withdrawn them in time. Ask it to look into it, to decide (narrowgate consent decide), and "
        "to tell the person what it found. Until then nobody can find them.",
        Anomaly.RETRACTION_UNNOTICED: "Records were taken back that answers had told of, and not every requester got a "
        "notice: ask the broker for the missing ones.",
        Anomaly.RETRACTION_OVERDUE: "A requester was to say what it did with what is taken back, and has not in time. "
        "If it was never shown the notice, ask it whether it asked.",
        Anomaly.ROOT_NUMBERS: "The changes of a deposit are not numbered one by one: one is missing, or came twice.",
        Anomaly.CLOCK_BACK: "An entry's time is before that of the entry before it: the broker's clock was put back.",
        Anomaly.RECORDS_ERASED: "Records were erased on somebody's order before they were mirrored; the last of these "
        "entries says whose. What rests on them cannot be checked.",
    }
)


@dataclass(frozen=True)
class Finding:
    """One anomaly that was found. `party` is whom it is about, `detail` the figures in words."""

    anomaly: Anomaly
    entries: tuple[int, ...]
    detail: str
    party: str | None = None

    @property
    def meaning(self) -> str:
        """What it means, in plain words."""
        return MEANING[self.anomaly]


@dataclass(frozen=True)
class LeftOut:
    """A check that could not be made, and why."""

    anomalies: tuple[Anomaly, ...]
    reason: str


@dataclass(frozen=True)
class Numbers:
    """The numbers of one bundle that checks compare with; see its limits.toml for what each is."""

    identifiers_30d: int
    rate_queries: int
    rate_percent: int
    emergency_review_days: int
    contest_decision_days: int
    count_identifiers: int
    hits_identifiers: int
    sources_identifiers: int
    payload_identifiers: int
    lesser_offence_months: int
    lesser_offence_identifiers: int


@dataclass(frozen=True)
class Known:
    """What the checks know besides the log: the numbers of the bundles at hand by hexadecimal digest, and the space."""

    numbers: Mapping[str, Numbers]
    space: Space

    def numbers_of(self, entry: Entry) -> Numbers | None:
        """The numbers of the rules that an entry was decided under, None when that bundle is not at hand."""
        return self.numbers.get(entry.bundle or "")


@dataclass(frozen=True)
class Counted:
    """What a ledger must have said of one agency when a request of its was decided, that request left out.

    `complete` is false once a record that it should be counted from was erased."""

    identifiers_30d: int
    queries_90d: int
    hits_90d: int
    epsilon_millis_30d: int
    overdue_reviews: int
    complete: bool


@dataclass(frozen=True)
class Decided:
    """A decision on a request: the facts it was taken on, the broker's ledger among them, and the log's own."""

    facts: RequestFacts
    counted: Counted


@dataclass(frozen=True)
class End:
    """The log was read to its end. `until` is the time of its last entry, 0 for an empty log; `missing` are the bundles
    that requests were decided under and that are not at hand."""

    until: int
    missing: frozenset[str]

    def unknown_rules(self, *anomalies: Anomaly) -> tuple[LeftOut, ...]:
        """That checks were left out for decisions about requests under a bundle that is not at hand."""
        return needs_bundles(self.missing, *anomalies)


def needs_bundles(digests: Iterable[str], *anomalies: Anomaly) -> tuple[LeftOut, ...]:
    """That checks were left out since these bundles are not at hand, by hexadecimal digest."""
    return tuple(
        LeftOut(anomalies, f"It needs the numbers of the bundle {digest}. Name it with --bundle.")
        for digest in sorted(digests)
    )


class Check(Protocol):
    """Looks for anomalies of one subject while the log is read once. It may keep figures and ids, and no entry."""

    def see(self, entry: Entry, decided: Decided | None) -> Iterable[Finding]:
        """The next entry of the log, and what it decided on a request; what is found at once."""

    def finish(self, end: End) -> Iterable[Finding | LeftOut]:
        """What is found, or was left out, now that there are no more entries."""
