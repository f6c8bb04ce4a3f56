"""`narrowgate case`: one signed folder that shows a court how a case came about, and its check offline.

Rule: verifying needs no home, key or network. A folder that fails a check exits with 4 and says which check; with
--json it has the checks that passed before.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from clients.case_file.checks import CHECKS, CaseReport, CheckFailed, Pinned, check_case
from clients.case_file.custody import HandedOver
from clients.case_file.exporting import export, hand_over
from clients.case_file.folder import read_folder
from clients.case_file.index import written_time
from clients.cli import run

app = run.application("For a court: one signed folder with all papers of a case.")

_TRIAL = "TRIAL: no witness cosigned the log, so the broker could show another log to somebody else."
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The case folder.")]


@app.command("export")
def export_case(
    directory: run.HomeFolder,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="The last request of the case: the highest tier.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="A folder that does not exist yet.")],
    officer: Annotated[
        str | None, typer.Option("--officer", help="Who exports, if not the officer the request names.")
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Write all papers of a case, signed, in one folder: from the first question to the opened records.

    It has the identifiers that hit and were gone on with, and the records in clear. Keep it as you keep the case.
    """
    home = run.open_home(directory)
    identifier = run.identifier(request_id, 16, "REQUEST_ID")
    done = export(home, identifier, out, run.clock(), run.random_bytes, officer)
    run.show(
        _facts(done.report) | {"folder": str(out), "files": done.files},
        f"Wrote {done.files} files to {out}; all {len(CHECKS)} checks pass. Begin with INDEX.txt."
        + (f"\n{_TRIAL}" if done.report.trial else ""),
        as_json=as_json,
    )


@app.command("hand-over")
def hand_over_case(
    folder: Folder,
    directory: Annotated[
        Path, typer.Option("--home", metavar="DIR", help="The home of whoever hands the folder over.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="NAME", help="Who gets it: the name that their enrolment has, if they have one."
        ),
    ],
    as_json: run.Json = False,
) -> None:
    """Sign, in the folder, that you hand it over; it is checked whole before.

    Only whoever it was handed to can hand it on. Give them the number that is printed.
    """
    home = run.open_home(directory)
    signed = hand_over(home, folder, to, run.clock(), run.random_bytes)
    number = signed.payload.number
    run.show(
        {"number": number, "to": signed.payload.to, "digest": signed.digest.hex()},
        f"Hand-over {number} is signed. Tell the person that there are {number}: the newest can be taken away unseen.",
        as_json=as_json,
    )


@app.command()
def verify(
    folder: Folder,
    space_document: Annotated[
        Path | None,
        typer.Option("--space-document", metavar="FILE", help="The space document, from the founder."),
    ] = None,
    founder: Annotated[
        Path | None,
        typer.Option("--founder", metavar="FILE", help="The founder's enrolment, from the founder."),
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Check a case folder offline: every file, signature, log proof, record and hand-over.

    Without the founder's two files it shows only that the folder fits together, not whose collaboration it is.
    """
    if (space_document is None) != (founder is None):
        raise BadInput("Name both files of the founder, --space-document and --founder, or neither.")
    pinned = None
    if space_document is not None and founder is not None:
        pinned = Pinned(
            founder=run.read_document(founder, "the founder's enrolment"),
            space=run.read_document(space_document, "the space document"),
        )
    try:
        report = check_case(read_folder(folder), pinned)
    except CheckFailed as failed:
        _show_failed(failed, as_json=as_json)
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED)) from None
    run.show(_facts(report) | {"verified": True}, "\n".join(_words(report)), as_json=as_json)


def _show_failed(failed: CheckFailed, *, as_json: bool) -> None:
    passed = [{"check": number, "name": CHECKS[number - 1][0]} for number in range(1, failed.number)]
    facts = {
        "verified": False,
        "problem": failed.problem,
        "detail": failed.detail,
        "passed": passed,
        "failed": {"check": failed.number, "name": failed.name, "why": failed.why},
    }
    lines = [*_ticked(failed.number - 1), f"{failed.number:>3}. FAILED  {CHECKS[failed.number - 1][1]}"]
    run.show(facts, "\n".join(lines), as_json=as_json)
    run.say(failed.detail)


def _ticked(passed: int) -> list[str]:
    return [f"{number:>3}. ok      {says}" for number, (_, says) in enumerate(CHECKS[:passed], 1)]


def _words(report: CaseReport) -> list[str]:
    manifest = report.manifest.payload
    lines = _ticked(len(CHECKS))
    lines.append(
        f"Case {manifest.case_reference} of {manifest.requester}, exported on {written_time(manifest.exported_at)}: "
        f"{len(manifest.requests)} request(s), {report.entries} log entries, {report.records} opened record(s)."
    )
    for number, each in enumerate(report.custody, 1):
        known = "" if each.known else f"; not of this collaboration, compare the thumbprint {each.kid}"
        lines.append(
            f"Hand-over {number}: {each.name} to {each.to} on {written_time(each.handed_at)}{known}."
        )
    if not report.pinned:
        lines.append(
            "The space document is the folder's own: all fits together, and whose it is depends on the founder's key "
            f"{report.founder_kid}. Compare it, or name the founder's files."
        )
    return lines + ([_TRIAL] if report.trial else [])


def _facts(report: CaseReport) -> dict[str, Any]:
    manifest = report.manifest.payload
    return {
        "case_reference": manifest.case_reference,
        "requester": manifest.requester,
        "officer": manifest.officer,
        "requests": [each.hex() for each in manifest.requests],
        "exported_at": manifest.exported_at,
        "checks": [{"check": number, "name": name} for number, (name, _) in enumerate(CHECKS, 1)],
        "log_entries": report.entries,
        "records": report.records,
        "custody": [_custody(each) for each in report.custody],
        "founder_kid": report.founder_kid,
        "pinned": report.pinned,
        "trial": report.trial,
    }


def _custody(each: HandedOver) -> dict[str, Any]:
    return {
        "by": each.party_id,
        "name": each.name,
        "kid": each.kid,
        "to": each.to,
        "handed_at": each.handed_at,
        "known": each.known,
    }
