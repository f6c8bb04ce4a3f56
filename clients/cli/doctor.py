"""`narrowgate doctor`: one look at everything that can be in the way, in plain words, with what to do.

It looks at a party's home, or at a rule officer's, a broker's, a key holder's or a witness's folder, and tells by their
files which it is.

Rule: it changes nothing, asks services only what anybody may ask, and prints no secret and no identifier. Exit code
0 if nothing is broken, 1 if something is.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.protocol.errors import NarrowgateError
from clients.cli import run
from clients.doctor.finding import Finding, State, broken, ok

if TYPE_CHECKING:
    from clients.doctor.folder_kinds import FolderKind
    from clients.doctor.peers import Looked

_HIGH_WATER_VARIABLE = "NARROWGATE_HIGH_WATER"
_MARK = {State.OK: "ok      ", State.LOOK: "look at ", State.BROKEN: "BROKEN  "}


def doctor(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="A home, or a broker's, key holder's or witness's folder; without it, this computer only.",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Call nobody.")] = False,
    as_json: run.Json = False,
) -> None:
    """Look at this computer, a home or a service's folder, and who it works with, and say what to do.

    It changes nothing, and may be run beside a service. A key holder's passphrase comes from NARROWGATE_PASSPHRASE, the
    file of its mark from NARROWGATE_HIGH_WATER, as for its own commands."""
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
    from clients.doctor.folder_kinds import FolderKind, kind_of
    from clients.doctor.machine import look_at_machine

    yield from look_at_machine(directory if directory is not None and directory.is_dir() else Path())
    if directory is None:
        return
    kind = kind_of(directory)
    if kind is None or kind is FolderKind.HOME:
        yield from _home(directory, offline)
        return
    yield ok("folder", f"This is a {kind}.")
    # Without libsodium nothing else can even be imported; a line above says so.
    from clients.doctor.peers import look_at_peers

    looked = _looked_over(directory, kind)
    yield from looked.findings
    if not offline:
        yield from look_at_peers(looked.peers, run.new_transport(), run.clock)


def _looked_over(directory: Path, kind: "FolderKind") -> "Looked":
    from clients.doctor.folder_kinds import FolderKind

    if kind is FolderKind.BROKER:
        from clients.doctor.broker_checks import look_at_broker_folder

        return look_at_broker_folder(directory, run.clock())
    if kind is FolderKind.OFFICER:
        from clients.doctor.officer_checks import look_at_officer

        return look_at_officer(directory, run.random_bytes, run.passphrase())
    if kind is FolderKind.WITNESS:
        from clients.doctor.witness_checks import look_at_witness_folder

        return look_at_witness_folder(directory, run.clock())
    from clients.doctor.holder_checks import look_at_holder
    from clients.keyholder.high_water import beside

    named = os.environ.get(_HIGH_WATER_VARIABLE)
    return look_at_holder(
        directory, Path(named) if named else beside(directory), run.passphrase(), run.clock()
    )


def _home(directory: Path, offline: bool) -> Iterator[Finding]:
    from clients.doctor import home_checks, waiting
    from clients.doctor.permissions import look_at_permissions
    from clients.doctor.services import look_at_services

    try:
        home = run.open_home(directory)
    except NarrowgateError as error:
        yield broken("home", "The home cannot be opened.", error.detail)
        return
    yield look_at_permissions(directory)
    yield from home_checks.look_at_home(home)
    yield from home_checks.look_at_deposits(home, run.clock())
    yield from home_checks.look_at_requests(home)
    yield from waiting.look_at_releases(home, run.clock())
    yield from waiting.look_at_retractions(home)
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
