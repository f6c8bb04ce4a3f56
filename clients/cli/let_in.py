"""`narrowgate consent let-in`: a person says that nothing of theirs was to be taken back, and it may go in again.

Rule (decision 0043): on the person's word alone, by number and PIN, and who let it in and why is kept in the case. It
is for what does not rest on consent, where there is none to record anew; what does is let in by a recorded consent, and
what is contested by whoever decides. It deposits nothing: the next file does.
"""

from typing import Annotated

import typer

from broker.protocol.errors import BadInput, Conflict, NotFound
from clients.cli import run
from clients.cli.case_entry import Number, cases_of, pin
from clients.cli.contributor_home import open_contributor_home
from clients.deposit_changes.kept_out import KeptOut
from clients.persons import consent_record


def let_in(
    directory: run.HomeFolder,
    number: Number,
    why: Annotated[
        str, typer.Option("--why", help="Why it was a mistake, as the person says; it is kept in the case.")
    ],
    by: Annotated[
        str, typer.Option("--by", help="Who lets it in, an office or a role; it is kept in the case.")
    ],
    as_json: run.Json = False,
) -> None:
    """Let in again what was kept out by mistake, on the person's word. Asks for the PIN.

    For rows of this case, under conditions that do not rest on consent. Under those that do, record the consent they
    give now: narrowgate consent record. What is contested stays out until it is decided. Nothing is sent.
    """
    if not 0 < len(why.strip()) <= 400 or not 0 < len(by.strip()) <= 200:
        raise BadInput("Say why in a sentence (--why), and who lets it in (--by): both are kept in the case.")
    home = open_contributor_home(directory)
    cases = cases_of(home)
    opened = cases.enter(number, pin())
    reference = opened.case.reference
    if any(consent_record.consents_of(home, reference)):
        raise Conflict(
            "This rests on the person's consent, so their word is recorded as a consent: narrowgate consent record"
        )
    now = run.clock()
    kept_out = KeptOut(home, now, run.random_bytes)
    if not any(reason == "consent_withdrawn" for _, reason in kept_out.marks()):
        raise NotFound("Nothing is kept out here because a person withdrew, so there is nothing to let in.")
    # The case first: nothing is let in of which nobody can say who did it and why.
    cases.note(opened, "let_in", remark=why.strip(), by=by.strip())
    kept_out.let_in(reference)
    run.show(
        {"let_in_at": now},
        "Noted. Under conditions that do not rest on consent, your next deposit puts in the rows of this case. Whoever "
        "was told that it is taken back is not told otherwise, and asks anew.",
        as_json=as_json,
    )
