"""Where each paper of a case lies in its folder, there and back.

    INDEX.txt  manifest.jws  founder.jws
    space/roster-00000001.jws                       each version that a request names
    steps/1-hits/{request.jws, findings/1.jws, approvals/1.jws, admission.json, evaluations/1.jws, tokens.json,
                  disclosure.jws, released.json, opening.json, confirmation.jws, found.json}
    records/1/{opened.json, plaintext}
    custody/1.jws                                   added by each hand-over, outside the manifest

Rule: a set of files has one reading, and the reading gives exactly these files again; so a file of another name, a gap
in a numbering or another spelling of a paper is refused. It opens no file on disk: see `clients.case_file.folder`.
"""

from collections.abc import Iterator, Mapping

from broker.protocol import documents
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, MessageT, encode, read
from broker.protocol.messages.log import OpenedEntry
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Admission, Opening, TokenSubmission
from broker.protocol.messages.vocabulary import Tier
from clients.case_file.papers import (
    CasePapers,
    FoundIdentifiers,
    OpenedPaper,
    OpenedRecordKey,
    StepPapers,
)

Files = Mapping[str, bytes]
MANIFEST = "manifest.jws"
INDEX = "INDEX.txt"
CUSTODY = "custody"
_FOUNDER = "founder.jws"


def to_files(papers: CasePapers) -> dict[str, bytes]:
    """The files of a case by path, without index, manifest and custody. Raises BadInput."""
    files = {_FOUNDER: papers.founder.encode("ascii")}
    for document in papers.rosters:
        version = documents.unverified_payload(Space, document).roster_version
        files[f"space/roster-{version:08d}.jws"] = document.encode("ascii")
    for number, step in enumerate(papers.steps, 1):
        for name, content in _of_step(step):
            files[f"{step_folder(number, step.tier)}/{name}"] = content
    for number, record in enumerate(papers.records, 1):
        files[f"{record_folder(number)}/opened.json"] = encode(record.opened)
        files[f"{record_folder(number)}/plaintext"] = record.plaintext
    return files


def from_files(files: Files) -> CasePapers:
    """The papers in files, the inverse of `to_files`. Raises BadInput."""
    read_from = {name: content for name, content in files.items() if name not in (INDEX, MANIFEST)}
    rosters = sorted(name for name in read_from if name.startswith("space/"))
    steps = sorted({name.split("/")[1] for name in read_from if name.startswith("steps/")})
    records = {name.split("/")[1] for name in read_from if name.startswith("records/")}
    papers = CasePapers(
        founder=_document(read_from, _FOUNDER),
        rosters=tuple(_document(read_from, name) for name in rosters),
        steps=tuple(_step(read_from, name) for name in steps),
        records=tuple(_record(read_from, number) for number in range(1, len(records) + 1)),
    )
    if not papers.steps or to_files(papers) != read_from:
        raise BadInput("The folder holds files that no case folder has, or lacks some that it needs.")
    return papers


def step_folder(number: int, tier: Tier) -> str:
    """Where the papers of a step lie; numbers begin at 1."""
    return f"steps/{number}-{tier.value}"


def record_folder(number: int) -> str:
    """Where an opened record lies; numbers begin at 1."""
    return f"records/{number}"


def _of_step(step: StepPapers) -> Iterator[tuple[str, bytes]]:
    documents_of: Mapping[str, tuple[str, ...]] = {
        "findings": step.findings,
        "approvals": step.approvals,
        "evaluations": step.statements,
    }
    messages: Mapping[str, Message | None] = {
        "admission": step.admission,
        "tokens": step.submission,
        "released": step.released,
        "opening": step.opening,
        "found": step.found,
    }
    yield "request.jws", step.request.encode("ascii")
    yield "disclosure.jws", step.disclosure.encode("ascii")
    if step.confirmation is not None:
        yield "confirmation.jws", step.confirmation.encode("ascii")
    for folder, listed in documents_of.items():
        for number, document in enumerate(listed, 1):
            yield f"{folder}/{number}.jws", document.encode("ascii")
    for name, message in messages.items():
        if message is not None:
            yield f"{name}.json", encode(message)


def _step(files: Files, name: str) -> StepPapers:
    folder = f"steps/{name}"
    tiers = {tier.value: tier for tier in Tier}
    tier = tiers.get(name.partition("-")[2])
    if tier is None:
        raise BadInput("A folder of a step is named after no tier.")
    confirmation = f"{folder}/confirmation.jws"
    return StepPapers(
        tier=tier,
        request=_document(files, f"{folder}/request.jws"),
        findings=_documents(files, f"{folder}/findings"),
        approvals=_documents(files, f"{folder}/approvals"),
        admission=_needed(files, Admission, f"{folder}/admission.json"),
        statements=_documents(files, f"{folder}/evaluations"),
        disclosure=_document(files, f"{folder}/disclosure.jws"),
        released=_needed(files, OpenedEntry, f"{folder}/released.json"),
        found=_needed(files, FoundIdentifiers, f"{folder}/found.json"),
        submission=_message(files, TokenSubmission, f"{folder}/tokens.json"),
        opening=_message(files, Opening, f"{folder}/opening.json"),
        confirmation=_document(files, confirmation) if confirmation in files else None,
    )


def _record(files: Files, number: int) -> OpenedPaper:
    opened = _needed(files, OpenedRecordKey, f"{record_folder(number)}/opened.json")
    return OpenedPaper(opened, _bytes(files, f"{record_folder(number)}/plaintext"))


def _bytes(files: Files, name: str) -> bytes:
    if name not in files:
        raise BadInput("A file is missing that a case folder needs.")
    return files[name]


def _document(files: Files, name: str) -> str:
    try:
        return _bytes(files, name).decode("ascii")
    except UnicodeDecodeError:
        raise BadInput("A file that should be a signed document is none.") from None


def _documents(files: Files, folder: str) -> tuple[str, ...]:
    number = len([name for name in files if name.startswith(f"{folder}/")])
    return tuple(_document(files, f"{folder}/{place}.jws") for place in range(1, number + 1))


def _message(files: Files, kind: type[MessageT], name: str) -> MessageT | None:
    return read(kind, files[name]) if name in files else None


def _needed(files: Files, kind: type[MessageT], name: str) -> MessageT:
    return read(kind, _bytes(files, name))
