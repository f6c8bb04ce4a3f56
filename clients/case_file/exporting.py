"""Write the case folder of a request, and hand it over.

Rule: whoever signs has checked: the requester signs a manifest only of papers that pass every check, and a hand-over is
signed only of a folder that does. Exported twice, a case gives the same files, but for the manifest's time.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Request
from clients.case_file import index
from clients.case_file.checks import CaseReport, Pinned, check_case
from clients.case_file.custody import hand_overs, sign_hand_over
from clients.case_file.folder import add_hand_over, read_folder, write_folder
from clients.case_file.gathering import gather
from clients.case_file.layout import INDEX, MANIFEST, Files, to_files
from clients.case_file.papers import CaseManifest, CasePapers, HandOver, ListedFile
from clients.home import Home

_OFFICER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")


@dataclass(frozen=True)
class Exported:
    """A folder that was written, and what was checked before."""

    folder: Path
    files: int
    report: CaseReport


def export(
    home: Home,
    request_id: bytes,
    folder: Path,
    now: int,
    random_bytes: RandomBytes,
    officer: str | None = None,
) -> Exported:
    """Gather a case, check it as a court will, sign it and write its folder.

    Args:
        request_id: the last step; those it was selected from come along.
        folder: where; it may not exist yet.
        officer: who exports; None for the one whom the request names.

    Raises NotFound, Conflict (not answered, or the folder exists), VerificationFailed or BadInput."""
    papers = gather(home, request_id)
    files = to_files(papers) | {INDEX: index.render(papers).encode("utf-8")}
    manifest = _manifest(home, papers, files, now, officer)
    whole = files | {MANIFEST: manifest.document.encode("ascii")}
    report = check_case(whole, _pinned(home, papers))
    write_folder(folder, whole, random_bytes)
    return Exported(folder, len(whole), report)


def hand_over(home: Home, folder: Path, to: str, now: int, random_bytes: RandomBytes) -> Signed[HandOver]:
    """Check a folder whole, sign that it is handed over, and add that to it.

    Raises CheckFailed, NotPermitted (it was handed to somebody else), Conflict or BadInput."""
    files = read_folder(folder)
    report = check_case(files)
    listed = hand_overs(files)
    signed = sign_hand_over(home, report.manifest, listed, report.spaces, to, now)
    add_hand_over(folder, signed.payload.number, signed.document, random_bytes)
    return signed


def _manifest(
    home: Home, papers: CasePapers, files: Files, now: int, officer: str | None
) -> Signed[CaseManifest]:
    asked = [documents.unverified_payload(Request, each.request) for each in papers.steps]
    last = asked[-1]
    listed = tuple(
        ListedFile(path=path, bytes=len(content), sha256=hashlib.sha256(content).digest())
        for path, content in sorted(files.items())
    )
    if officer is not None and not _OFFICER.match(officer):
        raise BadInput("The officer is a short name in lower-case letters, digits, dot, dash or underscore.")
    manifest = CaseManifest(
        space_id=last.space_id,
        roster_version=last.roster_version,
        requester=home.party_id,
        case_reference=last.claims.case_reference,
        requests=tuple(each.request_id for each in asked),
        officer=officer or last.claims.officer,
        exported_at=now,
        files=listed,
    )
    return documents.sign(manifest, home.signing_key)


def _pinned(home: Home, papers: CasePapers) -> Pinned:
    space = documents.unverified_payload(Space, papers.rosters[-1])
    return Pinned(papers.founder, home.space(space.space_id, space.roster_version).document)
