"""`narrowgate doctor`: one look at everything that can be in the way, in plain words, with what to do.

Rule: it changes nothing, asks services only what anybody may ask, and prints no secret and no identifier. Exit code
0 if nothing is broken, 1 if something is.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import NarrowgateError
from clients.cli import run
from clients.doctor.finding import Finding, State, broken

_MARK = {State.OK: "ok      ", State.LOOK: "look at ", State.BROKEN: "BROKEN  "}


def doctor(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Your home folder; without it, this computer only.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Call nobody.")] = False,
    as_json: run.Json = False,
) -> None:
    """Look at this computer, your home and the services of your spaces, and say what to do. Changes nothing."""
    findings = list(_findings(directory, offline))
    number = sum(each.state is State.BROKEN for each in findings)
    uneasy = sum(each.state is State.LOOK for each in findings)
    run.show(
        {
            "broken": number,
            "look_at": uneasy,
            "findings": [dataclasses.asdict(each) for each in findings],
        },
        "\n".join([*_lines(findings), f"{number} broken, {uneasy} to look at."]),
        as_json=as_json,
    )
    if number:
        raise typer.Exit(int(run.ExitCode.FAULT))


def _findings(directory: Path | None, offline: bool) -> Iterator[Finding]:
    from clients.doctor.machine import look_at_machine

    yield from look_at_machine(directory if directory is not None and directory.is_dir() else Path())
    if directory is None:
        return
    # Without libsodium nothing else can even be imported; the line above says so.
    from clients.doctor import home_checks
    from clients.doctor.services import look_at_services

    try:
        home = run.open_home(directory)
    except NarrowgateError as error:
        yield broken("home", "The home cannot be opened.", error.detail)
        return
    yield home_checks.look_at_permissions(directory)
    yield from home_checks.look_at_home(home)
    yield from home_checks.look_at_deposits(home, run.clock())
    yield from home_checks.look_at_requests(home)
    if offline:
        return
    transport = run.new_transport()
    for space_id in home.space_ids():
        try:
            space = home.space(space_id).payload
        except NarrowgateError:
            continue  # said above
        yield from look_at_services(space, transport, run.clock)


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for each in findings:
        yield f"{_MARK[each.state]}{each.about}: {each.words}"
        if each.what_to_do:
            yield f"          {each.what_to_do}"
