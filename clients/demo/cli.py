"""`narrowgate demo`: run the story and print it, or one JSON object with its figures."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.demo import acts, checks, data, lanes, order, parties
from clients.demo.narration import Narrator
from clients.demo.processes import DemoFailed, Processes, free_ports
from clients.demo.story import Story, tell_together

_ACTS = (
    acts.police_counts,
    order.production_order,
    lanes.survivors_report,
    lanes.no_consent,
    lanes.national_order,
    lanes.police_to_police,
    lanes.companies_among_themselves,
    lanes.authority_in_the_voluntary_lane,
    lanes.emergency,
    acts.fishing,
    acts.hidden_purpose,
    acts.no_lane,
    acts.outside_mandate,
)
"""What does not wait for one another, in the order in which it is told."""


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
    """Tell the whole story on this machine: deposits, a count, hits, sources and payload, refusals, an audit.

    Broker, key holders, agencies and the people who approve are processes of their own and meet over loopback HTTP.
    All data is made up, in ranges reserved for fiction.
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
    ports = free_ports(1 + parties.HOLDER_COUNT + len(parties.WITNESSES))
    broker, *others = [f"http://127.0.0.1:{port}" for port in ports]
    holders, witnesses = others[: parties.HOLDER_COUNT], others[parties.HOLDER_COUNT :]
    places = parties.Places(root, broker, tuple(holders), policies, tuple(witnesses))
    (root / "logs").mkdir(parents=True)
    narrator.title(
        "Narrowgate",
        "Many agencies' files, one question at a time, and nobody learns more than the law lets them",
    )
    with Processes(root / "logs") as processes:
        _come_together(processes, places, narrator)
        tale = Story(processes, places, data.generate(root / "files", seed), narrator)
        series = acts.contributors_deposit(tale)
        tell_together(tale, _ACTS)
        acts.withdrawal(tale, series)
        checks.audit(tale)
        checks.dishonest_broker(tale)
        roles = [{"role": role, "pid": pid} for role, pid in processes.started]
    seconds = round(time.monotonic() - started, 1)
    narrator.act(f"Done in {seconds} seconds")
    narrator.says("All files", f"are kept in {root}." if kept else "are removed; --keep DIR keeps them.")
    return {
        "deposits": tale.deposits,
        "requests": tale.requests,
        "count": tale.count,
        "processes": roles,
        "log": tale.log,
        "seconds": seconds,
    }


def _come_together(processes: Processes, places: parties.Places, narrator: Narrator) -> None:
    narrator.act(
        "A broker, two witnesses, three key holders, six agencies, a legal desk, an auditor, six people who "
        "approve and two officers come together"
    )
    parties.make_parties(processes, places)
    parties.found_space(processes, places)
    narrator.says(
        "The adverts company", "founded a space; everybody pinned it from a file, not from the broker."
    )
    narrator.says(
        "Two officers", "signed the rules; broker and key holders put them in force, each by itself."
    )
    narrator.says("Any two", "of the three holders must agree before anything is evaluated.")
    narrator.says(
        "An ombudsman and a university",
        "must both have cosigned the broker's log before any permit or answer leaves it, and so for the key holders.",
    )
    narrator.says(
        "A supervisor, a prosecutor, a judge and a reviewer",
        "stand behind what police may learn; a company has two people of its own.",
    )
