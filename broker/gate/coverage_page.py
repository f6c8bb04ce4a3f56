"""The coverage of a bundle as a page (Markdown) that a lawyer can read and sign.

Rule: everything that the signature is to cover is on the page, and the page says what is missing: citations that wait
for review, rules that no scenario shows, scenarios that come out otherwise. Time comes in as an argument.
"""

import datetime
from collections.abc import Iterator, Sequence

from broker.gate.bundle import Bundle
from broker.gate.coverage import Coverage, CoveredLaw, CoveredRule

_EFFECTS = {"permit": "opens", "forbid": "refuses", "computed": "refuses, computed by the gate"}


def page(bundle: Bundle, coverage: Coverage, date: datetime.date) -> str:
    """The page, with the block for signatures at its end."""
    return "\n".join(_page(bundle, coverage, date)) + "\n"


def _page(bundle: Bundle, coverage: Coverage, date: datetime.date) -> Iterator[str]:
    waiting = sum(rule.review for rule in coverage.rules)
    yield "# Law, rules and scenarios"
    yield ""
    yield f"Bundle `{coverage.bundle_digest.hex()}`, on {date.isoformat()}."
    yield ""
    yield (
        f"{len(coverage.laws)} laws are cited by {len(coverage.rules)} rules and {len(bundle.instruments)} legal "
        f"instruments, and {len(coverage.stories)} scenarios show what the rules come to. The citations of {waiting} "
        f"rules and of {sum(each.review for each in bundle.instruments.values())} instruments wait for a lawyer."
    )
    for law in coverage.laws:
        yield from _law(law)
    yield from _numbers(bundle)
    yield from _missing(coverage)
    yield from _signature(coverage, date)


def _law(law: CoveredLaw) -> Iterator[str]:
    yield ""
    yield f"## {law.name}"
    yield ""
    if law.rules:
        yield "| rule | does | why, in the words that are told | cited as | review | scenarios |"
        yield "|---|---|---|---|---|---|"
        for rule in law.rules:
            yield _row(
                rule.id,
                _EFFECTS[rule.effect],
                rule.reason,
                rule.law,
                "waits for a lawyer" if rule.review else "no",
                _scenarios(rule),
            )
    else:
        yield "No rule cites it; instruments do."
    if law.instruments:
        yield ""
        yield "| instrument | cited as | opens | review |"
        yield "|---|---|---|---|"
        for each in law.instruments:
            review = "waits for a lawyer" if each.review else "no"
            yield _row(each.name, each.law, ", ".join(each.gateways) or "no gateway", review)


def _scenarios(rule: CoveredRule) -> str:
    told = [
        f"{story.name}: {story.words or 'no story'}" + ("" if story.expected else " (expects nothing)")
        for story in rule.stories
    ]
    return "<br>".join(told) or "NONE"


def _numbers(bundle: Bundle) -> Iterator[str]:
    yield ""
    yield "## Numbers"
    yield ""
    yield "| number | value |"
    yield "|---|---|"
    for name, value in bundle.limits.model_dump().items():
        yield _row(name, str(value))


def _missing(coverage: Coverage) -> Iterator[str]:
    yield ""
    yield "## What is missing"
    yield ""
    yield from _listed("Rules without a scenario", coverage.rules_without_scenario)
    yield from _listed("Scenarios that do not say what is expected", coverage.scenarios_without_expectation)
    yield from _listed(
        "Scenarios that come out otherwise than expected", coverage.scenarios_decided_otherwise
    )
    waiting = [rule.id for rule in coverage.rules if rule.review]
    yield from _listed("Rules whose citation waits for a lawyer", waiting)


def _listed(title: str, names: Sequence[str]) -> Iterator[str]:
    yield f"- {title}: {', '.join(names) or 'none'}."


def _signature(coverage: Coverage, date: datetime.date) -> Iterator[str]:
    yield ""
    yield "## Signature"
    yield ""
    yield (
        f"I have read the rules, instruments, numbers and scenarios above, of bundle `{coverage.bundle_digest.hex()}`, "
        f"as of {date.isoformat()}. For my jurisdiction I find the citations right, but for:"
    )
    for line in ("Exceptions", "Name and office", "Jurisdiction", "Place and date", "Signature"):
        yield ""
        yield f"{line}: ________________________________________"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |"
