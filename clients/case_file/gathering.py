"""Gather the papers of a case from its requester's home: a request, and those it was selected from.

Rule: of each step only what the next one went on with is shown in clear; of the last step, all its hits. The keys of
opened records are derived again from what was kept, and each is shown to open its record before it goes into a folder.

It signs nothing and writes nothing: see `clients.case_file.exporting`.
"""

from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.protocol.messages.requests import Admission, Request
from broker.protocol.messages.series import SeriesSheet
from clients.case_file.papers import (
    CasePapers,
    FoundIdentifier,
    FoundIdentifiers,
    FoundMatch,
    OpenedPaper,
    OpenedRecordKey,
    StepPapers,
)
from clients.home import Home
from clients.requesting.record_keys import RecordKey, RecordKeys, kept_quorum, open_record
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer
from clients.requesting.retractions import CONTESTED, contested


def gather(home: Home, request_id: bytes) -> CasePapers:
    """All papers of the case that ends with this request.

    Raises NotFound (no such request, or something of it is not kept any more), Conflict (not answered, or forgotten),
    VerificationFailed."""
    chain = _chain(home, request_id)
    rosters = {folder.roster() for folder in chain}
    space_id = chain[0].roster()[0]
    steps = []
    for place, folder in enumerate(chain):
        following = chain[place + 1] if place + 1 < len(chain) else None
        steps.append(_step(home, folder, following))
    return CasePapers(
        founder=home.founder_enrolment(space_id),
        rosters=tuple(home.space(*named).document for named in sorted(rosters)),
        steps=tuple(steps),
        records=_records(home, chain[-1]),
    )


def _chain(home: Home, request_id: bytes) -> list[RequestFolder]:
    """The requests from the first to this one, each answered."""
    chain = [RequestFolder(home.vault, request_id)]
    while (request := _request(home, chain[0])).selected:
        chain.insert(0, RequestFolder(home.vault, request.earlier_request or b""))
    for folder in chain:
        if folder.state == "forgotten":
            raise Conflict("The retention of this case is over, and its results are erased.")
        if folder.answer() is None:
            raise Conflict("This request is not answered, so there is nothing to show a court yet.")
        if contested(home, home.space(*folder.roster()).payload, _request(home, folder).request_id):
            raise Conflict(CONTESTED)
    return chain


def _request(home: Home, folder: RequestFolder) -> Request:
    return folder.request(home.identity.signing_key).payload


def _step(home: Home, folder: RequestFolder, following: RequestFolder | None) -> StepPapers:
    request, admission, answer, tokens = (
        _request(home, folder),
        folder.admission(),
        folder.answer(),
        folder.tokens(),
    )
    if admission is None or answer is None or tokens is None:
        raise NotFound("Papers of this case are not kept here any more.")
    if following is None:
        confirmation = _own_confirmation(folder)
        indices = None
    else:
        confirmation = following.earlier_confirmation()
        selected = _request(home, following).selected
        indices = {(each.identifier_type, index) for each in selected for index in each.indices}
    return StepPapers(
        tier=request.tier,
        request=folder.document,
        findings=folder.findings(),
        approvals=folder.approvals(),
        admission=admission,
        statements=_statements(home, folder, request, admission),
        disclosure=folder.disclosure(),
        released=folder.released(),
        found=_found(folder, answer, indices),
        submission=tokens.submission if request.selected else None,
        opening=folder.opening(),
        confirmation=confirmation,
    )


def _own_confirmation(folder: RequestFolder) -> str | None:
    try:
        return folder.confirmation()
    except NotFound:
        return None


def _found(folder: RequestFolder, answer: Answer, indices: set[tuple[str, int]] | None) -> FoundIdentifiers:
    matches: dict[str, list[FoundMatch]] = {}
    for hit in answer.hit_tokens:
        matches.setdefault(hit.identifier, []).append(FoundMatch(deposit_id=hit.deposit_id, token=hit.token))
    found = [
        FoundIdentifier(
            identifier_type=batch.identifier_type,
            index=index,
            identifier=identifier,
            matches=tuple(sorted(matches[identifier], key=lambda each: (each.deposit_id, each.token))),
        )
        for batch in folder.plan().batches
        for index, identifier in enumerate(batch.identifiers)
        if identifier in matches and (indices is None or (batch.identifier_type, index) in indices)
    ]
    return FoundIdentifiers(found=tuple(found))


def _statements(home: Home, folder: RequestFolder, request: Request, admission: Admission) -> tuple[str, ...]:
    """What holders signed: to the questions of a first request, or to the opening of records."""
    if not request.selected:
        return _of_sheets(folder, admission.series)
    opening = folder.opening()
    if opening is None or folder.payloads() is None:
        return ()
    return _of_sheets(folder, opening.series)


def _of_sheets(folder: RequestFolder, sheets: tuple[SeriesSheet, ...]) -> tuple[str, ...]:
    found = []
    for sheet in sheets:
        members = kept_quorum(folder, sheet.handle)
        for x in members:
            answer = folder.evaluation(members, sheet.handle, x)
            if answer is not None:
                found.append(answer.statement)
    return tuple(found)


def _records(home: Home, folder: RequestFolder) -> tuple[OpenedPaper, ...]:
    """The records that were opened, in the order in which they were released."""
    kept = folder.payloads()
    if kept is None:
        return ()
    space = home.space(*folder.roster()).payload
    keys = RecordKeys(home, space)
    opening = keys.opening(folder)
    by_place = {_place(each): each for each in keys.derive(folder, opening)}
    plaintexts = {(each.deposit_id, each.token): each.plaintext for each in kept.payloads}
    opened = []
    for verified in opening.records:
        place = (verified.record.deposit_id, verified.record.token)
        paper = _opened(by_place[place], space.space_id)
        if paper.plaintext != plaintexts.get(place):
            raise VerificationFailed("A record was opened to something else than what its key gives.")
        opened.append(paper)
    return tuple(opened)


def _place(each: RecordKey) -> tuple[bytes, bytes]:
    return each.verified.record.deposit_id, each.verified.record.token


def _opened(each: RecordKey, space_id: bytes) -> OpenedPaper:
    record = each.verified.record
    names = OpenedRecordKey(
        identifier=each.identifier,
        contributor=each.verified.contributor,
        deposit_id=record.deposit_id,
        token=record.token,
        record_version=record.record_version,
        key=each.key,
    )
    return OpenedPaper(names, open_record(each, space_id))
