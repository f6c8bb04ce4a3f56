"""`narrowgate audit`: verify the broker's log, decide recorded cases again, and read single entries.

Rule: a log that does not verify, and a decision that comes out otherwise, exit with 4. No command believes the
broker: keys come from the pinned space document, rules from the auditor's own folder. Draws are in
`clients.cli.draw`, what is read in the mirror in `clients.cli.audit_reading`, key holders' logs in
`clients.cli.audit_holders`.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.auditor import AuditFailed, Auditor, AuditReport
from clients.cli import audit_holders, audit_reading, draw, receipt, run
from clients.home import Home
from clients.watched_log import broker_log

app = run.application("Auditor: verify the broker's log, and decide past cases again.")

_TRIAL = "TRIAL: no witness cosigned the log, so the broker could show another log to somebody else."


@app.command()
def verify(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Mirror what is new in the log and verify all of it: root, growth, and every record against its leaf.

    Reading the records is itself recorded. Two signed logs that do not fit each other are kept as evidence.
    """
    auditor = auditor_of(run.open_home(directory), space_id)
    try:
        with run.progress("Mirroring") as update:
            report = auditor.verify(update)
    except AuditFailed as error:
        if as_json:
            run.print_json(_report(error.report) | {"detail": error.detail, "evidence": error.evidence})
        run.say(error.detail)
        if error.evidence is not None:
            run.say(f"Evidence: {error.evidence}")
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED)) from None
    lines = [
        f"{report.size} entries of {report.origin} give the signed root {(report.root or b'').hex()}.",
        *(f"  {kind}: {number}" for kind, number in report.kinds.items()),
    ]
    if report.erased:
        lines.append(f"{report.erased} records were erased at the broker; their leaves stand.")
    if report.trial:
        lines.append(_TRIAL)
    run.show(_report(report), "\n".join(lines), as_json=as_json)


@app.command()
def replay(
    directory: run.HomeFolder,
    bundle: Annotated[
        list[Path],
        typer.Option(
            "--bundle",
            metavar="FOLDER",
            help="Your copy of the rules, or a folder of several, such as an operator's bundles/; may be repeated.",
        ),
    ],
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Decide every mirrored case again, each under your copy of the rules it names, and list what comes out otherwise.

    What was decided under rules that you have no copy of is listed too: ask the broker's operator for them.
    """
    # Imported on use: deciding needs the extra [policy], verifying does not.
    from clients.replay import load_all, replay_all

    report = replay_all(load_all(bundle), auditor_of(run.open_home(directory), space_id).decisions())
    lines = [f"{report.same} of {report.decisions} decisions come out the same."]
    for each in report.different:
        lines.append(
            f"  entry {each.index}: recorded {each.recorded or 'unreadable'}, now "
            f"{each.replayed or 'not decided'} ({', '.join(each.rules)}). {each.reason}"
        )
    lines += [f"  you have no copy of the rules {digest}" for digest in report.missing]
    run.show(
        {
            "decisions": report.decisions,
            "same": report.same,
            "different": [asdict(each) for each in report.different],
            "missing": list(report.missing),
        },
        "\n".join(lines),
        as_json=as_json,
    )
    if report.different:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


@app.command("show")
def show_entry(
    directory: run.HomeFolder,
    index: Annotated[
        int, typer.Argument(metavar="INDEX", help="The entry's place in the log, from 0.", min=0)
    ],
    holder: Annotated[
        str | None,
        typer.Option("--holder", metavar="NAME", help="Of this key holder's log, not the broker's."),
    ] = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Show one mirrored entry with its record."""
    home = run.open_home(directory)
    auditor = auditor_of(home, space_id)
    if holder is not None:
        auditor = audit_holders.auditor_of_holder(home, run.space_id(space_id), holder)
    entry = auditor.entry(index)
    facts: dict[str, Any] = {
        "index": entry.index,
        "kind": entry.content.kind,
        "recorded_at": entry.content.recorded_at,
        "digest": entry.content.digest.hex(),
        "erased": entry.record is None,
        "record": None if entry.record is None else json.loads(entry.record),
    }
    for name in ("decision", "earlier_decision"):
        decision = (facts["record"] or {}).get(name)
        if isinstance(decision, str):
            facts["record"][name] = json.loads(decision)
    words = f"Entry {entry.index}, {entry.content.kind}, at {entry.content.recorded_at} (Unix seconds)\n"
    words += "The record was erased." if entry.record is None else json.dumps(facts["record"], indent=2)
    run.show(facts, words, as_json=as_json)


app.command("verify-holders")(audit_holders.verify_holders)
app.command()(audit_holders.reconcile)
app.command()(audit_reading.search)
app.command()(audit_reading.anomalies)
app.command("report")(audit_reading.report)
app.command()(receipt.receipt)
app.command()(draw.draw)
app.command("draw-check")(draw.draw_check)


def auditor_of(home: Home, space_id: str | None) -> Auditor:
    """The auditor of a home, for the one space it is in or the one named. Raises BadInput or NotFound."""
    space = home.space(run.space_id(space_id)).payload
    return Auditor(home.vault, broker_log(space), run.caller(home), run.clock)


def _report(report: AuditReport) -> dict[str, Any]:
    return {
        "origin": report.origin,
        "size": report.size,
        "root": None if report.root is None else report.root.hex(),
        "verified": report.verified,
        "fork": report.fork,
        "first_bad_index": report.first_bad_index,
        "entries": report.size,
        "erased": report.erased,
        "kinds": dict(report.kinds),
        "trial": report.trial,
    }
