"""Who takes part: enrolments, spaces with their rosters, and the wrapped salt.

Rule: keys are pinned from these documents as files that people hand to one another, never taken from the broker's
word (DESIGN 2.5). A space document is signed by its founding member; each new roster has the next version.
"""

from ipaddress import ip_address
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from broker.protocol.checkpoint import VerifierKey, parse_verifier_key
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Count,
    Id16,
    Jurisdiction,
    KeyIdentifier,
    Message,
    Name,
    Seconds,
    Slug,
)
from broker.protocol.messages.vocabulary import AgencyKind, Capacity, Purpose, Role
from broker.protocol.note_algorithms import SIGNS_AS_WITNESS

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]{1,255}$")]
"""Scheme, host and port of a service, without a path."""


def read_witness_key(text: str) -> VerifierKey:
    """A witness's key from its one-line form. Raises BadInput for another kind of key."""
    key = parse_verifier_key(text)
    if key.algorithm not in SIGNS_AS_WITNESS:
        raise BadInput("This is not a witness's key: it is of another kind. Ask the witness for it.")
    return key


def _is_witness_key(text: str) -> str:
    try:
        read_witness_key(text)
    except BadInput as error:
        raise ValueError(error.detail) from None
    return text


WitnessKey = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_is_witness_key)]
"""A witness's public key as one line, `name+id+base64` (C2SP signed-note): Ed25519 or ML-DSA-44."""

WitnessUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\x00-\x20?#]{1,300}[^\x00-\x20?#/]$")]
"""The address of a witness, to which `/add-checkpoint` is appended."""

Contact = Annotated[str, StringConstraints(max_length=200)]


def in_clear(url: WitnessUrl) -> bool:
    """Whether calls to this address can be read and cut off on their way: http:// to another machine than this."""
    if not url.startswith("http://"):
        return False
    try:
        host = urlsplit(url).hostname
        return host != "localhost" and not ip_address(host or "").is_loopback
    except ValueError:
        return True


def holder_log_origin(origin: str, holder_id: str) -> str:
    """The name of a key holder's own log, from the address and the name that its enrolment has."""
    return f"{origin.partition('://')[2]}/narrowgate-keyholder/{holder_id}"


class Enrolment(Message):
    """A party introduces itself: signed by the very key it names. Says nothing until an operator accepted it."""

    TYP: ClassVar[str] = "enrolment"
    v: Literal[1] = 1
    party_id: Slug
    name: Name
    role: Role
    kind: AgencyKind | None = None
    jurisdiction: Jurisdiction
    signing_key: Bytes32
    wrapping_key: Blob
    origin: Origin | None = None
    contact: Contact = ""
    """How to follow up with an agency that holds a match: an address of its desk, told at the tier `sources`."""
    created_at: Seconds


class Member(Message):
    """An agency of a space, with the facts about it that the gate reads."""

    agency_id: Slug
    name: Name
    kind: AgencyKind
    jurisdiction: Jurisdiction
    mandates: tuple[Purpose, ...]
    suspended: bool = False
    contact: Contact = ""
    signing_key: Bytes32
    wrapping_key: Blob


class Holder(Message):
    """A key holder of a space; `x` is its roster index and the abscissa of its shares (1 to n)."""

    holder_id: Slug
    name: Name
    x: Annotated[int, Field(ge=1, le=64)]
    signing_key: Bytes32
    wrapping_key: Blob
    origin: Origin

    @property
    def log_origin(self) -> str:
        """The name of the holder's own log in its checkpoints."""
        return holder_log_origin(self.origin, self.holder_id)


class Reviewer(Message):
    """A legal desk or an auditor of a space."""

    party_id: Slug
    name: Name
    signing_key: Bytes32


class Approver(Message):
    """A person who signs approvals or reviews. `agency_id` is the agency of a supervisor; the others have none."""

    party_id: Slug
    name: Name
    capacity: Capacity
    agency_id: Slug | None = None
    signing_key: Bytes32


