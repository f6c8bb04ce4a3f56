"""The hits of one answered request, as they leave the home.

Rule: what leaves is the requester's own: its identifiers, and of contributors nothing below the tier `sources`, where
the disclosure names them. What is not answered, was a count, or is forgotten has no hits to write.
"""

import hmac
from dataclasses import dataclass, field
from uuid import UUID

from broker.protocol import documents
from broker.protocol.errors import Conflict, VerificationFailed
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import Purpose, Tier
from clients.home import Home
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer

_LABEL = b"narrowgate/v1/exported\0"


@dataclass(frozen=True)
class Holder:
    """A contributor that holds a hit, as the disclosure of sources names it."""

    contributor: str
    name: str
    contact: str


@dataclass(frozen=True)
class Hit:
    """One identifier of the requester that somebody knows, and who, at `sources` and above."""

    canonical: str = field(repr=False)
    holders: tuple[Holder, ...] = ()

    @property
    def type(self) -> str:
        """The identifier type."""
        return self.canonical.partition("/")[0]

    @property
    def value(self) -> str:
        """The canonical value without its type."""
        return self.canonical.partition("|")[2]


@dataclass(frozen=True)
class Hits:
    """The hits with what a reader elsewhere must know of them.

    `namespace` is what ids are derived from: the same for the same request, and nothing that somebody without the
    space's salt could test guesses at identifiers with.
    """

    request_id: bytes
    tier: Tier
    purpose: Purpose
    requester: str
    released_at: int
    namespace: UUID = field(repr=False)
    hits: tuple[Hit, ...] = field(repr=False)


def hits_of(answer: Answer) -> tuple[Hit, ...]:
    """The hits of an answer, in its order."""
    holders: dict[str, list[Holder]] = {}
    for found in answer.sources:
        source = found.source
        for text in found.identifiers:
            named = holders.setdefault(text, [])
            holder = Holder(source.contributor, source.name, source.contact)
            if holder not in named:
                named.append(holder)
    return tuple(Hit(text, tuple(holders.get(text, ()))) for text in answer.hits)


def read_hits(home: Home, space: Space, request_id: bytes) -> Hits:
    """The hits of one request of this home. Raises NotFound, Conflict or VerificationFailed."""
    folder = RequestFolder(home.vault, request_id)
    request = folder.request(home.identity.signing_key).payload
    if folder.state == "forgotten":
        raise Conflict("The retention of this request is over, and what it told was erased.")
    answer = folder.answer()
    if answer is None:
        raise Conflict("This request is not answered yet, so there are no hits to write.")
    if answer.tier is Tier.COUNT:
        raise Conflict("A count does not say which identifiers are known, so there are no hits to write.")
    disclosure = documents.verify(Disclosure, folder.disclosure(), space.broker_signing_key).payload
    if disclosure.request_id != request_id or disclosure.tier is not answer.tier:
        raise VerificationFailed("The disclosure kept here is of another request. Restore a backup.")
    # The ids of what is written must not let anybody test guesses at an identifier, so they take in a secret.
    secret = hmac.digest(home.salt(space), _LABEL + space.space_id + request_id, "sha256")
    return Hits(
        request_id=request_id,
        tier=answer.tier,
        purpose=request.claims.purpose,
        requester=home.membership(space).name,
        released_at=disclosure.released_at,
        namespace=UUID(bytes=secret[:16]),
        hits=hits_of(answer),
    )
