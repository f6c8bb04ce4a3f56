"""`narrowgate policy coverage`: law to rules to scenarios, as a page that a lawyer can read and sign.

Rule (POLICY 4): the page is made from the folder of rules alone and names its digest; what is missing is on it.
"""

import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.gate.bundle import load
from broker.gate.coverage import Coverage, CoveredRule, cover, read_stories
from broker.gate.coverage_page import page
from broker.protocol.errors import BadInput
from clients.cli import run


def coverage(
    bundle: Annotated[
        Path, typer.Option("--bundle", metavar="DIR", help="The folder with the rules and their scenarios.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the page there instead of printing it."),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="YYYY-MM-DD", help="The day the page is for. Default: today, UTC."),
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Show which rules and instruments cite which law, which scenarios each rule decides, and what is missing."""
    loaded = load(bundle)
    covered = cover(loaded, read_stories(bundle))
    written = page(loaded, covered, _date(date))
    if out is None:
        run.show(_members(covered), written.rstrip("\n"), as_json=as_json)
        return
    run.write_output(out, written)
    missing = len(covered.rules_without_scenario)
    words = f"Wrote the page. {len(covered.rules)} rules, {missing} without a scenario."
    run.show(_members(covered), words, as_json=as_json)


def _date(text: str | None) -> datetime.date:
    if text is None:
        return datetime.datetime.fromtimestamp(run.clock(), datetime.UTC).date()
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise BadInput("--date is a day as YYYY-MM-DD.") from None


def _members(covered: Coverage) -> dict[str, Any]:
    return {
        "bundle_digest": covered.bundle_digest.hex(),
        "laws": [
            {
                "name": law.name,
                "rules": [_rule(rule) for rule in law.rules],
                "instruments": [
                    {
                        "name": each.name,
                        "law": each.law,
                        "gateways": list(each.gateways),
                        "review": each.review,
                    }
                    for each in law.instruments
                ],
            }
            for law in covered.laws
        ],
        "rules_without_scenario": list(covered.rules_without_scenario),
        "scenarios_without_expectation": list(covered.scenarios_without_expectation),
        "scenarios_decided_otherwise": list(covered.scenarios_decided_otherwise),
    }


def _rule(rule: CoveredRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "effect": rule.effect,
        "reason": rule.reason,
        "law": rule.law,
        "review": rule.review,
        "scenarios": [{"name": story.name, "story": story.words} for story in rule.stories],
    }
