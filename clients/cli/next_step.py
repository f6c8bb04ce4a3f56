"""`narrowgate request next-step`: the form in which the law wants the data asked for, after a disclosure of sources.

Rule: which form fits which pair of jurisdictions is said by the packs of the bundle; for a pair they do not name it
says so and offers a request for mutual legal assistance. It writes identifiers, so a file is readable by its owner
alone. It signs and sends nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from broker.gate.instrument_terms import Form
from broker.gate.instruments import Instrument
from broker.gate.plain_text import read_toml
from broker.gate.routes import LegalCatalogue, carriers, read_catalogue, why_none
from broker.protocol.errors import BadInput
from clients.cli import run
from clients.next_step.carrier import Carrier
from clients.next_step.disclosed import Disclosed, Holding, read_disclosed
from clients.next_step.document import Document, fill
from clients.next_step.facts import facts_of
from clients.next_step.form import FormTemplate, read_form
from clients.next_step.markdown import render
from clients.requesting.request_folder import RequestFolder

_PAGE_BREAK = "\n\f\n"


def next_step(
    directory: run.HomeFolder,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="A request that was answered with its sources.")
    ],
    form: Annotated[
        Form,
        typer.Option(
            "--form", help="epoc, epoc-pr (European production and preservation orders), mla, preservation."
        ),
    ],
    bundle: Annotated[
        Path,
        typer.Option(
            "--bundle", metavar="DIR", help="The folder with the rules: its packs and forms are read."
        ),
    ] = Path("policies"),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write it there, readable by you alone; with several, FILE-CONTRIBUTOR.",
        ),
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Fill in what comes after a match: one form for each contributor that holds one, with the law's deadlines.

    It is filled in from the papers of the request, and says what only a person can write. Nothing is signed or sent.
    """
    home = run.open_home(directory)
    identifier = run.identifier(request_id, 16, "REQUEST_ID")
    space = home.space(*RequestFolder(home.vault, identifier).roster()).payload
    disclosed = read_disclosed(home, space, identifier)
    catalogue = read_catalogue(bundle)
    made = [
        _document(bundle, catalogue, form, disclosed, holding, run.clock()) for holding in disclosed.holdings
    ]
    documents = [each for each in made if isinstance(each, Document)]
    unserved = [each for each in made if isinstance(each, _Unserved)]
    files = [] if out is None else list(_written(out, documents))
    members = {
        "request_id": request_id,
        "asked_form": form.value,
        "documents": [each.members() for each in documents],
        "unserved": [
            {"contributor": each.contributor, "established_in": each.established_in, "reason": each.reason}
            for each in unserved
        ],
        "files": files,
    }
    run.show(members, "\n".join(_words(documents, unserved, files)), as_json=as_json)


@dataclass(frozen=True)
class _Unserved:
    """A contributor that no form is for, and why."""

    contributor: str
    established_in: str
    reason: str


def _document(
    bundle: Path, catalogue: LegalCatalogue, form: Form, disclosed: Disclosed, holding: Holding, now: int
) -> Document | _Unserved:
    """The form asked for; a request for mutual legal assistance where no instrument carries that form abroad."""
    issuing, place = disclosed.member.jurisdiction, holding.established_in
    found, offered = carriers(catalogue.instruments, form, issuing, place, now), None
    if not found:
        offered = why_none(catalogue.instruments, form, issuing, place, now)
        if issuing == place:
            return _Unserved(holding.contributor, place, offered)
        if form is not Form.MLA:
            form, offered = Form.MLA, f"{offered} A request for mutual legal assistance is offered instead."
            found = carriers(catalogue.instruments, form, issuing, place, now)
    told = [_carrier(name, instrument) for name, instrument in found.items()]
    facts = facts_of(disclosed, holding, told, catalogue.vocabulary.purposes, now)
    return fill(_template(bundle, form), facts, disclosed, holding, told, offered)


def _template(bundle: Path, form: Form) -> FormTemplate:
    name = f"forms/{form}.toml"
    text = run.read_input(bundle / name, "the form")
    try:
        return read_form(name, read_toml(name, text.decode("utf-8")))
    except UnicodeDecodeError:
        raise BadInput(f"{name} cannot be read as UTF-8 text.") from None


def _carrier(name: str, instrument: Instrument) -> Carrier:
    times = instrument.deadlines
    return Carrier(
        name=name,
        title=instrument.title,
        law=instrument.law,
        articles=instrument.articles,
        answer_days=times.answer_days,
        emergency_hours=times.emergency_hours,
        preserve_days=times.preserve_days,
        extension_days=times.extension_days,
        notify_person=instrument.duties.notify_person,
        review=instrument.review,
        doubt=instrument.doubt,
    )


def _written(out: Path, documents: Sequence[Document]) -> Iterator[str]:
    for document in documents:
        name = f"{out.stem}-{document.contributor}-{document.established_in}{out.suffix}"
        path = out if len(documents) == 1 else out.with_name(name)
        run.write_private(path, render(document), "the form")
        yield str(path)


def _words(
    documents: Sequence[Document], unserved: Sequence[_Unserved], files: Sequence[str]
) -> Iterator[str]:
    if files:
        for document, path in zip(documents, files, strict=True):
            yield f"{document.title} for {document.contributor}: {path}"
            if document.offered:
                yield f"  {document.offered}"
    else:
        yield _PAGE_BREAK.join(render(each) for each in documents)
    for each in unserved:
        yield f"Nothing for {each.contributor} ({each.established_in}): {each.reason}"
    if files:
        yield "Fill in the blanks. Nothing was signed or sent."
