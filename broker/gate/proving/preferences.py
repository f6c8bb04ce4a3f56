"""What makes a counterexample plain: of all requests that show a hole, one whose other facts are ordinary.

Rule: a preference never hides a request: what cannot be preferred is left as it must be.
"""

from collections.abc import Iterator

import z3

from broker.gate.proving.facts import Facts
from broker.gate.proving.leaves import Fact, Group, LongFact, Maybe, TruthFact
from broker.gate.proving.question import term_of

_NOW = 1_795_000_000
_DAY_SECONDS = 86_400


def preferences(facts: Facts) -> Iterator[z3.BoolRef]:
    """An ordinary request, fact by fact, what tells most first."""
    request = facts.request.facts
    requester, derived, people = (
        _group(request["requester"]),
        _group(request["derived"]),
        _group(request["people"]),
    )
    verified = request["verified"]
    assert isinstance(verified, Maybe)
    word = facts.vocabulary.word
    conditions, contributor = facts.conditions.facts, facts.contributor.facts
    yield facts.contributors.term == facts.contributors.greatest
    yield verified.present
    yield z3.And(z3.Not(_term(requester, "suspended")), z3.Not(term_of(contributor["suspended"])))
    yield term_of(conditions["contributor_kind"]) == term_of(contributor["kind"])
    yield _term(requester, "kind") == word("police")
    yield term_of(contributor["kind"]) == word("company")
    yield z3.And(*(_term(people, name) == 0 for name in ("refusers", "reviewers")))
    yield z3.And(*_zeros(derived))
    now = term_of(request["now"])
    yield now == _NOW
    for party in (request["claims"], verified):
        basis = _group(_group(party).facts["basis"])
        yield z3.And(
            _term(basis, "valid_from") == now - _DAY_SECONDS,
            _term(basis, "valid_until") == now + _DAY_SECONDS,
        )
    yield term_of(conditions["retain_until"]) == now + 90 * _DAY_SECONDS
    yield term_of(conditions["established_in"]) == _term(requester, "jurisdiction")
    yield z3.And(
        term_of(request["points"]) == term_of(request["identifiers"]), term_of(request["identifiers"]) <= 40
    )
    yield term_of(request["identifiers"]) >= 1
    yield z3.And(term_of(facts.result.facts["hits"]) <= 5, term_of(facts.result.facts["contributors"]) == 3)
    yield term_of(facts.records) == 100
    yield z3.And(*(z3.Not(term_of(fact)) for fact in conditions.values() if isinstance(fact, TruthFact)))
    yield term_of(conditions["consent"]) == word("not_relied_on")
    claims = _group(request["claims"])
    yield z3.And(_term(claims, "retention_days") == 180, _term(claims, "urgency") == word("normal"))


def _zeros(derived: Group) -> Iterator[z3.BoolRef]:
    for fact in derived.facts.values():
        inner = fact.fact if isinstance(fact, Maybe) else fact
        if isinstance(fact, Maybe):
            yield z3.Not(fact.present)
        elif isinstance(inner, LongFact):
            yield inner.term == inner.least


def _group(fact: Fact) -> Group:
    inner = fact.fact if isinstance(fact, Maybe) else fact
    assert isinstance(inner, Group)
    return inner


def _term(group: Group, name: str) -> z3.ExprRef:
    return term_of(group.facts[name])
