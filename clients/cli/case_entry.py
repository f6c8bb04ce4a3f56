"""How a command enters a person's case: the number as an argument, the PIN never.

Rule: the PIN is asked for without an echo, or read from NARROWGATE_PIN. What is tried is counted by
`clients.persons.consent_case`.
"""

import os
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from clients.cli import run
from clients.home import Home
from clients.persons.consent_case import Cases

PIN_VARIABLE = "NARROWGATE_PIN"

Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="The case number as the person says it; dashes do not count.")
]


def cases_of(home: Home) -> Cases:
    """The cases of a home."""
    return Cases(home, run.clock(), run.random_bytes)


def pin() -> str:
    """The PIN that the person says. Raises BadInput if there is none."""
    given = os.environ.get(PIN_VARIABLE)
    if given is None:
        given = typer.prompt("PIN", hide_input=True, err=True)
    if not given.strip():
        raise BadInput("The PIN has six digits. Ask the person for it.")
    return given
