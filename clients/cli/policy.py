"""`narrowgate policy`: try the written rules on facts, check a bundle of them, and sign it; without any network.

Rule (POLICY 4): a decision names its outcome, the deciding rules, their reasons and law, the clauses that were missed,
and its digest, which is the same on every machine. A refusal ends with exit code 3, as it would for the one refused.

It changes no rule and asks nobody: the same function decides here, at the broker and at each key holder.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from broker.gate.bundle import load
from broker.gate.decide import decide_text
from broker.gate.decision import Decision
from clients.cli import (
    policy_coverage,
    policy_diff,
    policy_explain,
    policy_prove,
    policy_replay,
    policy_trial,
    rule_officer,
    run,
)

app = run.application("Try the written rules on facts, check a folder of rules, or sign it as an officer.")

BundleFolder = Annotated[Path, typer.Option("--bundle", metavar="DIR", help="The folder with the rules.")]


@app.command()
def decide(
    bundle: BundleFolder,
    facts: Annotated[
        Path,
        typer.Option(
            "--facts", metavar="FILE", help='JSON: {"deposit": ...}, {"admit": ...} or {"release": ...}.'
        ),
    ],
    as_json: run.Json = False,
) -> None:
    """Decide one case by the rules, and say by which of them and why. Ends with 0 if allowed, with 3 if refused."""
    decision = decide_text(load(bundle), run.read_input(facts, "the facts"))
    members = {**decision.model_dump(mode="json", exclude={"facts"}), "digest": decision.digest.hex()}
    run.show(members, "\n".join(_lines(decision)), as_json=as_json)
    if not decision.allowed:
        raise typer.Exit(int(run.ExitCode.REFUSED))


@app.command()
def check(bundle: BundleFolder, as_json: run.Json = False) -> None:
    """Check that a folder of rules is sound, and print its digest and every rule with its reason and law."""
    loaded = load(bundle)
    rules = [
        {"id": rule.id, "effect": rule.effect, "reason": rule.reason, "law": rule.law, "review": rule.review}
        for rule in loaded.rules.values()
    ]
    lines = [f"{rule.id:6} {rule.effect:7} {rule.reason} ({rule.law})" for rule in loaded.rules.values()]
    lines.append(f"{len(rules)} rules, sound. Digest {loaded.digest.hex()}")
    run.show({"digest": loaded.digest.hex(), "rules": rules}, "\n".join(lines), as_json=as_json)


app.command("explain")(policy_explain.explain_decision)
app.command("replay")(policy_replay.replay)
app.command("coverage")(policy_coverage.coverage)
app.command("prove")(policy_prove.prove)
app.command("diff")(policy_diff.diff)
app.command("test")(policy_trial.try_scenarios)
app.command("boundaries")(policy_trial.make_boundaries)
app.command()(rule_officer.officer)
app.command()(rule_officer.sign)


def _lines(decision: Decision) -> Iterator[str]:
    as_tier = f", decided as {decision.tier}" if decision.tier else ""
    yield f"{decision.outcome}{as_tier}"
    for name, reason, law in zip(decision.rules, decision.reasons, decision.law, strict=True):
        yield f"  {name}: {reason}" + (f" ({law})" if law else "")
    for missed in decision.missed:
        yield f"  needed: {missed}"
    for note in decision.notes:
        yield f"  note: {note}"
    yield f"digest {decision.digest.hex()}"
