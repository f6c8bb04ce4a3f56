"""`narrowgate audit mirror` and `verify`: a copy of the broker's log, kept and verified.

Rule: exit code 0 says that all that was asked for verified, 4 that something did not, 5 that the broker did not answer;
what was fetched until then is kept. With --json the report is printed in each of the first two cases. No key comes from
the broker.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.auditing.log_key_entries import earlier_rosters
from clients.auditing.papers import Papers, Signers, officers_of
from clients.auditing.signed_documents import DocumentsCheck, DocumentsReport, Logged
from clients.auditor import AuditFailed, Auditor, AuditReport
from clients.cli import run
from clients.home import Home
from clients.mirrors.mirroring import Progress
from clients.mirrors.watched_log import broker_log

_TRIAL = "TRIAL: no witness cosigned the log, so the broker could show another log to somebody else."


def mirror(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Copy what is new in the broker's log into your home, and derive its signed root again from the copy.

    Leaves alone, which are public: no record is read, nothing is recorded, and you need not be an auditor of the
    space. If it is cut short, run it again: it goes on where it stopped, and no leaf counts before the root was
    derived.
    """
    home = run.open_home(directory)
    report = _audited(auditor_of(home, space_id).mirror, "Mirroring leaves", as_json=as_json)
    run.show(_members(report), "\n".join(_words(report)), as_json=as_json)


def verify(
    directory: run.HomeFolder,
    documents: Annotated[
        bool,
        typer.Option(
            "--documents",
            help="Also verify the signed documents that the records hold or name, and say which.",
        ),
    ] = False,
    papers: Annotated[
        list[Path] | None,
        typer.Option(
            "--papers",
            metavar="FOLDER",
            help="Signed documents (.jws) that parties handed you; may be repeated. Implies --documents.",
        ),
    ] = None,
    officer: Annotated[
        list[Path] | None,
        typer.Option(
            "--officer",
            metavar="FILE",
            help="A rule officer's public file, from the officer; may be repeated. Implies --documents.",
        ),
    ] = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Mirror what is new in the log and verify all of it: signatures, growth, root, and every record.

    Reading the records is itself recorded. Two signed logs that do not fit each other are kept as evidence. The exit
    code is 4 if anything does not verify, and 5 if the broker does not answer.
    """
    home = run.open_home(directory)
    auditor = auditor_of(home, space_id)
    check = _documents_check(home, papers or [], officer or []) if documents or papers or officer else None
    report = _audited(auditor.verify, "Mirroring leaves and records", as_json=as_json)
    value, lines = _members(report), _words(report)
    if report.erased:
        lines.append(f"{report.erased} records were erased at the broker; their leaves stand.")
    lines.append("Every other record opens its leaf." if report.erased else "Every record opens its leaf.")
    found = None
    if check is not None:
        found = check.check(Logged(each.index, each.content.kind, each.record) for each in auditor.entries())
        value |= {"documents": asdict(found), "verified": not found.failed}
        if found.failed:
            value["first_bad_index"] = min(each.index for each in found.failed)
        lines += _documents_words(found)
    run.show(value, "\n".join(lines), as_json=as_json)
    if found is not None and found.failed:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def auditor_of(home: Home, space_id: str | None) -> Auditor:
    """The auditor of a home, for the one space it is in or the one named. Raises BadInput or NotFound."""
    space = home.space(run.space_id(space_id)).payload
    return Auditor(home.vault, broker_log(space, earlier_rosters(home, space)), run.caller(home), run.clock)


def _audited(step: Callable[[Progress], AuditReport], title: str, *, as_json: bool) -> AuditReport:
    try:
        with run.progress(title) as update:
            return step(update)
    except AuditFailed as error:
        if as_json:
            run.print_json(_members(error.report) | {"detail": error.detail, "evidence": error.evidence})
        run.say(error.detail)
        if error.evidence is not None:
            run.say(f"Evidence: {error.evidence}")
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED)) from None


def _documents_check(home: Home, papers: list[Path], officers: list[Path]) -> DocumentsCheck:
    rosters = list(home.rosters())
    known = [signed.document for signed in rosters] + [home.enrolment]
    founders = {home.founder_key(signed.payload.space_id) for signed in rosters}
    files = [run.read_document(path, "a rule officer") for path in officers]
    signers = Signers([signed.payload for signed in rosters], founders)
    return DocumentsCheck(Papers(papers, known), signers, officers_of(files))


def _words(report: AuditReport) -> list[str]:
    root = (report.root or b"").hex()
    lines = [
        f"{report.size} entries of {report.origin} give the signed root {root}.",
        *(f"  {kind}: {number}" for kind, number in report.kinds.items()),
        f"{report.new} of them are new; the others are those that were mirrored before.",
    ]
    if report.stale is not None:
        lines.append(stale_words(report.stale, "broker"))
    if report.trial:
        return [*lines, _TRIAL]
    return [*lines, f"Cosigned by {', '.join(report.witnesses)}."]


def stale_words(size: int, served_by: str) -> str:
    """What a person is told when an older checkpoint was served than one seen before."""
    return (
        f"STALE: the {served_by} served a checkpoint of {size} entries, older than one seen before. It is part of the "
        "same log, so this is no fork; a cache may be behind. If it is still so in an hour, ask the operator: a log "
        "that was cut back looks the same until it grows."
    )


def _documents_words(found: DocumentsReport) -> list[str]:
    told = ", ".join(f"{kind} {number}" for kind, number in found.verified.items()) or "none"
    lines = [f"Signed documents that verify: {told}."]
    for failed in found.failed:
        lines.append(f"DOES NOT VERIFY: {failed.document} of entry {failed.index}. {failed.reason}")
    for left in found.unverified:
        more = ", ..." if left.number > len(left.entries) else ""
        entries = ", ".join(map(str, left.entries))
        lines.append(f"Not verified: {left.document}, {left.number} (entries {entries}{more}). {left.reason}")
    return lines


def _members(report: AuditReport) -> dict[str, Any]:
    return {
        "origin": report.origin,
        "size": report.size,
        "root": None if report.root is None else report.root.hex(),
        "verified": report.verified,
        "fork": report.fork,
        "first_bad_index": report.first_bad_index,
        "entries": report.size,
        "new": report.new,
        "erased": report.erased,
        "stale": report.stale,
        "kinds": dict(report.kinds),
        "trial": report.trial,
        "witnesses": list(report.witnesses),
    }
