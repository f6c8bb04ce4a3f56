"""`narrowgate canonicalise`: identifiers in, the one form that is compared out, line for line."""

import json
import sys

import typer

from clients.cli import run
from clients.identifiers.lines import canonicalise_line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def canonicalise(as_json: run.Json = False) -> None:
    """Write identifiers in the one form that is compared: NDJSON on standard input, NDJSON on standard output.

    A line {"type": "phone", "raw": "07700 900123", "hint": "GB"} becomes {"canonical": "phone/1|+447700900123"}, or
    {"rejected": "why"}. Other programs can be held to it. Nothing is sent anywhere, and a line that is rejected is
    no error. The output is JSON with or without --json.
    """
    for line in run.standard_input():
        sys.stdout.write(json.dumps(canonicalise_line(line), ensure_ascii=False) + "\n")
