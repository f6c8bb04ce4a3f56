"""`narrowgate audit draw` and `draw-check`: have a requester open chosen indices, and check what it opened.

Rule: both work on files and on the auditor's mirror alone; neither makes a call. Whatever does not verify exits with 4,
and so does an order whose time went by without an opening.

The commands belong to `clients.cli.audit`, which names them. The requester's side is `clients.cli.open_draw`.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import read
from broker.protocol.messages.draws import OpenedDraw
from clients.cli import run
from clients.cli.reading_options import Options, reading_options, settle_reading
from clients.draws.draw_check import DrawCheck
from clients.draws.draw_report import DrawnIndex, DrawReport
from clients.draws.drawing import Drawing
from clients.draws.logged_requests import LoggedRequest
from clients.home import Home
from clients.readers import RefusedRow, read_file

OrderFile = Annotated[
    Path, typer.Option("--order", metavar="FILE", help="The order as the auditor signed it.")
]


def draw(
    directory: run.HomeFolder,
    request: Annotated[
        str,
        typer.Argument(
            metavar="REQUEST",
            help="The signed request as a file; or its id, which the log names once tokens were sent.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the order.")],
    indices: Annotated[
        list[str] | None,
        typer.Option(
            "--indices", metavar="[TYPE:]3,17", help="These places in the batch; repeat for each type."
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--number", metavar="N", help="So many at random, over all types.")
    ] = None,
    valid_days: Annotated[int, typer.Option(help="How long the requester has: 1 to 90 days.")] = 14,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Order a requester to open indices of a request: which identifiers they are, and that its tokens are theirs.

    The request must be in your mirror of the log. Hand the written order to the requester.
    """
    home = run.open_home(directory)
    drawing = Drawing(home, home.space(run.space_id(space_id)).payload, run.clock, run.random_bytes)
    request_id, logged = drawing.find(_named(request))
    if (indices is None) == (number is None):
        raise BadInput("Name either --indices or --number.")
    chosen = drawing.draw(logged, number) if number is not None else _chosen(indices or [], logged)
    signed = drawing.order(request_id, logged, chosen, valid_days)
    run.write_output(out, signed.document + "\n")
    order = signed.payload
    drawn = {each.identifier_type: list(each.indices) for each in order.drawn}
    run.show(
        {
            "draw_id": order.draw_id.hex(),
            "request_id": request_id.hex(),
            "requester": logged.terms.requester,
            "drawn": drawn,
            "expires_at": order.expires_at,
            "file": str(out),
        },
        f"Ordered {logged.terms.requester} to open {sum(map(len, drawn.values()))} indices, until "
        f"{order.expires_at} (Unix seconds).\nHand {out} to the requester, who opens them with: "
        "narrowgate request open-draw",
        as_json=as_json,
    )


@reading_options
def draw_check(
    directory: run.HomeFolder,
    order: OrderFile,
    opening: Annotated[
        Path | None,
        typer.Option(
            "--opening", metavar="FILE", help="What the requester opened; without, only the time is checked."
        ),
    ] = None,
    case_file: Annotated[
        Path | None,
        typer.Option(
            "--case-file", metavar="FILE", help="The case's identifiers, to see that each is among them."
        ),
    ] = None,
    reading: Options = Options(),
    as_json: run.Json = False,
) -> None:
    """Check what a requester opened, against the order, your pinned space and your mirror of the log.

    Take the case file from the case, not from the requester's answer. What is printed has the drawn identifiers.
    """
    home = run.open_home(directory)
    known, refused = (None, 0) if case_file is None else _case(home, case_file, reading)
    check = DrawCheck(home, run.read_document(order, "the order"), known)
    if opening is None:
        _show_waiting(check, as_json=as_json)
        return
    report = check.check(read(OpenedDraw, run.read_input(opening, "the opening")))
    facts = _facts(report) | {"case_file_rows_refused": refused if case_file else None}
    run.show(facts, "\n".join(_words(report, refused)), as_json=as_json)
    if not report.verified:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def _named(request: str) -> bytes | str:
    """The request's id, or the document in the file of that name."""
    try:
        value = bytes.fromhex(request)
    except ValueError:
        value = b""
    return value if len(value) == 16 else run.read_document(Path(request), "the request")


def _chosen(options: list[str], logged: LoggedRequest) -> dict[str, list[int]]:
    types = [batch.identifier_type for batch in logged.terms.batches]
    chosen: dict[str, list[int]] = {}
    for option in options:
        name, colon, places = option.rpartition(":")
        if not colon and len(types) != 1:
            raise BadInput(
                f"The request has several types: write --indices TYPE:3,17, of {', '.join(types)}."
            )
        try:
            numbers = [int(place) for place in places.split(",")]
        except ValueError:
            raise BadInput("--indices names places in the batch, such as 3,17 or phone:3,17.") from None
        chosen.setdefault(name or types[0], []).extend(numbers)
    return chosen


def _case(home: Home, path: Path, options: Options) -> tuple[set[str], int]:
    """The canonical identifiers of a case file, and how many rows could not be read."""
    known, refused = set(), 0
    for item in read_file(path, settle_reading(home, path, options), only_asking=True):
        if isinstance(item, RefusedRow):
            refused += 1
        else:
            known.add(item.canonical.text)
    return known, refused


def _show_waiting(check: DrawCheck, *, as_json: bool) -> None:
    overdue = check.overdue(run.clock())
    facts = {
        "draw_id": check.order.draw_id.hex(),
        "request_id": check.order.request_id.hex(),
        "requester": check.logged.terms.requester,
        "expires_at": check.order.expires_at,
        "overdue": overdue,
    }
    requester = check.logged.terms.requester
    words = (
        f"OVERDUE: {requester} did not open the draw in its time. The order is what shows it; keep it."
        if overdue
        else f"{requester} has until {check.order.expires_at} (Unix seconds)."
    )
    run.show(facts, words, as_json=as_json)
    if overdue:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def _facts(report: DrawReport) -> dict[str, Any]:
    return {
        "draw_id": report.draw_id.hex(),
        "request_id": report.request_id.hex(),
        "requester": report.requester,
        "opened_at": report.opened_at,
        "verified": report.verified,
        "tokens_sent": report.tokens_sent,
        "faults": list(report.faults),
        "drawn": [_index_facts(each) for each in report.drawn],
    }


def _index_facts(each: DrawnIndex) -> dict[str, Any]:
    return {
        "type": each.identifier_type,
        "index": each.index,
        "opened": each.identifier is not None,
        "identifier": each.identifier,
        "hash_fits": each.hash_fits,
        "point_fits": each.point_fits,
        "in_batch": each.in_batch,
        "deposits": {deposit.hex(): sent for deposit, sent in each.deposits.items()},
        "in_case_file": each.in_case_file,
        "faults": list(each.faults),
    }


def _words(report: DrawReport, refused: int) -> list[str]:
    lines = [
        f"{len(report.drawn)} indices of {report.requester}'s request {report.request_id.hex()}: "
        + ("everything verifies." if report.verified else "NOT EVERYTHING VERIFIES.")
    ]
    lines += [f"  {fault}" for fault in report.faults]
    for each in report.drawn:
        state = "; ".join(each.faults) or f"fits, in {len(each.deposits)} deposits"
        lines.append(f"  {each.identifier_type} {each.index} {each.identifier or ''}: {state}")
    if not report.tokens_sent:
        lines.append("By your last audit of the log no tokens were sent, so there are none to check.")
    if refused:
        lines.append(f"{refused} rows of the case file could not be read, and count as not in it.")
    return lines
