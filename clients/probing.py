"""A probe: test identifiers that a contributor deposits and a requester asks about, to see whether the log shows it.

Rule: the auditor can neither deposit nor ask, so she plans and two others act, by their usual commands and with the
contributor's consent. Identifiers are of reserved ranges alone, so they are nobody's, and come from a seed that never
leaves the auditor's home: nobody else knows which of them are asked about, and to the broker a probe's tokens are
tokens like any. The plan is sealed in the home; the two files go from hand to hand.

It makes no call. What the log should show is `clients.auditing.probe`'s.
"""

import hashlib
import hmac
from typing import Annotated, Literal

from pydantic import Field

from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.base import Bytes32, Id16, Message, Name, RandomBytes, Seconds, Slug
from broker.protocol.messages.parties import Space
from clients.home import Home
from clients.transport import Clock

_LABEL = b"narrowgate/v1/probe\x00"
_DRAMA_NUMBERS = 1000
"""+44 7700 900000 to 900999, which Ofcom keeps for drama."""
MOST = 500
KNOWN_TYPES = ("email", "phone")
"""Types with a range reserved for nobody, what is sought first named first: of addresses there is no end."""
Number = Annotated[int, Field(ge=1, le=MOST)]


class ProbePlan(Message):
    """What the auditor planned. `asked` of the `deposited` identifiers are asked about, with `others` that nobody
    deposited."""

    v: Literal[1] = 1
    probe_id: Id16
    space_id: Id16
    seed: Annotated[Bytes32, Field(repr=False)]
    contributor: Slug
    requester: Slug
    identifier_type: Slug
    deposited: Number
    asked: Number
    others: Number
    consent: Name
    """Where the contributor consented: such as a letter's reference."""
    planned_at: Seconds

    @property
    def signals(self) -> tuple[str, ...]:
        """The identifiers that the contributor deposits, as people write them."""
        return self._identifiers()[: self.deposited]

    @property
    def question(self) -> tuple[str, ...]:
        """The identifiers that the requester asks about, in an order that tells nothing."""
        everything = self._identifiers()
        return tuple(sorted((*everything[: self.asked], *everything[self.deposited :])))

    @property
    def identifiers(self) -> int:
        """How many identifiers the request is about."""
        return self.asked + self.others

    def _identifiers(self) -> tuple[str, ...]:
        number = self.deposited + self.others
        if self.identifier_type == "email":
            return tuple(f"{self._drawn(place)[:10].hex()}@example.org" for place in range(number))
        chosen = sorted(range(_DRAMA_NUMBERS), key=self._drawn)[:number]
        return tuple(f"+447700900{each:03d}" for each in chosen)

    def _drawn(self, place: int) -> bytes:
        return hmac.digest(self.seed, _LABEL + place.to_bytes(4, "big"), hashlib.sha256)


class Probing:
    """Probes by one auditor in a space."""

    def __init__(self, home: Home, space: Space, clock: Clock, random_bytes: RandomBytes) -> None:
        self._home = home
        self._space = space
        self._clock = clock
        self._random_bytes = random_bytes

    def plan(
        self,
        contributor: str,
        requester: str,
        consent: str,
        *,
        identifier_type: str | None = None,
        deposited: int = 12,
        asked: int = 5,
        others: int = 7,
    ) -> ProbePlan:
        """Draw a probe and seal it in the home.

        Args:
            consent: where the contributor consented.
            identifier_type: email or phone; None for the first of them that the space compares.

        Raises BadInput."""
        members = {member.agency_id for member in self._space.members}
        if not {contributor, requester} <= members or contributor == requester:
            raise BadInput("A probe needs two different members of the space: a contributor and a requester.")
        if not consent.strip():
            raise BadInput("Say where the contributor consented, such as the reference of its letter.")
        known = [each for each in KNOWN_TYPES if each in self._space.identifier_types]
        chosen = identifier_type or next(iter(known), "")
        if chosen not in known:
            raise BadInput(f"A probe can be of these types of this space: {', '.join(known) or 'none'}.")
        if not 1 <= asked <= deposited <= MOST or not 1 <= others <= MOST:
            raise BadInput(
                f"Of what is deposited, at most {MOST}, one identifier or more is asked about, with 1 to {MOST} others."
            )
        made = ProbePlan(
            probe_id=self._random_bytes(16),
            space_id=self._space.space_id,
            seed=self._random_bytes(32),
            contributor=contributor,
            requester=requester,
            identifier_type=chosen,
            deposited=deposited,
            asked=asked,
            others=others,
            consent=consent.strip(),
            planned_at=self._clock(),
        )
        self._home.vault.write_secret(f"probes/{made.probe_id.hex()}", made.model_dump_json().encode())
        return made

    def find(self, probe_id: bytes) -> ProbePlan:
        """A plan of this home. Raises NotFound, or VerificationFailed if its file was changed."""
        name = f"probes/{probe_id.hex()}"
        if not self._home.vault.exists(name):
            raise NotFound("This home has planned no probe of that id.")
        return ProbePlan.model_validate_json(self._home.vault.read_secret(name))
