"""A disclosure of `sources` with the papers around it, as a requester's folder keeps them.

Rule: what stands in a form comes from papers that verify: the request under the home's own key, the disclosure under
the broker's, the finding under the key of the space's legal desk. Anything but a disclosed answer at the tier `sources`
is refused in plain words. It makes no call.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from broker.protocol import documents, leaves
from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.protocol.messages.ladder import MatchConfirmation
from broker.protocol.messages.parties import Member, Space
from broker.protocol.messages.requests import Disclosure, Finding, Request
from broker.protocol.messages.vocabulary import Tier
from clients.home import Home
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer, FoundSource

_INSTEAD = {
    Tier.COUNT: "A count names nobody, so there is nobody to ask.",
    Tier.HITS: "Hits do not say who holds a match. Ask for sources first: narrowgate request climb",
    Tier.PAYLOAD: "The records of this request were released already. Name the request for sources before it.",
}


@dataclass(frozen=True)
class Holding:
    """What one contributor holds of the identifiers, at one place where it says it is established."""

    contributor: str
    established_in: str
    sources: tuple[FoundSource, ...]


@dataclass(frozen=True)
class Disclosed:
    """One disclosed request. `finding` is what the legal desk found; `confirmed_by` who looked at the matches."""

    request: Request
    member: Member
    finding: Finding
    log_index: int
    released_at: int
    confirmed_by: str | None
    holdings: tuple[Holding, ...]


def read_disclosed(home: Home, space: Space, request_id: bytes) -> Disclosed:
    """The disclosure of one request of this home. Raises NotFound, Conflict or VerificationFailed."""
    folder = RequestFolder(home.vault, request_id)
    request = folder.request(home.identity.signing_key)
    answer = _answer(folder)
    disclosure = documents.verify(Disclosure, folder.disclosure(), space.broker_signing_key).payload
    if disclosure.request_id != request_id or disclosure.tier is not answer.tier:
        raise VerificationFailed("The disclosure kept here is of another request. Restore a backup.")
    return Disclosed(
        request=request.payload,
        member=home.membership(space),
        finding=_finding(space, folder, request.digest, leaves.parse_leaf(disclosure.proof.leaf).recorded_at),
        log_index=disclosure.proof.index,
        released_at=disclosure.released_at,
        confirmed_by=_confirmed_by(home, folder),
        holdings=_holdings(answer.sources),
    )


def _answer(folder: RequestFolder) -> Answer:
    if folder.state == "forgotten":
        raise Conflict("The retention of this request is over, and what it told was erased.")
    answer = folder.answer()
    if answer is None:
        raise Conflict("This request is not answered yet, so there is no match to follow up.")
    if answer.tier is not Tier.SOURCES:
        raise Conflict(_INSTEAD[answer.tier])
    if not answer.sources:
        raise Conflict("Nobody holds any of these identifiers, so there is nobody to ask.")
    return answer


def _finding(space: Space, folder: RequestFolder, request_digest: bytes, released_at: int) -> Finding:
    keys = {desk.party_id: desk.signing_key for desk in space.legal_desks}
    for document in folder.findings():
        named = documents.unverified_payload(Finding, document)
        if named.desk not in keys:
            continue
        finding = documents.verify(Finding, document, keys[named.desk]).payload
        if finding.request_digest == request_digest and finding.found_at <= released_at < finding.expires_at:
            return finding
    raise VerificationFailed("No finding about this request is kept here, so its papers cannot be told.")


def _confirmed_by(home: Home, folder: RequestFolder) -> str | None:
    """The officer who looked at the matches: of the request before, else of this one."""
    document = folder.earlier_confirmation()
    if document is None:
        try:
            document = folder.confirmation()
        except NotFound:
            return None
    return documents.verify(MatchConfirmation, document, home.identity.signing_key).payload.officer


def _holdings(sources: Iterable[FoundSource]) -> tuple[Holding, ...]:
    grouped: dict[tuple[str, str], list[FoundSource]] = {}
    for each in sources:
        place = each.source.conditions.established_in
        grouped.setdefault((each.source.contributor, place), []).append(each)
    return tuple(Holding(name, place, tuple(found)) for (name, place), found in sorted(grouped.items()))
