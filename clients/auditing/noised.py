"""The lists of a transparency report with noise: differential privacy for one request, deposit or act of taking back.

Rule (decision 0019): every list has lines that are known before the log is read (kinds, members, tiers, the rules' own
words), so that a line tells nothing by being there; each line's number gets two-sided geometric noise. A request is in
at most one line of a list, or in `RULES_OF_A_REQUEST` of those by rule; by that bound and its share of epsilon OpenDP
finds the noise. Requests, deposits and acts are different entries, so each has the whole of epsilon. A number below
nought is told as 0. Small numbers are not withheld: what is withheld would depend on the true ones.

The noise is OpenDP's, from the system's randomness and no argument: a seed that can be set can be set again.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.protocol.errors import BadInput
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import AgencyKind, RecordKind, Tier
from clients.auditing.report import (
    ANSWERS,
    DECIDED,
    NOT_VERIFIED,
    TAKEN_BACK,
    Listing,
    Row,
    Told,
    answers,
)

CONFIDENCE_PERCENT = 95
RULES_OF_A_REQUEST = 3
"""More than one rule may refuse a request; of more than three the first three by the decision's order count."""
MOST_MILLIS = 10_000
"""Of epsilon: above 10 the noise hides nobody."""
NOT_KNOWN = "others"
"""An instrument or rule that the rules at hand do not have, or an agency that is no member any more."""


@dataclass(frozen=True)
class KnownRules:
    """The words of the auditor's own copy of the rules: instruments by name; gateways and refusing rules by id, each
    with its reason and law."""

    instruments: tuple[str, ...]
    gateways: Mapping[str, str]
    refusals: Mapping[str, str]


@dataclass(frozen=True)
class Noise:
    """How much may be told: epsilon in thousandths, for the whole report. Without rules, the lists of instruments and
    rules are left out."""

    epsilon_millis: int
    known: KnownRules | None = None


@dataclass(frozen=True)
class _Question:
    """Lists that share one draw: a request, deposit or act changes `bound` of their cells by one at most."""

    bound: int
    lists: tuple["_List", ...]


@dataclass(frozen=True)
class _List:
    key: str
    title: str
    cells: Mapping[str, int]
    explanations: Mapping[str, str]


@dataclass(frozen=True)
class Mechanism:
    """OpenDP's measurement for so many cells, and how far from the truth a number may be."""

    measurement: Any
    epsilon: float
    margin: int
    """In `CONFIDENCE_PERCENT` of 100 draws a number is less than this away."""


def mechanism(cells: int, bound: int, epsilon_millis: int) -> Mechanism:
    """The least two-sided geometric noise on `cells` counts that is differentially private for a change of `bound`.

    Raises BadInput where OpenDP is not installed."""
    dp = _opendp()
    space = dp.vector_domain(dp.atom_domain(T="i64"), size=cells), dp.l1_distance(T="i64")
    epsilon = epsilon_millis / 1000
    scale = dp.binary_search_param(lambda each: dp.m.make_laplace(*space, scale=each), bound, epsilon)
    made = dp.m.make_laplace(*space, scale=scale)
    told = made.map(bound)
    if not told <= epsilon:
        raise BadInput("The noise could not be made as asked. Choose another --epsilon.")
    away = dp.discrete_laplacian_scale_to_accuracy(scale=scale, alpha=1 - CONFIDENCE_PERCENT / 100)
    return Mechanism(made, told, math.ceil(away))


def listings(inside: Sequence[Told], space: Space, noise: Noise) -> tuple[Listing, ...]:
    """The lists of a report about the entries of its period, drawn anew at each call.

    Raises BadInput for an epsilon out of bounds, or without OpenDP."""
    if not 1 <= noise.epsilon_millis <= MOST_MILLIS:
        raise BadInput("--epsilon is a number from 0.001 to 10, such as 1: the smaller, the more noise.")
    requests = _requests(inside, space, noise.known)
    share = noise.epsilon_millis // len(requests)
    if not share:
        raise BadInput("--epsilon is too small to be shared out among the lists.")
    told = [listing for each in requests for listing in _draw(each, share)]
    for question in (_deposits(inside), _acts(inside)):
        told += _draw(question, noise.epsilon_millis)
    return tuple(told)


