"""`narrowgate desk`: the legal desk reads a request, checks the papers, and signs what it found."""

from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.messages.requests import Request
from clients.cli import run
from clients.cli.papers import read_paper, write_paper
from clients.legal_desk import FindingAnswers, LegalDesk
from clients.remote import readable

app = run.application("Legal desk: read a request, and sign what you found about it.")

_REMARKS = {
    "what to do": "Every value was filled in from what the requester claims. Check each against the papers and "
    "correct it; what you leave is what you sign.",
    "basis": "The instrument as you saw it; basis.document_digest is the SHA-256 of its file.",
    "basis_authentic": "true only if you saw the instrument and it comes from the authority it names.",
    "offence, maximum_penalty_months, purpose, subjects": "As the instrument says, not as the request says.",
    "dual_criminality": "true if the conduct is a crime where the data is held, too.",
    "threat_to_life": "true only in an emergency that you could confirm.",
    "necessity_shown": "true if the request shows why it is needed.",
    "less_intrusive_means_considered": "true if it shows what was tried before.",
}
RequestFile = Annotated[
    Path, typer.Argument(metavar="REQUEST", help="The signed request that the requester handed you.")
]


@app.command()
def answers(
    directory: run.HomeFolder,
    request: RequestFile,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the answers to check.")],
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Show what a request claims, and write the answers to check, filled in as claimed."""
    desk = _desk(directory, space_id)
    signed = desk.read(run.read_document(request, "the request"))
    write_paper(out, desk.template(signed.payload), _REMARKS)
    run.show(
        {
            "request_id": signed.payload.request_id.hex(),
            "request_digest": signed.digest.hex(),
            "request": signed.payload.model_dump(mode="json"),
            "file": str(out),
        },
        in_words(signed.payload) + f"\nCheck and correct {out}; then: narrowgate desk find",
        as_json=as_json,
    )


@app.command()
def find(
    directory: run.HomeFolder,
    request: RequestFile,
    answers: Annotated[Path, typer.Option("--answers", metavar="FILE", help="The answers you checked.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the signed finding.")],
    valid_days: Annotated[int, typer.Option(help="How long the finding holds: 1 to 90 days.")] = 30,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Sign your finding about exactly this request, for the requester to file with it."""
    checked = read_paper(FindingAnswers, answers, "the answers")
    document = run.read_document(request, "the request")
    signed = _desk(directory, space_id).find(document, checked, valid_days)
    run.write_output(out, signed.document + "\n")
    finding = signed.payload
    run.show(
        {
            "finding_id": finding.finding_id.hex(),
            "request_digest": finding.request_digest.hex(),
            "expires_at": finding.expires_at,
            "file": str(out),
        },
        f"Signed. Hand {out} to the requester. A copy is in your home.",
        as_json=as_json,
    )


def _desk(directory: Path, space_id: str | None) -> LegalDesk:
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    return LegalDesk(home, space, run.clock, run.random_bytes)


def in_words(request: Request) -> str:
    """What a request claims, for a person who has to look at it."""
    claims, basis = request.claims, request.claims.basis
    types = ", ".join(f"{batch.identifiers} {batch.identifier_type}" for batch in request.batches)
    lines = (
        f"Request {request.request_id.hex()} of {request.requester}: {types}, tier {request.tier}",
        f"case {claims.case_reference}, officer {claims.officer}, urgency {claims.urgency}",
        f"on {basis.instrument} {basis.reference}, article {basis.article}, of {basis.issuing_authority}",
        f"for {claims.purpose} in a case of {claims.offence}, {claims.maximum_penalty_months} months, "
        f"{claims.place}; about {', '.join(claims.subjects)}",
        f"necessity: {claims.necessity}",
        f"tried before: {claims.less_intrusive_means}",
    )
    return "\n".join(readable(line) for line in lines)
