"""`narrowgate keyholder rotate-log-key`: change the key of this holder's log, with the words of the broker's command.

Rule: parse, call, print, as `clients.keyholder.cli`, which it is a command of.
"""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from broker.translog import key_change
from broker.translog.key_change_files import hand_out, read_lost
from clients.cli.run import Json, clock, passphrase, random_bytes, show
from clients.keyholder.command_options import Folder, HighWaterFile
from clients.keyholder.log_keys import change
from clients.keyholder.log_keys.chain_file import LOG_KEYS_FILE


def rotate_log_key(
    directory: Folder,
    reason: Annotated[
        str | None, typer.Option(help="Why the key is changed, in a sentence; it is signed and logged.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the file of log keys there, to hand to every witness."),
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Drop the old key, once every witness follows the new one.")
    ] = False,
    lost_key: Annotated[
        str | None,
        typer.Option(
            "--lost-key",
            metavar="KEY",
            help="The old key's public line, name+id+base64, if the old key itself is lost. People have to accept it.",
        ),
    ] = None,
    last_checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --lost-key: the newest checkpoint that the old key signed, as an auditor's mirror has it.",
        ),
    ] = None,
    high_water: HighWaterFile = None,
    json: Json = False,
) -> None:
    """Change the key that signs this holder's log, through the log itself. Stop the service first, start it afterwards.

    From then on the log is signed with both keys. Witnesses follow the file of log keys by command; auditors meet the
    change in the log, and spaces need no new roster. With --finish the old key is dropped. Cut short, the same command
    goes on.
    """
    stopped = change.StoppedHolder(directory, clock, random_bytes, passphrase(), high_water)
    if finish:
        change.finish(stopped)
        words = "The old key is dropped: the log is signed with the new one alone. Start the service now, and back up "
        show({"finished": True}, f"{words}the folder.", as_json=json)
        return
    if reason is None or (lost_key is None) != (last_checkpoint is None):
        raise BadInput("Give a --reason, and --lost-key together with --last-checkpoint or neither.")
    lost = None if last_checkpoint is None else read_lost(lost_key or "", last_checkpoint)
    chain = change.change(stopped, reason, lost)
    file = hand_out(directory / LOG_KEYS_FILE, out, "the key holder's")
    value = key_change.describe(chain) | {"file": str(file)}
    then = (
        "it signs with the new key alone"
        if lost
        else "it signs with both keys.\nOnce every witness follows: narrowgate keyholder rotate-log-key DIR --finish"
    )
    show(
        value,
        f"The log's key is changed, from {value['from_size']} entries on. Back up the folder.\nHand {file} to every "
        f"witness of this log (narrowgate witness follow-log), and tell auditors.\nStart the service now: {then}.",
        as_json=json,
    )
