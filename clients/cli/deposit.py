"""`narrowgate deposit`: share what you know, masked, under your own conditions, and take it back."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from clients.cli import deposit_changes, deposit_start, deposit_sync, run, statistics
from clients.cli.conditions import read_conditions, template
from clients.cli.contributor_home import open_contributor_home
from clients.cli.deposit_file import DepositFile, grouped_file
from clients.cli.deposit_map import map_columns
from clients.cli.deposit_series import Chosen, ConditionsFile, SeriesNames, SourceName
from clients.cli.reading_options import Options, RefusedFile, reading_options, settle_reading
from clients.cli.series_remarks import say_earlier_quarters, say_older_salt
from clients.cli.signals_file import left_out_members, refused_members, say_left_out, say_refused
from clients.contributor import Contributor, DepositResult
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.series_folder import SeriesFolder, all_series
from clients.home import Home
from clients.transport import Awaiting

app = run.application("Share what you know, masked, under your own conditions; list it; take it back.")


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
    home = open_contributor_home(directory)
    space = home.space(run.space_id(space_id)).payload
    series_id = _contributor(home).open_series(space, identifier_type, read_conditions(conditions))
    run.show(
        {"series_id": series_id.hex(), "identifier_type": identifier_type, "trial": space.trial},
        f"Opened a series for {identifier_type}:\n  {series_id.hex()}{_trial(space.trial)}",
        as_json=as_json,
    )


@app.command()
@reading_options
def add(
    directory: run.HomeFolder,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Your signals: CSV, Excel, Parquet or NDJSON.")
    ],
    conditions: ConditionsFile = None,
    series: SeriesNames = None,
    reading: Options = Options(),
    refused: RefusedFile = None,
    source: SourceName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read and report; send nothing.")] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Deposit a file: every identifier in it, masked on this computer before anything is sent.

    Rows that cannot be used are reported by line and reason; the rest goes in. Where the conditions take answers from
    columns, the file becomes a deposit for each class. The same file again changes nothing, and a deposit that broke
    off goes on. What was taken back of it since goes in again, as by `deposit sync`: take out of the file what is to
    stay out. What a person took back is left out, by line, until they agree anew, and so is what is contested.
    """
    home = open_contributor_home(directory)
    space = home.space(run.space_id(space_id)).payload
    say_older_salt(home)
    chosen = Chosen.read(home, conditions, series or (), needed=not dry_run)
    settled = settle_reading(home, file, reading, space)
    of_series = chosen.conditions_of_series(home)
    with grouped_file(home, space, file, settled, chosen.conditions, refused, source, of_series) as read:
        say_refused(read.refused)
        say_left_out(read.left_out)
        if dry_run:
            _show_deposits(home, read, (), dry_run=True, trial=space.trial, as_json=as_json)
            return
        if not read.parts:
            raise BadInput("The file holds no identifier that can be used. See the reasons above.")
        contributor = _contributor(home)
        results, awaiting = [], Awaiting()
        for part, series_id in chosen.series_of(contributor, space, read.parts):
            conditions_of = SeriesFolder(home, series_id).manifest.payload.conditions
            rows = read.rows_of(part, conditions_of, space)
            with awaiting, run.progress(f"Depositing {part.identifier_type}") as depositing:
                results.append(contributor.deposit_rows(series_id, rows, depositing))
        awaiting.check()
    say_earlier_quarters(home, run.clock())
    _show_deposits(home, read, tuple(results), dry_run=False, trial=space.trial, as_json=as_json)


