"""The invariants that compare two requests: what a change of some facts alone may never do to the outcome.

Rule: each says that a request which is allowed stays allowed when the facts named are changed in one direction, over
all requests and all such changes; `no_rule_ever_errs` says of every single request that no rule errs. A claim can do
nothing but refuse (POLICY 1): whatever is claimed, the answer is no better than for claims that say what the legal desk
found, in a form that is filled in.

They are code because Cedar speaks of one request at a time. Names, reasons and law are as in `invariants/`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import z3

from broker.gate.decision import Action
from broker.gate.proving.facts import Facts
from broker.gate.proving.leaves import (
    Assignment,
    ChoiceFact,
    CountedFact,
    Fact,
    Group,
    LongFact,
    SetFact,
    StatedFact,
    TextFact,
    TruthFact,
)
from broker.gate.proving.shape import group_of, term_of
from broker.gate.proving.space import Space
from broker.gate.proving.verdict import Rules
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.vocabulary import Tier, Urgency

Changes = list[tuple[Any, Any]]
"""Variables, and what stands in their place in the other request."""


UNSHOWN = (
    "{}: the engine would break this, though no request whose series are under the same conditions shows it, so that "
    "there is none to print. Tell the maintainers."
)


@dataclass(frozen=True)
class Relation:
    """An allowed request stays allowed under `change`, which gives the changes and what is true of them, and which
    leaves the tier that the gate asks about as it is.

    Without a change: no request makes a rule err. `allowed` is what the engine must say of each request shown."""

    name: str
    reason: str
    law: str
    actions: tuple[Action, ...]
    change: Callable[[Facts], tuple[Changes, list[z3.BoolRef]]] | None
    allowed: tuple[bool, ...] = (True, False)

    def search(self, space: Space, rules: Rules, action: Action) -> tuple[Assignment, ...] | None:
        """A request, and the changed one, that break it; None when it holds. Raises VerificationFailed."""
        verdicts = space.verdicts[0]
        if self.change is None:
            found = space.find(verdicts.errs(action, rules))
            return None if found is None else (found,)
        changes, true_of_them = self.change(space.facts)
        tier = verdicts.asked[action].gates_tier
        true_of_them.append(tier == z3.substitute(tier, *changes))
        refused = z3.substitute(z3.Not(verdicts.allowed(action, rules)), *changes)
        if space.find(verdicts.allowed(action, rules), refused, *true_of_them) is None:
            return None
        found = space.find(verdicts.decided(action, rules), refused, *true_of_them)
        if found is None:
            raise VerificationFailed(UNSHOWN.format(self.name))
        first = found
        return first, lambda term: first(z3.substitute(term, *changes))


def _found_instead_of_claimed(facts: Facts) -> tuple[Changes, list[z3.BoolRef]]:
    """The claims say what the legal desk found, and the form is filled in."""
    request = facts.request.facts
    claims, verified = group_of(request["claims"]), group_of(request["verified"])
    place = group_of(request["requester"]).facts["jurisdiction"]
    changes: Changes = []
    for name, fact in claims.facts.items():
        found = place if name == "place" else verified.facts.get(name)
        changes += (
            _made_equal(fact, found) if found is not None else [(_single(fact), _filled_in(facts, fact))]
        )
    return changes, []


def _filled_in(facts: Facts, fact: Fact) -> Any:
    """What stands in a form that asks for nothing out of the ordinary."""
    if isinstance(fact, StatedFact):
        return z3.BoolVal(True)
    if isinstance(fact, TruthFact):
        return z3.BoolVal(False)
    if isinstance(fact, LongFact):
        return z3.IntVal(1)
    return facts.vocabulary.word(Urgency.NORMAL if isinstance(fact, ChoiceFact) else "as-stated")


def _more_approvals(facts: Facts) -> tuple[Changes, list[z3.BoolRef]]:
    return _numbers(group_of(facts.request.facts["people"]), ("approvers", "reviewers"), more=True)


def _fewer_identifiers(facts: Facts) -> tuple[Changes, list[z3.BoolRef]]:
    changes, bounds = _numbers(facts.request, ("identifiers", "points"), more=False)
    (_, identifiers), (_, points) = changes
    return changes, [*bounds, identifiers >= 1, points == identifiers]


def _fewer_hits(facts: Facts) -> tuple[Changes, list[z3.BoolRef]]:
    return _numbers(facts.result, ("hits",), more=False)


def _lighter_ledger(facts: Facts) -> tuple[Changes, list[z3.BoolRef]]:
    return _numbers(
        group_of(facts.request.facts["derived"]), ("identifiers_30d", "overdue_reviews"), more=False
    )


def _wider_permission(facts: Facts) -> tuple[Changes, list[z3.BoolRef]]:
    """The contributor permits all it did, and some more."""
    changes: Changes = []
    for name, fact in facts.conditions.facts.items():
        if isinstance(fact, SetFact):
            for word, term in fact.members.items():
                changes.append((term, z3.Or(term, z3.Bool(f"more {name}.{word}"))))
    tier = _single(facts.conditions.facts["highest_tier"])
    wider = z3.BitVec("more highest_tier", tier.size())
    ladder = [facts.vocabulary.word(each) for each in Tier]
    steps = [
        z3.And(tier == lower, wider == higher)
        for place, lower in enumerate(ladder)
        for higher in ladder[place:]
    ]
    return [*changes, (tier, wider)], [z3.Or(steps)]


def _numbers(group: Group, names: tuple[str, ...], *, more: bool) -> tuple[Changes, list[z3.BoolRef]]:
    """Other values of some numbers, none less (or none more) than before, within the bounds of their types."""
    changes: Changes = []
    bounds: list[z3.BoolRef] = []
    for name in names:
        fact = group.facts[name]
        number = fact.number if isinstance(fact, CountedFact) else fact
        assert isinstance(number, LongFact)
        other = LongFact(z3.Int(f"other {name}"), number.least, number.greatest)
        bounds += [*other.well_formed(), other.term >= number.term if more else other.term <= number.term]
        changes.append((number.term, other.term))
    return changes, bounds


def _made_equal(fact: Fact, found: Fact) -> Iterator[tuple[Any, Any]]:
    if isinstance(fact, Group) and isinstance(found, Group):
        for name, each in fact.facts.items():
            yield from _made_equal(each, found.facts[name])
    elif isinstance(fact, SetFact) and isinstance(found, SetFact):
        yield from ((term, found.members[word]) for word, term in fact.members.items())
    else:
        yield _single(fact), _single(found)


def _single(fact: Fact) -> Any:
    assert isinstance(fact, TruthFact | StatedFact | LongFact | ChoiceFact | TextFact)
    return term_of(fact)


_ASKED: tuple[Action, ...] = ("admit", "release")

RELATIONS: Mapping[str, Relation] = MappingProxyType(
    {
        relation.name: relation
        for relation in (
            Relation(
                "a_claim_never_opens",
                "Whatever a requester claims, the answer is no better than for claims that say what the desk found.",
                "Directive (EU) 2016/680 art 7: facts are told apart from what is merely said",
                _ASKED,
                _found_instead_of_claimed,
            ),
            Relation(
                "more_approvals_never_refuse",
                "A request that is allowed stays so when more persons approve or review it.",
                "Narrowgate rule: nobody gains by leaving a reviewer out",
                _ASKED,
                _more_approvals,
            ),
            Relation(
                "a_smaller_request_is_never_refused",
                "A request that is allowed stays so when it names fewer identifiers.",
                "Directive (EU) 2016/680 art 4(1)(c): asking for less is never the worse way",
                ("admit",),
                _fewer_identifiers,
            ),
            Relation(
                "fewer_hits_never_refuse",
                "A result that may leave may also leave with fewer hits.",
                "Directive (EU) 2016/680 art 4(1)(c)",
                ("release",),
                _fewer_hits,
            ),
            Relation(
                "who_asked_less_is_never_refused",
                "A request that is allowed stays so when the agency asked less before and owes fewer reviews.",
                "Directive (EU) 2016/680 art 4(1)(c)",
                _ASKED,
                _lighter_ledger,
            ),
            Relation(
                "who_permits_less_never_gives_more",
                "What is allowed under narrow conditions of a contributor is allowed under wider ones: to permit less "
                "never opens anything.",
                "GDPR art 5(1)(b), 7(3)",
                _ASKED,
                _wider_permission,
            ),
            Relation(
                "no_rule_ever_errs",
                "No rule errs for any request whose numbers are within their bounds, so that none is ever refused for "
                "an error; and an error, should there be one, refuses.",
                "Narrowgate rule: in doubt, no",
                ("deposit", "admit", "release"),
                None,
                (False,),
            ),
        )
    }
)
"""By name."""
