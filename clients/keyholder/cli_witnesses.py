"""`narrowgate keyholder witnesses`: whom the operator chooses to cosign this holder's log.

Rule: parse, call, print. It asks no witness: the service does, when it is started anew.
"""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from clients.cli.run import Json, passphrase, show, verifier_key
from clients.keyholder import witness_choice
from clients.keyholder.keys import open_keys


def choose_witnesses(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The key holder's folder.")],
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add", metavar="KEY", help="A witness's key, name+id+base64, or a file that holds it."
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="ADDRESS", help="Where it is called; one for each --add, in order."),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="NAME", help="Ask this witness no more.")
    ] = None,
    quorum: Annotated[
        int | None,
        typer.Option(
            min=0, max=20, help="How many must cosign before an answer leaves, more than half; 0 is a trial."
        ),
    ] = None,
    timeout: Annotated[
        int | None, typer.Option(min=1, max=60, help="Seconds to wait for them; then nothing leaves.")
    ] = None,
    plain_http: Annotated[
        bool | None,
        typer.Option(
            "--plain-http/--no-plain-http",
            help="Whether witnesses on other machines may be called over http://: only on a network of your own.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show or change who cosigns this holder's log. A service that runs goes by it when it is started anew.

    The witness's operator pins the key that `keyholder status` prints, and hands you the witness's own. Never name a
    witness that you yourself run: it would vouch for its own log.
    """
    open_keys(directory, passphrase())
    if len(add or ()) != len(url or ()):
        raise BadInput("Name an address for each witness: --add KEY --url ADDRESS.")
    pairs = tuple((str(verifier_key(key)), where) for key, where in zip(add or (), url or (), strict=True))
    if pairs or remove or any(each is not None for each in (quorum, timeout, plain_http)):
        chosen = witness_choice.choose(directory, pairs, tuple(remove or ()), quorum, timeout, plain_http)
    else:
        chosen = witness_choice.read_choice(directory)
    lines = [f"{each.name}  {each.url}" for each in chosen.witnesses]
    lines.append(
        witness_choice.TRIAL
        if chosen.trial
        else f"{chosen.quorum} of {len(lines)} must cosign within {chosen.timeout_seconds} seconds."
    )
    show(chosen.model_dump(mode="json") | {"trial": chosen.trial}, "\n".join(lines), as_json=json)
