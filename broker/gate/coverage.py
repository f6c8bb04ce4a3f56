"""What covers what: each law cited, the rules and legal instruments that cite it, and the scenarios each rule decides.

Rule (POLICY 4): a scenario counts for the rules that decide it under this very bundle, whatever its file says; a rule
that decides none, a scenario that expects nothing and one that comes out otherwise are listed by name. Reading files
is `read_stories` alone; nothing here says whether a citation is right, which is a lawyer's to say.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.gate.bundle import Bundle
from broker.gate.computed import COMPUTED
from broker.gate.decide import Case, Expected, decide_case
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import Outcome

_ACT = re.compile(r"(?:Directive|Regulation) (?:\((?:EU|EC)\) )?\d+/\d+(?:/\w+)?")
_SEPARATOR = re.compile(r";(?![^(]*\))")
_HEADING_ENDS = re.compile(r",? art |: | only | part | s (?=\d)|\((?=[a-z0-9]\))| \((?=[^)]* art )")
"""What follows the name of a law in a citation: its articles, or words about it."""


@dataclass(frozen=True)
class Story:
    """A scenario by its name (`DENY/one-approver-for-sources`), with what it tells and what it comes to."""

    name: str
    words: str
    decided: Expected
    expected: Expected | None


@dataclass(frozen=True)
class CoveredRule:
    """A rule of the bundle, or one that the gate computes, and the scenarios that it decides."""

    id: str
    effect: str
    reason: str
    law: str
    review: bool
    """Whether its citation waits for a lawyer."""
    stories: tuple[Story, ...]


@dataclass(frozen=True)
class CitingInstrument:
    """A legal instrument of the catalogue."""

    name: str
    law: str
    gateways: tuple[str, ...]
    review: bool


@dataclass(frozen=True)
class CoveredLaw:
    """One law by the name under which it is cited."""

    name: str
    rules: tuple[CoveredRule, ...]
    instruments: tuple[CitingInstrument, ...]


@dataclass(frozen=True)
class Coverage:
    """All of it. `laws` has each rule under every law that it cites."""

    bundle_digest: bytes
    laws: tuple[CoveredLaw, ...]
    rules: tuple[CoveredRule, ...]
    stories: tuple[Story, ...]

    @property
    def rules_without_scenario(self) -> tuple[str, ...]:
        """Rules that decide no scenario that says what is expected of it."""
        return tuple(rule.id for rule in self.rules if all(story.expected is None for story in rule.stories))

    @property
    def scenarios_without_expectation(self) -> tuple[str, ...]:
        """Scenarios that do not say what should come of them."""
        return tuple(story.name for story in self.stories if story.expected is None)

    @property
    def scenarios_decided_otherwise(self) -> tuple[str, ...]:
        """Scenarios that come out otherwise than they say."""
        return tuple(
            story.name
            for story in self.stories
            if story.expected is not None and story.expected != story.decided
        )


def cover(bundle: Bundle, cases: Iterable[tuple[str, Case]]) -> Coverage:
    """The coverage of a bundle by named cases. Raises BadInput naming a case with facts of no or of several actions."""
    stories = tuple(_story(bundle, name, case) for name, case in cases)
    rules = tuple(_rules(bundle, stories))
    instruments = [
        CitingInstrument(name, each.law, tuple(each.gateways), each.review)
        for name, each in sorted(bundle.instruments.items())
    ]
    citations = [*(rule.law for rule in rules), *(each.law for each in instruments)]
    names = sorted({name for citation in citations for name in laws_cited(citation)})
    laws = tuple(
        CoveredLaw(
            name,
            tuple(rule for rule in rules if name in laws_cited(rule.law)),
            tuple(each for each in instruments if name in laws_cited(each.law)),
        )
        for name in names
    )
    return Coverage(bundle.digest, laws, rules, stories)


def read_stories(directory: Path) -> tuple[tuple[str, Case], ...]:
    """The scenarios of the bundle in `directory` with their names. Raises BadInput naming the file."""
    found = []
    for outcome in Outcome:
        for path in sorted((directory / "scenarios" / outcome).glob("*.json")):
            name = f"{outcome}/{path.stem}"
            try:
                found.append((name, read(Case, path.read_bytes())))
            except BadInput as error:
                raise BadInput(f"Scenario {name}: {error.detail}") from None
    return tuple(found)


def laws_cited(citation: str) -> tuple[str, ...]:
    """The names of the laws in a citation, without articles: `GDPR art 6, 10; DSA art 18` names GDPR and DSA."""
    return tuple(_name(each.strip()) for each in _SEPARATOR.split(citation))


def _name(citation: str) -> str:
    act = _ACT.match(citation)
    return act[0] if act else _HEADING_ENDS.split(citation, maxsplit=1)[0].strip()


def _story(bundle: Bundle, name: str, case: Case) -> Story:
    try:
        decision = decide_case(bundle, case)
    except BadInput as error:
        raise BadInput(f"Scenario {name}: {error.detail}") from None
    decided = Expected(outcome=decision.outcome, tier=decision.tier, rules=decision.rules)
    return Story(name, case.story or "", decided, case.expected)


def _rules(bundle: Bundle, stories: Iterable[Story]) -> Iterator[CoveredRule]:
    decided: Mapping[str, list[Story]] = {name: [] for name in (*bundle.rules, *COMPUTED)}
    for story in stories:
        for name in story.decided.rules:
            decided[name].append(story)
    for rule in bundle.rules.values():
        yield CoveredRule(rule.id, rule.effect, rule.reason, rule.law, rule.review, tuple(decided[rule.id]))
    for name, (reason, law) in COMPUTED.items():
        yield CoveredRule(name, "computed", reason, law, False, tuple(decided[name]))
