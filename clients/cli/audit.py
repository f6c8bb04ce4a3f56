"""`narrowgate audit`: the auditor's commands, of which those that take decisions again and show an entry are here.

Rule: a log that does not verify, and a decision that comes out otherwise, exit with 4. No command believes the
broker: keys come from the pinned space document, rules from the auditor's own folder. Mirroring and verifying is in
`clients.cli.audit_log`, draws in `clients.cli.draw`, what is read in the mirror in `clients.cli.audit_reading`, key
holders' logs in `clients.cli.audit_holders`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.auditor import NoDecision, Undecidable
from clients.cli import audit_holders, audit_log, audit_reading, draw, probe, receipt, run

_NO_DECISION = {
    NoDecision.ERASED: "The broker erased their records; its RECORD_ERASED entries say on whose order.",
    NoDecision.NOT_FETCHED: "Their records were not fetched. Use: narrowgate audit verify",
    NoDecision.NOT_IN_RECORD: "Their records hold no decision that can be read. Look at them: narrowgate audit show",
}

app = run.application(
    "Auditor: copy and verify the broker's log, look into it, and decide past cases again. Start with: mirror, verify."
)

app.command(short_help="Copy the log and derive its root again; no record is read.")(audit_log.mirror)
app.command(short_help="Mirror, then verify all: root, growth, records, documents.")(audit_log.verify)


@app.command(short_help="Decide every mirrored case again under your own rules.")
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

    What was decided under rules that you have no copy of is listed too: ask the broker's operator for them. So are
    entries that hold a decision and could not be decided again, as where the record was erased.
    """
    # Imported on use: deciding needs the extra [policy], verifying does not.
    from clients.replay import load_all, replay_all

    auditor = audit_log.auditor_of(run.open_home(directory), space_id)
    report = replay_all(load_all(bundle), auditor.decisions())
    left = _by_kind(auditor.undecidable())
    lines = [f"{report.same} of {report.decisions} decisions come out the same."]
    for each in report.different:
        lines.append(
            f"  entry {each.index}: recorded {each.recorded or 'unreadable'}, now "
            f"{each.replayed or 'not decided'} ({', '.join(each.rules)}). {each.reason}"
        )
    lines += [f"  you have no copy of the rules {digest}" for digest in report.missing]
    if left:
        lines.append(
            f"Not decided again: {sum(map(len, left.values()))} entries, which hold no decision here."
        )
    for (kind, reason), indices in left.items():
        entries = f"{len(indices)} (entries {', '.join(map(str, indices))})"
        lines.append(f"  {kind}: {entries}. {_NO_DECISION[reason]}")
    run.show(
        {
            "decisions": report.decisions,
            "same": report.same,
            "different": [asdict(each) for each in report.different],
            "missing": list(report.missing),
            "not_replayed": [
                {"kind": kind, "reason": reason.value, "number": len(indices), "indices": indices}
                for (kind, reason), indices in left.items()
            ],
        },
        "\n".join(lines),
        as_json=as_json,
    )
    if report.different:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def _by_kind(entries: Iterable[Undecidable]) -> dict[tuple[str, NoDecision], list[int]]:
    """The indices of entries by kind and reason, in the order in which they first occur."""
    found: dict[tuple[str, NoDecision], list[int]] = {}
    for each in entries:
        found.setdefault((each.kind, each.reason), []).append(each.index)
    return found


@app.command("show", short_help="Show one mirrored entry with its record.")
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
    auditor = audit_log.auditor_of(home, space_id)
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


app.command("verify-holders", short_help="Mirror and verify the key holders' own logs.")(
    audit_holders.verify_holders
)
app.command(short_help="Hold the key holders' logs against the broker's.")(audit_holders.reconcile)
app.command(short_help="List the entries of a case, agency, law, rule or time.")(audit_reading.search)
app.command(short_help="Say what to look at first, and what it means.")(audit_reading.anomalies)
app.command("report", short_help="Write a report for the public: counts alone.")(audit_reading.report)
app.command(short_help="Verify one receipt offline, with public keys alone.")(receipt.receipt)
app.command(short_help="Order a requester to open some of what it asked about.")(draw.draw)
app.command("draw-check", short_help="Check what a requester opened.")(draw.draw_check)
app.add_typer(probe.app, name="probe")
