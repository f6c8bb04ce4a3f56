"""What is shown in clear in a case folder: identifiers with their matches, and what was in the opened records.

Rule: an identifier stands where the requests say, alike in every step, and no more are shown than the next step went on
with; a plaintext is what its sealed record opens to, and that record is its contributor's. That the tokens are those of
the identifier is the requester's signed word: it can be shown by a draw (decision 0009), not offline to anybody.
"""

from collections.abc import Mapping, Sequence

from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.requests import PermitTerms
from clients.case_file.papers import FoundIdentifier, OpenedPaper
from clients.case_file.step_checks import CheckedAnswer
from clients.requester_checks.opened import VerifiedOpening
from clients.requesting.record_keys import RecordKey, open_record

_Place = tuple[str, int]


def check_identifiers(answers: Sequence[CheckedAnswer]) -> None:
    """Identifiers and matches are shown as the requests and disclosures have them. Raises VerificationFailed."""
    for place, answer in enumerate(answers):
        following = answers[place + 1] if place + 1 < len(answers) else None
        shown = _check_shown(answer)
        if following is None:
            matched = {match.token for each in shown.values() for match in each.matches}
            if matched != set(answer.disclosure.payload.matched):
                raise VerificationFailed("The hits of the last step are not all shown, or more are.")
            continue
        places = [
            (each.identifier_type, index)
            for each in following.asked.request.payload.selected
            for index in each.indices
        ]
        if set(places) != shown.keys():
            raise VerificationFailed("Other identifiers are shown than those the next step went on with.")
        _check_alike(shown, _check_shown(following), following)


def _check_shown(answer: CheckedAnswer) -> Mapping[_Place, FoundIdentifier]:
    found = answer.asked.papers.found.found
    shown = {(each.identifier_type, each.index): each for each in found}
    sizes = {each.identifier_type: each.points for each in answer.asked.request.payload.batches}
    deposits = _deposits(answer.admission.terms)
    matched, seen = set(answer.disclosure.payload.matched), set[tuple[bytes, bytes]]()
    if len(shown) != len(found) or len({each.identifier for each in found}) != len(found):
        raise VerificationFailed("An identifier is shown twice.")
    for each in found:
        if each.index >= sizes.get(each.identifier_type, 0) or not each.identifier.startswith(
            f"{each.identifier_type}/"
        ):
            raise VerificationFailed("An identifier is shown in a place that the request does not have.")
        for match in each.matches:
            if match.token not in matched or deposits.get(match.deposit_id) != each.identifier_type:
                raise VerificationFailed("A match is shown that was not told.")
            if (match.deposit_id, match.token) in seen:
                raise VerificationFailed("A match is shown for two identifiers.")
            seen.add((match.deposit_id, match.token))
    return shown


def _deposits(terms: PermitTerms) -> dict[bytes, str]:
    return {deposit: series.identifier_type for series in terms.series for deposit in series.deposits}


def _check_alike(
    before: Mapping[_Place, FoundIdentifier],
    after: Mapping[_Place, FoundIdentifier],
    following: CheckedAnswer,
) -> None:
    """What the next step shows at its place j is what this one shows at the j-th index that was selected."""
    origin = {
        (each.identifier_type, place): (each.identifier_type, index)
        for each in following.asked.request.payload.selected
        for place, index in enumerate(each.indices)
    }
    for place, shown in after.items():
        earlier = before[origin[place]]
        if shown.identifier != earlier.identifier or not set(shown.matches) <= set(earlier.matches):
            raise VerificationFailed("Two steps show another identifier, or other matches, in one place.")


def check_records(
    records: Sequence[OpenedPaper], answer: CheckedAnswer, opening: VerifiedOpening | None
) -> int:
    """Each released record opens under its key to the plaintext shown; none or all are. Returns how many."""
    if not records:
        return 0
    if opening is None or len(records) != len(opening.records):
        raise VerificationFailed("Opened records are shown, and other ones were released.")
    if not answer.asked.papers.statements:
        raise VerificationFailed("Opened records are shown without the key holders' statements.")
    behind = {
        (match.deposit_id, match.token): each.identifier
        for each in answer.asked.papers.found.found
        for match in each.matches
    }
    for paper, verified in zip(records, opening.records, strict=True):
        shown, record = paper.opened, verified.record
        place = (record.deposit_id, record.token)
        if (shown.deposit_id, shown.token, shown.record_version, shown.contributor) != (
            *place,
            record.record_version,
            verified.contributor,
        ) or behind.get(place) != shown.identifier:
            raise VerificationFailed("An opened record is shown as another than was released.")
        plaintext = open_record(RecordKey(verified, shown.identifier, shown.key), answer.asked.space.space_id)
        if plaintext != paper.plaintext:
            raise VerificationFailed("A plaintext is not what its sealed record opens to.")
    return len(records)
