"""`narrowgate deposit`: share what you know, masked, under your own conditions, and take it back."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.parties import Space
from clients.cli import run
from clients.cli.conditions import read_conditions, template
from clients.cli.signals_file import SignalsFile, read_signals, report_refused
from clients.contributor import Contributor, DepositResult
from clients.deposit_folder import DepositFolder, all_deposits
from clients.home import Home
from clients.series_folder import SeriesFolder, all_series
from clients.taking_back import Result, TakingBack

app = run.application("Share what you know, masked, under your own conditions; list it; take it back.")

ConditionsFile = Annotated[
    Path | None,
    typer.Option("--conditions", metavar="FILE", help="Under what you share: see `deposit conditions`."),
]
SeriesName = Annotated[
    str, typer.Argument(metavar="SERIES", help="The series' id, as `deposit list` shows it.")
]
SeriesOrDeposit = Annotated[
    str,
    typer.Argument(
        metavar="SERIES_OR_DEPOSIT", help="The id of a series or a deposit, as `deposit list` shows it."
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a sentence; it is kept with the withdrawal.")]


@app.command("conditions")
def write_conditions(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Your home, to fill in who you are.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it.")] = None,
    as_json: run.Json = False,
) -> None:
    """Write a template of conditions: who may ask about your signals, for what, how far, and until when."""
    identity = run.open_home(directory).identity if directory else None
    page = template(identity, run.clock())
    if out is None:
        run.print_json_in_order(page)
        return
    run.write_output(out, json.dumps(page, indent=2, ensure_ascii=False) + "\n")
    run.show(
        {"file": str(out)}, f"Wrote {out}. Answer every FILL IN in it with a text editor.", as_json=as_json
    )


@app.command("open-series")
def open_series(
    directory: run.HomeFolder,
    identifier_type: Annotated[str, typer.Option("--type", help="The type of identifier, such as phone.")],
    conditions: Annotated[Path, typer.Option("--conditions", metavar="FILE", help="Under what you share.")],
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Make the keys under which one type of identifier is masked, and bring the shares to the key holders.

    `deposit add --conditions` does this by itself.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    series_id = _contributor(home).open_series(space, identifier_type, read_conditions(conditions))
    run.show(
        {"series_id": series_id.hex(), "identifier_type": identifier_type, "trial": space.trial},
        f"Opened a series for {identifier_type}:\n  {series_id.hex()}{_trial(space.trial)}",
        as_json=as_json,
    )


@app.command()
def add(
    directory: run.HomeFolder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your signals: CSV, TSV or NDJSON.")],
    conditions: ConditionsFile = None,
    series: Annotated[
        list[str] | None, typer.Option("--series", metavar="ID", help="Deposit under these series instead.")
    ] = None,
    default_region: Annotated[
        str | None,
        typer.Option("--default-region", help="Country of phone numbers without a prefix, such as GB."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read and report; send nothing.")] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Deposit a file: every identifier in it, masked on this computer before anything is sent.

    Rows that cannot be used are reported by line and reason; the rest goes in. The same file again changes nothing, and
    a deposit that broke off goes on.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    read = read_signals(file, default_region)
    report_refused(read)
    if dry_run:
        _show_deposits(read, (), dry_run=True, trial=space.trial, as_json=as_json)
        return
    if not read.by_type:
        raise BadInput("The file holds no identifier that can be used. See the reasons above.")
    contributor = _contributor(home)
    chosen = _series_by_type(home, contributor, space, read, conditions, series or [])
    results = []
    for kind in read.by_type:
        conditions_of = SeriesFolder(home, chosen[kind]).manifest.payload.conditions
        records, references = read.records(kind, conditions_of, space), read.references(kind)
        with run.progress(f"Depositing {kind}") as progress:
            results.append(contributor.deposit(chosen[kind], records, progress, references=references))
    _show_deposits(read, tuple(results), dry_run=False, trial=space.trial, as_json=as_json)


@app.command()
def resume(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """Go on with deposits that broke off, from the masked records this home kept. The file is not needed."""
    home = run.open_home(directory)
    contributor = _contributor(home)
    results = []
    for deposit_id in contributor.unfinished():
        with run.progress("Depositing") as progress:
            results.append(contributor.resume(deposit_id, progress))
    words = "\n".join(_line(result) for result in results) or "Nothing is unfinished."
    run.show({"deposits": [_members(result) for result in results]}, words, as_json=as_json)


@app.command("list")
def list_series(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """List your series and deposits: what is shared, until when, and what was withdrawn."""
    home = run.open_home(directory)
    listed, lines = [], []
    for series in all_series(home):
        manifest = series.manifest.payload
        deposits = [item.entry for item in all_deposits(home, series.series_id)]
        listed.append(
            {
                "series_id": series.series_id.hex(),
                "identifier_type": manifest.identifier_type,
                "state": series.state,
                "subject": manifest.conditions.subject,
                "highest_tier": manifest.conditions.highest_tier,
                "retain_until": manifest.conditions.retain_until,
                "deposits": [
                    {"deposit_id": item.deposit_id.hex(), "records": item.identifiers, "state": item.stage}
                    for item in deposits
                ],
            }
        )
        lines.append(f"{series.series_id.hex()}  {manifest.identifier_type}, {series.state}")
        lines += [
            f"    {item.deposit_id.hex()}  {item.identifiers:,} identifiers, {item.stage}"
            for item in deposits
        ]
    run.show({"series": listed}, "\n".join(lines) or "Nothing is deposited from here yet.", as_json=as_json)


@app.command()
def withdraw(
    directory: run.HomeFolder, name: SeriesOrDeposit, reason: Reason, as_json: run.Json = False
) -> None:
    """Take back one deposit, or a whole series.

    A deposit: its records are deleted at the broker; its series goes on. A series: records deleted at the broker,
    shares destroyed at the holders, keys erased here. From then on nothing of it can be matched or opened. What was
    disclosed before stays disclosed. Run it again if a holder did not answer.
    """
    home = run.open_home(directory)
    identifier = run.identifier(name, 32, "SERIES_OR_DEPOSIT")
    if any(item.deposit_id == identifier for item in all_deposits(home)):
        _taking_back(home).withdraw_deposit(identifier, reason)
        series_id = DepositFolder(home, identifier).declaration.payload.series_id.hex()
        run.show(
            {"deposit_id": name, "series_id": series_id},
            "Withdrawn: the deposit's records are deleted at the broker. Its series goes on.",
            as_json=as_json,
        )
        return
    result = _contributor(home).withdraw(identifier, reason)
    words = f"Withdrawn. {result.destruction_receipts} key holders signed that their shares are gone."
    if not result.complete:
        words += f" {result.needed} must: run the command again when the others answer."
    run.show(
        {
            "series_id": name,
            "destruction_receipts": result.destruction_receipts,
            "needed": result.needed,
            "complete": result.complete,
        },
        words,
        as_json=as_json,
    )


@app.command("withdraw-identifiers")
def withdraw_identifiers(
    directory: run.HomeFolder,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Read as by `deposit add`: the first line names the types.")
    ],
    reason: Reason,
    default_region: Annotated[
        str | None,
        typer.Option("--default-region", help="Country of phone numbers without a prefix, such as GB."),
    ] = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Take back what you deposited of some identifiers, from all your deposits in open series.

    The identifiers stay on this computer; the broker is told tokens, which it deletes and does not keep. A deposit of a
    closed series can only be withdrawn whole. Nothing is taken back if one line of the file cannot be read.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    read = read_signals(file, default_region)
    if read.refused:
        report_refused(read)
        raise BadInput(
            "Some lines cannot be read, so nothing was taken back. Mend the file and run it again."
        )
    result = _taking_back(home).withdraw_identifiers(
        space, {kind: tuple(groups) for kind, groups in read.by_type.items()}, reason
    )
    run.show(
        {
            "deposits": [
                {
                    "deposit_id": item.deposit_id.hex(),
                    "series_id": item.series_id.hex(),
                    "records": item.records,
                    "identifiers_left": item.identifiers_left,
                }
                for item in result.taken
            ],
            "closed": [deposit_id.hex() for deposit_id in result.closed],
        },
        _taken_words(result),
        as_json=as_json,
    )


@app.command()
def close(directory: run.HomeFolder, series: SeriesName, as_json: run.Json = False) -> None:
    """Erase a series' keys here, for good. Its deposits go on being matched; nothing can be added to them."""
    _contributor(run.open_home(directory)).close(run.identifier(series, 32, "SERIES"))
    run.show({"series_id": series, "state": "closed"}, "Closed: its keys are erased here.", as_json=as_json)


