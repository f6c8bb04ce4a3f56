"""`narrowgate policy replay`: which past decisions a new bundle would have taken differently.

Rule (POLICY 4): listed ALLOW to DENY and DENY to ALLOW, each by its index in the log; what lacks facts is listed as not
decidable. It changes nothing and asks nobody: the log is an auditor's mirror, or a file of its records.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from broker.gate.bundle import load
from broker.protocol.messages.base import read
from broker.protocol.messages.log import RecordPage
from clients.auditor import recorded_decisions
from clients.cli import run
from clients.cli.audit_log import auditor_of
from clients.reconsidering import Change, Reconsidered, reconsider_all


def replay(
    bundle: Annotated[Path, typer.Option("--bundle", metavar="DIR", help="The folder with the new rules.")],
    log: Annotated[
        Path,
        typer.Option(
            "--log",
            metavar="PATH",
            help="An auditor's home with a mirror, or a file with one page of records (JSON) a line.",
        ),
    ],
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """List the logged decisions that a new folder of rules would have taken differently. Ends with 0."""
    loaded = load(bundle)
    decisions = auditor_of(run.open_home(log), space_id).decisions() if log.is_dir() else _decisions(log)
    report = reconsider_all(loaded, decisions)
    members = {"bundle_digest": loaded.digest.hex(), "mirrored": log.is_dir(), **asdict(report)}
    run.show(members, "\n".join(_lines(report)), as_json=as_json)


def _decisions(path: Path) -> Iterator[tuple[int, str]]:
    """From a file of pages as an auditor is served them; nothing is verified, as the leaves are not at hand."""
    for line in run.read_input(path, "the log's records").splitlines():
        for logged in read(RecordPage, line).records if line.strip() else ():
            for text in recorded_decisions(logged.record):
                yield logged.index, text


def _lines(report: Reconsidered) -> Iterator[str]:
    yield f"{report.same} of {report.decisions} decisions would have been taken the same."
    for title, changes in (
        ("ALLOW to DENY", report.allow_to_deny),
        ("DENY to ALLOW", report.deny_to_allow),
        ("same outcome, otherwise different", report.otherwise),
    ):
        yield f"{title}: {len(changes)}"
        yield from (_line(each) for each in changes)
    yield f"not decidable: {len(report.undecidable)}"
    yield from (f"  entry {each.index}: {each.reason}" for each in report.undecidable)


def _line(change: Change) -> str:
    before, after = (
        f"{side.tier or change.action} for {side.series} series by {', '.join(side.rules)}"
        if change.action != "deposit"
        else f"by {', '.join(side.rules)}"
        for side in (change.before, change.after)
    )
    return f"  entry {change.index}, {change.action}: was {before}; would be {after}"
