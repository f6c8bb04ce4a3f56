"""Random Cedar conditions over the bundle's schema: of the right types, but with sums that overflow and facts that are
missing as often as not, so that errors are met in every place."""

import random

_LONGS = [
    "context.now", "context.identifiers", "context.points", "context.people.approvers", "context.derived.hits90d",
    "context.derived.priorDecidedAt", "context.limit.hitsIdentifiers", "context.result.hits", "resource.retainUntil",
    "context.verified.facts.maximumPenaltyMonths", "context.claimed.retentionDays",
]  # fmt: skip
_CONSTANTS = [0, 1, 2, -1, 10, 500, 86_400, 2**31, 2**62, 2**63 - 1, -(2**63), 4_611_686_018]
_TRUTHS = [
    "principal.suspended", "context.escalated", "context.verified.threatToLife", "context.derived.confirmed",
    "context.claimed.onwardTransfer", "context.instrument.inForce", "context has verified", "context has result",
    "context.people.independentReview", "context has verified.facts", "principal has mandates", "resource has nothing",
]  # fmt: skip
_WORDS = [
    "context.tier", "principal.kind", "resource.consent", "context.claimed.urgency", "context.derived.priorTier",
    "context.verified.facts.purpose", "context.claimed.facts.basis.instrument", "resource.establishedIn",
    "principal.jurisdiction", "context.result.contributorAnswer", '"police"', '"hits"', '"NL"', '"none"',
]  # fmt: skip
_SETS = [
    "principal.mandates", "context.lane", "context.instrument.issuers", "resource.permittedTiers",
    "context.verified.facts.subjects", "resource.permittedReaders", '["hits", "sources"]', '["police"]', '["G2"]',
]  # fmt: skip
_RECORDS = ["context.claimed.facts", "context.verified.facts", "context.claimed.facts.basis"]


def truth(dice: random.Random, depth: int = 4) -> str:
    """A condition."""
    if depth == 0 or dice.random() < 0.1:
        return dice.choice([*_TRUTHS, "true", "false"])
    match dice.randrange(10):
        case 0 | 1:
            return f"({truth(dice, depth - 1)} && {truth(dice, depth - 1)})"
        case 2 | 3:
            return f"({truth(dice, depth - 1)} || {truth(dice, depth - 1)})"
        case 4:
            return f"!({truth(dice, depth - 1)})"
        case 5:
            parts = (truth(dice, depth - 1) for _ in range(3))
            return "(if {} then {} else {})".format(*parts)
        case 6:
            return f"({dice.choice(_RECORDS)} {dice.choice(['==', '!='])} {dice.choice(_RECORDS)})"
        case 7:
            return _of_sets(dice)
        case _:
            operator = dice.choice(["<", "<=", ">", ">=", "==", "!="])
            return f"({_long(dice, depth - 1)} {operator} {_long(dice, depth - 1)})"


def _long(dice: random.Random, depth: int) -> str:
    if depth == 0 or dice.random() < 0.3:
        return dice.choice(_LONGS) if dice.random() < 0.6 else str(dice.choice(_CONSTANTS))
    match dice.randrange(6):
        case 0:
            return f"(-({_long(dice, depth - 1)}))"
        case 1:
            return (
                f"(if {truth(dice, depth - 1)} then {_long(dice, depth - 1)} else {_long(dice, depth - 1)})"
            )
        case _:
            return f"({_long(dice, depth - 1)} {dice.choice('+-*')} {_long(dice, depth - 1)})"


def _of_sets(dice: random.Random) -> str:
    one, other, word = dice.choice(_SETS), dice.choice(_SETS), dice.choice(_WORDS)
    return dice.choice(
        [
            f"{one}.contains({word})",
            f"{one}.containsAll({other})",
            f"{one}.containsAny({other})",
            f"{one}.isEmpty()",
            f"({one} == {other})",
            f"({word} == {dice.choice(_WORDS)})",
            f"[{word}, {dice.choice(_WORDS)}].contains({dice.choice(_WORDS)})",
            f"({{a: {word}, b: 1}} == {{a: {dice.choice(_WORDS)}, b: 1}})",
            "(principal is Narrowgate::Agency)",
            '(action in [Narrowgate::Action::"admit", Narrowgate::Action::"deposit"])',
            f'(principal == Narrowgate::Agency::"{dice.choice(["unit-1", "unit-2"])}")',
        ]
    )
