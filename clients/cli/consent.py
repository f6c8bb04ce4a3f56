"""`narrowgate consent`: at a helpline's desk or telephone, a person follows, contests and withdraws what they gave.

Rule: all of it happens in the helpline's own home. The PIN is asked for without an echo, or read from NARROWGATE_PIN,
and never stands on the command line; number and PIN are shown once. See `clients.persons.consent_case`,
`clients.persons.consent_status` and, for what is contested or let in again, `clients.cli.contest` and
`clients.cli.let_in`.
"""

import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.messages.consent import ConsentTerms
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, Tier
from clients.cli import contest, let_in, run
from clients.cli.case_entry import Number, cases_of, pin
from clients.cli.contributor_home import open_contributor_home
from clients.cli.papers import read_paper, write_paper
from clients.deposit_changes.taking_back import Result, TakingBack
from clients.persons import consent_record
from clients.persons.case_number import shown, spoken
from clients.persons.consent_case import NewCase, OpenedCase
from clients.persons.consent_status import Status, status

app = run.application("Helpline: let a person follow and withdraw what they gave, by number and PIN.")

Reference = Annotated[
    str,
    typer.Option(
        "--reference", help="Your own reference of the submission: the column `reference` of your file."
    ),
]

_REMARKS = {
    "purposes": f"What for, one or more of {', '.join(Purpose)}.",
    "readers": f"Who may be told, one or more of {', '.join(AgencyKind)}.",
    "highest_tier": f"How far, one of {', '.join(Tier)}.",
    "words_shown": "What the person was told or shown, word for word, in their language.",
    "how_given": "In writing, on the telephone, ...",
    "taken_by": "The office or role that took it. Names nobody.",
    "given_at": "Unix seconds, UTC; until_at likewise.",
}
_ASKED = {
    "may_not_be_told": "Whether somebody asked for it may not be told.",
    "no": "Nobody is known to have asked for it.",
    "waiting": "Somebody asked for it. We have not answered yet, and while we do not, it stays closed.",
    "refused": "Somebody asked for it. We refused.",
    "agreed": "Somebody asked for it, and we agreed that it may be opened.",
}
_NOTHING_HELD = (
    "Nothing is held under this case's reference, so nothing was taken back, and it is not noted as withdrawn.",
    "Compare the reference with your file of signals: small and capital letters differ. If it was mistyped, open a "
    "case under the right one (narrowgate consent open) and withdraw there. If not, its time is over, or it was taken "
    "back before, or never deposited; a file that brings it later is left out.",
)


@app.command("open")
def open_case(
    directory: run.HomeFolder,
    reference: Reference,
    tells_asked: Annotated[
        bool,
        typer.Option(
            "--may-tell-asked/--may-not-tell-asked",
            help="Whether your law lets the person be told that somebody asked for it; by default it does not.",
        ),
    ] = False,
    as_json: run.Json = False,
) -> None:
    """Give a person a case number and a PIN for what they gave you. Both are shown once, here, and kept nowhere.

    The reference is the one in your file of signals; it can be deposited before or after.
    """
    home = open_contributor_home(directory)
    _show_new(cases_of(home).open_case(reference, tells_asked=tells_asked), as_json)


@app.command()
def follow(directory: run.HomeFolder, number: Number, as_json: run.Json = False) -> None:
    """Say what became of a person's submission, as far as they may be told. Asks for the PIN.

    Nothing is sent: run `narrowgate release list` before, to see what is asked now.
    """
    home = open_contributor_home(directory)
    cases = cases_of(home)
    opened = cases.note(cases.enter(number, pin()), "followed")
    told = status(home, opened.case)
    run.show(_facts(told, opened), "\n".join(_words(told, opened)), as_json=as_json)


@app.command()
def withdraw(
    directory: run.HomeFolder,
    number: Number,
    shared_too: Annotated[
        bool,
        typer.Option("--shared-too", help="Also records that hold what another person gave."),
    ] = False,
    as_json: run.Json = False,
) -> None:
    """Take back what the person gave, on their word. Asks for the PIN.

    The broker is told tokens, which it deletes, and never the number. If a consent was recorded, its revocation goes
    along: that it was a person's wish, never whose. What was opened before stays with whoever opened it. No file puts
    it in again, until a consent is recorded that they gave later.
    """
    home = open_contributor_home(directory)
    cases = cases_of(home)
    opened = cases.enter(number, pin())
    before = status(home, opened.case)
    if before.records or before.being_sent:
        # A run that was killed may have taken all of it back, and the next one then finds nothing more.
        opened = cases.note(opened, "withdrawing")
    acts = TakingBack(home, run.caller(home), run.clock, run.random_bytes)
    result = acts.withdraw_reference(opened.case.reference, "Taken back", shared_too=shared_too)
    contested = contest.end_as_withdrawn(home, opened.case.reference)
    begun = contested or any(step.step in ("withdrawing", "withdrawn") for step in opened.case.steps)
    ever_held = begun or bool(result.taken)
    complete = ever_held and not result.closed and not result.shared
    if complete:
        opened = cases.note(opened, "withdrawn")
    run.show(
        {
            "records": sum(each.records for each in result.taken),
            "shared": result.shared,
            "closed_deposits": [each.hex() for each in result.closed],
            "complete": complete,
        },
        "\n".join(_withdrawn_words(result) if ever_held or result.closed or result.shared else _NOTHING_HELD),
        as_json=as_json,
    )


