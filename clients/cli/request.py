"""`narrowgate request`: ask which of your identifiers other agencies know.

Rule: identifiers are read from a file, never from the command line, where the shell's history would keep them. A
refusal is an answer and exits with 3; with --json it has the members of an answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Claims
from broker.protocol.messages.vocabulary import Tier
from clients.cli import claims as claims_paper
from clients.cli import climb, export_hits, next_step, open_draw, receipt, report, retractions, run
from clients.cli.answer_words import (
    TRIAL,
    admission_members,
    admission_words,
    answer_members,
    answer_words,
    utc,
)
from clients.cli.papers import read_paper, write_paper
from clients.cli.reading_options import Options, RefusedFile, reading_options, settle_reading
from clients.cli.signals_file import refused_members, say_refused
from clients.cli.spellings import OutSpellings, Spellings, with_spellings
from clients.home import Home
from clients.readers import Reading, RefusedRow, read_file
from clients.readers.refused_rows import RefusedRows, refused_rows
from clients.remote import RefusedByGate, readable
from clients.requester import Requester
from clients.requesting.answers import AnswerAwaited
from clients.requesting.request_folder import RequestFolder, request_ids
from clients.requesting.request_values import Answer, Refusal
from clients.writers.hits import hits_of
from clients.writers.hits_text import hits_csv

app = run.application("Ask which of your identifiers other agencies know, on a legal basis.")

RequestId = Annotated[
    str, typer.Argument(metavar="REQUEST_ID", help="As `narrowgate request prepare` printed it.")
]
Findings = Annotated[
    list[Path] | None,
    typer.Option("--finding", metavar="FILE", help="A finding that a legal desk signed on this request."),
]
Approvals = Annotated[
    list[Path] | None,
    typer.Option("--approval", metavar="FILE", help="What a person signed who approves this request."),
]
OutHits = Annotated[
    Path | None,
    typer.Option("--out-hits", metavar="FILE", help="Write the hits as a CSV file that only you can read."),
]


@app.command("claims-template")
def claims_template(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it.")],
    as_json: run.Json = False,
) -> None:
    """Write an example of the claims of a request, with remarks, for you to fill in."""
    write_paper(out, claims_paper.example(run.clock()), claims_paper.REMARKS)
    run.show({"file": str(out)}, f"Wrote {out}. Fill it in; every value in it is made up.", as_json=as_json)


@app.command()
@reading_options
def prepare(
    directory: run.HomeFolder,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Your identifiers: CSV, Excel, Parquet, NDJSON, STIX or MISP."),
    ],
    tier: Annotated[
        Tier, typer.Option("--tier", help="How much to ask: count (how many are known) or hits (which).")
    ],
    claims: Annotated[
        Path, typer.Option("--claims", metavar="FILE", help="See `narrowgate request claims-template`.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the request for the legal desk.")
    ],
    reading: Options = Options(),
    refused: RefusedFile = None,
    earlier: Annotated[
        str | None, typer.Option("--earlier", metavar="HEX", help="The request that this one builds on.")
    ] = None,
    spellings: Spellings = 1,
    out_spellings: OutSpellings = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Blind the identifiers of a file and sign a request about them. Nothing is sent yet.

    Hand the written file to your legal desk; it holds no identifier. Rows that cannot be read are refused by line and
    reason, and the others go in.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    paper = read_paper(Claims, claims, "the claims")
    settled = settle_reading(home, file, reading, space)
    with refused_rows(refused, file) as rows:
        identifiers = _read(file, space, settled, rows)
    asked = with_spellings(identifiers, spellings, out_spellings)
    earlier_id = None if earlier is None else run.identifier(earlier, 16, "--earlier")
    prepared = _requester(home, space).prepare(asked.identifiers, paper, tier, earlier_id, asked.persons)
    run.write_output(out, prepared.document + "\n")
    types = {batch.identifier_type: batch.identifiers for batch in prepared.request.payload.batches}
    say_refused(rows)
    run.show(
        {
            "request_id": prepared.request_id.hex(),
            "tier": tier.value,
            "identifiers": sum(types.values()),
            "types": types,
            **asked.members(),
            **refused_members(rows),
            "file": str(out),
        },
        f"Request {prepared.request_id.hex()}: {_types(types)}; {rows.count} rows refused.\n"
        f"{asked.words(out_spellings)}"
        f"Hand {out} to your legal desk; then: narrowgate request send {directory} "
        f"{prepared.request_id.hex()} --finding FILE",
        as_json=as_json,
    )


@app.command("file")
def file_request(
    directory: run.HomeFolder,
    request_id: RequestId,
    finding: Findings = None,
    approval: Approvals = None,
    as_json: run.Json = False,
) -> None:
    """File a prepared request with the broker, whose rules admit or refuse it."""
    home, space, identifier = _open(directory, request_id)
    with _refusals(identifier, space, as_json):
        admission = _requester(home, space).file(identifier, _findings(finding), _approvals(approval))
    run.show(admission_members(identifier, admission), admission_words(admission), as_json=as_json)


@app.command()
def evaluate(
    directory: run.HomeFolder,
    request_id: RequestId,
    quorum: Annotated[
        str | None, typer.Option("--quorum", metavar="1,3", help="Ask these key holders and no others.")
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Have the key holders evaluate an admitted request; each decides again under its own rules."""
    home, space, identifier = _open(directory, request_id)
    with _refusals(identifier, space, as_json), run.progress("Asking key holders") as update:
        _requester(home, space).evaluate(identifier, _quorum(quorum), update)
    run.show(
        {"request_id": identifier.hex(), "state": "evaluated", "trial": space.trial},
        "The key holders have answered and every proof verifies. Next: narrowgate request submit",
        as_json=as_json,
    )


