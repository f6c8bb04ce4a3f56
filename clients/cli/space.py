"""`narrowgate space`: found a collaboration, let members in, join one, and show who is in it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import explain
from broker.protocol.messages.vocabulary import Capacity, Purpose
from clients.cli import rosters, run
from clients.cli.log_key_options import AcceptLost, LogKeysIfChanged, log_key_change
from clients.cli.rosters import Out, Quorum, Witness, digest_of, facts_of, founder_of, show_founded
from clients.cli.series_remarks import say_older_salt
from clients.founder import join
from clients.founders_warnings import FOUNDERS_WARNINGS
from clients.space_plan import BrokerDescription, PlannedApprover, SpacePlan

app = run.application("Found a collaboration of agencies (a space), let members in, or join one.")

Mandates = Annotated[
    list[str] | None,
    typer.Option(
        "--mandate", metavar="ID:PURPOSE,...", help="For what a member may ask, instead of its kind's usual."
    ),
]
_ROTATED = (
    "The salt is a new one. Requests under this roster leave out what was deposited before it: tell every "
    "contributor to join again from the new file, deposit its files anew, and then withdraw its old series."
)


@app.command()
def found(
    directory: run.HomeFolder,
    broker_description: Annotated[
        Path,
        typer.Option(metavar="FILE", help="From the broker's operator: `narrowgate broker describe --json`."),
    ],
    member: Annotated[
        list[Path], typer.Option(metavar="FILE", help="A member's enrolment file; your own too.")
    ],
    holder: Annotated[
        list[Path], typer.Option(metavar="FILE", help="A key holder's enrolment file, in order.")
    ],
    desk: Annotated[list[Path], typer.Option(metavar="FILE", help="A legal desk's enrolment file.")],
    threshold: Annotated[int, typer.Option(help="How many holders it takes: more than half of them.")],
    identifier_type: Annotated[
        list[str], typer.Option("--type", help="A type of identifier, such as phone.")
    ],
    out: Out,
    auditor: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="An auditor's enrolment file.")
    ] = None,
    approver: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CAPACITY[:AGENCY]=FILE",
            help="A person who approves, by its enrolment file: supervisor:AGENCY, prosecutor, judge or "
            "independent_reviewer.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What the collaboration is called.")] = "A space",
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The rules all agreed on; else those the broker names."),
    ] = None,
    mandate: Mandates = None,
    size_class: Annotated[
        int, typer.Option(help="Bytes of a sealed record: 512, 2048, 8192 or 32768.")
    ] = 2048,
    witness: Witness = None,
    witnesses: Quorum = 1,
    epsilon_millis: Annotated[int, typer.Option(help="Privacy loss of one count, in thousandths.")] = 500,
    budget_millis: Annotated[int, typer.Option(help="Privacy loss a member may spend in 30 days.")] = 5_000,
    as_json: run.Json = False,
) -> None:
    """Found a space: who takes part, under which keys, and under which rules.

    Every key comes from a file that its owner handed you. Your program draws the secret salt, wraps it for each
    member, and sends the wraps and the signed space document to the broker, which cannot open them.
    """
    home = run.open_home(directory)
    broker = _description(broker_description)
    plan = SpacePlan(
        name=name,
        broker=broker,
        members=_documents(member, "a member's enrolment"),
        holders=_documents(holder, "a key holder's enrolment"),
        desks=_documents(desk, "a legal desk's enrolment"),
        auditors=_documents(auditor or [], "an auditor's enrolment"),
        approvers=[_approver(text) for text in approver or ()],
        threshold=threshold,
        identifier_types=identifier_type,
        bundle_digest=_bundle_digest(bundle, broker),
        size_class=size_class,
        witnesses=[str(run.verifier_key(text)) for text in witness or ()],
        witness_quorum=witnesses,
        count_epsilon_millis=epsilon_millis,
        count_budget_millis=budget_millis,
        mandates=dict(_mandate(text) for text in mandate or ()),
    )
    _warn(identifier_type)
    signed = founder_of(home).found(plan)
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)


def _warn(identifier_types: Sequence[str]) -> None:
    """Say what a type means that a space has to want."""
    for identifier_type in identifier_types:
        if warning := FOUNDERS_WARNINGS.get(identifier_type):
            run.say(warning)


@app.command("add-member")
def add_member(
    directory: run.HomeFolder,
    member: Annotated[Path, typer.Option(metavar="FILE", help="The new member's enrolment file.")],
    out: Out,
    mandate: Mandates = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Let one more agency in: the next version of the space's roster. Everybody pins the new file."""
    home = run.open_home(directory)
    given = dict(_mandate(text) for text in mandate or ())
    if len(given) > 1:
        raise BadInput("One member is added at a time: give --mandate for it alone.")
    purposes = next(iter(given.values()), None)
    document = run.read_document(member, "the member's enrolment")
    signed = founder_of(home).add_member(run.space_id(space_id), document, purposes)
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)


