"""`narrowgate keyholder ...`: make, pin, activate, witness, serve, purge, restore, change the log's key, and look.

Rule: parse, call, print; this is where the clock and the system's randomness are bound. Everything but `serve` needs
the service stopped, since one process owns the folder. Exit codes are those of `clients.cli.run`.
"""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.gate.officers import PinnedOfficers
from broker.protocol import documents
from broker.protocol.errors import VerificationFailed
from clients.cli.log_key_options import AcceptLost, LogKeysIfChanged, log_key_change
from clients.cli.run import (
    Json,
    application,
    clock,
    passphrase,
    random_bytes,
    read_document,
    show,
    write_output,
)
from clients.keyholder import activation, erasing_command, fsck_command, pinning, witness_choice
from clients.keyholder.cli_witnesses import choose_witnesses
from clients.keyholder.command_options import Folder, HighWaterFile
from clients.keyholder.context import KeyHolder, open_key_holder, open_unmarked
from clients.keyholder.keys import ENROLMENT_FILE, Persona, create_keys
from clients.keyholder.log_keys.command import rotate_log_key
from clients.keyholder.store import permits, pinned
from clients.keyholder.store import series as rows

app = application("Run a key holder: it decides again, then evaluates, and never sees an identifier.")


@app.command("init")
def initialise(
    directory: Folder,
    holder_id: Annotated[str, typer.Option(help="Short name in rosters, such as court-office.")],
    name: Annotated[str, typer.Option(help="Name as people know it.")],
    jurisdiction: Annotated[str, typer.Option(help="Two letters, such as NL.")],
    origin: Annotated[str, typer.Option(help="Address of the service: scheme, host and port.")],
    json: Json = False,
) -> None:
    """Make keys, and the enrolment document to hand to the founder of a space.

    With NARROWGATE_PASSPHRASE set, the keys are locked by it."""
    keys = create_keys(
        directory,
        Persona(holder_id, name, jurisdiction, origin),
        now=clock(),
        random_bytes=random_bytes,
        passphrase=passphrase(),
    )
    enrolment = directory / ENROLMENT_FILE
    kid = documents.key_identifier(keys.signing_public)
    show(
        {"holder_id": keys.holder_id, "kid": kid, "enrolment": str(enrolment)},
        f"Made. Hand {enrolment} to the founder of the space, and back up the folder.",
        as_json=json,
    )


@app.command("pin")
def pin(
    directory: Folder,
    space: Annotated[Path, typer.Option(metavar="FILE", help="The signed space document, as handed over.")],
    founder: Annotated[Path, typer.Option(metavar="FILE", help="The founder's enrolment document.")],
    log_keys: LogKeysIfChanged = None,
    accept_lost: AcceptLost = False,
    high_water: HighWaterFile = None,
    json: Json = False,
) -> None:
    """Pin a space: all keys of agencies, desks, broker and log come from its document.

    Check with the founder, by another way than the file came, that it is the right one."""
    document = read_document(space, "the space document")
    enrolment = read_document(founder, "the founder's enrolment")
    change = log_key_change(log_keys, accept_lost)
    holder = _open(directory, high_water)
    try:
        signed = pinning.pin_space(holder.database, holder.keys, document, enrolment, holder.clock(), change)
    finally:
        holder.close()
    pinned_space = signed.payload
    show(
        {
            "space_id": pinned_space.space_id.hex(),
            "roster_version": pinned_space.roster_version,
            "founder_kid": signed.kid,
            "members": [member.agency_id for member in pinned_space.members],
            "bundle_digest": pinned_space.bundle_digest.hex(),
            "trial": pinned_space.trial,
        },
        f"Pinned {pinned_space.name}, roster {pinned_space.roster_version}, founded by key {signed.kid}.\n"
        f"Its members expect the rules {pinned_space.bundle_digest.hex()}."
        + (
            "\nRequests and series under an earlier roster are refused from now on; shares held here stay."
            if pinned_space.roster_version > 1
            else ""
        ),
        as_json=json,
    )