@app.command()
def submit(
    directory: run.HomeFolder, request_id: RequestId, out_hits: OutHits = None, as_json: run.Json = False
) -> None:
    """Send the tokens of an evaluated request, once, and show the answer."""
    home, space, identifier = _open(directory, request_id)
    with _refusals(identifier, space, as_json):
        answer = _requester(home, space).submit(identifier)
    _show_answer(answer, out_hits, as_json=as_json)


@app.command()
def send(
    directory: run.HomeFolder,
    request_id: RequestId,
    finding: Findings = None,
    approval: Approvals = None,
    out_hits: OutHits = None,
    as_json: run.Json = False,
) -> None:
    """File, evaluate and submit a prepared request. Broken off, it goes on where it was."""
    home, space, identifier = _open(directory, request_id)
    with _refusals(identifier, space, as_json), run.progress("Asking key holders") as update:
        papers = (_findings(finding), _approvals(approval))
        answer = _requester(home, space).run(identifier, *papers, progress=update)
    _show_answer(answer, out_hits, as_json=as_json)


@app.command("show")
def show_request(directory: run.HomeFolder, request_id: RequestId, as_json: run.Json = False) -> None:
    """Show a request: how far it has come, and its answer or refusal."""
    home = run.open_home(directory)
    facts = _facts(home, run.identifier(request_id, 16, "REQUEST_ID"))
    lines = [f"{name}: {value}" for name, value in facts.items() if value not in (None, [], {})]
    run.show(facts, "\n".join(lines), as_json=as_json)


