"""`narrowgate approve` and `narrowgate review`: a person reads the papers of a request, and signs, refuses or reviews.

Rule: what is signed is the digest of exactly the papers that were shown. `approve` is for supervisors and prosecutors,
`review` for judges and independent reviewers; the roster says who is which, not the command.
"""

from pathlib import Path
from typing import Annotated

import typer

from clients.approver import ApprovingPerson, Dossier, Sent
from clients.cli import run
from clients.cli.desk import in_words
from clients.remote import readable

approve = run.application("Supervisor or prosecutor: approve a request, refuse it, or take an approval back.")
review = run.application(
    "Judge or reviewer: review a request before it is decided, or an emergency after it."
)

RequestFile = Annotated[
    Path, typer.Argument(metavar="REQUEST", help="The signed request that the requester handed you.")
]
FindingFiles = Annotated[
    list[Path] | None,
    typer.Option("--finding", metavar="FILE", help="A finding of the legal desk about it; all there are."),
]
Reason = Annotated[
    str, typer.Option("--reason", help="Why, in a sentence. It is kept with what you sign; name nobody.")
]


def show(
    directory: run.HomeFolder,
    request: RequestFile,
    finding: FindingFiles = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Show what is asked and what the legal desk found, as you would sign it. Nothing is signed or sent."""
    dossier = _read(_person(directory, space_id), request, finding)
    run.show(
        {
            "request_id": dossier.request.payload.request_id.hex(),
            "request_digest": dossier.request.digest.hex(),
            "dossier_digest": dossier.digest.hex(),
            "request": dossier.request.payload.model_dump(mode="json"),
            "findings": [each.payload.model_dump(mode="json") for each in dossier.findings],
        },
        _words(dossier),
        as_json=as_json,
    )


def sign(
    directory: run.HomeFolder,
    request: RequestFile,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the signed approval.")],
    finding: FindingFiles = None,
    valid_days: Annotated[int, typer.Option(help="How long it holds: 1 to 90 days.")] = 30,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Sign that you approve exactly this request with exactly these findings. The requester files it.

    A finding that is added, changed or left out afterwards makes other papers of them, which you have not approved.
    """
    person = _person(directory, space_id)
    dossier = _read(person, request, finding)
    signed = person.approve(dossier, valid_days)
    run.write_output(out, signed.document + "\n")
    approval = signed.payload
    run.show(
        {
            "approval_id": approval.approval_id.hex(),
            "capacity": approval.capacity.value,
            "dossier_digest": approval.dossier_digest.hex(),
            "expires_at": approval.expires_at,
            "file": str(out),
        },
        f"{_words(dossier)}\nSigned as {approval.capacity.value}. Hand {out} to the requester. To take it back:\n"
        f"  narrowgate approve withdraw {directory} {approval.approval_id.hex()} --reason ...",
        as_json=as_json,
    )


def refuse(
    directory: run.HomeFolder,
    request: RequestFile,
    reason: Reason,
    finding: FindingFiles = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Refuse to approve a request. Broker and key holders are told; it is refused, whatever others sign."""
    person = _person(directory, space_id)
    sent = person.refuse(_read(person, request, finding), reason)
    _show_sent(sent, "Refused.", as_json=as_json)


def withdraw(
    directory: run.HomeFolder,
    approval_id: Annotated[str, typer.Argument(metavar="APPROVAL_ID", help="As printed when you signed it.")],
    reason: Reason,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Take an approval back. Nothing decided from now on rests on it; what was disclosed before stays disclosed."""
    person = _person(directory, space_id)
    sent = person.withdraw(run.identifier(approval_id, 16, "APPROVAL_ID"), reason)
    _show_sent(sent, "Taken back.", as_json=as_json)


def emergency(
    directory: run.HomeFolder,
    request: RequestFile,
    reason: Reason,
    justified: Annotated[
        bool,
        typer.Option(
            "--justified/--not-justified", help="Whether the emergency justified what was disclosed."
        ),
    ],
    finding: FindingFiles = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Review, afterwards, a request that went by the emergency route.

    Found justified, the agency owes no review for it any more. Found not justified, or never reviewed, the emergency
    route is closed to the agency.
    """
    person = _person(directory, space_id)
    sent = person.review(_read(person, request, finding), justified, reason)
    _show_sent(sent, "Reviewed: justified." if justified else "Reviewed: not justified.", as_json=as_json)


for _app in (approve, review):
    _app.command()(show)
    _app.command()(sign)
    _app.command()(refuse)
    _app.command()(withdraw)
review.command()(emergency)


def _person(directory: Path, space_id: str | None) -> ApprovingPerson:
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    return ApprovingPerson(home, space, run.caller(home), run.clock, run.random_bytes)


def _read(person: ApprovingPerson, request: Path, findings: list[Path] | None) -> Dossier:
    documents = [run.read_document(path, "the finding") for path in findings or ()]
    return person.read(run.read_document(request, "the request"), documents)


def _words(dossier: Dossier) -> str:
    lines = [in_words(dossier.request.payload)]
    for finding in (each.payload for each in dossier.findings):
        said = {True: "", False: "NOT "}
        lines += [
            f"the legal desk {finding.desk} found: {finding.purpose}, {finding.offence}, "
            f"{finding.maximum_penalty_months} months; basis {said[finding.basis_authentic]}authentic, issued by "
            f"{finding.basis.issued_by}, validated by {finding.basis.validated_by}; necessity "
            f"{said[finding.necessity_shown]}shown; threat to life {said[finding.threat_to_life]}confirmed"
        ]
    if not dossier.findings:
        lines.append("The legal desk has found nothing on it yet.")
    return "\n".join(readable(line) for line in "\n".join(lines).splitlines())


def _show_sent(sent: Sent, words: str, *, as_json: bool) -> None:
    if sent.unreached:
        words += f" Not every key holder answered: {', '.join(sent.unreached)}. Run the command again to tell them."
    index = sent.receipt.proof.index
    run.show(
        {"log_index": index, "unreached": list(sent.unreached), "trial": sent.receipt.trial},
        f"{words} It is entry {index} of the broker's log.",
        as_json=as_json,
    )
