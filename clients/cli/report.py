"""`narrowgate request report`: tell what became of hits.

Rule: identifiers are read from files, never from the command line, where the shell's history would keep them.
"""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import MatchOutcome
from clients.cli import run
from clients.cli.reading_options import Options, reading_options, settle_reading
from clients.readers import Reading, RefusedRow, read_file
from clients.requesting.outcome_reports import OutcomeReports
from clients.requesting.request_folder import RequestFolder

_SHOWN_ROWS = 20


def _option(name: str, what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, metavar="FILE", help=f"Hits {what}: a file of them.")
    return option


@reading_options
def report(
    directory: run.HomeFolder,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="As `narrowgate request prepare` printed it.")
    ],
    useful: Annotated[Path | None, _option("--useful", "that were of use")] = None,
    false_match: Annotated[
        Path | None, _option("--false-match", "that turned out to be of somebody else")
    ] = None,
    victim_identified: Annotated[
        Path | None, _option("--victim-identified", "by which a victim was identified")
    ] = None,
    not_yet_known: Annotated[Path | None, _option("--not-yet-known", "of which it is not known yet")] = None,
    others: Annotated[
        MatchOutcome | None,
        typer.Option("--others", help="What became of all hits that no file names; alone, of all hits."),
    ] = None,
    reading: Options = Options(),
    as_json: run.Json = False,
) -> None:
    """Tell what became of a request's hits; it replaces what you told before.

    The identifiers stay on this computer. Contributors are told numbers over many requests and never whose they are.
    Nothing is sent if one line of a file cannot be read.
    """
    home = run.open_home(directory)
    identifier = run.identifier(request_id, 16, "REQUEST_ID")
    space = home.space(*RequestFolder(home.vault, identifier).roster()).payload
    files = {
        MatchOutcome.USEFUL: useful,
        MatchOutcome.FALSE_MATCH: false_match,
        MatchOutcome.VICTIM_IDENTIFIED: victim_identified,
        MatchOutcome.NOT_YET_KNOWN: not_yet_known,
    }
    named = {
        kind: _read(path, settle_reading(home, path, reading, space))
        for kind, path in files.items()
        if path is not None
    }
    if not named and others is None:
        raise BadInput("Say what became of hits: name a file, or all of them with --others.")
    reports = OutcomeReports(home, space, run.caller(home), run.clock, run.random_bytes)
    told = reports.report(identifier, named, others)
    matches = ", ".join(
        f"{number} {kind.replace('_', ' ')}" for kind, number in told.matches.items() if number
    )
    run.show(
        {
            "request_id": identifier.hex(),
            "number": told.number,
            "hits": told.hits,
            "matches": dict(told.matches),
            "trial": space.trial,
        },
        f"Report {told.number} is recorded: {told.hits} hits; matches: {matches}.",
        as_json=as_json,
    )


def _read(file: Path, reading: Reading) -> list[str]:
    texts, refused = [], []
    for item in read_file(file, reading, only_asking=True):
        if isinstance(item, RefusedRow):
            refused.append(item)
        else:
            texts.append(item.canonical.text)
    for row in refused[:_SHOWN_ROWS]:
        run.say(f"{row.unit} {row.line}: {row.reason}")
    if refused:
        raise BadInput(
            f"{len(refused)} lines of a file cannot be read, so nothing was reported. Mend it and run it again."
        )
    return texts