@app.command("list")
def list_requests(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """List the requests of this home."""
    home = run.open_home(directory)
    listed = [_facts(home, request_id) for request_id in request_ids(home.vault)]
    listed.sort(key=lambda facts: facts["created_at"])
    lines = [
        f"{facts['request_id']}  {facts['state']:9}  {facts['tier']:5}  {facts['case_reference']}"
        for facts in listed
    ]
    run.show({"requests": listed}, "\n".join(lines) or "No request yet.", as_json=as_json)


app.command()(climb.confirm)
app.command()(climb.climb)
app.command("open")(climb.open_payloads)
app.command("open-draw")(open_draw.open_draw)
app.command()(open_draw.forget)
app.command()(report.report)
app.command("next-step")(next_step.next_step)
app.command()(receipt.receipts)
app.command()(export_hits.export)
app.command()(retractions.retractions)
app.command()(retractions.acknowledge)


# --- what the commands share ---


def _requester(home: Home, space: Space) -> Requester:
    return Requester(home, space, run.caller(home), run.clock, run.random_bytes)


def _open(directory: Path, request_id: str) -> tuple[Home, Space, bytes]:
    """The home, the space under the roster that the request was prepared under, and the request's id."""
    home = run.open_home(directory)
    identifier = run.identifier(request_id, 16, "REQUEST_ID")
    return home, home.space(*RequestFolder(home.vault, identifier).roster()).payload, identifier


def _read(file: Path, space: Space, reading: Reading, refused: RefusedRows) -> dict[str, list[str]]:
    identifiers: dict[str, list[str]] = {}
    for signal in refused.sifted(read_file(file, reading, only_asking=True)):
        if signal.canonical.type not in space.identifier_types:
            reason = "This space does not compare identifiers of that type."
            refused.add(RefusedRow(signal.line, reason, unit=signal.unit))
        else:
            identifiers.setdefault(signal.canonical.type, []).append(signal.canonical.text)
    return identifiers


def _findings(paths: list[Path] | None) -> tuple[str, ...]:
    return tuple(run.read_document(path, "the finding") for path in paths or ())


def _approvals(paths: list[Path] | None) -> tuple[str, ...]:
    return tuple(run.read_document(path, "the approval") for path in paths or ())


def _quorum(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise BadInput("--quorum names key holders by their index, such as 1,3.") from None


@contextmanager
def _refusals(request_id: bytes, space: Space, as_json: bool) -> Iterator[None]:
    """With --json, a refusal is printed as an answer is. Without, `run` prints it in words."""
    try:
        yield
    except AnswerAwaited as error:
        waiting = error.waiting
        run.show(
            {
                "request_id": request_id.hex(),
                "outcome": None,
                "waiting": {"contributors": waiting.contributors, "until_at": waiting.until_at},
                "trial": space.trial,
            },
            f"{waiting.contributors} contributors have not said yet whether their records may be opened; they have "
            f"until {utc(waiting.until_at)}. Run: narrowgate request submit",
            as_json=as_json,
        )
        raise typer.Exit from None
    except RefusedByGate as error:
        if not as_json:
            if space.trial:
                run.say(TRIAL)
            raise
        told = Refusal.of(error, space.trial).model_dump(mode="json", exclude={"v", "proof"})
        run.print_json({"request_id": request_id.hex(), "outcome": "DENY", **told})
        raise typer.Exit(int(run.ExitCode.REFUSED)) from None


def _show_answer(answer: Answer, out_hits: Path | None, *, as_json: bool) -> None:
    if out_hits is not None:
        run.write_private(out_hits, hits_csv(hits_of(answer), answer.tier), "hits")
    run.show(answer_members(answer), answer_words(answer, out_hits), as_json=as_json)


def _facts(home: Home, request_id: bytes) -> dict[str, Any]:
    folder = RequestFolder(home.vault, request_id)
    request = folder.request(home.identity.signing_key).payload
    refusal, answer = folder.refusal(), folder.answer()
    return {
        "request_id": request_id.hex(),
        "state": folder.state,
        "tier": request.tier.value,
        "case_reference": readable(request.claims.case_reference),
        "types": {batch.identifier_type: batch.identifiers for batch in request.batches},
        "created_at": request.created_at,
        "refusal": None if refusal is None else refusal.model_dump(mode="json", exclude={"v", "proof"}),
        "answer": None if answer is None else answer_members(answer),
    }


def _types(types: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in types.items())