@app.command("template")
def template(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it.")],
    as_json: run.Json = False,
) -> None:
    """Write an example of what to note of a consent, with remarks, for you to fill in."""
    write_paper(out, _example(run.clock()), _REMARKS)
    run.show({"file": str(out)}, f"Wrote {out}. Fill it in; every value in it is made up.", as_json=as_json)


@app.command("record")
def record_consent(
    directory: run.HomeFolder,
    reference: Reference,
    paper: Annotated[
        Path, typer.Option("--paper", metavar="FILE", help="See `narrowgate consent template`.")
    ],
    conditions: Annotated[
        Path, typer.Option("--conditions", metavar="FILE", help="The conditions it is deposited under.")
    ],
    as_json: run.Json = False,
) -> None:
    """Keep a person's consent, signed, under your own reference: for what, for whom, until when, in which words.

    It is refused if the conditions go further than the person agreed to. It stays in your home and names nobody. When
    the person withdraws, its revocation goes out with it, and whoever was told of their records gets a notice.
    """
    home = open_contributor_home(directory)
    signed = consent_record.record(
        home,
        reference,
        read_paper(ConsentTerms, paper, "the consent"),
        read_paper(Conditions, conditions, "the conditions"),
        now=run.clock(),
        random_bytes=run.random_bytes,
    )
    consent_id = signed.payload.consent_id.hex()
    run.show(
        {"consent_id": consent_id, "digest": signed.digest.hex()},
        f"Kept as consent {consent_id}, signed. It stays here.",
        as_json=as_json,
    )


@app.command("new-pin")
def new_pin(
    directory: run.HomeFolder,
    reference: Reference,
    identity_checked: Annotated[
        str,
        typer.Option(
            "--identity-checked", help="How you made sure who asks, and who did; it is kept in the case."
        ),
    ],
    as_json: run.Json = False,
) -> None:
    """For whoever forgot number or PIN: new ones. The old ones open nothing from then on.

    First make sure, by your own procedure, that it is the person: whoever has the new PIN can withdraw.
    """
    home = open_contributor_home(directory)
    _show_new(cases_of(home).new_number_and_pin(reference, identity_checked), as_json)


app.command("contest")(contest.contest)
app.command("decide")(contest.decide)
app.command("contested")(contest.contested)
app.command("let-in")(let_in.let_in)


def _example(now: int) -> ConsentTerms:
    return ConsentTerms(
        purposes=(Purpose.IDENTIFY_VICTIM, Purpose.INVESTIGATE_TRAFFICKER),
        readers=(AgencyKind.POLICE,),
        highest_tier=Tier.PAYLOAD,
        words_shown="Write here, word for word, what the person was told or shown.",
        how_given="On the telephone, read aloud and confirmed",
        taken_by="Helpline desk, evening shift",
        given_at=now,
        until_at=now + 365 * 86_400,
    )


def _show_new(new: NewCase, as_json: bool) -> None:
    run.show(
        {"number": shown(new.number), "spoken": spoken(new.number), "pin": new.pin},
        f"Case number {shown(new.number)}   ({spoken(new.number)})\n"
        f"PIN         {new.pin}\n"
        "Read both to the person, and have them read back. They are shown this once and kept nowhere. Whoever loses "
        "the PIN comes back to you, and gets a new one once you know who asks.",
        as_json=as_json,
    )


def _facts(told: Status, opened: OpenedCase) -> dict[str, Any]:
    return {
        "records": told.records,
        "being_sent": told.being_sent,
        "closed": told.closed,
        "asked": told.asked,
        "withdrawn_at": told.withdrawn_at,
        "contest": None if told.contest is None else contest.members(told.contest),
        "wrong_pins_before": opened.wrong_before,
    }


def _words(told: Status, opened: OpenedCase) -> list[str]:
    lines = []
    if told.records:
        lines.append(f"{told.records} record(s) can be found by those whom your conditions let ask.")
    if told.being_sent:
        lines.append(f"{told.being_sent} record(s) are on their way, and cannot be found yet.")
    if not told.records and not told.being_sent:
        lines.append("Nothing of it can be found by others now.")
    if told.closed:
        lines.append(
            f"{told.closed} of them are in a closed series: ask us, and we withdraw that deposit whole."
        )
    if told.withdrawn_at is not None:
        on = datetime.datetime.fromtimestamp(told.withdrawn_at, datetime.UTC).date().isoformat()
        lines.append(f"It was withdrawn on {on}.")
    if told.contest is not None:
        lines.append(contest.words(told.contest))
    lines.append(_ASKED[told.asked])
    if opened.wrong_before:
        lines.append(f"Since the last time, a wrong PIN was given {opened.wrong_before} time(s).")
    return lines


def _withdrawn_words(result: Result) -> list[str]:
    lines = [
        f"Taken back: {sum(each.records for each in result.taken)} record(s). Nobody can find them any more."
    ]
    if result.shared:
        lines.append(
            f"{result.shared} record(s) hold what another person gave too, and are left: replace them without this "
            "person's part (narrowgate deposit replace), or withdraw with --shared-too."
        )
    if result.closed:
        lines.append("These deposits are closed. Withdraw them whole: narrowgate deposit withdraw")
        lines += [f"  {each.hex()}" for each in result.closed]
    return lines
