"""`narrowgate witness ...`: make a witness, pin logs, serve, and look at what it cosigned.

Rule: parse, call, print; this is where the clock and the system's randomness are bound. Everything needs the service
stopped but `serve` itself, since one process owns the folder. Exit codes are those of `clients.cli.run`.
"""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import VerificationFailed
from broker.protocol.log_keys import read_chain
from clients.cli.run import Json, application, clock, random_bytes, read_input, show, verifier_key
from clients.witness.context import open_witness
from clients.witness.cosigning import follow_log, pin_log, replace_log_key
from clients.witness.keys import Algorithm, create_keys
from clients.witness.store import logs

app = application("Run a witness: it cosigns logs that only grow.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The witness's folder: key and database.")]


@app.command("init")
def initialise(
    directory: Folder,
    name: Annotated[str, typer.Option(help="Name in cosignatures, such as witness.example.org/w1.")],
    algorithm: Annotated[
        Algorithm,
        typer.Option(
            help="Sign with Ed25519, with ML-DSA-44 (which quantum computers do not break), or both."
        ),
    ] = Algorithm.ED25519,
    json: Json = False,
) -> None:
    """Make a key, or one of each kind. Hand what is printed to operators of logs and to founders of spaces.

    A log and a space name one key of a witness: with both, those choose."""
    keys = [str(each) for each in create_keys(directory, name, random_bytes, algorithm).verifier_keys]
    words = "Made. Hand this key to operators of logs and to founders of spaces:"
    if len(keys) > 1:
        words = "Made. Hand one of these keys, Ed25519 or ML-DSA-44, to operators of logs and to founders of spaces:"
    value = {"name": name, "verifier_key": keys[0], "verifier_keys": keys}
    show(value, "\n".join([words, *keys]), as_json=json)


@app.command("add-log")
def add_log(
    directory: Folder,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="The log's key, name+id+base64, or a file that holds it.")
    ],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="The log's old key is lost: pin this one in its place, on your own word."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Pin a log, so that its checkpoints are cosigned. Compare the key with its owner by another way first."""
    witness = open_witness(directory, clock)
    try:
        pinned = (replace_log_key if replace else pin_log)(witness, verifier_key(key))
    finally:
        witness.close()
    show(
        {"origin": pinned.name, "verifier_key": str(pinned)},
        f"Pinned. Checkpoints of {pinned.name} are cosigned once the service runs.",
        as_json=json,
    )


@app.command("follow-log")
def follow(
    directory: Folder,
    log_keys: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file of log keys, from the log's operator.")
    ],
    json: Json = False,
) -> None:
    """Follow a log whose key was changed: from now on the new key alone counts here.

    The change must be signed by the key that is pinned, and be in the log that this witness cosigned."""
    chain = read_chain(read_input(log_keys, "the log keys"))
    witness = open_witness(directory, clock)
    try:
        newest = follow_log(witness, chain).newest
    finally:
        witness.close()
    show(
        {"origin": newest.name, "verifier_key": str(newest)},
        f"Followed. Of {newest.name} only this key counts here now:\n{newest}",
        as_json=json,
    )


@app.command("serve")
def serve(
    directory: Folder,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; put a TLS proxy before any other.")
    ] = "127.0.0.1",
    json: Json = False,
) -> None:
    """Cosign until stopped. Prints no call and no address of a caller."""
    # Imported on use: the web framework takes a second that the other commands need not wait for.
    import uvicorn

    from clients.witness.api import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    witness = open_witness(directory, clock)
    show(
        {"name": witness.keys.name, "host": host, "port": port},
        f"{witness.keys.name} answers on {host}, port {port}, until it is stopped.",
        as_json=json,
    )
    try:
        uvicorn.run(
            create_app(witness),
            host=host,
            port=port,
            access_log=False,
            log_level="warning",
            server_header=False,
        )
    finally:
        witness.close()


@app.command("show")
def show_logs(directory: Folder, json: Json = False) -> None:
    """What is pinned and was cosigned last; and whether a log was found to have forked, with both notes."""
    witness = open_witness(directory, clock)
    try:
        with witness.database.read() as connection:
            found = [_log(connection, origin) for origin in logs.origins(connection)]
    finally:
        witness.close()
    keys = [str(each) for each in witness.keys.verifier_keys]
    value = {
        "name": witness.keys.name,
        "verifier_key": keys[0],
        "verifier_keys": keys,
        "logs": found,
    }
    lines = [f"{witness.keys.name}: {key}" for key in keys]
    for each in found:
        lines.append(f"{each['origin']}: {each['size']} entries cosigned, {len(each['forks'])} forks found")
        for fork in each["forks"]:
            lines += ["Two checkpoints of one size:", fork["seen_note"], fork["other_note"]]
    show(value, "\n".join(lines), as_json=json)
    if any(each["forks"] for each in found):
        raise VerificationFailed(
            "A log showed two roots at one size: it forked. Keep the folder; tell its users and an auditor."
        )


def _log(connection: Any, origin: str) -> dict[str, Any]:
    newest = logs.newest(connection, origin)
    return {
        "origin": origin,
        "keys": list(logs.keys_of(connection, origin)),
        "size": 0 if newest is None else newest.size,
        "root": None if newest is None else newest.root.hex(),
        "cosigned_at": None if newest is None else newest.cosigned_at,
        "forks": [
            {
                "size": fork.size,
                "found_at": fork.found_at,
                "seen_note": fork.seen_note,
                "other_note": fork.other_note,
            }
            for fork in logs.forks_of(connection, origin)
        ],
    }