@app.command()
def suspend(
    directory: run.HomeFolder,
    agency: Annotated[str, typer.Option("--agency", help="The id of the member to suspend.")],
    out: Out,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Suspend a member: the next version of the roster, under which the rules refuse it."""
    signed = founder_of(run.open_home(directory)).suspend_member(run.space_id(space_id), agency)
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)


@app.command("remove-member")
def remove_member(
    directory: run.HomeFolder,
    agency: Annotated[str, typer.Option("--agency", help="The id of the member that leaves.")],
    out: Out,
    rotate_salt: Annotated[
        bool,
        typer.Option(
            "--rotate-salt",
            help="In the same version, change the salt: see `space rotate-salt` for what it means.",
        ),
    ] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Take a member out: the next version of the roster, under which it can neither ask nor deposit.

    What it deposited is matched no more; it can still withdraw it. It keeps the salt it had, so change the salt if you
    no longer trust it. Everybody pins the new file, key holders too.
    """
    signed = founder_of(run.open_home(directory)).remove_member(
        run.space_id(space_id), agency, rotate_salt=rotate_salt
    )
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)
    if rotate_salt:
        run.say(_ROTATED)


@app.command("rotate-salt")
def rotate_salt(
    directory: run.HomeFolder, out: Out, space_id: run.SpaceId = None, as_json: run.Json = False
) -> None:
    """Change the space's salt: the next version of the roster, with a new salt wrapped for every member.

    From then on requests find only what is deposited under the new salt: every contributor deposits its files anew, and
    then withdraws its old series. Everybody pins the new file, key holders too.
    """
    signed = founder_of(run.open_home(directory)).rotate_salt(run.space_id(space_id))
    run.write_output(out, signed.document + "\n")
    show_founded(signed, out, directory, as_json=as_json)
    run.say(_ROTATED)


app.command("change-rules")(rosters.change_rules)
app.command("change-witnesses")(rosters.change_witnesses)
app.command("change-log-key")(rosters.change_log_key)