@app.command()
def resume(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """Go on with deposits that broke off, from the masked records this home kept. The file is not needed."""
    home = open_contributor_home(directory)
    contributor = _contributor(home)
    results, awaiting = [], Awaiting()
    for deposit_id in contributor.unfinished():
        with awaiting, run.progress("Depositing") as progress:
            results.append(contributor.resume(deposit_id, progress))
    awaiting.check()
    words = "\n".join(_line(home, result) for result in results) or "Nothing is unfinished."
    run.show({"deposits": [_members(home, result) for result in results]}, words, as_json=as_json)


@app.command("list")
def list_series(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """List your series and deposits: what is shared, until when, and what was withdrawn."""
    home = open_contributor_home(directory)
    older = {each.series_id for each in say_older_salt(home)}
    listed, lines = [], []
    for series in all_series(home):
        manifest = series.manifest.payload
        deposits = [item.entry for item in all_deposits(home, series.series_id)]
        listed.append(
            {
                "series_id": series.series_id.hex(),
                "identifier_type": manifest.identifier_type,
                "state": series.state,
                "quarter": series.quarter,
                "older_salt": series.series_id in older,
                "subject": manifest.conditions.subject,
                "highest_tier": manifest.conditions.highest_tier,
                "retain_until": manifest.conditions.retain_until,
                "deposits": [
                    {"deposit_id": item.deposit_id.hex(), "records": item.identifiers, "state": item.stage}
                    for item in deposits
                ],
            }
        )
        words = f"{manifest.identifier_type}, {series.quarter}, {series.state}"
        words += ", under an older salt" if series.series_id in older else ""
        lines.append(f"{series.series_id.hex()}  {words}")
        lines += [
            f"    {item.deposit_id.hex()}  {item.identifiers:,} identifiers, {item.stage}"
            for item in deposits
        ]
    run.show({"series": listed}, "\n".join(lines) or "Nothing is deposited from here yet.", as_json=as_json)


app.command()(statistics.statistics)


def _contributor(home: Home) -> Contributor:
    return Contributor(home, run.caller(home), run.clock, run.random_bytes, threads=os.cpu_count() or 1)


def _show_deposits(
    home: Home,
    read: DepositFile,
    results: tuple[DepositResult, ...],
    *,
    dry_run: bool,
    trial: bool,
    as_json: bool,
) -> None:
    value = {
        "rows": read.rows,
        **refused_members(read.refused),
        **left_out_members(read.left_out),
        "identifiers": read.identifiers,
        "deposits": [_members(home, result) for result in results],
        "dry_run": dry_run,
        "trial": trial,
    }
    counts = ", ".join(f"{number:,} {kind}" for kind, number in read.identifiers.items()) or "no identifier"
    lines = [f"Read {read.rows:,} rows: {counts}. {read.refused.count:,} refused."]
    lines += ["Nothing was sent."] if dry_run else [_line(home, result) for result in results]
    run.show(value, "\n".join(lines) + ("" if dry_run else _trial(trial)), as_json=as_json)


def _members(home: Home, result: DepositResult) -> dict[str, object]:
    return {
        "series_id": result.series_id.hex(),
        "quarter": SeriesFolder(home, result.series_id).quarter,
        "deposits_in_series": _serving_in(home, result.series_id),
        "deposit_id": result.deposit_id.hex(),
        "identifier_type": result.identifier_type,
        "records": result.identifiers,
        "repeated": result.repeated,
        "elsewhere": result.elsewhere,
    }


def _line(home: Home, result: DepositResult) -> str:
    served = "was deposited before and serves" if result.repeated else "deposited, tested and serving"
    if result.elsewhere:
        again = "" if result.repeated else ", since it had been taken back"
        served += f"{again}; {result.elsewhere:,} more of the file serve in other deposits of the series"
    number = _serving_in(home, result.series_id)
    series = f"Series {result.series_id.hex()} of {SeriesFolder(home, result.series_id).quarter}"
    deposits = "its first deposit" if number == 1 else f"which has {number:,} deposits"
    return f"{result.identifiers:,} {result.identifier_type}: {served}. {series}, {deposits}"


def _serving_in(home: Home, series_id: bytes) -> int:
    return sum(1 for item in all_deposits(home, series_id) if item.entry.stage == "serving")


def _trial(trial: bool) -> str:
    return "\nTRIAL: no witness cosigned the broker's log." if trial else ""


for _name, _command in (
    ("sync", deposit_sync.sync),
    ("start", deposit_start.start),
    ("map", map_columns),
    ("replace", deposit_changes.replace),
    ("withdraw", deposit_changes.withdraw),
    ("withdraw-identifiers", deposit_changes.withdraw_identifiers),
    ("close", deposit_changes.close),
):
    app.command(_name)(_command)
