"""The options by which a person hands over that a log's key was changed (decision 0018)."""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.log_keys import read_chain
from clients.cli import run
from clients.mirrors.log_key_change import NO_LOG_KEY_CHANGE, LogKeyChange

_LOG_KEYS_HELP = "The file of log keys, from the broker's operator: `narrowgate broker rotate-log-key`."
LogKeys = Annotated[Path, typer.Option("--log-keys", metavar="FILE", help=_LOG_KEYS_HELP)]
LogKeysIfChanged = Annotated[
    Path | None,
    typer.Option("--log-keys", metavar="FILE", help=f"If the log's key was changed. {_LOG_KEYS_HELP}"),
]
AcceptLost = Annotated[
    bool,
    typer.Option(
        "--accept-lost-key",
        help="The log's old key was lost and did not sign the change: you know by another way that it is true.",
    ),
]


def log_key_change(log_keys: Path | None, accept_lost: bool) -> LogKeyChange:
    """What the options say about a change of the log's key. Raises BadInput."""
    if log_keys is None:
        return NO_LOG_KEY_CHANGE
    return LogKeyChange(read_chain(run.read_input(log_keys, "the log keys")), accept_lost)
