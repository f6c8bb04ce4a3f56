"""`narrowgate broker fsck`, `backup` and `restore`: parse, call, print.

Rule: as `broker.cli`, whose commands they are. Findings are printed as they are found, to standard output; with --json
they are in the one answer at the end, the first thousand of them. Progress goes to standard error, to a person alone.
The passphrase comes from the environment, where the shell's history does not keep it.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput, VerificationFailed

LOCK_VARIABLE = "NARROWGATE_BACKUP_PASSPHRASE"
LISTED = 1000
NEVER_REPAIRS = (
    "There is no --repair: what does not fit is evidence of a fault or of a hand, and a program that makes it fit "
    "makes it disappear. Restore a backup instead."
)
"""Said in the help, where people look for the option."""
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="An empty database to restore into, without a password; without it the one that the backup's settings name"
    ),
]
Despite = Annotated[
    bool, typer.Option("--despite-findings", help="Leave it in place even though fsck finds something.")
]
BackupFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The backup: sealed, secret and personal all the same.")
]


def passphrase() -> str:
    """The backup's passphrase, from the environment. Raises BadInput."""
    given = os.environ.get(LOCK_VARIABLE)
    if not given:
        raise BadInput(
            f"Set {LOCK_VARIABLE} to the backup's passphrase. Keep it apart from the backups, and where the "
            "broker's machine is not needed to read it: without it no backup opens."
        )
    return given


def progress_to(person: bool) -> Callable[[str, int, int], None]:
    """Tells a person how far it is, now and then; a program nothing."""
    seen: dict[str, int] = {}

    def tell(what: str, done: int, total: int) -> None:
        step = max(1, total // 20)
        if person and done // step != seen.get(what, -1):
            seen[what] = done // step
            typer.echo(f"  {what}: {done:,} of {total:,}" if total else f"  {what}", err=True)

    return tell


def run_fsck(directory: Path, as_json: bool) -> tuple[dict[str, Any], str]:
    """Print findings as they come; gives the answer and its last line. Raises what `recovery.fsck.look` does."""
    from broker import folder
    from broker.recovery import fsck

    found, number = [], 0
    settings = folder.read_settings(directory)
    looked = fsck.look(directory, settings, progress_to(not as_json and sys.stderr.isatty()))
    for number, finding in enumerate(_until_damaged(looked), 1):
        if number <= LISTED:
            found.append({"where": finding.where, "what": finding.what})
        if not as_json:
            typer.echo(str(finding))
    answer = {"clean": not number, "number": number, "findings": found}
    words = (
        "Nothing is wrong that can be told from the folder and its database. Whether they are the newest, the next "
        "start asks the witnesses."
        if not number
        else f"Findings: {number:,}. Nothing was changed. Keep folder and database as evidence before you do anything: "
        "docs/how-to-keep-a-broker.md."
    )
    return answer, words


def _until_damaged(findings: Iterable[Any]) -> Iterable[Any]:
    """The findings, and as the last that the file cannot be read on, if so."""
    from broker.recovery.findings import Finding

    try:
        yield from findings
    except VerificationFailed as error:
        yield Finding("the database", error.detail)


def run_backup(
    directory: Path, file: Path, now: int, random_bytes: Callable[[int], bytes], as_json: bool
) -> tuple[dict[str, Any], str]:
    """Write a backup; gives the answer and its words. Raises what `recovery.backup.back_up` does."""
    from broker.recovery.backup import back_up

    progress = progress_to(not as_json and sys.stderr.isatty())
    written = back_up(directory, file, passphrase(), now, random_bytes, progress)
    manifest = written.manifest
    answer = {
        "log_origin": manifest.log_origin,
        "size": manifest.size,
        "root": manifest.root.hex(),
        "made_at": manifest.made_at,
        "records": sum(each.number for each in manifest.sections if each.name == "records"),
        "sha256": written.digest.hex(),
        "bytes": written.file_bytes,
    }
    words = (
        f"{manifest.size:,} entries and all that belongs to them are in the backup; it was read again and opens.\n"
        f"root    {answer['root']}\nSHA-256 {answer['sha256']}\n"
        "It holds the broker's keys and personal data. Write its SHA-256 down elsewhere, and delete it in its time."
    )
    return answer, words


def run_restore(
    file: Path,
    directory: Path,
    database_url: str | None,
    despite_findings: bool,
    clock: Callable[[], int],
    random_bytes: Callable[[int], bytes],
    as_json: bool,
) -> tuple[dict[str, Any], str, int]:
    """Put a backup back; gives the answer, its words and the exit code. Raises what `recovery.restore.restore` does."""
    from broker.recovery.restore import restore

    done = restore(
        file,
        directory,
        passphrase(),
        clock,
        random_bytes,
        database_url=database_url,
        despite_findings=despite_findings,
        progress=progress_to(not as_json and sys.stderr.isatty()),
    )
    state = None if done.compared is None else done.compared.state
    answer = {
        "size": done.manifest.size,
        "root": done.manifest.root.hex(),
        "made_at": done.manifest.made_at,
        "in_place": done.in_place,
        "findings": [{"where": each.where, "what": each.what} for each in done.findings],
        "witnesses": state,
    }
    lines = [str(each) for each in done.findings]
    if not done.in_place:
        lines.append(
            "The backup does not pass fsck, so nothing of it was left in place. Try another backup; to look at this "
            "one, restore it with --despite-findings."
        )
    else:
        lines.append(f"{done.manifest.size:,} entries are back, and all that belongs to them.")
    if done.compared is not None:
        lines.append(done.compared.words)
        lines += _WHAT_NEXT[done.compared.state]
    wrong = not done.in_place or done.findings or state == "behind"
    return answer, "\n".join(lines), 4 if wrong else 5 if state == "not-known" else 0


_WHAT_NEXT: dict[str, list[str]] = {
    "up-to-date": ["Make sure that the old broker runs nowhere any more, then start this one."],
    "behind": [
        "It will not start. Look for a newer backup; the last resort is in docs/how-to-keep-a-broker.md."
    ],
    "not-known": ["It will not start before enough witnesses answer: starting it asks them again."],
    "nobody": ["Ask the key holders how far they saw the log: narrowgate audit reconcile."],
}