def _draw(question: _Question, epsilon_millis: int) -> list[Listing]:
    exact = [number for each in question.lists for number in each.cells.values()]
    made = mechanism(len(exact), question.bound, epsilon_millis)
    drawn = iter(made.measurement(exact))
    note = (
        f"Each number is less than {made.margin} away from the true one, in {CONFIDENCE_PERCENT} of 100 draws. They do "
        "not add up to one another."
    )
    if question.bound > 1:
        note += f" Of the rules that decided a request, at most {question.bound} count."
    return [
        Listing(
            each.key,
            each.title,
            tuple(Row(name, max(0, next(drawn)), each.explanations.get(name, "")) for name in each.cells),
            False,
            None,
            note,
        )
        for each in question.lists
    ]


def _requests(inside: Sequence[Told], space: Space, known: KnownRules | None) -> list[_Question]:
    decided = [each for each in inside if each.kind in DECIDED and each.about is not None]
    admitted = [each for each in decided if each.kind == RecordKind.ADMITTED]
    asking = [each.about for each in decided if each.about is not None]
    members = sorted(member.agency_id for member in space.members)
    questions = [
        _one("outcomes", "Requests decided", DECIDED.values(), (DECIDED[each.kind] for each in decided)),
        _one(
            "agency_kinds",
            "By kind of agency that asked",
            AgencyKind,
            (each.requester.kind for each in asking),
        ),
        _one("agencies", "By agency that asked", members, (each.requester.agency_id for each in asking)),
        _one("tiers", "By tier asked for", Tier, (each.tier for each in asking)),
        _one("answers", "What became of admitted requests", ANSWERS, answers(inside, admitted).elements()),
    ]
    if known is None:
        return questions
    names = (NOT_VERIFIED if each.verified is None else each.verified.basis.instrument for each in asking)
    lines = (*known.instruments, NOT_VERIFIED)
    questions.append(_one("instruments", "By legal instrument, as verified", lines, names))
    refused = [each for each in decided if each.kind == RecordKind.REFUSED]
    by_rule = (
        _by_rule("gateways", "Admitted, by the gateway that opened", known.gateways, admitted),
        _by_rule("refusals", "Refused, by rule", known.refusals, refused),
    )
    # A request is admitted or refused, so it is in one of the two lists.
    return [*questions, _Question(RULES_OF_A_REQUEST, by_rule)]


def _by_rule(key: str, title: str, known: Mapping[str, str], decided: Sequence[Told]) -> _List:
    cells = dict.fromkeys((*sorted(known), NOT_KNOWN), 0)
    for each in decided:
        for rule in each.rules[:RULES_OF_A_REQUEST]:
            cells[rule if rule in cells else NOT_KNOWN] += 1
    return _List(key, title, cells, known)


def _one(key: str, title: str, lines: Iterable[str], found: Iterable[str]) -> _Question:
    """A list with a line for each name known beforehand, and one for all others."""
    counted, cells = Counter(found), {str(line): 0 for line in lines}
    others = sum(number for name, number in counted.items() if name not in cells)
    cells |= {name: counted[name] for name in cells}
    if key in ("agencies", "instruments"):
        cells[NOT_KNOWN] = others
    return _Question(1, (_List(key, title, cells, {}),))


def _deposits(inside: Sequence[Told]) -> _Question:
    admitted = [each for each in inside if each.kind == RecordKind.DEPOSIT_ADMITTED]
    kinds = Counter(each.depositor.kind for each in admitted if each.depositor is not None)
    refused = sum(each.kind == RecordKind.DEPOSIT_REFUSED for each in inside)
    cells = {kind.value: kinds[kind] for kind in AgencyKind}
    by_kind = _List("deposits", "Deposits admitted, by kind of contributor", cells, {})
    # A declaration is admitted or refused, so it is in one of the two lists.
    return _Question(1, (by_kind, _List("deposits_refused", "Deposits refused", {"refused": refused}, {})))


def _acts(inside: Sequence[Told]) -> _Question:
    counted = Counter(TAKEN_BACK[each.kind] for each in inside if each.kind in TAKEN_BACK)
    cells = {name: counted[name] for name in TAKEN_BACK.values()}
    return _Question(1, (_List("withdrawals", "What contributors took back or replaced", cells, {}),))


def _opendp() -> Any:
    try:
        import opendp.prelude as dp
    except ImportError:
        raise BadInput(
            "A report with noise needs the library OpenDP, which is not installed here. Install the extra `audit`: "
            "pip install 'narrowgate[audit]'"
        ) from None
    # Its noise is among what the library's authors call contributed: used widely, proofs under review.
    dp.enable_features("contrib")
    return dp
