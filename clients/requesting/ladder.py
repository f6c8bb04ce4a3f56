"""From one tier to the next: a person confirms matches, and a higher request selects from them.

Rule (DESIGN 2.7, POLICY L05): only what was disclosed can be confirmed, only what was confirmed can be selected, and a
higher tier asks about the very same blinded points, so that key holders can see that it does. It makes no call: what it
prepares goes to the legal desk and the approvers, and is filed by `clients.requester` like any other request.
"""

from collections.abc import Collection
from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict
from broker.protocol.group import ELEMENT_BYTES, SCALAR_BYTES, split_elements
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.ladder import MatchConfirmation, Selection
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Batch, Claims, Disclosure, Request, batch_root
from broker.protocol.messages.vocabulary import Tier
from broker.protocol.papers import read_earlier_step
from broker.protocol.tokens import SALTED_HASH_BYTES
from clients.home import Home
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer, Plan, PlannedBatch
from clients.transport import Clock

_NEXT = {Tier.HITS: Tier.SOURCES, Tier.SOURCES: Tier.PAYLOAD}


@dataclass(frozen=True)
class Step:
    """An answered request of this home that a higher one can go on from."""

    folder: RequestFolder
    request: Signed[Request]
    answer: Answer


class Ladder:
    """The steps of one requester in one space. Errors: NotFound, BadInput, Conflict, VerificationFailed."""

    def __init__(self, home: Home, space: Space, clock: Clock, random_bytes: RandomBytes) -> None:
        self._home = home
        self._space = space
        self._clock = clock
        self._random_bytes = random_bytes

    def confirm(
        self, request_id: bytes, officer: str, identifiers: Collection[str] | None = None
    ) -> Signed[MatchConfirmation]:
        """Sign that a person looked at matches of an answered request, and keep the statement.

        Args:
            officer: who looked; the one that the higher request's claims name, or another.
            identifiers: which of the hits; None for all of them.

        Raises BadInput when one of them is no hit."""
        step = self._step(request_id)
        wanted = set(step.answer.hits if identifiers is None else identifiers)
        if not wanted or not wanted <= set(step.answer.hits):
            raise BadInput("Only hits of this request can be confirmed, and at least one.")
        confirmation = MatchConfirmation(
            request_id=request_id,
            disclosure_digest=self._disclosure_digest(step),
            confirmed=_selection(step.folder.plan(), wanted),
            officer=officer,
            confirmed_at=self._clock(),
        )
        signed = documents.sign(confirmation, self._home.signing_key)
        step.folder.keep_confirmation(signed.document)
        return signed

    def climb(
        self, request_id: bytes, claims: Claims, identifiers: Collection[str] | None = None
    ) -> Signed[Request]:
        """Sign a request for the next tier about confirmed matches of an answered one. Makes no call.

        Args:
            claims: what the requester states now; the case is the earlier request's.
            identifiers: which of the confirmed matches; None for all.

        Raises BadInput (not confirmed), Conflict (nothing comes after what was told) or NotFound."""
        self._home.membership(self._space)
        step = self._step(request_id)
        tier = _NEXT.get(step.answer.tier)
        if tier is None:
            raise Conflict("After a count come hits, asked anew; after a payload comes nothing.")
        confirmation, plan = step.folder.confirmation(), step.folder.plan()
        looked = documents.verify(
            MatchConfirmation, confirmation, self._home.identity.signing_key
        ).payload.confirmed
        confirmed = _identifiers(plan, looked)
        wanted = set(confirmed if identifiers is None else identifiers)
        if not wanted or not wanted <= set(confirmed):
            raise BadInput("Select matches that were confirmed, and at least one.")
        selected = _selection(plan, wanted)
        planned = tuple(_part(plan, each) for each in selected)
        request = Request(
            request_id=self._random_bytes(16),
            space_id=self._space.space_id,
            roster_version=self._space.roster_version,
            requester=self._home.party_id,
            tier=tier,
            batches=tuple(_batch(each) for each in planned),
            claims=claims,
            earlier_request=request_id,
            selected=selected,
            created_at=self._clock(),
        )
        signed = documents.sign(request, self._home.signing_key)
        # What a broker or holder would find wrong is found here, before anybody is asked to approve it.
        read_earlier_step(self._space, signed, step.request.document, step.folder.disclosure(), confirmation)
        folder = RequestFolder(self._home.vault, request.request_id)
        folder.keep_prepared(
            Plan(batches=planned, persons=plan.persons), signed.document, request.created_at, confirmation
        )
        return signed

    def _step(self, request_id: bytes) -> Step:
        folder = RequestFolder(self._home.vault, request_id)
        request, answer = folder.request(self._home.identity.signing_key), folder.answer()
        if answer is None:
            raise Conflict("This request is not answered yet. Use: narrowgate request send")
        return Step(folder, request, answer)

    def _disclosure_digest(self, step: Step) -> bytes:
        return documents.verify(Disclosure, step.folder.disclosure(), self._space.broker_signing_key).digest


def _selection(plan: Plan, wanted: Collection[str]) -> tuple[Selection, ...]:
    """The indices of identifiers in a plan, batch by batch."""
    found = []
    for planned in plan.batches:
        indices = tuple(index for index, each in enumerate(planned.identifiers) if each in wanted)
        if indices:
            found.append(Selection(identifier_type=planned.identifier_type, indices=indices))
    return tuple(found)


def _identifiers(plan: Plan, selected: Collection[Selection]) -> tuple[str, ...]:
    batches = {planned.identifier_type: planned.identifiers for planned in plan.batches}
    return tuple(batches[each.identifier_type][index] for each in selected for index in each.indices)


def _part(plan: Plan, selected: Selection) -> PlannedBatch:
    """What of a batch was selected: the same points, blinded as before."""
    batch = next(each for each in plan.batches if each.identifier_type == selected.identifier_type)

    def chosen(data: bytes, size: int) -> bytes:
        return b"".join(data[index * size : (index + 1) * size] for index in selected.indices)

    return PlannedBatch(
        identifier_type=batch.identifier_type,
        identifiers=tuple(batch.identifiers[index] for index in selected.indices),
        hashes=chosen(batch.hashes, SALTED_HASH_BYTES),
        blinds=chosen(batch.blinds, SCALAR_BYTES),
        points=chosen(batch.points, ELEMENT_BYTES),
    )


def _batch(planned: PlannedBatch) -> Batch:
    points = split_elements(planned.points)
    return Batch(
        identifier_type=planned.identifier_type,
        identifiers=len(points),
        points=len(points),
        batch_root=batch_root(points),
    )