@app.command("officer")
def officer(
    directory: Folder,
    pin_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--pin", metavar="FILE", help="Pin the officer of this file: its signature counts here."
        ),
    ] = None,
    unpin: Annotated[
        str | None, typer.Option(metavar="ID", help="Let this officer's signature count no more.")
    ] = None,
    json: Json = False,
) -> None:
    """Show whose signatures put rules in force at this key holder; pin an officer, or unpin one.

    Check with the officer, by another way than the file came, that the key is the right one.
    """
    officers = PinnedOfficers(directory)
    for path in pin_files or ():
        officers.pin(read_document(path, "the officer"))
    if unpin is not None:
        officers.unpin(unpin)
    known = officers.all()
    lines = [f"{kid}  {each.officer_id}, {each.name}, {each.office}" for kid, each in known.items()]
    show(
        {"officers": [{"kid": kid, **each.model_dump(mode="json")} for kid, each in known.items()]},
        "\n".join(lines) or "No officer is pinned here yet.",
        as_json=json,
    )


@app.command("activate")
def activate(
    directory: Folder,
    bundle: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the rules that two officers signed.")
    ],
    high_water: HighWaterFile = None,
    json: Json = False,
) -> None:
    """Put a rule bundle in force here, whatever the broker did. Two officers pinned here must have signed it.

    What was decided under earlier rules is answered only if these allow it too.
    """
    holder = _open(directory, high_water)
    try:
        done = activation.activate(holder, bundle)
        with holder.database.read() as connection:
            spaces = [signed.payload for signed in pinning.pinned_spaces(connection)]
    finally:
        holder.close()
    digest = done.bundle.digest
    others = [space.name for space in spaces if space.bundle_digest != digest]
    warning = f"\nBut these spaces expect other rules: {', '.join(others)}." if others else ""
    said = (
        "Was in force already" if done.log_index is None else f"In force, entry {done.log_index} of the log"
    )
    show(
        {
            "bundle_digest": digest.hex(),
            "valid_from": done.valid_from,
            "log_index": done.log_index,
            "spaces_expecting_other_rules": others,
        },
        f"{said}: {digest.hex()}.{warning}",
        as_json=json,
    )


app.command("witnesses")(choose_witnesses)


@app.command("serve")
def serve(
    directory: Folder,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; put a TLS proxy before any other.")
    ] = "127.0.0.1",
    high_water: HighWaterFile = None,
    json: Json = False,
) -> None:
    """Answer calls until stopped. Prints no call and no address of a caller.

    Witnesses are shown this holder's log first: one that saw more of it, or another, means that it must not serve.
    """
    # Imported on use: the web framework takes a second that the other commands need not wait for.
    import uvicorn

    from clients.keyholder.api.app import create_app
    from clients.keyholder.retention import HourlyPurge
    from clients.keyholder.witnesses import RegularCosigning

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    holder = _open(directory, high_water)
    try:
        holder.witnesses.start()
    except BaseException:
        holder.close()
        raise
    trial = holder.witnesses.asked[1] == 0
    show(
        {"holder_id": holder.keys.holder_id, "host": host, "port": port, "trial": trial},
        f"{holder.keys.holder_id} answers on {host}, port {port}, until it is stopped."
        + (f"\n{witness_choice.TRIAL}" if trial else ""),
        as_json=json,
    )
    purging, cosigning = HourlyPurge(holder), RegularCosigning(holder.witnesses)
    purging.start()
    cosigning.start()
    try:
        uvicorn.run(
            create_app(holder),
            host=host,
            port=port,
            access_log=False,
            log_level="warning",
            server_header=False,
        )
    finally:
        cosigning.stop()
        purging.stop()
        holder.close()


