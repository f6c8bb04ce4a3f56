"""What the commands of `narrowgate broker` share: the broker's folder, --json, and how an answer is printed.

Rule: with --json there is JSON alone on standard output. It holds no command.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def _remember_json(context: typer.Context, wanted: bool) -> bool:
    # The root of the command line looks here to print an error the way the answer would have been printed.
    if wanted:
        context.meta["narrowgate.json"] = True
    return wanted


Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The broker's folder: keys, settings and database live there.")
]
Json = Annotated[
    bool,
    typer.Option("--json", callback=_remember_json, help="Print JSON, and nothing else, on standard output."),
]


def show(value: dict[str, Any], words: str, as_json: bool) -> None:
    """End a command: `value` as JSON, or `words`, on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, sort_keys=True) if as_json else words)
