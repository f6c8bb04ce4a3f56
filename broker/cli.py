"""`narrowgate broker ...`: make a broker, put rules in force, run it, and accept parties.

Rule: a command parses, calls and prints; with --json there is JSON alone on standard output. Errors go up to the root
of the command line, the one place that turns them into words and exit codes (0 done, 1 fault, 2 usage, 3 refused,
4 verification failed, 5 unreachable, 6 bad input). This is where the clock and the system's randomness are bound.
"""

import os
import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from broker import carry_command, folder
from broker.command_options import Folder, Json, show
from broker.protocol.errors import BadInput, Unavailable
from broker.protocol.messages.erasure import ErasureGround, order
from broker.protocol.messages.vocabulary import RecordKind
from broker.recovery import commands

app = typer.Typer(
    help="Run a broker.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def clock() -> int:
    """Unix seconds, UTC."""
    return int(time.time())


Trial = Annotated[
    bool, typer.Option("--trial", help="Run without witnesses; every receipt and permit says so.")
]


@app.command()
def init(
    directory: Folder,
    public_origin: Annotated[
        str,
        typer.Option(
            help="Scheme, host and port under which clients call, such as https://broker.example.org"
        ),
    ] = "http://127.0.0.1:8470",
    database_url: Annotated[
        str | None,
        typer.Option(
            help="PostgreSQL instead of a file in the folder: postgresql+psycopg://USER@HOST:PORT/DATABASE, "
            "without a password"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a broker's folder with fresh keys; it starts nothing."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]{1,255}", public_origin):
        raise BadInput("--public-origin is a scheme, host and port, without a path.")
    folder.create(directory, public_origin, os.urandom, database_url)
    described = folder.describe(directory).model_dump(mode="json")
    show(
        described,
        f"The broker's folder is ready. Keep {folder.KEYS_FILE} and {folder.OPERATOR_FILE} secret and backed up.",
        as_json,
    )


@app.command()
def serve(
    directory: Folder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8470,
    host: Annotated[
        str, typer.Option(help="Address to listen on; put a TLS proxy before any other.")
    ] = "127.0.0.1",
    trial: Trial = False,
    as_json: Json = False,
) -> None:
    """Serve by the rules in force until stopped (SIGTERM stops cleanly).

    Prints one line when it is ready; logs go to standard error.
    """
    # Imported on use: the web framework and the rules take a second that `--help` need not wait for.
    from broker.serving import serve as run

    def ready(address: str) -> None:
        show({"ready": True, "address": address}, f"The broker serves at {address}", as_json)

    run(
        directory,
        host=host,
        port=port,
        trial=trial,
        ready=ready,
        clock=clock,
        random_bytes=os.urandom,
    )


@app.command()
def officer(
    directory: Folder,
    pin: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Pin the officer of this file: its signature counts here."),
    ] = None,
    unpin: Annotated[
        str | None, typer.Option(metavar="ID", help="Let this officer's signature count no more.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show whose signatures put rules in force at this broker; pin an officer, or unpin one.

    Check with the officer, by another way than the file came, that the key is the right one.
    """
    # Imported on use, here and below: the gate's libraries take a moment that `--help` need not wait for.
    from broker.gate.officers import PinnedOfficers

    officers = PinnedOfficers(directory)
    for path in pin or ():
        try:
            document = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                "The officer's file cannot be read as a signed document. Check its name."
            ) from error
        officers.pin(document)
    if unpin is not None:
        officers.unpin(unpin)
    known = officers.all()
    lines = [f"{kid}  {each.officer_id}, {each.name}, {each.office}" for kid, each in known.items()]
    show(
        {"officers": [{"kid": kid, **each.model_dump(mode="json")} for kid, each in known.items()]},
        "\n".join(lines) or "No officer is pinned here yet.",
        as_json,
    )


@app.command()
def activate(
    directory: Folder,
    bundle: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the rules that two officers signed.")
    ],
    trial: Trial = False,
    as_json: Json = False,
) -> None:
    """Put a bundle of rules in force, through the log, and keep a copy in the broker's folder.

    Two officers who are pinned here must have signed it, and its time must have come. Stop the broker first, and start
    it again afterwards. Rules that are in force already are put back into the folder, and nothing is recorded.
    """
    from broker import startup
    from broker.gate.officers import PinnedOfficers
    from broker.gate.shelf import BundleShelf

    settings, keys = folder.read_settings(directory, trial=trial or None), folder.read_keys(directory)
    shelf, officers = BundleShelf(directory), PinnedOfficers(directory)
    done = startup.activate(settings, keys, shelf, officers, bundle, clock, os.urandom)
    digest = done.bundle.digest.hex()
    said = (
        "was in force already"
        if done.log_index is None
        else f"is in force, entry {done.log_index} of the log"
    )
    show(
        {"bundle_digest": digest, "valid_from": done.valid_from, "log_index": done.log_index},
        f"{digest} {said}. Start the broker now. Spaces whose roster names other rules wait for their founder: "
        "narrowgate space change-rules",
        as_json,
    )


@app.command("rotate-log-key")
def rotate_log_key(
    directory: Folder,
    reason: Annotated[
        str | None, typer.Option(help="Why the key is changed, in a sentence; it is signed and logged.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the file of log keys there, to hand to everybody."),
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Drop the old key, once everybody follows the new one.")
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
    trial: Trial = False,
    as_json: Json = False,
) -> None:
    """Change the key that signs the log, through the log itself. Stop every broker first, and start it afterwards.

    From then on the log is signed with both keys. Witnesses follow the file of log keys by command, founders make new
    rosters of it, and everybody else pins those. With --finish the old key is dropped. Cut short, the same command
    goes on.
    """
    from broker import log_key_change
    from broker.translog import key_change, key_change_files

    settings = folder.read_settings(directory, trial=trial or None)
    if finish:
        log_key_change.finish(directory, settings, clock, os.urandom)
        show(
            {"finished": True},
            "The old key is dropped: the log is signed with the new one alone. Start the broker now.",
            as_json,
        )
        return
    if reason is None or (lost_key is None) != (last_checkpoint is None):
        raise BadInput("Give a --reason, and --lost-key together with --last-checkpoint or neither.")
    lost = None if last_checkpoint is None else key_change_files.read_lost(lost_key or "", last_checkpoint)
    chain = log_key_change.change(directory, settings, reason, clock, os.urandom, lost)
    file = key_change_files.hand_out(directory / folder.LOG_KEYS_FILE, out, "the broker's")
    value = key_change.describe(chain) | {"file": str(file)}
    show(
        value,
        f"The log's key is changed, from {value['from_size']} entries on. Start the broker now: it signs with "
        f"{'the new key alone' if lost else 'both keys'}.\nHand {file} to every witness (narrowgate witness "
        "follow-log), to the founder of every space\n(narrowgate space change-log-key), and to whoever verifies "
        "receipts. Then: narrowgate broker rotate-log-key DIR --finish",
        as_json,
    )


# One thumbprint in 64 begins with a dash, and is no option.
@app.command(context_settings={"ignore_unknown_options": True})
def accept(
    directory: Folder,
    kid: Annotated[
        str, typer.Argument(metavar="KID", help="Thumbprint of the key, as read out by its owner.")
    ],
    as_json: Json = False,
) -> None:
    """Accept a party that enrolled. Compare the thumbprint with its owner by another way first."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", kid):
        raise BadInput("A thumbprint has 43 letters, digits, - and _. See `narrowgate broker enrolments`.")
    receipt = _operator(directory).accept(kid)
    trial = " This is a trial: no witness cosigned it." if receipt.trial else ""
    show(receipt.model_dump(mode="json"), f"Accepted, and recorded in the log.{trial}", as_json)


@app.command()
def enrolments(directory: Folder, as_json: Json = False) -> None:
    """List who enrolled, and who of them was accepted."""
    found = _operator(directory).enrolments()
    lines = [
        f"{each.kid}  {each.state:8}  {each.role.value:10}  {each.party_id}" for each in found.enrolments
    ]
    show(found.model_dump(mode="json"), "\n".join(lines) or "Nobody enrolled yet.", as_json)


@app.command()
def purge(directory: Folder, as_json: Json = False) -> None:
    """Delete now what has had its time; a running broker does so by itself at start and then once an hour."""
    purged = _operator(directory).purge()
    words = (
        f"{purged.deposits:,} deposits and {purged.series:,} series were past their retention: "
        f"{purged.records:,} records are deleted. {purged.matches:,} matched tokens had their time."
    )
    show(purged.model_dump(mode="json"), words, as_json)


@app.command("erase-record")
def erase_record(
    directory: Folder,
    index: Annotated[
        int, typer.Argument(metavar="INDEX", help="The entry's place in the log, from 0.", min=0)
    ],
    kind: Annotated[
        RecordKind, typer.Option("--kind", metavar="KIND", help="The entry's kind: who erases has looked.")
    ],
    ground: Annotated[ErasureGround, typer.Option("--ground", help="Why it may be erased.")],
    ordered_by: Annotated[
        str,
        typer.Option(
            "--ordered-by", metavar="TEXT", help="The court, authority or office, and its letter. No person."
        ),
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="In a sentence, naming no person and no case.")
    ],
    trial: Trial = False,
    as_json: Json = False,
) -> None:
    """Erase one record of the log with its salt, on somebody's order; the leaf stays, and an entry says so.

    Stop the broker first, and start it again afterwards. Auditors who read the record keep their copy. It cannot be
    undone.
    """
    from broker import erasing

    said = order(index, kind, ground, ordered_by, reason)
    settings, keys = folder.read_settings(directory, trial=trial or None), folder.read_keys(directory)
    done = erasing.erase_stopped(settings, keys, said, clock, os.urandom)
    show(
        {"leaf_index": index, "kind": done.kind.value, "log_index": done.log_index},
        f"The record of entry {index}, {done.kind.value}, is erased with its salt; entry {done.log_index} says so. "
        "Tell the auditors of each space: what they mirrored before stays with them.",
        as_json,
    )


@app.command(epilog=commands.NEVER_REPAIRS)
def fsck(directory: Folder, as_json: Json = False) -> None:
    """Derive everything again from what is stored, and say what is wrong and where; nothing is changed.

    Leaves, nodes, head and records of the log; rows against the entries that explain them, and entries against their
    rows; signatures; records against the roots their contributors signed; budgets; who may read the keys. Stop the
    broker first if its database is a file; PostgreSQL is looked at in one snapshot while brokers go on. Exits 0 when
    nothing is wrong, 4 otherwise.
    """
    answer, words = commands.run_fsck(directory, as_json)
    show(answer, words, as_json)
    if answer["number"]:
        raise typer.Exit(4)


@app.command()
def backup(directory: Folder, file: commands.BackupFile, as_json: Json = False) -> None:
    """Write all that the broker is into one file, whether it runs or not, and read it again.

    The file holds THE BROKER'S SECRET KEYS, its settings, officers, rules and whole database with personal data,
    sealed under the passphrase in NARROWGATE_BACKUP_PASSPHRASE. What is deleted at the broker lives on in it: keep a
    backup for days, not years. It is the same for SQLite and PostgreSQL.
    """
    show(*commands.run_backup(directory, file, clock(), os.urandom, as_json), as_json)


@app.command()
def restore(
    file: commands.BackupFile,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one to be made.")],
    database_url: commands.DatabaseUrl = None,
    despite_findings: commands.Despite = False,
    as_json: Json = False,
) -> None:
    """Put a backup back into an empty folder and database, look at all of it, and ask the witnesses whether it is new.

    Takes the passphrase from NARROWGATE_BACKUP_PASSPHRASE. A backup that is behind what witnesses saw never serves: no
    option goes past that. Exits 4 then, or when fsck finds something; 5 when too few witnesses answer.
    """
    answer, words, code = commands.run_restore(
        file, directory, database_url, despite_findings, clock, os.urandom, as_json
    )
    show(answer, words, as_json)
    if code:
        raise typer.Exit(code)


@app.command()
def describe(directory: Folder, as_json: Json = False) -> None:
    """Print the broker's public names and keys, for founders of a space."""
    described = folder.describe(directory).model_dump(mode="json")
    show(described, "\n".join(f"{name}: {value}" for name, value in described.items()), as_json)


app.command("carry-key")(carry_command.carry_key)


def _operator(directory: Path) -> Any:
    from broker.operator_calls import Operator

    try:
        settings, key = folder.read_settings(directory), folder.read_operator_key(directory)
    except OSError as error:
        raise Unavailable("The broker's folder cannot be read.") from error
    return Operator(settings.public_origin, key, clock, os.urandom)
