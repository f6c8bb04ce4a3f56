"""`narrowgate access-request`: when a person asks what is held about them; the law, find, answer, look again.

Rule: everything happens in this home and nothing is sent. That it is the person who asks, the agency makes sure of by
its own procedure and says how. Identifiers come from a file and are never printed. See `clients.persons.access_answer`.
"""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.gate.plain_text import read_toml
from broker.protocol.errors import BadInput
from clients.cli import run
from clients.cli.reading_options import Options, reading_options, settle_reading
from clients.home import Home
from clients.persons.access_answer import AccessDecision, Decided, answer, due
from clients.persons.access_document import Withheld, day
from clients.persons.access_search import Held, Part, Person, search
from clients.persons.access_terms import AccessTerms, read_terms
from clients.readers import read_file
from clients.readers.signals import RefusedRow

app = run.application("When a person asks what you hold about them: the law, find, answer, look again.")

_SHOWN_ROWS = 20
_DAY_SECONDS = 86_400

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="The person's identifiers, as the agency verified them: a CSV, Excel or other file.",
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option("--reference", help="Your own reference of a record about the person; may be repeated."),
]
BundleFolder = Annotated[
    Path, typer.Option("--bundle", metavar="DIR", help="The folder with the rules: its rights are read.")
]


@app.command("terms")
def show_terms(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The law on access: eu-led, uk-gdpr, ...")],
    bundle: BundleFolder = Path("policies"),
    as_json: run.Json = False,
) -> None:
    """Show what a law on access says: by when, on what grounds, what was compared with which source, and what is open.

    Nothing is opened or written.
    """
    terms = _terms(bundle, name)
    run.show(terms.model_dump(mode="json"), "\n".join(_terms_words(terms)), as_json=as_json)


@app.command()
@reading_options
def find(
    directory: run.HomeFolder,
    file: File,
    reading: Options = Options(),
    reference: References = None,
    as_json: run.Json = False,
) -> None:
    """Show whoever decides what this home holds about some identifiers, before anything is answered.

    It is for the agency's eyes: it has case references. Nothing is written or sent.
    """
    home = run.open_home(directory)
    held = search(home, _person(home, file, reading, reference), run.clock())
    run.show(_held(held), "\n".join(_held_words(held)), as_json=as_json)


@app.command("answer")
@reading_options
def answer_request(
    directory: run.HomeFolder,
    file: File,
    terms: Annotated[str, typer.Option("--terms", help="The law on access that holds: eu-led, uk-gdpr, ...")],
    number: Annotated[
        str, typer.Option("--number", help="Your own number of this request for access; it is handed over.")
    ],
    identity_checked: Annotated[
        str, typer.Option("--identity-checked", help="How you made sure who asks, in a sentence.")
    ],
    decided_by: Annotated[str, typer.Option("--decided-by", metavar="NAME", help="Who decides.")],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE.md", help="Where to write it; FILE.json is written beside it."),
    ],
    withhold: Annotated[
        list[str] | None,
        typer.Option(
            "--withhold",
            metavar="PART=GROUND",
            help="Withhold deposited, asked, received, opened or all, on a ground of the terms; may be repeated.",
        ),
    ] = None,
    silent: Annotated[
        bool,
        typer.Option(
            "--silent", help="Neither confirm nor deny what is withheld, where the law allows that."
        ),
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why it is withheld: kept for the supervisory authority only.")
    ] = "",
    look_again: Annotated[
        str | None, typer.Option("--look-again", metavar="YYYY-MM-DD", help="When to look at it again.")
    ] = None,
    again: Annotated[
        str | None, typer.Option("--again", metavar="HEX", help="The earlier answer that is looked at again.")
    ] = None,
    authority: Annotated[
        str,
        typer.Option(
            "--authority",
            metavar="TEXT",
            help="The supervisory authority and how to reach it, where the terms have none.",
        ),
    ] = "",
    reading: Options = Options(),
    reference: References = None,
    bundle: BundleFolder = Path("policies"),
    as_json: run.Json = False,
) -> None:
    """Write the answer to hand to a person, or the lawful reason why not, and keep the signed decision.

    Read the document before you hand it over: what is in it comes from your own papers. Nothing is sent.
    """
    home = run.open_home(directory)
    parts = _withheld(withhold or [], silent)
    decided = Decided(
        decided_by=decided_by,
        reference=number,
        identity_checked=identity_checked,
        withheld=parts,
        reason=reason,
        look_again_at=None if look_again is None else _day(look_again),
        again=None if again is None else run.identifier(again, 16, "--again"),
        authority=authority,
    )
    person = _person(home, file, reading, reference)
    done = answer(
        home, person, _terms(bundle, terms), decided, now=run.clock(), random_bytes=run.random_bytes
    )
    text = json.dumps(done.document.members(), indent=2, ensure_ascii=False) + "\n"
    run.write_private(out, done.document.markdown(), "the answer")
    run.write_private(out.with_suffix(".json"), text, "the answer as JSON")
    for remark in _unsearched(done.held):
        run.say(remark)
    answer_id = done.decision.payload.answer_id.hex()
    again_on = (
        "" if decided.look_again_at is None else f" To be looked at again on {day(decided.look_again_at)}."
    )
    run.show(
        {
            "answer_id": answer_id,
            "files": [str(out), str(out.with_suffix(".json"))],
            "withheld": [each.part.value for each in parts],
            "look_again_at": decided.look_again_at,
            "document_digest": done.decision.payload.document_digest.hex(),
            "not_searched": {
                "closed_deposits": [each.hex() for each in done.held.closed],
                "forgotten_requests": done.held.forgotten,
            },
        },
        f"Wrote {out}. The decision is kept as answer {answer_id}.{again_on} Read it before you hand it over.",
        as_json=as_json,
    )


