"""Which entries of the mirrored log an auditor looks for.

Rule: what is named must all fit; text is looked for anywhere and in either case, ids fit whole. An entry without a
decision of its own (tokens, a disclosure, a review) is found by the case and agency of the request it belongs to. A
record that was erased is found by kind and time alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clients.auditing.mirrored import Entry


@dataclass(frozen=True)
class Wanted:
    """What is looked for; None of everything finds all. `since` and `until` are Unix seconds; `until` is left out."""

    case: str | None = None
    agency: str | None = None
    law: str | None = None
    rule: str | None = None
    outcome: str | None = None
    kind: str | None = None
    since: int | None = None
    until: int | None = None
    tier: str | None = None

    def fits(self, entry: Entry) -> bool:
        """Whether an entry is one of those looked for."""
        return (
            (self.case is None or _within(self.case, _case(entry)))
            and (self.agency is None or self.agency in (entry.agency, _requester(entry)))
            and (self.law is None or _within(self.law, _law(entry)))
            and (self.rule is None or self.rule in entry.rules)
            and self.outcome in (None, entry.outcome)
            and self.kind in (None, entry.kind)
            and self.tier in (None, entry.tier)
            and (self.since is None or entry.recorded_at >= self.since)
            and (self.until is None or entry.recorded_at < self.until)
        )


def search(entries: Iterable[Entry], wanted: Wanted) -> Iterator[Entry]:
    """The entries that fit, in the log's order."""
    return filter(wanted.fits, entries)


def _within(text: str, candidates: Iterable[str]) -> bool:
    return any(text.casefold() in each.casefold() for each in candidates)


def _requester(entry: Entry) -> str | None:
    return None if entry.about is None else entry.about.requester.agency_id


def _case(entry: Entry) -> list[str]:
    """The case's reference, and the request's own id where the entry names it."""
    found = [] if entry.about is None else [entry.about.claims.case_reference]
    if entry.record is not None and entry.record.request_id is not None:
        found.append(entry.record.request_id)
    return found


def _law(entry: Entry) -> list[str]:
    """The law that the deciding rules cite, and the instrument the request stands on."""
    found = [law for each in entry.decisions for law in each.law]
    if entry.about is not None:
        basis = entry.about.basis
        found += [basis.instrument, basis.article, basis.reference]
    return found
