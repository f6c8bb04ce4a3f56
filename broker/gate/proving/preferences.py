"""What makes a counterexample plain: of all requests that show a hole, one whose other facts are ordinary.

Rule: a preference never hides a request: what cannot be preferred is left as it must be.
"""

from collections.abc import Iterator

import z3

from broker.gate.proving.facts import Facts
from broker.gate.proving.leaves import Group, LongFact, Maybe, StatedFact, TextFact
from broker.gate.proving.shape import group_of, member_term, term_of
from broker.gate.proving.values import WORD_BITS

_NOW = 1_795_000_000
_DAY_SECONDS = 86_400


def preferences(facts: Facts) -> Iterator[z3.BoolRef]:
    """An ordinary request, what tells most first."""
    yield from _parties(facts)
    yield from _papers(facts)
    yield from _numbers(facts)
    yield from _conditions(facts)
    # Instruments and grounds are looked up, and last: what can have a name of its own has one.
    yield z3.And([_nowhere_written(fact) for fact in facts.request.texts() if not _looked_up(fact)])


def _parties(facts: Facts) -> Iterator[z3.BoolRef]:
    """Police ask companies, as many as hide one another, and nobody is suspended."""
    requester, contributor = facts.request.facts["requester"], facts.contributor
    word = facts.vocabulary.word
    yield facts.contributors.term == facts.contributors.greatest
    yield z3.And(z3.Not(member_term(requester, "suspended")), z3.Not(member_term(contributor, "suspended")))
    yield member_term(facts.conditions, "contributor_kind") == member_term(contributor, "kind")
    yield member_term(requester, "kind") == word("police")
    yield member_term(contributor, "kind") == word("company")
    yield member_term(facts.conditions, "established_in") == member_term(requester, "jurisdiction")
    people = facts.request.facts["people"]
    yield z3.And(member_term(people, "refusers") == 0, member_term(people, "reviewers") == 0)


def _papers(facts: Facts) -> Iterator[z3.BoolRef]:
    """A form that is filled in, and papers of yesterday that run out tomorrow."""
    request, now = facts.request.facts, term_of(facts.request.facts["now"])
    claims, verified = request["claims"], request["verified"]
    assert isinstance(verified, Maybe)
    yield verified.present
    yield z3.Not(member_term(verified, "threat_to_life"))
    yield now == _NOW
    for party in (claims, verified):
        basis = group_of(party).facts["basis"]
        yield z3.And(
            member_term(basis, "valid_from") == now - _DAY_SECONDS,
            member_term(basis, "valid_until") == now + _DAY_SECONDS,
        )
    yield z3.And([term_of(fact) for fact in group_of(claims).facts.values() if isinstance(fact, StatedFact)])
    urgency = member_term(claims, "urgency") == facts.vocabulary.word("normal")
    yield z3.And(member_term(claims, "retention_days") == 180, urgency)


def _numbers(facts: Facts) -> Iterator[z3.BoolRef]:
    """A small request of an agency that asked nothing before, and a small result."""
    request = facts.request.facts
    identifiers, points = term_of(request["identifiers"]), term_of(request["points"])
    yield z3.And(list(_nothing_before(group_of(request["derived"]))))
    yield z3.And(points == identifiers, identifiers <= 40)
    yield identifiers >= 1
    yield z3.And(member_term(facts.result, "hits") <= 5, member_term(facts.result, "contributors") == 3)
    yield term_of(facts.records) == 100


def _conditions(facts: Facts) -> Iterator[z3.BoolRef]:
    """Records that a person looked at, of nobody who needs more care than others."""
    conditions = facts.conditions
    yield z3.And(
        member_term(conditions, "reviewed_by_person"), member_term(conditions, "inclusion_criterion")
    )
    yield z3.Not(member_term(conditions, "special_category"))
    yield z3.Not(member_term(conditions, "releases_each_payload"))
    yield member_term(conditions, "consent") == facts.vocabulary.word("not_relied_on")
    retained = term_of(facts.request.facts["now"]) + 90 * _DAY_SECONDS
    yield member_term(conditions, "retain_until") == retained


def _nothing_before(derived: Group) -> Iterator[z3.BoolRef]:
    for fact in derived.facts.values():
        if isinstance(fact, Maybe):
            yield z3.Not(fact.present)
        elif isinstance(fact, LongFact):
            yield fact.term == fact.least


def _nowhere_written(fact: TextFact) -> z3.BoolRef:
    """A name that neither rules nor packs write out, so that it means nothing."""
    return z3.UGE(fact.term, 2 ** (WORD_BITS - 1))


def _looked_up(fact: TextFact) -> bool:
    return str(fact.term).endswith(".instrument") or fact.size_bytes > 0
