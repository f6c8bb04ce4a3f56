"""A case that kills a mutant which no scenario kills: what the prover found, told as a small change to a story.

Rule (issue 4): a mutant counts as different only where the prover finds a request on which the decisions differ, and a
witness is one only if the gate itself decides it differently under the mutated bundle. It is told from the story that
needs the shortest change, and every change that is not needed is taken back.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.testing.boundaries import named
from broker.gate.testing.changes import Change, changed, difference, document
from broker.gate.testing.generating.selection import Candidate
from broker.gate.testing.scenarios import Scenario, come_to
from broker.protocol.errors import BadInput


def told_from_a_story(
    bundle: Bundle, mutated: Bundle, witness: Case, stories: Sequence[Scenario]
) -> Candidate | None:
    """A witness as a story with few changes; None where the gate decides it alike under both bundles."""
    if not _differs(bundle, mutated, witness):
        return None
    facts = document(witness)
    bases = [story for story in stories if set(document(story.case)) == set(facts)]
    base, change = min(
        ((story, difference(document(story.case), facts)) for story in bases),
        key=lambda found: len(json.dumps(found[1])),
    )
    needed = _needed(bundle, mutated, document(base.case), change)
    case = changed(document(base.case), needed)
    return Candidate(base, needed, Scenario(named(base.name, needed), case, come_to(bundle, case)))


def _needed(bundle: Bundle, mutated: Bundle, facts: Mapping[str, Any], change: Change) -> Change:
    """The change without what the difference does not need: halves, then quarters and so on are taken back."""
    left = dict(change)
    size = len(left)
    while size:
        for some in _parts(list(left), size):
            fewer = {path: value for path, value in left.items() if path not in some}
            if fewer and _still(bundle, mutated, facts, fewer):
                left = fewer
        size //= 2
    return left


def _parts(paths: list[str], size: int) -> Iterable[set[str]]:
    return [set(paths[start : start + size]) for start in range(0, len(paths), size)]


def _still(bundle: Bundle, mutated: Bundle, facts: Mapping[str, Any], change: Change) -> bool:
    try:
        return _differs(bundle, mutated, changed(facts, change))
    except BadInput:
        return False


def _differs(bundle: Bundle, mutated: Bundle, case: Case) -> bool:
    return come_to(bundle, case) != come_to(mutated, case)
