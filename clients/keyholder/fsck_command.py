"""`narrowgate keyholder fsck`: derive a stopped key holder's log and tables again, and tell what does not fit.

Rule: parse, call, print, as `clients.keyholder.cli`, which it is a command of. Findings are printed as they are found;
with --json they are in the one answer at the end, the first thousand of them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from broker.protocol.errors import BadInput
from broker.translog.stored import Finding, Progress, quiet
from clients.cli import run
from clients.keyholder import fsck as looking
from clients.keyholder.command_options import Folder, HighWaterFile
from clients.keyholder.context import DATABASE_FILE
from clients.keyholder.high_water import HighWater, beside
from clients.keyholder.keys import HolderKeys, open_keys
from clients.keyholder.log_keys.chain_file import LOG_KEYS_FILE, read_kept

LISTED = 1000


def fsck(
    directory: Folder,
    high_water: HighWaterFile = None,
    json: run.Json = False,
) -> None:
    """Derive everything again from what is stored, and say what is wrong and where; nothing is changed.

    Leaves, nodes, head and records of this holder's log; rows against the entries that explain them; series and sealed
    shares; changes of the log's key; the high-water mark. Stop the service first. Exits 0 when nothing is wrong, 4
    otherwise.
    """
    keys = open_keys(directory, run.passphrase())
    mark = HighWater(high_water or beside(directory), keys.log_origin)
    found, number = [], 0
    progress = _progress if not json and sys.stderr.isatty() else quiet
    for number, finding in enumerate(_findings(directory, keys, mark, progress), 1):
        if number <= LISTED:
            found.append({"where": finding.where, "what": finding.what})
        if not json:
            typer.echo(str(finding))
    words = (
        "Nothing is wrong that can be told from the folder and its mark. Whether they are the newest, the next start "
        "asks the witnesses."
        if not number
        else f"Findings: {number:,}. Nothing was changed. Keep the folder as evidence before you do anything: "
        "docs/settings.md#a-key-holders-high-water-mark."
    )
    run.show({"clean": not number, "number": number, "findings": found}, words, as_json=json)
    if number:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def _findings(directory: Path, keys: HolderKeys, mark: HighWater, progress: Progress) -> Iterator[Finding]:
    chain = None
    try:
        chain = read_kept(directory)
    except BadInput as error:
        yield Finding(LOG_KEYS_FILE, error.detail)
    yield from looking.look(directory / DATABASE_FILE, keys, mark, progress, chain)


def _progress(what: str, done: int, total: int) -> None:
    if done % max(1, total // 20) == 0:
        typer.echo(f"  {what}: {done:,} of {total:,}", err=True)
