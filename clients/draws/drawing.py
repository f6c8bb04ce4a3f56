"""The auditor orders a draw: which indices of an admitted request the requester is to open.

Rule (DESIGN 2.8): the order names the request by the digest that its permit in the log names, and its indices before
anything was shown; random ones come from the source of randomness handed in and are bound by the signature. It carries
the auditor's own wrapping key: the roster has none, and a key under the auditor's signature needs no roster. An order
never runs beyond the retention that the request claimed, so that an overdue one means what it says.

It reads the auditor's mirror and sends nothing: order and opening are files that people hand over.
"""

from collections.abc import Mapping, Sequence

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Expired, NotFound, NotPermitted
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.draws import MAXIMUM_DRAWN, DrawnIndices, DrawOrder
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Request
from clients.draws.logged_requests import LoggedRequest, find_by_digest, find_by_id
from clients.home import Home
from clients.mirrors.mirror import Mirror
from clients.mirrors.watched_log import mirror_folder
from clients.transport import Clock

DAY_SECONDS = 86_400
MAXIMUM_VALID_DAYS = 90


class Drawing:
    """Draws by one auditor of a space.

    Args:
        home: its folder, with the mirror; its key must be one that the space names among its auditors.
        space: the newest pinned space document.

    Raises NotPermitted on construction if the space names no such auditor.
    """

    def __init__(self, home: Home, space: Space, clock: Clock, random_bytes: RandomBytes) -> None:
        auditors = [(auditor.party_id, auditor.signing_key) for auditor in space.auditors]
        if (home.party_id, home.identity.signing_key) not in auditors:
            raise NotPermitted("This party is not an auditor of the space. Ask the founder to add it.")
        self._home = home
        self._space = space
        self._clock = clock
        self._random_bytes = random_bytes
        self._mirror = Mirror(home.vault, mirror_folder(space.space_id))

    def find(self, request: bytes | str) -> tuple[bytes, LoggedRequest]:
        """The id and the log's word of an admitted request.

        Args:
            request: its signed document as the requester or the legal desk has it; or its id, 16 bytes, which the
                log names once tokens were sent.

        Raises NotFound (mirror first, or not admitted), BadInput or VerificationFailed.
        """
        if isinstance(request, bytes):
            return request, find_by_id(self._mirror, request)
        members = {documents.key_identifier(each.signing_key): each for each in self._space.members}
        signed = documents.verify(
            Request, request, {kid: member.signing_key for kid, member in members.items()}
        )
        logged = find_by_digest(self._mirror, signed.digest)
        if logged.tokens is not None and logged.tokens.request_id != signed.payload.request_id:
            raise NotFound("The log names another request under this permit. Keep the document as evidence.")
        return signed.payload.request_id, logged

    def draw(self, logged: LoggedRequest, number: int) -> dict[str, list[int]]:
        """Draw `number` different indices of all types together, each as likely. Raises BadInput."""
        places = [
            (batch.identifier_type, index) for batch in logged.terms.batches for index in range(batch.points)
        ]
        if not 1 <= number <= min(len(places), MAXIMUM_DRAWN):
            raise BadInput(
                f"The request has {len(places)} identifiers: draw at least 1, at most all of them, and no more than "
                f"{MAXIMUM_DRAWN} in one order."
            )
        drawn: dict[str, list[int]] = {}
        for _ in range(number):
            identifier_type, index = places.pop(self._below(len(places)))
            drawn.setdefault(identifier_type, []).append(index)
        return drawn

    def order(
        self,
        request_id: bytes,
        logged: LoggedRequest,
        drawn: Mapping[str, Sequence[int]],
        valid_days: int = 14,
    ) -> Signed[DrawOrder]:
        """Sign the order to open `drawn`, and keep a copy in `draws/`.

        Raises BadInput (indices that the request has not, or the days), or Expired (its retention is over).
        """
        points = {batch.identifier_type: batch.points for batch in logged.terms.batches}
        for identifier_type, indices in drawn.items():
            if identifier_type not in points:
                raise BadInput(f"The request has no batch of that type. It has {', '.join(points)}.")
            if not indices or len(set(indices)) != len(indices):
                raise BadInput("Name each index once.")
            if not all(0 <= index < points[identifier_type] for index in indices):
                raise BadInput(f"Indices of {identifier_type} run from 0 to {points[identifier_type] - 1}.")
        if not drawn or sum(map(len, drawn.values())) > MAXIMUM_DRAWN:
            raise BadInput(f"An order names 1 to {MAXIMUM_DRAWN} indices.")
        if not 1 <= valid_days <= MAXIMUM_VALID_DAYS:
            raise BadInput(f"An order is valid for 1 to {MAXIMUM_VALID_DAYS} days.")
        now = self._clock()
        if now >= logged.kept_until:
            raise Expired("The retention that this request claimed is over: the requester had to erase it.")
        order = DrawOrder(
            draw_id=self._random_bytes(16),
            space_id=self._space.space_id,
            request_id=request_id,
            request_digest=logged.terms.request_digest,
            drawn=tuple(
                DrawnIndices(identifier_type=name, indices=tuple(sorted(indices)))
                for name, indices in sorted(drawn.items())
            ),
            auditor=self._home.party_id,
            wrapping_key=self._home.identity.wrapping_key,
            ordered_at=now,
            expires_at=min(now + valid_days * DAY_SECONDS, logged.kept_until),
        )
        signed = documents.sign(order, self._home.signing_key)
        self._home.vault.write_text(f"draws/{order.draw_id.hex()}.jws", signed.document)
        return signed

    def _below(self, bound: int) -> int:
        """A uniform number below `bound`: what does not fit evenly is drawn again."""
        limit = (1 << 64) - (1 << 64) % bound
        while True:
            value = int.from_bytes(self._random_bytes(8), "big")
            if value < limit:
                return value % bound
