"""`narrowgate request export`: the hits of a request as a file for another program.

Rule: the file holds identifiers, so only its owner can read it, and it must be named. Nothing is sent.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput, Conflict
from clients.cli import run
from clients.requesting.request_folder import RequestFolder
from clients.requesting.retractions import CONTESTED, contested
from clients.writers.hits import read_hits
from clients.writers.hits_text import hits_csv, hits_json
from clients.writers.stix_sightings import TrafficLight, stix_bundle


class Format(StrEnum):
    """What `export` writes."""

    CSV = "csv"
    JSON = "json"
    STIX = "stix"


def export(
    directory: run.HomeFolder,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="A request that was answered with hits or more.")
    ],
    to: Annotated[Format, typer.Option("--format", help="csv, json, or stix: STIX 2.1 sightings.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write it; only you can read it.")
    ],
    tlp: Annotated[
        TrafficLight | None,
        typer.Option("--tlp", help="With stix: how far the receiver may pass it on. Red if not given."),
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Write the hits of an answered request as a file for another program. Writing it twice gives the same file.

    Contributors are named only if the answer named them. In CSV a cell that a spreadsheet would take for a formula,
    such as a phone number with its +, stands behind an apostrophe; the commands here read it without.
    """
    if tlp is not None and to is not Format.STIX:
        raise BadInput("--tlp is for --format stix: the other formats have no place for a marking.")
    home = run.open_home(directory)
    identifier = run.identifier(request_id, 16, "REQUEST_ID")
    space = home.space(*RequestFolder(home.vault, identifier).roster()).payload
    if contested(home, space, identifier):
        raise Conflict(CONTESTED)
    hits = read_hits(home, space, identifier)
    if to is Format.STIX:
        text = stix_bundle(hits, tlp or TrafficLight.RED)
    else:
        text = hits_csv(hits.hits, hits.tier) if to is Format.CSV else hits_json(hits)
    run.write_private(out, text, "hits")
    run.show(
        {"request_id": request_id, "format": to.value, "hits": len(hits.hits), "file": str(out)},
        f"{len(hits.hits)} hits are in {out}, which only you can read.",
        as_json=as_json,
    )