def _contributor(home: Home) -> Contributor:
    return Contributor(home, run.caller(home), run.clock, run.random_bytes, threads=os.cpu_count() or 1)


def _taking_back(home: Home) -> TakingBack:
    return TakingBack(home, run.caller(home), run.clock, run.random_bytes)


def _taken_words(result: Result) -> str:
    records = sum(item.records for item in result.taken)
    lines = [f"Taken back: {records:,} records from {len(result.taken):,} deposits."]
    lines += [
        f"  {item.deposit_id.hex()}  {item.identifiers_left:,} identifiers left" for item in result.taken
    ]
    if result.closed:
        lines.append(
            "These belong to closed series, whose keys are erased: withdraw them whole, if you must."
        )
        lines += [f"  {deposit_id.hex()}" for deposit_id in result.closed]
    return "\n".join(lines)


def _series_by_type(
    home: Home,
    contributor: Contributor,
    space: Space,
    read: SignalsFile,
    conditions: Path | None,
    series: list[str],
) -> dict[str, bytes]:
    if (conditions is None) == (not series):
        raise BadInput(
            "Say under what you share: either --conditions FILE, or --series ID for each type in the file."
        )
    foreign = sorted(set(read.by_type) - set(space.identifier_types))
    if foreign:
        raise BadInput(f"The space does not compare {', '.join(foreign)}. Take them out of the file.")
    if conditions is not None:
        agreed = read_conditions(conditions)
        return {
            kind: contributor.find_series(space, kind, agreed) or contributor.open_series(space, kind, agreed)
            for kind in read.by_type
        }
    folders = [SeriesFolder(home, run.identifier(text, 32, "--series")) for text in series]
    chosen = {folder.manifest.payload.identifier_type: folder.series_id for folder in folders}
    missing = sorted(set(read.by_type) - set(chosen))
    if missing:
        raise NotFound(f"No series was named for {', '.join(missing)}. Name one, or use --conditions.")
    return chosen