class Space(Message):
    """One collaboration: members, holders, types, sizes and rules. Signed by its founding member."""

    TYP: ClassVar[str] = "space"
    v: Literal[1] = 1
    space_id: Id16
    name: Name
    roster_version: Annotated[int, Field(ge=1, le=1_000_000)]
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=500)]
    holders: Annotated[tuple[Holder, ...], Field(min_length=2, max_length=64)]
    threshold: Annotated[int, Field(ge=2, le=64)]
    legal_desks: Annotated[tuple[Reviewer, ...], Field(min_length=1, max_length=20)]
    auditors: Annotated[tuple[Reviewer, ...], Field(max_length=20)] = ()
    approvers: Annotated[tuple[Approver, ...], Field(max_length=200)] = ()
    broker_origin: Origin
    broker_signing_key: Bytes32
    log_origin: Name
    log_key: Bytes32
    identifier_types: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=64)]
    size_class: Literal[512, 2048, 8192, 32768]
    salt_id: Bytes32
    bundle_digest: Bytes32
    witnesses: Annotated[tuple[WitnessKey, ...], Field(max_length=20)] = ()
    witness_quorum: Annotated[int, Field(ge=0, le=20)] = 0
    """How many of the witnesses must have cosigned before a permit or disclosure counts: more than half of them, or two
    halves that never meet would each cosign a log of its own."""
    trial: bool
    count_epsilon_millis: Annotated[int, Field(ge=1, le=10_000)]
    """Privacy loss of one noised count, in thousandths."""
    count_budget_millis: Count
    """Privacy loss one requester may spend in 30 days, in thousandths."""
    founded_at: Seconds

    @model_validator(mode="after")
    def _rules(self) -> "Space":
        n = len(self.holders)
        if 2 * self.threshold <= n or self.threshold > n:
            raise ValueError(
                "the threshold must be more than half of the holders, and not more than all of them"
            )
        if [holder.x for holder in self.holders] != list(range(1, n + 1)):
            raise ValueError("holders are listed by their index, from 1 to n")
        for kind, names in (
            ("members", [member.agency_id for member in self.members]),
            ("holders", [holder.holder_id for holder in self.holders]),
            ("legal desks", [desk.party_id for desk in self.legal_desks]),
            ("approvers", [approver.party_id for approver in self.approvers]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"two {kind} have the same name")
        keys = [party.signing_key for party in self.members] + [party.signing_key for party in self.holders]
        reviewers: tuple[Reviewer | Approver, ...] = (*self.legal_desks, *self.auditors, *self.approvers)
        keys += [person.signing_key for person in reviewers]
        if len(set(keys)) != len(keys) or self.broker_signing_key in keys:
            raise ValueError("one key stands for two parties: nobody may be two parties of one space")
        people = [person.party_id for person in reviewers]
        if len(set(people)) != len(people):
            raise ValueError("one person has two roles: desks, auditors and approvers are different people")
        agencies = {member.agency_id for member in self.members}
        for approver in self.approvers:
            if approver.agency_id is not None and approver.agency_id not in agencies:
                raise ValueError("an approver belongs to an agency that is no member")
            if (approver.capacity is Capacity.SUPERVISOR) != (approver.agency_id is not None):
                raise ValueError("a supervisor belongs to a member, and nobody else who approves does")
        if not self.trial == (self.witness_quorum == 0) == (not self.witnesses):
            raise ValueError("a space without witnesses is a trial, and only such a space is")
        self._check_witnesses(keys)
        return self

    def _check_witnesses(self, other_keys: list[bytes]) -> None:
        witnesses = self.witness_keys
        if self.witness_quorum > len(witnesses):
            raise ValueError("more witnesses are needed than there are")
        names = {witness.name for witness in witnesses}
        keys = {witness.public_key for witness in witnesses}
        others = {*other_keys, self.broker_signing_key, self.log_key}
        if not len(names) == len(keys) == len(witnesses) or keys & others or self.log_origin in names:
            raise ValueError("a witness is somebody of its own: two share a name or key, or one is a party's")
        if witnesses and 2 * self.witness_quorum <= len(witnesses):
            raise ValueError("the witness quorum must be more than half of the witnesses")

    @property
    def witness_keys(self) -> tuple[VerifierKey, ...]:
        """The witnesses' keys, under which cosignatures verify. Raises BadInput for what is no witness's key."""
        return tuple(map(read_witness_key, self.witnesses))


class SaltWrap(Message):
    """The space's salt, wrapped to one member's key and signed by a member (DESIGN 2.1)."""

    TYP: ClassVar[str] = "salt-wrap"
    v: Literal[1] = 1
    space_id: Id16
    salt_id: Bytes32
    recipient_kid: KeyIdentifier
    wrapped: Blob
