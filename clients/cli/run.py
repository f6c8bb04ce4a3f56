"""What all commands share: errors to exit codes, plain words on standard error, JSON alone on standard output.

Rule: exit codes 0 done, 1 fault, 2 usage, 3 refused by the gate, 4 verification failed, 5 unreachable, 6 bad input
(DESIGN 5). An expected error is printed as what went wrong and what to do; an unexpected one as its kind and place
alone, because its text might repeat a value. This is where the clock, the system's randomness and HTTP are bound.

It holds no command. A command module makes its group with `application`, opens the home with `open_home`, and ends
with `show`.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from broker.protocol.checkpoint import VerifierKey, parse_verifier_key
from broker.protocol.documents import MAXIMUM_DOCUMENT_BYTES
from broker.protocol.errors import BadInput, NarrowgateError
from broker.protocol.messages.base import Message
from clients.remote import RefusedByGate, RemoteProblem, readable, visible

if TYPE_CHECKING:
    from clients.home import Home
    from clients.transport import Caller, Transport

HOME_LOCK_VARIABLE = "NARROWGATE_PASSPHRASE"
_JSON_WANTED = "narrowgate.json"


class ExitCode(IntEnum):
    """What a command's exit tells the script that ran it."""

    DONE = 0
    FAULT = 1
    USAGE = 2
    REFUSED = 3
    VERIFICATION_FAILED = 4
    UNREACHABLE = 5
    BAD_INPUT = 6


EXIT_CODES: Mapping[str, ExitCode] = MappingProxyType(
    {
        "refused": ExitCode.REFUSED,
        "verification-failed": ExitCode.VERIFICATION_FAILED,
        "unavailable": ExitCode.UNREACHABLE,
        "too-many-calls": ExitCode.UNREACHABLE,
        "bad-input": ExitCode.BAD_INPUT,
        "unauthenticated": ExitCode.BAD_INPUT,
        "not-permitted": ExitCode.BAD_INPUT,
        "not-found": ExitCode.BAD_INPUT,
        "conflict": ExitCode.BAD_INPUT,
        "consistency-needed": ExitCode.BAD_INPUT,
        "expired": ExitCode.BAD_INPUT,
        "too-large": ExitCode.BAD_INPUT,
    }
)
"""Exit code by problem slug; any other slug is a fault."""


def _remember_json(context: typer.Context, wanted: bool) -> bool:
    # `meta` is shared by a command and the groups above it, so that an error is printed the way the answer would be.
    if wanted:
        context.meta[_JSON_WANTED] = True
    return wanted


HomeFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Your home folder: keys, salts and pinned documents live there.")
]
Json = Annotated[
    bool,
    typer.Option("--json", callback=_remember_json, help="Print JSON, and nothing else, on standard output."),
]
SpaceId = Annotated[
    str | None,
    typer.Option("--space-id", metavar="HEX", help="Which space; needed only if you are in several."),
]


class Commands(TyperGroup):
    """A group of commands that turns errors into plain words and exit codes, whoever runs it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises typer.Exit with the exit code of an error."""
        try:
            return super().invoke(ctx)
        except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except NarrowgateError as error:
            report(error, as_json=bool(ctx.meta.get(_JSON_WANTED)))
            raise typer.Exit(int(exit_code(error))) from None
        except Exception as error:
            _report_fault(error)
            raise typer.Exit(int(ExitCode.FAULT)) from None


