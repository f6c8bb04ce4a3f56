"""`narrowgate broker carry-key`: the key that bundles to this broker are sealed to, as a file to hand out.

Rule: parse, call, print. The key is public; what opens the bundles stays in the running broker (`broker.api.carried`).
"""

from pathlib import Path
from typing import Annotated

import typer

from broker import folder
from broker.command_options import Folder, Json, show
from broker.protocol.errors import BadInput


def carry_key(
    directory: Folder,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the document there, to hand to parties.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the key that bundles to this broker are sealed to, signed, for parties without a network.

    Their program checks it under the broker's key in the space document. See: narrowgate bundle begin
    """
    document = folder.carry_key(directory)
    if out is not None:
        try:
            out.write_text(document + "\n", encoding="ascii")
        except OSError as error:
            raise BadInput("The carry key cannot be written there. Choose another place.") from error
    words = document if out is None else f"Hand {out} to parties without a network."
    show({"carry_key": document}, words, as_json)
