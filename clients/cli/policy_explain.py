"""`narrowgate policy explain`: every refusing rule in words with its law, and what each would have needed.

Rule (POLICY 4): a recorded decision is taken again before it is explained, and its verdict is not read; what does not
come out the same is not explained. The command changes nothing and sends nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.gate import decide
from broker.gate.bundle import Bundle, load
from broker.gate.decision import Decision
from broker.gate.explain import Explanation, Ground, Need, explain
from broker.protocol.errors import BadInput
from clients.cli import run


def explain_decision(
    bundle: Annotated[Path, typer.Option("--bundle", metavar="DIR", help="The folder with the rules.")],
    facts: Annotated[
        Path | None,
        typer.Option(
            "--facts", metavar="FILE", help='JSON: {"deposit": ...}, {"admit": ...} or {"release": ...}.'
        ),
    ] = None,
    decision: Annotated[
        Path | None, typer.Option("--decision", metavar="FILE", help="A recorded decision, as it was logged.")
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Explain a refusal: which part of which rule refused, on what facts, and what was needed. Ends with 0."""
    loaded = load(bundle)
    explanation = explain(loaded, _decided(loaded, facts, decision))
    run.show(_members(explanation), "\n".join(_lines(explanation)), as_json=as_json)


def _decided(bundle: Bundle, facts: Path | None, recorded: Path | None) -> Decision:
    if facts is not None and recorded is None:
        return decide.decide_text(bundle, run.read_input(facts, "the facts"))
    if recorded is not None and facts is None:
        try:
            text = run.read_input(recorded, "the decision").decode()
        except UnicodeDecodeError:
            raise BadInput(
                "The file of the decision is no UTF-8 text. Check that it is the right one."
            ) from None
        return decide.replay(bundle, text.strip())
    raise BadInput("Give either the facts to be decided (--facts) or a recorded decision (--decision).")


def _members(explanation: Explanation) -> dict[str, Any]:
    decision = explanation.decision
    return {
        "outcome": decision.outcome,
        "tier": decision.tier,
        "digest": decision.digest.hex(),
        "rules": list(decision.rules),
        "series": len(decision.series),
        "refusing": [
            {
                "rule": each.rule,
                "reason": each.reason,
                "law": each.law,
                "grounds": [
                    {
                        "circumstances": list(ground.circumstances),
                        "series": [one.hex() for one in ground.series],
                        "needed": _needed(ground.need),
                    }
                    for ground in each.grounds
                ],
            }
            for each in explanation.refusing
        ],
        "notes": list(decision.notes),
    }


def _needed(need: Need) -> dict[str, Any]:
    members: dict[str, Any] = {"words": need.words, "facts": dict(need.facts)}
    if need.parts:
        members["one_of" if need.either else "all_of"] = [_needed(each) for each in need.parts]
    return members


def _lines(explanation: Explanation) -> Iterator[str]:
    decision = explanation.decision
    as_tier = f", decided as {decision.tier}" if decision.tier else ""
    yield f"{decision.outcome}{as_tier}"
    if decision.allowed:
        yield f"  by {', '.join(decision.rules)}"
    for each in explanation.refusing:
        yield f"  {each.rule}: {each.reason} ({each.law})"
        for ground in each.grounds:
            yield from _ground_lines(ground, len(decision.series))
    for note in decision.notes:
        yield f"  note: {note}"
    yield f"digest {decision.digest.hex()}"


def _ground_lines(ground: Ground, all_series: int) -> Iterator[str]:
    if ground.series:
        yield f"    refuses {len(ground.series)} of {all_series} series"
    if ground.circumstances:
        yield f"    applies, since {' and '.join(ground.circumstances)}"
    yield from _need_lines(ground.need, "    needed: ", "    ")


def _need_lines(need: Need, prefix: str, indent: str) -> Iterator[str]:
    if len(need.parts) == 1 and not need.either:
        # A part with words of its own, or under circumstances: what it comes to follows on the same line.
        yield from _need_lines(need.parts[0], f"{prefix}{need.words}: ", indent)
        return
    yield f"{prefix}{need.words}"
    for part in need.parts:
        yield from _need_lines(part, f"{indent}  - ", f"{indent}  ")
