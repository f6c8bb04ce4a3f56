"""Cases for each entry of the tables: every lane, every instrument's issuers, countries, tiers and dates, every region.

Rule (issue 4): a story is told with an entry's words in place of its own; where the rules allow that, the entry is what
lets it through, so that it shows when the entry goes. It makes candidates; which are kept is decided elsewhere.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.instrument_terms import Pair
from broker.gate.instruments import Instrument
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
        for story, change, pair in _opened(bundle, name, instrument, told):
            yield story, change
            yield from ((story, {**change, **more}) for more in _within(instrument, pair, _admitted(story)))


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
) -> Iterator[tuple[Scenario, Change, Pair]]:
    """For each pair, gateway and tier of an instrument, the first story that it lets through."""
    for pair in instrument.pairs:
        seen: set[tuple[Any, ...]] = set()
        for story, facts, at in told:
            change = {
                f"{at}.stated.basis.instrument": name,
                f"{at}.stated.basis.issued_by": str(instrument.issuers[0]),
                f"{at}.stated.basis.validated_by": str(instrument.validators[0]),
                f"{at}.series.*.conditions.permitted_jurisdictions": list(pair.issuing),
                f"{at}.series.*.conditions.transfer_ground": "adequacy",
                **_between(at, pair.issuing[0], _reached(pair, pair.issuing[0])[0]),
            }
            try:
                decided = come_to(bundle, changed(facts, change))
            except BadInput:
                continue
            way = (at, decided.tier, decided.rules)
            if decided.outcome is Outcome.ALLOW and way not in seen:
                seen.add(way)
                yield story, change, pair


def _reached(pair: Pair, issuing: str) -> tuple[str, ...]:
    return (issuing,) if pair.contributors == "same" else pair.contributors


def _between(at: str, issuing: str, established_in: str) -> dict[str, Any]:
    """Requester and order of one country, contributors of another."""
    return {
        f"{at}.requester.jurisdiction": issuing,
        f"{at}.stated.basis.jurisdiction": issuing,
        f"{at}.series.*.conditions.established_in": established_in,
    }


def _within(instrument: Instrument, pair: Pair, at: str) -> Iterator[Change]:
    """The other entries of an instrument, one at a time."""
    yield from ({f"{at}.stated.basis.issued_by": str(each)} for each in instrument.issuers)
    yield from ({f"{at}.stated.basis.validated_by": str(each)} for each in instrument.validators)
    yield from (
        {f"{at}.series.*.conditions.payload_category": str(each)} for each in instrument.payload_categories
    )
    for kind in instrument.identifier_types or ():
        yield {f"{at}.identifier_types": [kind], f"{at}.series.*.identifier_type": kind}
    for issuing in pair.issuing:
        yield _between(at, issuing, _reached(pair, issuing)[0])
    for established_in in _reached(pair, pair.issuing[0]):
        yield _between(at, pair.issuing[0], established_in)
    yield from _on_days(instrument, at)


def _on_days(instrument: Instrument, at: str) -> Iterator[Change]:
    """The seconds around its first day and after its last, under a basis and conditions that hold then."""
    now = "admit.now" if at == "admit" else "release.now"
    for day, moments in (
        (instrument.in_force_from, (-_DAY_SECONDS, -1, 0)),
        (instrument.in_force_until, (0, _DAY_SECONDS - 1, _DAY_SECONDS, 2 * _DAY_SECONDS)),
    ):
        if day is not None:
            midnight = datetime.datetime.combine(day, datetime.time(), tzinfo=datetime.UTC)
            for moment in moments:
                yield {
                    f"{at}.stated.basis.valid_from": 0,
                    f"{at}.stated.basis.valid_until": _LATEST,
                    f"{at}.series.*.conditions.retain_until": _LATEST,
                    now: int(midnight.timestamp()) + moment,
                }
