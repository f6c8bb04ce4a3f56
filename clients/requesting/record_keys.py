"""The key of each released record, from what its requester kept.

Rule (DESIGN 2.3, 2.7): y_match comes from the answers that were kept when the hits were asked, y_open from those to the
opening; together they give the key of the one record that lies under the identifier's token in one deposit. Answers
were verified before they were kept. No call is made: see `clients.requesting.payloads`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from broker.protocol import documents, oprf, quorum, sealing, tokens
from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.protocol.group import SCALAR_BYTES, split_elements
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, Permit
from clients.home import Home
from clients.requester_checks.opened import VerifiedOpening, VerifiedRecord, verify_opening
from clients.requester_checks.permits import verify_admission
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import PlannedBatch


@dataclass(frozen=True)
class RecordKey:
    """The key of one released record, 32 bytes, and the identifier under whose token it lies."""

    verified: VerifiedRecord
    identifier: str = field(repr=False)
    key: bytes = field(repr=False)


class RecordKeys:
    """Derives the keys of records that were released to one requester in one space."""

    def __init__(self, home: Home, space: Space) -> None:
        self._home = home
        self._space = space

    def opening(self, folder: RequestFolder) -> VerifiedOpening:
        """The second permit of a request with its records, verified again. Raises Conflict if nothing was released,
        VerificationFailed."""
        opening, admission = folder.opening(), folder.admission()
        if opening is None or admission is None:
            raise Conflict("No payload was released under this request.")
        request = folder.request(self._home.identity.signing_key)
        disclosure = documents.verify(Disclosure, folder.disclosure(), self._space.broker_signing_key)
        admitted = verify_admission(admission, request, self._space)
        return verify_opening(opening, disclosure, admitted, request, self._space)

    def derive(self, folder: RequestFolder, opening: VerifiedOpening) -> tuple[RecordKey, ...]:
        """The keys of all records of an opening, once the key holders' answers to it are kept.

        Raises NotFound (answers are not kept), VerificationFailed (a record belongs to no selected identifier)."""
        batches = {each.identifier_type: each for each in folder.plan().batches}
        matched = self._matched(folder, opening, batches)
        found: list[RecordKey] = []
        for sheet in opening.sheets:
            batch = batches[sheet.identifier_type]
            places = range(len(batch.identifiers))
            opened = finalize(batch, kept_elements(folder, sheet.handle, places))
            for place, y_open in enumerate(opened):
                y_match = matched[sheet.series_id][place]
                for verified in opening.records:
                    names = (sheet.series_id, self._space.space_id, verified.record.deposit_id)
                    if verified.root.series_id != sheet.series_id:
                        continue
                    if tokens.derive(y_match, *names) == verified.record.token:
                        key = tokens.seal_key(y_match, y_open, *names)
                        found.append(RecordKey(verified, batch.identifiers[place], key))
        if len(found) != len(opening.records):
            raise VerificationFailed(
                "A released record belongs to none of the identifiers that were selected."
            )
        return tuple(found)

    def _matched(
        self, folder: RequestFolder, opening: VerifiedOpening, batches: Mapping[str, PlannedBatch]
    ) -> dict[bytes, list[bytes]]:
        """y_match of each selected identifier, by series_id, from the answers kept when the hits were asked."""
        first = folder
        while (asked := first.request(self._home.identity.signing_key).payload).selected:
            first = RequestFolder(self._home.vault, asked.earlier_request or b"")
        admission = first.admission()
        if admission is None:
            raise NotFound("The permit for the hits is not kept here any more.")
        terms = documents.verify(Permit, admission.permit, self._space.broker_signing_key).payload.terms
        places = {each.identifier_type: each.identifiers for each in first.plan().batches}
        wanted = {sheet.series_id for sheet in opening.sheets}
        found = {}
        for series in terms.series:
            if series.series_id not in wanted:
                continue
            batch = batches[series.identifier_type]
            place = {text: index for index, text in enumerate(places[series.identifier_type])}
            indices = [place[text] for text in batch.identifiers]
            found[series.series_id] = finalize(batch, kept_elements(first, series.handle, indices))
        return found


def open_record(each: RecordKey, space_id: bytes) -> bytes:
    """What is in a released record. Raises VerificationFailed if the key is not its."""
    record = each.verified.record
    return sealing.open_sealed(
        each.key,
        record.sealed,
        space_id=space_id,
        deposit_id=record.deposit_id,
        token=record.token,
        record_version=record.record_version,
        size_class=each.verified.root.size_class,
    )


def kept_quorum(folder: RequestFolder, handle: bytes) -> tuple[int, ...]:
    """The first quorum of which every holder's answer for a series is kept. Raises NotFound."""
    for members in folder.quorums():
        if all(folder.evaluation(members, handle, x) is not None for x in members):
            return members
    raise NotFound("The key holders' answers are not kept here any more.")


def kept_elements(folder: RequestFolder, handle: bytes, indices: Sequence[int]) -> list[bytes]:
    """k * B at some indices of a series; the answers were verified when kept. Raises NotFound."""
    members = kept_quorum(folder, handle)
    chosen = {}
    for x in members:
        answer = folder.evaluation(members, handle, x)
        elements = split_elements(b"".join(chunk.elements for chunk in answer.chunks)) if answer else ()
        chosen[x] = [elements[index] for index in indices]
    return quorum.combine(chosen, members)


def finalize(batch: PlannedBatch, elements: Sequence[bytes]) -> list[bytes]:
    """The outputs of a batch from its evaluated elements, 64 bytes each."""
    hashes = [
        batch.hashes[at : at + tokens.SALTED_HASH_BYTES]
        for at in range(0, len(batch.hashes), tokens.SALTED_HASH_BYTES)
    ]
    blinds = [batch.blinds[at : at + SCALAR_BYTES] for at in range(0, len(batch.blinds), SCALAR_BYTES)]
    return oprf.finalize_batch(hashes, blinds, elements)
