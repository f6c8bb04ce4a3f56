"""`narrowgate policy prove`: the invariants of a bundle, proved over every request and not sampled.

Rule (POLICY 4): each invariant is named with what it says; one that fails is shown by a request, as JSON that
`narrowgate policy decide` takes, with the decision that the engine itself came to. Ends with 4 if one fails.

It proves nothing itself: see `broker.gate.proving.prove`.
"""

import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.gate.bundle import load
from broker.protocol.errors import NotFound
from clients.cli import run

if TYPE_CHECKING:
    from broker.gate.proving.prove import Counterexample, Result


def prove(
    bundle: Annotated[Path, typer.Option("--bundle", metavar="DIR", help="The folder with the rules.")],
    invariant: Annotated[
        str | None, typer.Option("--invariant", metavar="NAME", help="Prove this one alone.")
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Prove that no request whatever gets round the invariants of a folder of rules, or show the request that does.

    Ends with 0 if all are proved, with 4 if one is not."""
    need_solver()
    from broker.gate.proving.invariants import read_invariants
    from broker.gate.proving.prove import Prover

    loaded = load(bundle)
    prover = Prover.of(loaded, read_invariants(bundle, loaded))
    if invariant is None:
        results = list(prover.prove_all(_clock_milliseconds))
    else:
        results = [prover.prove(invariant, _clock_milliseconds)]
    broken = [result for result in results if not result.proved]
    members = {"digest": loaded.digest.hex(), "invariants": [_members(result) for result in results]}
    lines = [line for result in results for line in _lines(result)]
    milliseconds = sum(result.milliseconds for result in results)
    lines.append(
        f"{len(results) - len(broken)} of {len(results)} invariants proved in {milliseconds / 1000:.1f} s. "
        f"Digest {loaded.digest.hex()}"
    )
    run.show(members, "\n".join(lines), as_json=as_json)
    if broken:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def need_solver() -> None:
    """Raises NotFound where the solver is not installed."""
    if importlib.util.find_spec("z3") is None:
        raise NotFound("The prover is not installed here. Install narrowgate with its extra [policy].")


def _clock_milliseconds() -> float:
    return time.perf_counter() * 1000


def _members(result: "Result") -> dict[str, Any]:
    from broker.gate.proving.witness import members_of

    members: dict[str, Any] = {
        "name": result.name,
        "reason": result.reason,
        "law": result.law,
        "proved": result.proved,
        "milliseconds": result.milliseconds,
    }
    broken = result.counterexample
    if broken is not None:
        shown = [(broken.case, broken.decision), (broken.other_case, broken.other_decision)]
        members["requests"] = [
            {
                "facts": members_of(case),
                "outcome": decision.outcome,
                "tier": decision.tier,
                "rules": decision.rules,
            }
            for case, decision in shown
            if case is not None and decision is not None
        ]
    return members


def _lines(result: "Result") -> Iterator[str]:
    if result.counterexample is None:
        yield f"proved in {result.milliseconds:5} ms  {result.name}: {result.reason}"
        return
    yield f"BROKEN                {result.name}: {result.reason} ({result.law})"
    yield from _shown(result.counterexample)


def _shown(broken: "Counterexample") -> Iterator[str]:
    from broker.gate.proving.witness import members_of

    shown = [(broken.case, broken.decision), (broken.other_case, broken.other_decision)]
    for case, decision in shown:
        if case is None or decision is None:
            continue
        as_tier = f", decided as {decision.tier}" if decision.tier else ""
        yield f"  This is decided {decision.outcome}{as_tier}, by {', '.join(decision.rules)}:"
        yield json.dumps(members_of(case), indent=1)
