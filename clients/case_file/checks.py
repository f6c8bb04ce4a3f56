"""Check a case folder offline, in numbered checks that a reviewer can tick off.

Rule: keys come from the space document and nowhere else; a check uses only what an earlier one verified, and the first
that fails ends it, by its number and name. Whose space document it is, the folder cannot say: pin it by handing in the
founder's files as they were given to you by another way.

It needs no home, broker or network, and judges nothing: whether findings and approvals sufficed was the rules' to say,
and the log has their decision.
"""

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import NarrowgateError, VerificationFailed
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import Role
from clients.agency import read_enrolment
from clients.case_file import index, step_checks
from clients.case_file.custody import HandedOver, check_custody, hand_overs
from clients.case_file.layout import CUSTODY, INDEX, MANIFEST, Files, from_files
from clients.case_file.papers import CaseManifest, CasePapers
from clients.case_file.shown_checks import check_identifiers, check_records
from clients.case_file.step_checks import CheckedAnswer
from clients.requester_checks.opened import VerifiedOpening

Result = TypeVar("Result")

CHECKS: tuple[tuple[str, str], ...] = (
    ("files", "every file is as the manifest says, and there is none besides"),
    ("space", "the space documents are signed by the founder"),
    ("manifest", "the requester signed the manifest"),
    ("requests", "each request is signed by the requester, of this case, and goes on from the one before"),
    ("findings", "the legal desks' findings are over exactly these requests"),
    ("approvals", "the people of the space's list approved exactly these requests with these findings"),
    ("permits", "the broker permitted exactly these requests, and each decision stands in the log"),
    (
        "disclosures",
        "what was told belongs to these permits, and the log records exactly that of these requests",
    ),
    ("confirmations", "a person confirmed each match that the next step selects, after it was told"),
    ("identifiers", "the identifiers shown are alike in all steps, and stand where the requests have them"),
    ("records", "each released record stands under the newest root that its contributor signed"),
    ("key-holders", "whole quorums of key holders signed that they evaluated under these permits"),
    ("plaintexts", "each sealed record opens under its key to the plaintext shown"),
    ("log", "all entries fit one log, in order"),
    ("index", "INDEX.txt says what these papers say"),
    ("custody", "each hand-over is signed, over everything before, by whoever the folder was handed to"),
)
"""Name of each check, and what holds once it passed; numbered from 1."""


class CheckFailed(VerificationFailed):
    """One check failed; those before passed."""

    def __init__(self, number: int, why: str) -> None:
        self.number = number
        self.name = CHECKS[number - 1][0]
        self.why = why
        super().__init__(f"Check {number} ({self.name}) failed: {why}")


@dataclass(frozen=True)
class Pinned:
    """What the reader of a folder has by another way: the founder's enrolment, and one space document."""

    founder: str
    space: str


@dataclass(frozen=True)
class CaseReport:
    """Evidence that every check passed. `founder_kid` is what keys rest on where nothing was pinned."""

    manifest: Signed[CaseManifest]
    papers: CasePapers
    spaces: tuple[Space, ...]
    founder_kid: str
    pinned: bool
    custody: tuple[HandedOver, ...]
    entries: int
    records: int

    @property
    def trial(self) -> bool:
        """Whether the log of one of the spaces has no witness."""
        return any(space.trial for space in self.spaces)


class _Ticks:
    """Takes checks in their order, and turns an error into the failure of the check it came from."""

    def __init__(self) -> None:
        self.passed = 0

    def __call__(self, name: str, check: Callable[[], Result]) -> Result:
        assert CHECKS[self.passed][0] == name
        try:
            result = check()
        except NarrowgateError as error:
            raise CheckFailed(self.passed + 1, error.detail) from error
        self.passed += 1
        return result


def check_case(files: Files, pinned: Pinned | None = None) -> CaseReport:
    """Check everything. Raises CheckFailed."""
    tick = _Ticks()
    papers = tick("files", lambda: _check_files(files))
    spaces = tick("space", lambda: _check_spaces(papers, pinned))
    manifest = tick("manifest", lambda: _check_manifest(files, spaces))
    requests = tick("requests", lambda: step_checks.check_requests(manifest.payload, papers.steps, spaces))
    findings = tick("findings", lambda: [step_checks.check_findings(each) for each in requests])
    tick(
        "approvals",
        lambda: [step_checks.check_approvals(*each) for each in zip(requests, findings, strict=True)],
    )
    permits = tick("permits", lambda: [step_checks.check_permit(each) for each in requests])
    answers = tick(
        "disclosures",
        lambda: [step_checks.check_disclosure(*each) for each in zip(requests, permits, strict=True)],
    )
    tick("confirmations", lambda: step_checks.check_confirmations(answers))
    tick("identifiers", lambda: check_identifiers(answers))
    openings = tick("records", lambda: [step_checks.check_opening(each) for each in answers])
    tick("key-holders", lambda: _check_key_holders(answers, openings))
    records = tick("plaintexts", lambda: check_records(papers.records, answers[-1], openings[-1]))
    entries = tick("log", lambda: _check_log(answers))
    tick("index", lambda: _check_index(files, papers))
    listed = tuple(spaces.values())
    custody = tick("custody", lambda: check_custody(manifest, hand_overs(files), listed))
    founder_kid = documents.unverified_kid(papers.founder)
    return CaseReport(manifest, papers, listed, founder_kid, pinned is not None, custody, entries, records)


