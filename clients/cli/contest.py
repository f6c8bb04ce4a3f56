"""`narrowgate consent contest`, `decide` and `contested`: what somebody says is wrong or not theirs, and how that ends.

Rule: a person contests by number and PIN, the agency its own record by its own reference. What the person says, and the
reference, stay in the home; the reason of a decision goes out and names nobody. The work is
`clients.persons.contesting`'s.
"""

import datetime
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.consent import ContestState
from clients.cli import run
from clients.cli.case_entry import cases_of, pin
from clients.cli.contributor_home import open_contributor_home
from clients.deposit_changes.taking_back import Result
from clients.home import Home
from clients.persons import contested_records
from clients.persons.consent_status import anything_under
from clients.persons.contested_records import ContestedSubmission
from clients.persons.contesting import Contesting

_STATES = {
    ContestState.CONTESTED: "It is not decided: until then nobody can find what was taken back.",
    ContestState.UPHELD: "What we hold is right, and the next deposit may share it again",
    ContestState.WITHDRAWN: "It stays out",
}
_BY_PERSON = "The person took it back."


def contest(
    directory: run.HomeFolder,
    said: Annotated[
        str, typer.Option("--said", help="What is wrong with it, as the person says; it is kept here alone.")
    ],
    number: Annotated[
        str | None, typer.Argument(metavar="NUMBER", help="The person's case number; then the PIN is asked.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="In place of a number: your own record, by your own reference."),
    ] = None,
    shared_too: Annotated[
        bool,
        typer.Option("--shared-too", help="Also records that hold what another person gave."),
    ] = False,
    as_json: run.Json = False,
) -> None:
    """Somebody says that what you hold is wrong or not theirs: take it out until you decide. Asks for the PIN.

    The broker deletes the records at once, and whoever was told of them gets a notice that they are contested. Your
    deposits hold them back until you decide: `narrowgate consent decide`.
    """
    if (number is None) == (reference is None):
        raise BadInput("Say one of two: the person's case NUMBER, or --reference for a record of your own.")
    home = open_contributor_home(directory)
    if number is not None:
        cases = cases_of(home)
        opened = cases.enter(number, pin())
        result = _acts(home).contest(opened.case.reference, said, shared_too=shared_too)
        cases.note(opened, "contested")
    else:
        own = (reference or "").strip()
        if contested_records.find(home, own) is None and not anything_under(home, own):
            raise NotFound("Nothing is deposited under this reference.")
        result = _acts(home).contest(own, said, shared_too=shared_too)
    run.show(
        {
            "records": sum(each.records for each in result.taken),
            "shared": result.shared,
            "closed_deposits": [each.hex() for each in result.closed],
            "complete": not result.closed and not result.shared,
        },
        "\n".join(_contested_words(result)),
        as_json=as_json,
    )


def decide(
    directory: run.HomeFolder,
    reference: Annotated[str, typer.Option("--reference", help="Your own reference of what is contested.")],
    reason: Annotated[
        str, typer.Option("--reason", help="Why, in a sentence; it goes to the broker and names nobody.")
    ],
    upheld: Annotated[bool, typer.Option("--upheld", help="What you held is right.")] = False,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="It was wrong: it stays out.")] = False,
    as_json: run.Json = False,
) -> None:
    """Decide what is contested, once: upheld or withdrawn. Whoever was told of it is told how it ended.

    Upheld: your next `deposit sync` puts it back, and so does `deposit add`, of the same file too. Withdrawn: your
    deposits go on holding it back. Tell the person before you put it back.
    """
    if upheld == withdrawn:
        raise BadInput("Say one of two: --upheld, or --withdrawn.")
    home = open_contributor_home(directory)
    state = ContestState.UPHELD if upheld else ContestState.WITHDRAWN
    decided = _acts(home).decide(reference.strip(), state, reason)
    run.show(members(decided), words(decided), as_json=as_json)


def contested(directory: run.HomeFolder, as_json: run.Json = False) -> None:
    """List what is contested, or was, by your own reference, and how it stands. Nothing is sent."""
    home = open_contributor_home(directory)
    found = sorted(contested_records.every(home), key=lambda each: each.contested_at)
    run.show(
        {"contested": [{"reference": each.reference, "said": each.said, **members(each)} for each in found]},
        "\n".join(f"{each.reference}: {words(each)} Said: {each.said}" for each in found)
        or "Nothing is contested.",
        as_json=as_json,
    )


def end_as_withdrawn(home: Home, reference: str) -> bool:
    """A person who takes it back ends what they contested. Returns whether they did: there was something then."""
    known = contested_records.find(home, reference)
    if known is None or known.state is ContestState.UPHELD:
        return False
    if known.state is ContestState.CONTESTED or known.unsent:
        _acts(home).decide(reference, ContestState.WITHDRAWN, _BY_PERSON)
    return True


def members(submission: ContestedSubmission) -> dict[str, Any]:
    """How it stands, as members of JSON; without the reference and without what was said."""
    return {
        "state": submission.state.value,
        "contested_at": submission.contested_at,
        "decided_at": submission.decided_at,
        "reason": submission.reason,
    }


def words(submission: ContestedSubmission) -> str:
    """How it stands, in words that a person may be told."""
    text = f"It was contested on {_day(submission.contested_at)}. "
    if submission.decided_at is None:
        return text + _STATES[submission.state]
    return f"{text}Decided on {_day(submission.decided_at)}: {_STATES[submission.state]}. Why: {submission.reason}"


def _acts(home: Home) -> Contesting:
    return Contesting(home, run.caller(home), run.clock, run.random_bytes)


def _contested_words(result: Result) -> list[str]:
    lines = [
        f"Contested: {sum(each.records for each in result.taken)} record(s) are out, and nobody can find them. Decide "
        "it: narrowgate consent decide"
    ]
    if result.shared:
        lines.append(
            f"{result.shared} record(s) hold what another person gave too, and can still be found: replace them "
            "without this person's part (narrowgate deposit replace), or contest with --shared-too."
        )
    if result.closed:
        lines.append(
            "These deposits are closed, and what is contested can still be found in them. Withdraw them whole: "
            "narrowgate deposit withdraw"
        )
        lines += [f"  {each.hex()}" for each in result.closed]
    return lines


def _day(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()