@app.command("due")
def list_due(
    directory: run.HomeFolder,
    within: Annotated[
        int, typer.Option("--within", metavar="DAYS", min=0, help="Those due in so many days too.")
    ] = 0,
    everything: Annotated[
        bool, typer.Option("--all", help="Every restriction that was not looked at again yet, whenever due.")
    ] = False,
    as_json: run.Json = False,
) -> None:
    """List what was withheld and must be looked at again now. Look again with `answer --again`."""
    home, now = run.open_home(directory), run.clock()
    until = 253_402_300_799 if everything else now + within * _DAY_SECONDS
    found = due(home, until)
    run.show(
        {"due": [_decision(each, now) for each in found]},
        "\n".join(_due_words(each, now) for each in found) or "Nothing is to be looked at again.",
        as_json=as_json,
    )


def _person(home: Home, file: Path, options: Options, references: list[str] | None) -> Person:
    identifiers: dict[str, None] = {}
    refused: list[RefusedRow] = []
    for item in read_file(file, settle_reading(home, file, options)):
        if isinstance(item, RefusedRow):
            refused.append(item)
        else:
            identifiers[item.canonical.text] = None
    for row in refused[:_SHOWN_ROWS]:
        run.say(f"line {row.line}: {row.reason}")
    if refused:
        # A search that left out one of the person's identifiers would be no answer.
        raise BadInput(f"{len(refused)} rows cannot be read, so nothing was searched. Mend the file.")
    return Person(tuple(identifiers), tuple(references or ()))


def _terms(bundle: Path, name: str) -> AccessTerms:
    known = sorted(path.stem for path in (bundle / "rights").glob("*.toml"))
    if name not in known:
        raise BadInput(f"--terms is one of {', '.join(known) or 'none here: name the folder with --bundle'}.")
    file = f"rights/{name}.toml"
    try:
        text = run.read_input(bundle / file, "the terms").decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{file} cannot be read as UTF-8 text.") from None
    return read_terms(file, read_toml(file, text))


def _terms_words(terms: AccessTerms) -> Iterator[str]:
    head = terms.terms
    yield f"{head.name}: {head.title}, {head.access}. For {', '.join(head.for_kinds)}."
    yield f"When: {head.answer}"
    if head.answer_days is not None:
        yield f"  Safe is {head.answer_days} days from receipt."
    yield f"Grounds to withhold a part ({head.restriction}):"
    for name, ground in terms.ground.items():
        yield f"  {name}: {ground.words} ({ground.article})" + (f". {ground.note}" if ground.note else "")
    if head.may_be_silent:
        yield f"It may be neither confirmed nor denied ({head.told_of_restriction})."
    else:
        yield "It is never left open whether something is withheld: --silent is refused."
    if head.contact_owed and head.contact is None:
        yield "The answer needs the supervisory authority's contact details: give them with --authority."
    for each in terms.compared:
        how = "text" if each.text else "described by others"
        yield f"Compared on {each.on} ({how}): {each.provisions}. Source: {each.source}."
    yield f"Read by: {head.lawyer}" if head.lawyer else "Read by no lawyer."
    for question in head.open:
        yield f"  Open: {question}"