def _show_deposits(
    read: SignalsFile, results: tuple[DepositResult, ...], *, dry_run: bool, trial: bool, as_json: bool
) -> None:
    value = {
        "rows": read.rows,
        "refused_rows": len(read.refused),
        "refused": [{"line": row.line, "reason": row.reason} for row in read.refused],
        "identifiers": {kind: len(groups) for kind, groups in read.by_type.items()},
        "deposits": [_members(result) for result in results],
        "dry_run": dry_run,
        "trial": trial,
    }
    counts = ", ".join(f"{len(groups):,} {kind}" for kind, groups in read.by_type.items()) or "no identifier"
    lines = [f"Read {read.rows:,} rows: {counts}. {len(read.refused):,} refused."]
    lines += ["Nothing was sent."] if dry_run else [_line(result) for result in results]
    run.show(value, "\n".join(lines) + ("" if dry_run else _trial(trial)), as_json=as_json)


def _members(result: DepositResult) -> dict[str, object]:
    return {
        "series_id": result.series_id.hex(),
        "deposit_id": result.deposit_id.hex(),
        "identifier_type": result.identifier_type,
        "records": result.identifiers,
        "repeated": result.repeated,
    }


def _line(result: DepositResult) -> str:
    served = "was deposited before and serves" if result.repeated else "deposited, tested and serving"
    return f"{result.identifiers:,} {result.identifier_type}: {served}. Series {result.series_id.hex()}"


def _trial(trial: bool) -> str:
    return "\nTRIAL: no witness cosigned the broker's log." if trial else ""
