"""What a founder's commands share, and those that follow a broker's change: its rules, its witnesses, its log's key.

Rule: parse, call, print. Each makes the next version of the roster, which everybody pins from a file.
"""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput
from broker.protocol.messages.parties import Space
from clients.cli import run
from clients.cli.log_key_options import AcceptLost, LogKeys, log_key_change
from clients.founder import Founder
from clients.home import Home

Witness = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY",
        help="A witness's key, name+id+base64, or a file with it, from the witness itself; repeat for more.",
    ),
]
Quorum = Annotated[
    int, typer.Option(help="How many witnesses must have cosigned the log; none only in a trial.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Where to write the space document to hand over.")
]


def change_rules(
    directory: run.HomeFolder,
    bundle: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The rules now in force at the broker, which all agreed on."),
    ],
    out: Out,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Agree to the rules that were put in force: the next version of the roster, which names them.

    Until then nothing new is asked or deposited in the space. Everybody pins the new file, key holders too.
    """
    home = run.open_home(directory)
    signed = founder_of(home).change_rules(run.space_id(space_id), digest_of(bundle))
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)


def change_witnesses(
    directory: run.HomeFolder,
    out: Out,
    witness: Witness = None,
    witnesses: Quorum = 1,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Name the witnesses that the broker now asks: the next version of the roster. A trial stays a trial.

    Until then no permit of the space counts. Everybody pins the new file, key holders too.
    """
    keys = [str(run.verifier_key(text)) for text in witness or ()]
    signed = founder_of(run.open_home(directory)).change_witnesses(run.space_id(space_id), keys, witnesses)
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)


def change_log_key(
    directory: run.HomeFolder,
    log_keys: LogKeys,
    out: Out,
    accept_lost: AcceptLost = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Name the key that the broker's log was changed to: the next version of the roster.

    The file of log keys must lead there from the key that is pinned here. Everybody pins the new file together with
    the file of log keys, key holders too; only then does the broker's operator drop the old key.
    """
    change = log_key_change(log_keys, accept_lost)
    signed = founder_of(run.open_home(directory)).change_log_key(run.space_id(space_id), change)
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)
    run.say(f"Hand {log_keys} over with it: each joins or pins with --log-keys {log_keys}")


def founder_of(home: Home) -> Founder:
    """The founder's acts from a home."""
    return Founder(home, run.caller(home), run.clock, run.random_bytes)


def digest_of(bundle: Path) -> bytes:
    """The digest of the rules in a folder. Raises BadInput."""
    try:
        from broker.gate.bundle import load
    except ModuleNotFoundError:
        raise BadInput(
            "To read rules, install narrowgate with its extra [policy], or leave --bundle out."
        ) from None
    return load(bundle).digest


def facts_of(signed: Signed[Space]) -> dict[str, object]:
    """A roster in plain values."""
    space = signed.payload
    return {
        "space_id": space.space_id.hex(),
        "name": space.name,
        "roster_version": space.roster_version,
        "digest": signed.digest.hex(),
        "trial": space.trial,
    }


def show_founded(signed: Signed[Space], out: Path, directory: Path, *, as_json: bool) -> None:
    """End a command that made a roster."""
    space = signed.payload
    words = (
        f"{space.name}: roster version {space.roster_version}, {len(space.members)} members, "
        f"id {space.space_id.hex()}.\n"
        f"Hand {out} and {directory / 'enrolment.jws'} to everybody in it."
    )
    run.show({**facts_of(signed), "file": str(out)}, words, as_json=as_json)
