"""`narrowgate request open-draw` and `forget`: open what an auditor drew, and erase what nobody may draw any more.

Rule: an opening is written as a file that only the owner may read; its identifiers are wrapped to the auditor all the
same. `forget` erases what is past the retention that each request claimed, and nothing else.

The commands belong to `clients.cli.request`, which names them.
"""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol import documents
from broker.protocol.messages.base import encode
from broker.protocol.messages.draws import DrawOpening
from clients.cli import run
from clients.draws.draw_opening import open_draw as open_drawn
from clients.requesting.forgetting import forget_due


def open_draw(
    directory: run.HomeFolder,
    order: Annotated[
        Path, typer.Option("--order", metavar="FILE", help="The order that an auditor of the space signed.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the opening.")],
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Open the indices of a request that an auditor drew, for that auditor's eyes alone.

    The auditor learns the drawn identifiers and the space's salt, and nothing of the others but points and tokens.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    document = run.read_document(order, "the order")
    opened = open_drawn(home, space, document, run.clock(), run.random_bytes)
    run.write_private(out, encode(opened).decode() + "\n", "the opening")
    opening = documents.verify(DrawOpening, opened.opening, home.identity.signing_key).payload
    run.show(
        {"draw_id": opening.draw_id.hex(), "request_id": opening.request_id.hex(), "file": str(out)},
        f"Opened. Hand {out} to the auditor, by a way that only the auditor reads.",
        as_json=as_json,
    )


def forget(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """Erase identifiers, blinds, answers, tokens and results of requests past the retention they claimed.

    The signed papers stay. Run it daily: nothing else erases them, and an auditor may draw until then.
    """
    forgotten = forget_due(run.open_home(directory), run.clock())
    run.show(
        {"forgotten": [request_id.hex() for request_id in forgotten]},
        f"Erased what was kept of {len(forgotten)} requests.",
        as_json=as_json,
    )