def application(help: str) -> typer.Typer:
    """A group for one subject's commands. `help` says in one line what they are for."""
    return typer.Typer(
        cls=Commands,
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def exit_code(error: NarrowgateError) -> ExitCode:
    """The exit code of an expected error."""
    return EXIT_CODES.get(error.problem, ExitCode.FAULT)


def report(error: NarrowgateError, *, as_json: bool) -> None:
    """Print an expected error: in words on standard error, or with --json as an object on standard output."""
    if as_json:
        problem: dict[str, Any] = {"problem": error.problem, "detail": error.detail}
        if isinstance(error, RemoteProblem):
            problem |= {"what_to_do": error.what_to_do, **error.extensions}
        print_json(problem)
    for line in _in_words(error):
        typer.echo(visible(line), err=True)


def _in_words(error: NarrowgateError) -> Iterator[str]:
    if isinstance(error, RefusedByGate):
        yield f"Refused. {readable(error.detail)}"
        for name, reason, law in _rows(error.rules, error.reasons, error.law):
            yield f"  {name}: {reason}" + (f" ({law})" if law else "")
        for missed in error.missed:
            yield f"  needed: {missed}"
        for note in error.notes:
            yield f"  note: {note}"
        return
    yield readable(error.detail)
    if isinstance(error, RemoteProblem) and error.what_to_do:
        yield error.what_to_do


def _rows(*columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for row in range(max(len(column) for column in columns)):
        yield tuple(column[row] if row < len(column) else "" for column in columns)


def _report_fault(error: Exception) -> None:
    # The text of an unexpected error may hold a value; its class and place cannot.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    typer.echo(f"The program failed: {type(error).__name__}{reason} in {place}.", err=True)
    typer.echo("Tell the maintainers that line. Running the command again is safe.", err=True)


# --- what commands print ---


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    typer.echo(visible(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)))


def print_json_in_order(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output, its members in the order a person should read them."""
    typer.echo(visible(json.dumps(value, indent=2, ensure_ascii=False)))


def show(value: Message | Mapping[str, Any], words: str, *, as_json: bool) -> None:
    """End a command: `value` as JSON with --json, else `words`, on standard output."""
    if as_json:
        print_json(value.model_dump(mode="json") if isinstance(value, Message) else value)
    else:
        # Much of what is shown was written by somebody else: a log's record, a contributor's address, a payload.
        typer.echo(visible(words))


def say(words: str) -> None:
    """A remark for the person at the terminal, on standard error."""
    typer.echo(visible(words), err=True)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, with the rate and the time left.

    Yields a function of (done, total) to call as work goes on; a total of 0 is one that is not known yet."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        number = bar.add_task(title, total=None, rate="")
        (task,) = bar.tasks

        def update(done: int, total: int) -> None:
            if (total or None) != task.total or done < task.completed:
                # Another stretch of the work: what was done before it says nothing of its rate.
                bar.reset(number, completed=done, total=total or None)
            speed = task.speed
            bar.update(number, completed=done, rate="" if speed is None else f"{speed:,.0f} a second")

        yield update


# --- what commands start from ---


def clock() -> int:
    """Unix seconds, UTC."""
    return int(time.time())


random_bytes = os.urandom
"""The system's randomness."""


def passphrase() -> str | None:
    """The passphrase of the home, from the environment, where the shell's history does not keep it."""
    return os.environ.get(HOME_LOCK_VARIABLE) or None


def open_home(directory: Path) -> "Home":
    """Open the home folder, and erase what a killed command left half-written in it. Errors as `Home.open`."""
    # Imported on use, as below: the libraries of calls and keys take half a second that `--help` need not wait for.
    from clients.home import Home

    home = Home.open(directory, random_bytes, passphrase())
    home.vault.sweep_half_written()
    return home


def new_transport() -> "Transport":
    """What calls go over. A test puts the services themselves in its place."""
    from clients.transport import HttpTransport

    return HttpTransport()


def caller(home: "Home") -> "Caller":
    """A caller that signs with the home's key; in a home that carries (`narrowgate bundle`), it opens no socket."""
    from clients.carry.outbox import Outbox
    from clients.carry.transport import CarryingTransport
    from clients.transport import Caller

    outbox = Outbox(home.vault)
    transport = CarryingTransport(outbox) if outbox.carrying() is not None else new_transport()
    return Caller(transport, home.signing_key, clock, random_bytes)


def space_id(text: str | None) -> bytes | None:
    """The value of --space-id as bytes. Raises BadInput."""
    return None if text is None else identifier(text, 16, "--space-id")


def identifier(text: str, size: int, option: str) -> bytes:
    """An id given in hex on the command line. Raises BadInput naming the option."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size:
        raise BadInput(f"{option} is {2 * size} hexadecimal digits. Copy it from the list of what is there.")
    return value


def read_input(path: Path, what: str, at_most: int = -1) -> bytes:
    """A file that the person named. Raises BadInput saying what it should be and why it cannot be read.

    Args:
        at_most: bytes to read; whoever gives one asks for one more than it takes, to see that there are more.
    """
    try:
        with path.open("rb") as file:
            return file.read(at_most)
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(f"The file of {what} cannot be read: {reason}. Check its name.") from None


def read_document(path: Path, what: str) -> str:
    """A signed document from a file; white space around it does not count. Raises BadInput."""
    data = read_input(path, what, MAXIMUM_DOCUMENT_BYTES + 1)
    if len(data) > MAXIMUM_DOCUMENT_BYTES:
        raise BadInput(
            f"The file of {what} is too large to be a signed document. Check that it is the right one."
        )
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise BadInput(
            f"The file of {what} is not a signed document. Check that it is the right one."
        ) from None


def verifier_key(text: str) -> VerifierKey:
    """The key of a log or witness as one line, `name+id+base64`, or from a file with that line. Raises BadInput."""
    path = Path(text)
    if len(text) < 255 and path.is_file():
        text = read_input(path, "the key").decode("ascii", "replace").strip()
    return parse_verifier_key(text)


def write_output(path: Path, text: str) -> None:
    """Write a file that the person named; it is theirs, and not made secret. Raises BadInput."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(f"The output file cannot be written: {reason}. Choose another place.") from None


def write_private(path: Path, text: str, what: str) -> None:
    """Write a file that only its owner may read. Raises BadInput, naming `what` it was to be."""
    try:
        # A file that is there already keeps its mode when opened, so it is set again.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            path.chmod(0o600)
            file.write(text)
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(f"The file of {what} cannot be written: {reason}. Choose another place.") from None


def standard_input() -> Iterator[str]:
    """The lines of standard input as UTF-8, whatever the terminal's locale; damaged bytes become U+FFFD."""
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", errors="replace")
