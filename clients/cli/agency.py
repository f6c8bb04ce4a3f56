"""`narrowgate agency`: make a party's keys, introduce it, and show what to read out on the telephone."""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients import agency
from clients.cli import run
from clients.home import Home, Identity, Persona

app = run.application("Make your agency's keys, and introduce it to a broker and to others.")


@app.command()
def init(
    directory: run.HomeFolder,
    party_id: Annotated[
        str, typer.Option("--id", help="A short name in lower-case letters, such as north-helpline.")
    ],
    name: Annotated[str, typer.Option("--name", help="The full name, as others know you.")],
    jurisdiction: Annotated[
        str, typer.Option("--jurisdiction", help="Your country in two letters, such as GB.")
    ],
    role: Annotated[
        Role,
        typer.Option("--role", help="What you do here. Police, companies, helplines and NGOs are agencies."),
    ] = Role.AGENCY,
    kind: Annotated[AgencyKind | None, typer.Option("--kind", help="For an agency: what kind it is.")] = None,
    origin: Annotated[
        str | None, typer.Option("--origin", help="The address of your service, if you run one for others.")
    ] = None,
    contact: Annotated[
        str,
        typer.Option("--contact", help="How others follow up on a match you hold, such as a desk's address."),
    ] = "",
    as_json: run.Json = False,
) -> None:
    """Make a home folder with fresh keys, and enrolment.jws, the file to hand to others.

    Nothing is sent. Set NARROWGATE_PASSPHRASE first if the keys should be locked by a passphrase. Keep a backup of the
    folder: without it nobody can open what was sealed for you.
    """
    persona = Persona(party_id, name, role, jurisdiction, kind, origin, contact)
    home = Home.create(
        directory, persona, now=run.clock(), random_bytes=run.random_bytes, passphrase=run.passphrase()
    )
    run.show(
        _public(home.identity),
        f"Made the keys of {home.identity.name} in {directory}.\n"
        f"Hand {directory / 'enrolment.jws'} to those you work with, and read out this thumbprint to them:\n"
        f"  {home.identity.kid}",
        as_json=as_json,
    )


@app.command()
def enrol(
    directory: run.HomeFolder,
    broker: Annotated[
        str, typer.Option("--broker", help="The broker's address, such as https://broker.example.org.")
    ],
    as_json: run.Json = False,
) -> None:
    """Send your enrolment to a broker. Its operator compares the thumbprint with you before accepting it."""
    home = run.open_home(directory)
    kid = agency.enrol(home, run.caller(home), broker.rstrip("/"))
    run.show(
        {"kid": kid, "state": "pending"},
        f"Sent. Read out this thumbprint to the broker's operator, who then accepts you:\n  {kid}",
        as_json=as_json,
    )


@app.command("show")
def show_identity(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """Show who you are here, your key's thumbprint, and the spaces you are in."""
    home = run.open_home(directory)
    spaces = [home.space(space_id).payload for space_id in home.space_ids()]
    identity = home.identity
    lines = [
        f"{identity.name} ({identity.party_id}), {identity.kind or identity.role}, {identity.jurisdiction}",
        f"thumbprint: {identity.kid}",
        f"enrolment:  {Path(directory) / 'enrolment.jws'}",
    ]
    lines += [f"space:      {space.space_id.hex()}  {space.name}" for space in spaces] or ["in no space yet"]
    listed = [{"space_id": space.space_id.hex(), "name": space.name} for space in spaces]
    run.show({**_public(identity), "spaces": listed}, "\n".join(lines), as_json=as_json)


@app.command()
def check(
    enrolment: Annotated[
        Path, typer.Argument(metavar="FILE", help="An enrolment file that somebody handed you.")
    ],
    as_json: run.Json = False,
) -> None:
    """Check somebody's enrolment file, and show the thumbprint to compare with them on the telephone."""
    signed = agency.read_enrolment(run.read_document(enrolment, "the enrolment"))
    party = signed.payload
    run.show(
        {
            "kid": signed.kid,
            "party_id": party.party_id,
            "name": party.name,
            "role": party.role,
            "kind": party.kind,
        },
        f"{party.name} ({party.party_id}), {party.kind or party.role}, {party.jurisdiction}\n"
        f"thumbprint: {signed.kid}\nThe file is whole. Compare the thumbprint with them before you rely on it.",
        as_json=as_json,
    )


def _public(identity: Identity) -> dict[str, object]:
    return {**identity.model_dump(mode="json", exclude={"v"}), "kid": identity.kid}