@app.command()
def publish(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Send a space you founded, and its wrapped salts, to the broker once more, if the first time broke off."""
    home = run.open_home(directory)
    signed = home.space(run.space_id(space_id))
    founder_of(home).publish(signed)
    run.show(
        {"space_id": signed.payload.space_id.hex()},
        "The broker has the space and its wraps.",
        as_json=as_json,
    )


@app.command("join")
def join_space(
    directory: run.HomeFolder,
    space: Annotated[
        Path, typer.Option("--space", metavar="FILE", help="The space document the founder handed you.")
    ],
    founder: Annotated[Path, typer.Option("--founder", metavar="FILE", help="The founder's enrolment file.")],
    log_keys: LogKeysIfChanged = None,
    accept_lost: AcceptLost = False,
    as_json: run.Json = False,
) -> None:
    """Join a space from the founder's two files. From then on their keys hold, whatever a broker says.

    A member also fetches its wrapped copy of the salt. A legal desk or an auditor joins without one. Joining again
    with a newer file takes over the new roster.
    """
    home = run.open_home(directory)
    document = run.read_document(space, "the space")
    enrolment = run.read_document(founder, "the founder's enrolment")
    change = log_key_change(log_keys, accept_lost)
    signed = join(home, run.caller(home), document, enrolment, change)
    has_salt = home.has_salt(signed.payload)
    words = f"You are in {signed.payload.name}, roster version {signed.payload.roster_version}."
    words += " Its salt is here, sealed." if has_salt else " You are no member, so you need no salt."
    say_older_salt(home)
    _warn(signed.payload.identifier_types)
    run.show({**facts_of(signed), "salt": has_salt}, words, as_json=as_json)


@app.command("show")
def show_space(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Show who is in a space, what is compared in it, and which rules hold."""
    signed = run.open_home(directory).space(run.space_id(space_id))
    space = signed.payload
    lines = [
        f"{space.name}  {space.space_id.hex()}, roster version {space.roster_version}",
        f"broker {space.broker_origin}; {space.threshold} of {len(space.holders)} key holders needed",
        f"types {', '.join(space.identifier_types)}; rules {space.bundle_digest.hex()[:16]}...",
    ]
    lines += [
        f"  member  {item.name} ({item.agency_id}, {item.kind}{_suspended(item)})" for item in space.members
    ]
    lines += [f"  holder  {item.x} {item.name} ({item.holder_id}) at {item.origin}" for item in space.holders]
    lines += [f"  desk    {item.name} ({item.party_id})" for item in space.legal_desks]
    lines += [f"  {item.capacity}  {item.name} ({item.party_id})" for item in space.approvers]
    lines += [f"  auditor {item.name} ({item.party_id})" for item in space.auditors]
    lines += [f"  witness {key}" for key in space.witnesses]
    if space.witnesses:
        lines.append(f"{space.witness_quorum} of {len(space.witnesses)} witnesses needed on the log")
    if space.trial:
        lines.append(
            "TRIAL: no witness cosigns the log, so the broker could show different logs to different people."
        )
    run.show({**facts_of(signed), "space": space.model_dump(mode="json")}, "\n".join(lines), as_json=as_json)


def _suspended(member: Any) -> str:
    return ", suspended" if member.suspended else ""


def _documents(paths: list[Path], what: str) -> list[str]:
    return [run.read_document(path, what) for path in paths]


def _description(path: Path) -> BrokerDescription:
    # The operator's file may say more than a founder needs: what is not known here is left out.
    try:
        members = json.loads(run.read_input(path, "the broker's description"))
        known = {name: members[name] for name in BrokerDescription.model_fields if name in members}
        return BrokerDescription.model_validate_json(json.dumps(known))
    except ValidationError as error:
        raise BadInput(f"The broker's description is not complete: {explain(error)}") from None
    except (ValueError, TypeError):
        raise BadInput(
            "The broker's description is not JSON. Ask for `narrowgate broker describe --json`."
        ) from None


def _bundle_digest(bundle: Path | None, broker: BrokerDescription) -> bytes:
    if bundle is None:
        if broker.bundle_digest is None:
            raise BadInput(
                "Name the folder of the rules with --bundle: the broker's description does not say."
            )
        return broker.bundle_digest
    return digest_of(bundle)


def _approver(text: str) -> PlannedApprover:
    """CAPACITY[:AGENCY]=FILE. Raises BadInput."""
    capacity, _, path = text.partition("=")
    named, _, agency = capacity.partition(":")
    if named not in tuple(Capacity) or not path:
        raise BadInput(
            "--approver is CAPACITY=FILE, with a capacity of supervisor:AGENCY, prosecutor, judge or "
            "independent_reviewer."
        )
    document = run.read_document(Path(path), "an approver's enrolment")
    return PlannedApprover(document, Capacity(named), agency or None)


def _mandate(text: str) -> tuple[str, tuple[Purpose, ...]]:
    agency_id, _, purposes = text.partition(":")
    try:
        return agency_id, tuple(Purpose(word.strip()) for word in purposes.split(","))
    except ValueError:
        known = ", ".join(Purpose)
        raise BadInput(f"A mandate is written ID:PURPOSE,PURPOSE. The purposes are {known}.") from None