def _withheld(texts: list[str], silent: bool) -> tuple[Withheld, ...]:
    if silent and not texts:
        raise BadInput("--silent is about what is withheld: name it with --withhold PART=GROUND.")
    found = []
    for text in texts:
        name, _, ground = text.partition("=")
        if name not in (*Part, "all") or not ground:
            raise BadInput(f"--withhold is PART=GROUND, where PART is one of {', '.join(Part)} or all.")
        found += [Withheld(part, ground, silent) for part in Part if name in ("all", part)]
    return tuple(found)


def _day(text: str) -> int:
    try:
        found = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError:
        raise BadInput("--look-again is a day, written like 2027-03-31.") from None
    return int(found.timestamp())


def _held(held: Held) -> dict[str, Any]:
    return {
        "deposited": [
            {
                "place": each.place,
                "identifier_type": each.identifier_type,
                "deposit_id": each.deposit_id.hex(),
                "reference": each.reference,
                "retain_until": each.conditions.retain_until,
            }
            for each in held.deposited
        ],
        "contested": [
            {
                "places": list(each.places),
                "state": each.state.value,
                "contested_at": each.contested_at,
                "decided_at": each.decided_at,
                "reference": each.reference,
            }
            for each in held.contested
        ],
        "asked": [
            {
                "request_id": each.request_id.hex(),
                "case_reference": each.claims.case_reference,
                "tier": each.tier.value,
                "places": list(each.places),
                "known": list(each.known),
                "contested": list(each.contested),
                "sources": list(each.sources),
                "opened": len(each.opened),
            }
            for each in held.asked
        ],
        "closed_deposits": [each.hex() for each in held.closed],
        "forgotten_requests": held.forgotten,
    }


def _held_words(held: Held) -> list[str]:
    lines = [f"Deposited: {len(held.deposited)} records; asked in {len(held.asked)} requests."]
    for each in held.deposited:
        place = f"identifier {each.place}" if each.place else "by reference"
        lines.append(f"  deposit {each.deposit_id.hex()}: {place}, your reference {each.reference or 'none'}")
    lines += [
        f"  {each.state.value} by the person or us: your reference {each.reference}"
        for each in held.contested
    ]
    for asked in held.asked:
        lines.append(
            f"  request {asked.request_id.hex()}: case {asked.claims.case_reference}, asked about "
            f"{len(asked.places)}, known elsewhere {len(asked.known)}, opened {len(asked.opened)} records"
        )
    return lines + _unsearched(held)


def _unsearched(held: Held) -> list[str]:
    lines = []
    if held.closed:
        lines.append(
            f"{len(held.closed)} deposits are closed, their keys erased: identifiers are not found in them. Look in "
            "your own files, and name the records with --reference."
        )
    if held.forgotten:
        lines.append(f"{held.forgotten} requests are past their retention: what they asked about is erased.")
    return lines


def _decision(each: AccessDecision, now: int) -> dict[str, Any]:
    return {
        "answer_id": each.answer_id.hex(),
        "number": each.reference,
        "terms": each.terms,
        "withheld": [{"part": part.part.value, "ground": part.ground} for part in each.withheld],
        "decided_by": each.decided_by,
        "decided_at": each.decided_at,
        "look_again_at": each.look_again_at,
        "overdue": each.look_again_at is not None and each.look_again_at <= now,
    }


def _due_words(each: AccessDecision, now: int) -> str:
    when = each.look_again_at or 0
    parts = ", ".join(f"{part.part} ({part.ground})" for part in each.withheld)
    late = "DUE since" if when <= now else "due on"
    return f"{each.answer_id.hex()}  {late} {day(when)}: {each.reference}; withheld: {parts}; by {each.decided_by}"
