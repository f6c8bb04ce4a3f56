"""What the commands of `narrowgate keyholder` share: the folder, and where its high-water mark lies.

Rule: one wording, so that every command's help says the same. It holds no command.
"""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The key holder's folder: keys, database and rule bundles.")
]
HighWaterFile = Annotated[
    Path | None,
    typer.Option(
        "--high-water",
        metavar="FILE",
        envvar="NARROWGATE_HIGH_WATER",
        help="Where it is marked how far this holder's log came; beside the folder unless named.",
    ),
]
