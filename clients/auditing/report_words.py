"""What a reader who knows nothing of the system is told beside the numbers: dates in words, what each list is about.

Rule: for a member of parliament or a journalist; no word of the program's own without a plain one beside it. It says
nothing that depends on the numbers but the headline, which repeats what is told and no more.
"""

import datetime
from collections.abc import Mapping
from types import MappingProxyType

from broker.protocol.messages.vocabulary import Tier
from clients.auditing.report import Report
from clients.auditing.small_cells import LEAST

ABOUT = (
    "Agencies that fight human trafficking ask one another through this system whether any of them knows certain "
    "telephone numbers or addresses. Each such request is decided by written rules before anything is compared, and "
    "each decision is recorded. This report counts the records. It names no case, person or number."
)
LEADS: Mapping[str, str] = MappingProxyType(
    {
        "outcomes": "A request is admitted or refused before anything is compared.",
        "agency_kinds": "All requests, by what kind of agency asked.",
        "agencies": "The same requests, by agency.",
        "instruments": "The law that a legal desk verified as the ground, by its short name in the rules.",
        "tiers": "How much was asked for. Each step needs the one before it, and more people who approve.",
        "gateways": "What in the rules let a request pass.",
        "answers": "Of the admitted requests: was anything told to the agency in the end?",
        "refusals": "Which rule refused a request.",
        "deposits": "Lists of numbers and addresses that contributors put in, sealed, to be asked about.",
        "deposits_refused": "Lists that the rules did not let in.",
        "withdrawals": "Contributors may take back or correct what they put in at any time.",
    }
)
TIER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        Tier.COUNT.value: "about how many are known",
        Tier.HITS.value: "which of the agency's own are known",
        Tier.SOURCES.value: "who knows them",
        Tier.PAYLOAD.value: "what is recorded of them",
    }
)
_TIERS = tuple(Tier)


def date_in_words(seconds: int) -> str:
    """The day of a time, UTC, as 31 January 2027."""
    time = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return f"{time.day} {time:%B %Y}"


def period_in_words(report: Report) -> str:
    """First and last day, as 1 January 2027 to 31 March 2027."""
    return f"{date_in_words(report.since)} to {date_in_words(report.until - 1)}"


def headline(report: Report) -> str:
    """The first list in a sentence: as much of it as is told."""
    outcomes = next((each for each in report.listings if each.key == "outcomes"), None)
    if outcomes is None:
        return ""
    parts = " and ".join(f"{row.number} were {row.name}" for row in outcomes.rows)
    if report.epsilon_millis is not None:
        return f"About {parts.replace('were', 'requests were', 1)}, with chance added to both numbers."
    if outcomes.total is None:
        return f"Fewer than {LEAST} requests were decided."
    parts = parts or "how many were refused is withheld"
    if outcomes.total == 0:
        return "No request was decided."
    return f"{outcomes.total} requests were decided: {parts}."


def in_order(key: str, name: str) -> int:
    """Where a line of a list stands that has an order of its own; 0 in the others."""
    return _TIERS.index(Tier(name)) if key == "tiers" and name in TIER_WORDS else 0
