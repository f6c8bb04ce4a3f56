"""The operator's part of a change of the log's key: the folder's files and the log, step after step.

Rule: each step is durable before the next begins, and finds what an earlier, cut short try of it left; so the same
command goes on from wherever it stopped (`broker.translog.key_change` lists the steps). It serves nothing.
"""

from pathlib import Path

from broker import folder, startup
from broker.context import Clock
from broker.protocol.errors import Conflict, Unavailable
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.log_keys import LogKeyChain
from broker.settings import Settings
from broker.translog import key_change
from broker.translog.cosigning import Ask
from broker.translog.key_change import LostKey


def change(
    directory: Path,
    settings: Settings,
    reason: str,
    clock: Clock,
    random_bytes: RandomBytes,
    lost: LostKey | None = None,
    ask: Ask | None = None,
) -> LogKeyChain:
    """Change the log's key, and prove it in the file of log keys. Errors as `startup.rotate_log_key`.

    Where the old key is lost, Unavailable tells the new one, for the witnesses."""
    keys = folder.prepare_log_key(directory, random_bytes)
    try:
        link = startup.rotate_log_key(settings, keys, reason, clock, random_bytes, ask, lost)
    except Unavailable as error:
        if lost is None or keys.next_log_key is None:
            raise
        raise key_change.told_lost(error, settings.log_origin, keys.next_log_key) from error
    chain = folder.keep_log_key_link(directory, settings.log_origin, link)
    if lost is not None:
        # There is no old key that could sign beside the new one.
        folder.drop_old_log_key(directory)
    return chain


def finish(
    directory: Path, settings: Settings, clock: Clock, random_bytes: RandomBytes, ask: Ask | None = None
) -> None:
    """Drop the old key, once witnesses and spaces have the new one. Raises Conflict: it is still needed."""
    keys = folder.read_keys(directory)
    if folder.log_key_chain(directory) is None:
        raise Conflict("The log's key was not changed yet, or its proof is missing: rotate it first.")
    startup.check_log_key_followed(settings, keys, clock, random_bytes, ask)
    folder.drop_old_log_key(directory)
