"""`narrowgate request confirm`, `climb` and `open`: from hits to sources to payloads, one step at a time.

Rule: a person looks at each match before it is confirmed, and only what was confirmed can be selected. Identifiers come
from a file, never from the command line. What is opened is written to a file that only its owner can read.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Claims
from clients.cli import run
from clients.cli.papers import read_paper
from clients.cli.reading_options import Options, reading_options, settle_reading
from clients.home import Home
from clients.readers import RefusedRow, read_file
from clients.requesting.ladder import Ladder
from clients.requesting.payloads import Payloads
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import OpenedPayloads

RequestId = Annotated[
    str, typer.Argument(metavar="REQUEST_ID", help="As `narrowgate request prepare` printed it.")
]
Identifiers = Annotated[
    Path | None,
    typer.Option("--identifiers", metavar="FILE", help="Which of them; all of them without this file."),
]


@reading_options
def confirm(
    directory: run.HomeFolder,
    request_id: RequestId,
    officer: Annotated[str, typer.Option("--officer", help="Who looked at the matches: the short name.")],
    identifiers: Identifiers = None,
    reading: Options = Options(),
    as_json: run.Json = False,
) -> None:
    """Sign that a person looked at the matches of an answered request and takes them for the same.

    Do it for the matches that matter to the case, and leave out the others: only what is confirmed can be asked about
    further.
    """
    home, space, asked = _open(directory, request_id)
    wanted = _identifiers(home, space, identifiers, reading)
    signed = _ladder(home, space).confirm(asked, officer, wanted)
    number = sum(len(each.indices) for each in signed.payload.confirmed)
    run.show(
        {"request_id": request_id, "confirmed": number, "officer": officer},
        f"{number} confirmed. Next: narrowgate request climb",
        as_json=as_json,
    )


@reading_options
def climb(
    directory: run.HomeFolder,
    request_id: RequestId,
    claims: Annotated[
        Path, typer.Option("--claims", metavar="FILE", help="See `narrowgate request claims-template`.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the request for desk and approvers.")
    ],
    identifiers: Identifiers = None,
    reading: Options = Options(),
    as_json: run.Json = False,
) -> None:
    """Sign a request for the next tier about confirmed matches: after hits sources, after sources payload.

    Nothing is sent yet. Hand the written file to the legal desk, and with its finding to those who approve; then file
    it with `narrowgate request send --finding FILE --approval FILE --approval FILE`.
    """
    home, space, asked = _open(directory, request_id)
    paper = read_paper(Claims, claims, "the claims")
    signed = _ladder(home, space).climb(asked, paper, _identifiers(home, space, identifiers, reading))
    run.write_output(out, signed.document + "\n")
    request = signed.payload
    number = sum(batch.identifiers for batch in request.batches)
    run.show(
        {
            "request_id": request.request_id.hex(),
            "earlier_request": request_id,
            "tier": request.tier.value,
            "identifiers": number,
            "file": str(out),
        },
        f"Request {request.request_id.hex()} for {request.tier.value} about {number} identifiers. Hand {out} to the "
        "legal desk, and with its finding to those who approve.",
        as_json=as_json,
    )


def open_payloads(
    directory: run.HomeFolder,
    request_id: RequestId,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Write what was opened, as JSON that only you can read."),
    ],
    as_json: run.Json = False,
) -> None:
    """Open the records that were released: the key holders decide again, and each record opens on this computer."""
    home, space, asked = _open(directory, request_id)
    with run.progress("Asking key holders") as update:
        opened = Payloads(home, space, run.caller(home), run.clock).open(asked, progress=update)
    run.write_private(
        out, json.dumps(_readable(opened), indent=1, ensure_ascii=False) + "\n", "what was opened"
    )
    run.show(
        {
            "request_id": request_id,
            "payloads": len(opened.payloads),
            "contributors": sorted({each.contributor for each in opened.payloads}),
            "file": str(out),
        },
        f"{len(opened.payloads)} records opened; they are in {out}, which only you can read.",
        as_json=as_json,
    )


def _readable(opened: OpenedPayloads) -> list[dict[str, object]]:
    return [
        {
            "identifier": each.identifier,
            "contributor": each.contributor,
            "deposit_id": each.deposit_id.hex(),
            "record_version": each.record_version,
            "record": _record(each.plaintext),
        }
        for each in opened.payloads
    ]


def _record(plaintext: bytes) -> object:
    """A record as its contributor wrote it: JSON where it is, else its text."""
    text = plaintext.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _ladder(home: Home, space: Space) -> Ladder:
    return Ladder(home, space, run.clock, run.random_bytes)


def _open(directory: Path, request_id: str) -> tuple[Home, Space, bytes]:
    home = run.open_home(directory)
    identifier = run.identifier(request_id, 16, "REQUEST_ID")
    return home, home.space(*RequestFolder(home.vault, identifier).roster()).payload, identifier


def _identifiers(home: Home, space: Space, file: Path | None, options: Options) -> list[str] | None:
    if file is None:
        return None
    found = []
    for item in read_file(file, settle_reading(home, file, options, space), only_asking=True):
        if isinstance(item, RefusedRow):
            raise BadInput(
                f"The {item.unit} {item.line} of the file cannot be read, so nothing was done: {item.reason}"
            )
        found.append(item.canonical.text)
    return found
