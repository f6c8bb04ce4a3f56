"""`narrowgate policy test` and `narrowgate policy boundaries`: a bundle held to its scenarios, and they to its mutants.

Rule (POLICY 4, issue 4): a scenario names the decision and the exact rules; of all mutants that differ from the rules
at least 95% are killed, and those that live are listed. Anything less exits with 4. Expected outcomes are never made
anew in silence: `boundaries --write` writes them where a reviewer sees what changed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.gate.bundle import Bundle, load
from broker.gate.testing.boundaries import FILE, cases, read_boundaries, written
from broker.gate.testing.scenarios import Judged, Scenario, judge, read_scenarios
from broker.protocol.errors import VerificationFailed
from clients.cli import run

BundleFolder = Annotated[
    Path, typer.Option("--bundle", metavar="DIR", help="The folder with the rules and their scenarios.")
]


def try_scenarios(
    bundle: BundleFolder,
    mutation: Annotated[
        bool,
        typer.Option(
            "--mutation", help="Also try every slip in the rules on the scenarios; takes a few minutes."
        ),
    ] = False,
    as_json: run.Json = False,
) -> None:
    """Decide every scenario and boundary case, and with --mutation say how many slips in the rules they would catch.

    Ends with 4 when a case comes out otherwise than expected, or fewer than 95% of the slips would be caught."""
    loaded, stories = load(bundle), read_scenarios(bundle)
    at_the_edges = cases(read_boundaries(bundle), stories)
    told, bounded = judge(loaded, stories), judge(loaded, at_the_edges)
    failed = [each for each in (*told, *bounded) if not each.passed]
    members: dict[str, Any] = {
        "digest": loaded.digest.hex(),
        "scenarios": _counted(told),
        "boundaries": _counted(bounded),
        "failed": [_members(each) for each in failed],
    }
    lines = [*_in_words(told, "scenarios"), *_in_words(bounded, "boundary cases")]
    enough = True
    if mutation and failed:
        lines.append("Mutants were not tried: cases that fail cannot tell a mutant from the rules.")
    elif mutation:
        found, told_of, enough = _mutation(loaded, (*stories, *at_the_edges))
        members |= {"mutation": found}
        lines += told_of
    run.show(members, "\n".join(lines), as_json=as_json)
    if failed or not enough:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def make_boundaries(
    bundle: BundleFolder,
    write: Annotated[
        bool, typer.Option("--write", help=f"Write {FILE}; without it only say whether it would change.")
    ] = False,
    as_json: run.Json = False,
) -> None:
    """Make the boundary cases anew from the rules and their scenarios; takes some minutes. Review what changed.

    Without --write it changes nothing, and ends with 4 when the file is not what would be written."""
    # Imported on use: the prover's library takes long to load.
    from broker.gate.testing.generating.lines import generate

    loaded, stories = load(bundle), read_scenarios(bundle)
    failed = [each.scenario.name for each in judge(loaded, stories) if not each.passed]
    if failed:
        raise VerificationFailed(
            f"{len(failed)} scenarios fail; see `narrowgate policy test`. Mend them first."
        )
    made = generate(loaded, stories, run.say)
    changed = written(made) != written(read_boundaries(bundle))
    if write and changed:
        run.write_output(bundle / FILE, written(made))
    done = "as it was" if not changed else "written anew: review its changes" if write else "not what it was"
    words = f"{len(made)} lines with {len(cases(made, stories))} cases; the file is {done}."
    run.show({"lines": len(made), "changed": changed, "written": write and changed}, words, as_json=as_json)
    if changed and not write:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def _counted(judged: Sequence[Judged]) -> dict[str, int]:
    passed = sum(each.passed for each in judged)
    return {"passed": passed, "failed": len(judged) - passed}


def _members(judged: Judged) -> dict[str, Any]:
    return {
        "name": judged.scenario.name,
        "story": judged.scenario.case.story,
        "expected": judged.scenario.expected.model_dump(mode="json"),
        "decided": judged.decided.model_dump(mode="json"),
    }


def _in_words(judged: Sequence[Judged], what: str) -> Iterator[str]:
    counted = _counted(judged)
    yield f"{counted['passed']} {what} pass, {counted['failed']} fail."
    for each in judged:
        if not each.passed:
            yield f"  {each.scenario.name}"
            if each.scenario.case.story:
                yield f"    {each.scenario.case.story}"
            yield f"    expected {_outcome(each.scenario.expected)}, decided {_outcome(each.decided)}"


def _outcome(expected: Any) -> str:
    as_tier = f" as {expected.tier}" if expected.tier else ""
    return f"{expected.outcome}{as_tier} by {', '.join(expected.rules)}"


def _mutation(bundle: Bundle, scenarios: Sequence[Scenario]) -> tuple[dict[str, Any], list[str], bool]:
    """The score as JSON, in words, and whether it is enough."""
    from broker.gate.testing.scoring import LEAST_PERCENT, all_mutants, score

    with run.progress("Trying mutants") as update:
        scored = score(bundle, all_mutants(bundle), scenarios, update)
    alive = [
        {"mutant": each.mutant.name, "killed_by_facts": _witness(each.proved.witness)}
        for each in scored.different
    ]
    members = {
        "mutants": scored.mutants,
        "killed": scored.killed,
        "different_but_alive": alive,
        "not_different": [each.mutant.name for each in scored.survivors if not each.proved.different],
        "percent": round(scored.percent, 2),
        "least_percent": LEAST_PERCENT,
    }
    same = len(scored.survivors) - len(alive)
    lines = [
        f"{scored.mutants} mutants: {scored.killed} killed, {len(alive)} live, {same} change no decision.",
        f"Score {scored.percent:.2f}%; at least {LEAST_PERCENT}% is asked for.",
        *(
            f"  lives: {each.mutant.name}"
            + (" (no case is known that shows it)" if each.proved.undecided else "")
            for each in scored.different
        ),
    ]
    return members, lines, scored.enough


def _witness(witness: Any) -> Any:
    return None if witness is None else witness.model_dump(mode="json", exclude_none=True)