def _check_files(files: Files) -> CasePapers:
    """The papers, once every file is as listed. Whose list it is comes later: the key is in one of the files."""
    listed = documents.unverified_payload(CaseManifest, _manifest(files)).files
    by_path = {each.path: each for each in listed}
    here = {name for name in files if name != MANIFEST and not name.startswith(f"{CUSTODY}/")}
    if list(by_path) != sorted(by_path) or len(by_path) != len(listed):
        raise VerificationFailed("The manifest does not list each file once, in order.")
    missing, added = sorted(by_path.keys() - here), sorted(here - by_path.keys())
    if missing:
        raise VerificationFailed(f"A file is missing: {missing[0]}.")
    if added:
        raise VerificationFailed("A file was added that the manifest does not list.")
    for path, each in by_path.items():
        content = files[path]
        if (len(content), hashlib.sha256(content).digest()) != (each.bytes, each.sha256):
            raise VerificationFailed(f"A file is not the one that the manifest lists: {path}.")
    return from_files({name: files[name] for name in here})


def _manifest(files: Files) -> str:
    try:
        return files[MANIFEST].decode("ascii")
    except (KeyError, UnicodeDecodeError):
        raise VerificationFailed("The manifest is missing, or is no signed document.") from None


def _check_spaces(papers: CasePapers, pinned: Pinned | None) -> Mapping[int, Space]:
    """The space documents by roster version, in order."""
    founder = read_enrolment(papers.founder, Role.AGENCY).payload.signing_key
    spaces: dict[int, Space] = {}
    for document in papers.rosters:
        space = documents.verify(Space, document, founder).payload
        if founder not in [member.signing_key for member in space.members]:
            raise VerificationFailed("A space document is not signed by one of its members.")
        spaces[space.roster_version] = space
    if len({space.space_id for space in spaces.values()}) != 1:
        raise VerificationFailed("The folder needs the documents of one space.")
    if pinned is not None:
        if read_enrolment(pinned.founder, Role.AGENCY).payload.signing_key != founder:
            raise VerificationFailed("The folder's space has another founder than the one you named.")
        if pinned.space not in papers.rosters:
            documents.verify(Space, pinned.space, founder)
            raise VerificationFailed(
                "The space document you named is not one of the folder's. Ask the founder for the version of the "
                "folder's requests."
            )
    return spaces


def _check_manifest(files: Files, spaces: Mapping[int, Space]) -> Signed[CaseManifest]:
    document = _manifest(files)
    claimed = documents.unverified_payload(CaseManifest, document)
    space = spaces.get(claimed.roster_version)
    if space is None or space.space_id != claimed.space_id:
        raise VerificationFailed("The manifest names a space document that is not in the folder.")
    key = step_checks.requester_key(space, claimed.requester)
    return documents.verify(CaseManifest, document, key)


def _check_key_holders(answers: Sequence[CheckedAnswer], openings: Sequence[VerifiedOpening | None]) -> None:
    for answer, opening in zip(answers, openings, strict=True):
        step_checks.check_statements(answer, opening)


def _check_log(answers: Sequence[CheckedAnswer]) -> int:
    """How many entries. Of two checkpoints of one size both are the same; later steps stand later in the log."""
    entries = []
    for answer in answers:
        entries += [answer.admission.entry, answer.verified.release, answer.verified.released]
    roots: dict[int, bytes] = {}
    for entry in entries:
        if roots.setdefault(entry.checkpoint.size, entry.checkpoint.root) != entry.checkpoint.root:
            raise VerificationFailed("The log's key signed two logs of one size. Keep both as evidence.")
    places = [(entry.index, entry.content.recorded_at) for entry in entries]
    if any(a[0] >= b[0] or a[1] > b[1] for a, b in itertools.pairwise(places)):
        raise VerificationFailed("The entries do not stand in the log in the order of the steps.")
    return len(entries)


def _check_index(files: Files, papers: CasePapers) -> None:
    if files.get(INDEX) != index.render(papers).encode("utf-8"):
        raise VerificationFailed("INDEX.txt does not say what the papers say.")
