"""`narrowgate demo`: run the story and print it, or one JSON object with its figures."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.demo import checks, data, parties, story
from clients.demo.narration import Narrator
from clients.demo.processes import DemoFailed, Processes, free_ports


def demo(
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Keep every file of the run in this new folder.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Fixes the made-up data: same seed, same files.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the story.")
    ] = False,
    policies: Annotated[
        Path, typer.Option("--bundle", help="The folder with the rules.", exists=True, file_okay=False)
    ] = Path("policies"),
) -> None:
    """Tell the whole story on this machine: deposits, a count, hits, refusals, a withdrawal, an audit.

    Broker, key holders and agencies are processes of their own and meet over loopback HTTP. All data is made up, in
    ranges reserved for fiction.
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise typer.BadParameter("the folder is not empty; name a new one", param_hint="--keep")
    root = keep if keep is not None else Path(tempfile.mkdtemp(prefix="narrowgate-demo-"))
    try:
        report = _tell(
            root.resolve(), seed, policies.resolve(), Narrator(quiet=as_json), kept=keep is not None
        )
    except DemoFailed as error:
        sys.stderr.write(f"The demo stopped: {error}\n")
        raise typer.Exit(1) from None
    finally:
        if keep is None:
            shutil.rmtree(root, ignore_errors=True)
    if as_json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")


def _tell(root: Path, seed: int, policies: Path, narrator: Narrator, *, kept: bool) -> dict[str, Any]:
    started = time.monotonic()
    ports = free_ports(1 + parties.HOLDER_COUNT)
    origins = [f"http://127.0.0.1:{port}" for port in ports]
    places = parties.Places(root, origins[0], tuple(origins[1:]), policies)
    (root / "logs").mkdir(parents=True)
    narrator.title(
        "Narrowgate", "Two agencies' files, one question, and nobody learns more than the law lets them"
    )
    with Processes(root / "logs") as processes:
        narrator.act(
            1, "A broker, three key holders, four agencies, a legal desk and an auditor come together"
        )
        parties.make_parties(processes, places)
        parties.found_space(processes, places)
        narrator.says(
            "The adverts company", "founded a space; everybody pinned it from a file, not from the broker."
        )
        narrator.says("Any two", "of the three holders must agree before anything is evaluated.")
        tale = story.Story(processes, places, data.generate(root / "files", seed), narrator)
        series = story.contributors_deposit(tale)
        story.police_counts(tale)
        story.police_hits(tale)
        story.refusals(tale)
        checks.dishonest_broker(tale)
        story.withdrawal(tale, series)
        checks.audit(tale)
        roles = [{"role": role, "pid": pid} for role, pid in processes.started]
    seconds = round(time.monotonic() - started, 1)
    narrator.act(11, f"Done in {seconds} seconds")
    narrator.says("All files", f"are kept in {root}." if kept else "are removed; --keep DIR keeps them.")
    return {
        "deposits": tale.deposits,
        "requests": tale.requests,
        "count": tale.count,
        "processes": roles,
        "log": tale.log,
        "seconds": seconds,
    }
