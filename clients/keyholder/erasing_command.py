"""`narrowgate keyholder erase-record`: erase one record of this holder's log, on somebody's order.

Rule: parse, call, print, as `clients.keyholder.cli`, which it is a command of.
"""

from typing import Annotated

import typer

from broker.protocol.messages.erasure import ErasureGround, order
from broker.protocol.messages.vocabulary import RecordKind
from clients.cli.run import Json, clock, passphrase, random_bytes, show
from clients.keyholder.command_options import Folder, HighWaterFile
from clients.keyholder.context import open_key_holder
from clients.keyholder.erasing import erase


def erase_record(
    directory: Folder,
    index: Annotated[
        int, typer.Argument(metavar="INDEX", help="The entry's place in this holder's log, from 0.", min=0)
    ],
    kind: Annotated[
        RecordKind, typer.Option("--kind", metavar="KIND", help="The entry's kind: who erases has looked.")
    ],
    ground: Annotated[ErasureGround, typer.Option("--ground", help="Why it may be erased.")],
    ordered_by: Annotated[
        str,
        typer.Option(
            "--ordered-by", metavar="TEXT", help="The court, authority or office, and its letter. No person."
        ),
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="In a sentence, naming no person and no case.")
    ],
    high_water: HighWaterFile = None,
    json: Json = False,
) -> None:
    """Erase one record of this holder's log with its salt; the leaf stays, and an entry says so.

    Stop the service first. It cannot be undone.
    """
    said = order(index, kind, ground, ordered_by, reason)
    holder = open_key_holder(directory, clock, random_bytes, passphrase(), high_water)
    try:
        logged = erase(holder, said)
    finally:
        holder.close()
    show(
        {"leaf_index": index, "kind": kind.value, "log_index": logged},
        f"The record of entry {index}, {kind.value}, is erased with its salt; entry {logged} says so.",
        as_json=json,
    )
