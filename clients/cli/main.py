"""`narrowgate`: the root of the command line.

Rule: a subject's commands are imported when they are used, so that each starts fast and a client installed without the
key holder's libraries still works; the help lists all of them. The broker's commands come by the entry-point group
`narrowgate.commands`, so that clients never import the broker (DESIGN 4).

It parses nothing itself and handles no error: see `clients.cli.run`.
"""

import gc
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from broker.protocol.errors import NotFound
from clients.cli.run import Commands, application

ENTRY_POINT_GROUP = "narrowgate.commands"


@dataclass(frozen=True)
class Subject:
    """A command or group of commands, by the module and attribute it comes from."""

    module: str
    help: str
    attribute: str = "app"


SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "agency": Subject("clients.cli.agency", "Make your agency's keys; introduce it to a broker."),
        "space": Subject("clients.cli.space", "Found a collaboration, or join one."),
        "deposit": Subject("clients.cli.deposit", "Share what you know, masked, on your conditions."),
        "request": Subject("clients.cli.request", "Ask whether other agencies know your identifiers."),
        "bundle": Subject("clients.cli.bundle", "No network? Carry your steps as files on a stick."),
        "desk": Subject("clients.cli.desk", "Legal desk: sign what you found on a request."),
        "approve": Subject("clients.cli.approve", "Supervisor, prosecutor: approve or refuse.", "approve"),
        "review": Subject("clients.cli.approve", "Judge, reviewer: review before or after.", "review"),
        "release": Subject("clients.cli.release", "Contributor: release your own records, or refuse."),
        "consent": Subject(
            "clients.cli.consent", "Helpline: let a person follow and withdraw what they gave."
        ),
        "case": Subject("clients.cli.case", "For a court: one signed folder with all papers of a case."),
        "access-request": Subject(
            "clients.cli.access_request", "A person asks what you hold about them: answer, or say why not."
        ),
        "audit": Subject("clients.cli.audit", "Auditor: verify the log; decide past cases again."),
        "policy": Subject("clients.cli.policy", "Try the written rules; sign them as an officer."),
        "keyholder": Subject("clients.keyholder.cli", "Run a key holder."),
        "witness": Subject("clients.witness.cli", "Run a witness: cosign logs that only grow."),
        "canonicalise": Subject(
            "clients.cli.canonicalise", "Write identifiers in the one form that is compared."
        ),
        "doctor": Subject("clients.cli.doctor", "Look what is in the way, and what to do.", "doctor"),
        "explain": Subject("clients.cli.explain", "Say what a word or code means.", "explain"),
        "demo": Subject("clients.demo.cli", "Watch the whole story with made-up agencies.", "demo"),
        "broker": Subject("", "Run a broker."),
    }
)


class _Root(Commands):
    """The subjects by name, each imported when it is asked for."""

    alone = False
    """Whether this process is the program and nothing else, as `main` says: in a test there is other garbage."""
    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """All subjects, those of other packages included, in the order of the page above."""
        return list(SUBJECTS) + sorted(set(_entry_points()) - set(SUBJECTS))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None. While the help is written, only its one line of help."""
        subject = SUBJECTS.get(cmd_name)
        if self._listing and subject is not None:
            return TyperCommand(cmd_name, help=subject.help)
        entry_point = _entry_points().get(cmd_name)
        if entry_point is not None:
            with _collecting_no_garbage(afterwards=not self.alone):
                loaded = entry_point.load()
            return _command(cmd_name, loaded)
        if subject is None:
            return None
        if not subject.module or importlib.util.find_spec(subject.module) is None:
            return TyperCommand(cmd_name, help=subject.help, callback=_not_installed)
        try:
            with _collecting_no_garbage(afterwards=not self.alone):
                module = importlib.import_module(subject.module)
        except ModuleNotFoundError as error:
            if error.name and error.name.split(".")[0] in ("broker", "clients"):
                raise
            return TyperCommand(cmd_name, help=subject.help, callback=_not_installed)
        return _command(cmd_name, getattr(module, subject.attribute))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The page of help, without importing what it lists."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


@contextmanager
def _collecting_no_garbage(afterwards: bool) -> Iterator[None]:
    """For imports, which make hardly any: the search for it takes a tenth of a short command.

    Unless it is to be looked at `afterwards`, what is there by then is left out of every later search, and of the one
    at the end."""
    gc.disable()
    try:
        yield
    finally:
        if not afterwards:
            gc.freeze()
        gc.enable()


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}


def _command(name: str, application: Any) -> Any:
    if not isinstance(application, typer.Typer) and not isinstance(application, TyperCommand | TyperGroup):
        # A subject of one command may be a plain function.
        function, application = application, typer.Typer(add_completion=False, rich_markup_mode=None)
        application.command()(function)
    command = typer.main.get_command(application) if isinstance(application, typer.Typer) else application
    command.name = name
    return command


def _not_installed() -> None:
    raise NotFound(
        "This part is not installed here. Install narrowgate with its extra: [broker], [keyholder] or [policy]."
    )


app = application("Compare what agencies know about trafficking, without pooling it.")
app.info.cls = _Root


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("narrowgate"))
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Compare what agencies know about trafficking, without pooling it."""


def main() -> None:
    """The entry point of the program `narrowgate`."""
    _Root.alone = True
    app(prog_name="narrowgate")


if __name__ == "__main__":
    main()
