"""Cases for each entry of the tables: every lane, every instrument's issuers, countries, tiers and dates, every region.

Rule (issue 4): a story is told with an entry's words in place of its own; where the rules allow that, the entry is what
lets it through, so that it shows when the entry goes. It makes candidates; which are kept is decided elsewhere.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.catalogue import Instrument
from broker.gate.testing.changes import Change, changed, document
from broker.gate.testing.scenarios import Scenario, come_to
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Outcome

_DAY_SECONDS = 86_400
_LATEST = 253_402_300_799
"""The last second that facts can name: what ends then has not ended."""


def entries(bundle: Bundle, stories: Sequence[Scenario]) -> Iterator[tuple[Scenario, Change]]:
    """Stories with a change to each, about the entries of every table."""
    told = [
        (story, document(story.case), _admitted(story))
        for story in stories
        if story.case.deposit is None and story.expected.outcome is Outcome.ALLOW
    ]
    for story, _, at in told:
        yield from ((story, change) for change in _lanes(bundle, at))
        yield from ((story, change) for change in _regions(bundle, at))
    for name, instrument in bundle.instruments.items():
        for story, change in _opened(bundle, name, instrument, told):
            at = _admitted(story)
            yield story, change
            yield from ((story, {**change, **more}) for more in _within(instrument, at))


def _admitted(story: Scenario) -> str:
    return "admit" if story.case.admit is not None else "release.admitted"


def _lanes(bundle: Bundle, at: str) -> Iterator[Change]:
    for depositor, readers in bundle.lanes.items():
        for reader in readers:
            yield {
                f"{at}.requester.kind": str(reader),
                f"{at}.series.*.conditions.permitted_readers": [str(reader)],
                f"{at}.series.*.contributor.kind": str(depositor),
                f"{at}.series.*.conditions.contributor_kind": str(depositor),
            }


def _regions(bundle: Bundle, at: str) -> Iterator[Change]:
    for country in bundle.regions.union:
        yield {f"{at}.requester.jurisdiction": country}
        yield {f"{at}.series.*.conditions.established_in": country}


def _opened(
    bundle: Bundle, name: str, instrument: Instrument, told: Sequence[tuple[Scenario, Mapping[str, Any], str]]
) -> Iterator[tuple[Scenario, Change]]:
    """For each gateway and tier of an instrument, the first story that it lets through."""
    if not (instrument.issuers and instrument.validators and instrument.jurisdictions):
        return
    seen: set[tuple[Any, ...]] = set()
    for story, facts, at in told:
        for change in _told_with(name, instrument, at):
            try:
                decided = come_to(bundle, changed(facts, change))
            except BadInput:
                continue
            key = (at, decided.tier, decided.rules)
            if decided.outcome is Outcome.ALLOW and key not in seen:
                seen.add(key)
                yield story, change


def _told_with(name: str, instrument: Instrument, at: str) -> Iterator[Change]:
    country = instrument.jurisdictions[0]
    basis = {
        f"{at}.stated.basis.instrument": name,
        f"{at}.stated.basis.issued_by": str(instrument.issuers[0]),
        f"{at}.stated.basis.validated_by": str(instrument.validators[0]),
    }
    yield {**basis, f"{at}.stated.basis.jurisdiction": country}
    yield {**basis, **_all_in(at, country)}


def _all_in(at: str, country: str) -> dict[str, Any]:
    """Requester, contributor and order of one country."""
    return {
        f"{at}.series.*.conditions.permitted_jurisdictions": [country],
        f"{at}.requester.jurisdiction": country,
        f"{at}.series.*.conditions.established_in": country,
        f"{at}.stated.basis.jurisdiction": country,
    }


def _within(instrument: Instrument, at: str) -> Iterator[Change]:
    """The other entries of an instrument, one at a time."""
    yield from ({f"{at}.stated.basis.issued_by": str(each)} for each in instrument.issuers)
    yield from ({f"{at}.stated.basis.validated_by": str(each)} for each in instrument.validators)
    for country in instrument.jurisdictions:
        yield {f"{at}.stated.basis.jurisdiction": country}
        yield _all_in(at, country)
    if instrument.in_force_from is not None:
        start = datetime.datetime.combine(instrument.in_force_from, datetime.time(), tzinfo=datetime.UTC)
        now = "admit.now" if at == "admit" else "release.now"
        for moment in (-_DAY_SECONDS, -1, 0):
            yield {
                f"{at}.stated.basis.valid_from": 0,
                f"{at}.stated.basis.valid_until": _LATEST,
                now: int(start.timestamp()) + moment,
            }