@app.command("purge")
def purge(directory: Folder, high_water: HighWaterFile = None, json: Json = False) -> None:
    """Erase now the shares of series whose retention is over; `serve` does so at start and then once an hour."""
    from clients.keyholder import retention

    holder = _open(directory, high_water)
    try:
        purged = retention.purge(holder)
    finally:
        holder.close()
    words = f"The shares of {purged.series} series were past their retention and are erased."
    show({"series": purged.series, "calls": purged.calls}, words, as_json=json)


@app.command("accept-restore")
def accept_restore(
    directory: Folder,
    size: Annotated[int, typer.Option(min=0, help="How many entries the log in this folder has.")],
    reason: Annotated[str, typer.Option(help="Why entries are lost, in a sentence; it is signed and kept.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the signed statement there, to hand to auditors."),
    ] = None,
    high_water: HighWaterFile = None,
    json: Json = False,
) -> None:
    """Go on from an older copy of the folder: sign and log that the entries since are lost.

    Permits that were given before now are refused from then on, unless the copy knows them."""
    from clients.keyholder import restoring

    holder = open_unmarked(directory, clock, random_bytes, passphrase(), high_water)
    try:
        signed = restoring.accept_restore(holder, size, reason)
    finally:
        holder.close()
    if out is not None:
        write_output(out, signed.document + "\n")
    said = signed.payload
    show(
        {
            "marked_size": said.marked_size,
            "restored_size": said.restored_size,
            "accepted_at": said.accepted_at,
            "statement": signed.document,
        },
        f"Logged as entry {said.restored_size}. Tell the members of each space, and an auditor: shares of series that "
        "were\nwithdrawn since are in this copy, so the withdrawals must be sent again once the service runs; "
        "and what\napprovers refused or took back since must be told again. If the log's key was changed since the "
        "copy was made, the\nold one signs again: change it again at once, with narrowgate keyholder rotate-log-key.",
        as_json=json,
    )


app.command("rotate-log-key")(rotate_log_key)
app.command("erase-record")(erasing_command.erase_record)
app.command("fsck")(fsck_command.fsck)


@app.command("status")
def status(directory: Folder, high_water: HighWaterFile = None, json: Json = False) -> None:
    """What is pinned, in force and held; and whether a broker's log was found to have forked."""
    holder = _open(directory, high_water)
    try:
        found = _status(holder)
    finally:
        holder.close()
    lines = [f"{name.replace('_', ' ')}: {_words(value)}" for name, value in found.items()]
    show(found, "\n".join(lines), as_json=json)
    if found["forks_found"]:
        raise VerificationFailed(
            "A broker's log contradicted itself. Keep the folder as evidence; tell an auditor."
        )


def _status(holder: KeyHolder) -> dict[str, Any]:
    with holder.database.read() as connection:
        spaces = [signed.payload for signed in pinning.pinned_spaces(connection)]
        current = pinned.activation(connection)
        accepted, held = rows.count(connection)
        return {
            "holder_id": holder.keys.holder_id,
            "kid": documents.key_identifier(holder.keys.signing_public),
            "log_verifier_key": str(holder.log.verifier_key),
            "log_key_being_changed": len(holder.log.public_keys) > 1,
            "log_entries": holder.log.size(connection),
            "witnesses": sorted(key.name for key in holder.witnesses.asked[0]),
            "witness_quorum": holder.witnesses.asked[1],
            "spaces": [
                {"space_id": each.space_id.hex(), "name": each.name, "roster_version": each.roster_version}
                for each in spaces
            ],
            "bundle_in_force": None if current is None else current.bundle_digest.hex(),
            "series_accepted": accepted,
            "series_held": held,
            "evaluations": permits.count_evaluations(connection),
            "forks_found": permits.count_forks(connection),
        }


def _words(value: object) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "none"
    if isinstance(value, list):
        return ", ".join(f"{each['name']} (roster {each['roster_version']})" for each in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _open(directory: Path, high_water: Path | None) -> KeyHolder:
    return open_key_holder(directory, clock, random_bytes, passphrase(), high_water)
