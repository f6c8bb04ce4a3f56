"""Found a space, let members in, and join one: who takes part, under which keys, and the salt among members.

Rule: the space's salt is 32 random bytes, drawn by the founding member and HPKE-wrapped to each member in a document
that a member signs (DESIGN 2.1); the broker carries the wraps and never has the salt. All keys come from enrolment
files that people handed over. A new roster is the next version of the same space, signed by the same founder;
it may name a new salt, which goes to the members it lists and to no other.

It does not judge who should be a member, and it never takes a key from an answer of the broker's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pydantic import ValidationError

from broker.protocol import documents, tokens, wrapping
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import Bytes32, Message, Name, RandomBytes, explain
from broker.protocol.messages.envelopes import DocumentMessage, DocumentsMessage, Nothing
from broker.protocol.messages.parties import (
    Approver,
    Enrolment,
    Holder,
    Member,
    Origin,
    Reviewer,
    SaltWrap,
    Space,
    WitnessKey,
)
from broker.protocol.messages.vocabulary import AgencyKind, Capacity, Purpose, RecordKind, Role
from clients.agency import read_enrolment
from clients.home import SALT_BYTES, Home
from clients.recorded import post_recorded
from clients.transport import Caller, Clock

DEFAULT_MANDATES: Mapping[AgencyKind, tuple[Purpose, ...]] = MappingProxyType(
    {
        AgencyKind.POLICE: (
            Purpose.IDENTIFY_VICTIM,
            Purpose.LOCATE_MISSING,
            Purpose.INVESTIGATE_TRAFFICKER,
            Purpose.DISRUPT_ADVERT,
            Purpose.FINANCIAL_TRAIL,
        ),
        AgencyKind.BANK: (Purpose.FINANCIAL_TRAIL,),
        AgencyKind.COMPANY: (Purpose.DISRUPT_ADVERT,),
        AgencyKind.HOTLINE: (Purpose.DISRUPT_ADVERT, Purpose.IDENTIFY_VICTIM),
        AgencyKind.HELPLINE: (Purpose.IDENTIFY_VICTIM, Purpose.LOCATE_MISSING),
        AgencyKind.NGO: (Purpose.IDENTIFY_VICTIM, Purpose.LOCATE_MISSING),
    }
)
"""For what a member may ask unless the founder says otherwise; the rules narrow it further."""


class BrokerDescription(Message):
    """What a broker's operator hands to founders, as a file: `narrowgate broker describe`."""

    v: Literal[1] = 1
    origin: Origin
    signing_key: Bytes32
    log_origin: Name
    log_key: Bytes32
    log_verifier_key: str = ""
    bundle_digest: Bytes32 | None = None
    witnesses: tuple[WitnessKey, ...] = ()
    witness_quorum: int = 0
    trial: bool


@dataclass(frozen=True)
class PlannedApprover:
    """A person who is to approve: the text of its enrolment file, its capacity, and of a supervisor the agency."""

    enrolment: str
    capacity: Capacity
    agency_id: str | None = None


@dataclass(frozen=True)
class SpacePlan:
    """What a founder decides. Documents are enrolment files' texts; holders are in the order of their indices.

    `witnesses` are keys as the witnesses themselves gave them to the founder, one line each; a trial has none.
    `mandates` are by agency_id and go before `DEFAULT_MANDATES`. Privacy losses are in thousandths.
    """

    name: str
    broker: BrokerDescription
    members: Sequence[str]
    holders: Sequence[str]
    desks: Sequence[str]
    auditors: Sequence[str]
    threshold: int
    identifier_types: Sequence[str]
    bundle_digest: bytes
    approvers: Sequence[PlannedApprover] = ()
    size_class: int = 2048
    witnesses: Sequence[str] = ()
    witness_quorum: int = 1
    count_epsilon_millis: int = 500
    count_budget_millis: int = 5_000
    mandates: Mapping[str, Sequence[Purpose]] = field(default_factory=dict)


class Founder:
    """The founding member's acts.

    Args:
        home: of an agency that is among the members.
        caller: signs with the home's key.
    """

    def __init__(self, home: Home, caller: Caller, clock: Clock, random_bytes: RandomBytes) -> None:
        self._home = home
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes

    def found(self, plan: SpacePlan) -> Signed[Space]:
        """Write, sign, keep and post a space, and wrap its new salt for each member.

        The space is kept here before it is posted: after a broken connection, `publish` goes on with the same one.
        Raises BadInput (the plan does not make a space), RemoteProblem, Unreachable.
        """
        salt = self._random_bytes(SALT_BYTES)
        space = _space(plan, self._random_bytes(16), tokens.salt_id(salt), self._clock())
        self._home.membership(space)
        signed = self._home.pin_space(
            documents.sign(space, self._home.signing_key).document, self._home.identity.signing_key
        )
        self._home.keep_salt(space, salt)
        self.publish(signed)
        return signed

    def add_member(
        self, space_id: bytes | None, enrolment: str, mandates: Sequence[Purpose] | None = None
    ) -> Signed[Space]:
        """The next roster of a space, with one member more, who gets the salt. Errors as `found`."""
        space = self._home.space(space_id).payload
        member = _member(read_enrolment(enrolment, Role.AGENCY).payload, mandates)
        if member.agency_id in [known.agency_id for known in space.members]:
            raise BadInput("The space has a member of that name already.")
        return self._next_roster(space, (*space.members, member))

    def suspend_member(self, space_id: bytes | None, agency_id: str) -> Signed[Space]:
        """The next roster of a space, in which one member is suspended: the rules then refuse it. Errors as `found`."""
        space = self._home.space(space_id).payload
        if agency_id not in [known.agency_id for known in space.members]:
            raise NotFound("The space has no member of that name.")
        members = tuple(
            member.model_copy(update={"suspended": True}) if member.agency_id == agency_id else member
            for member in space.members
        )
        return self._next_roster(space, members)

    def remove_member(
        self, space_id: bytes | None, agency_id: str, *, rotate_salt: bool = False
    ) -> Signed[Space]:
        """The next roster of a space, without one member, and perhaps under a new salt that it does not get.

        It can ask and deposit no more; it can still withdraw what it deposited, and keeps the salt it had. Raises
        NotFound (no such member), NotPermitted (the founder itself); otherwise errors as `found`."""
        space = self._home.space(space_id).payload
        leaving = next((known for known in space.members if known.agency_id == agency_id), None)
        if leaving is None:
            raise NotFound("The space has no member of that name.")
        if leaving.signing_key == self._home.founder_key(space.space_id):
            raise NotPermitted(
                "The founder signs the rosters and cannot be removed. Found a new space instead."
            )
        members = tuple(known for known in space.members if known is not leaving)
        return self._next_roster(space, members, self._new_salt(space) if rotate_salt else None)

    def rotate_salt(self, space_id: bytes | None) -> Signed[Space]:
        """The next roster of a space, under a new salt wrapped to every member of it. Errors as `found`.

        Series under the old salt are left out of requests from then on; their contributors deposit anew."""
        space = self._home.space(space_id).payload
        return self._next_roster(space, space.members, self._new_salt(space))

    def change_rules(self, space_id: bytes | None, bundle_digest: bytes) -> Signed[Space]:
        """The next roster of a space, whose members agree to the rules now in force at its broker. Errors as `found`.

        The broker refuses others, and then nothing is kept of the roster."""
        space = self._home.space(space_id).payload
        if space.bundle_digest == bundle_digest:
            raise BadInput("The space's roster names these rules already.")
        return self._next_roster(space, space.members, agreed={"bundle_digest": bundle_digest})

    def change_witnesses(
        self, space_id: bytes | None, witnesses: Sequence[str], quorum: int
    ) -> Signed[Space]:
        """The next roster, with the witnesses that the broker now asks; a trial stays one. As `change_rules`."""
        space = self._home.space(space_id).payload
        named = {"witnesses": tuple(witnesses), "witness_quorum": quorum}
        return self._next_roster(space, space.members, agreed=named)

    def _new_salt(self, space: Space) -> bytes:
        if self._home.founder_key(space.space_id) != self._home.identity.signing_key:
            raise NotPermitted("Only the space's founder makes rosters. Ask it to.")
        return self._random_bytes(SALT_BYTES)

    def _next_roster(
        self,
        space: Space,
        members: tuple[Member, ...],
        new_salt: bytes | None = None,
        agreed: Mapping[str, object] = MappingProxyType({}),
    ) -> Signed[Space]:
        # A roster whose publishing broke off goes first: the broker takes them one after another.
        self.publish(self._home.space(space.space_id))
        fields = {name: getattr(space, name) for name in Space.model_fields}
        fields |= {"members": members, "roster_version": space.roster_version + 1, **agreed}
        if new_salt is not None:
            fields["salt_id"] = tokens.salt_id(new_salt)
        following = _checked(fields)
        if new_salt is not None:
            # Before the roster that names it, which would else be one whose salt nobody has.
            self._home.keep_salt(following, new_salt)
        made = documents.sign(following, self._home.signing_key)
        if agreed:
            # Before it is pinned, else rules that are not in force, or other witnesses than are asked, would stand in
            # the way of every later roster. Cut short, the same call makes the same document.
            self.publish(made)
        document = made.document
        # Only the founder's key makes a roster: under any other, pinning it fails.
        signed = self._home.pin_space(document, self._home.founder_key(space.space_id))
        self.publish(signed)
        return signed

    def publish(self, signed: Signed[Space]) -> None:
        """Post a pinned space and a wrap of its salt for each member. Doing it again changes nothing."""
        space = signed.payload
        body = DocumentMessage(document=signed.document)
        post_recorded(self._caller, "/v1/spaces", body, space, RecordKind.SPACE_FOUNDED)
        salt = self._home.salt(space)
        wraps = tuple(self._wrap(space, salt, member) for member in space.members)
        self._caller.post(
            f"{space.broker_origin}/v1/spaces/{space.space_id.hex()}/salt-wraps",
            DocumentsMessage(documents=wraps),
            Nothing,
        )

    def _wrap(self, space: Space, salt: bytes, member: Member) -> str:
        kid = documents.key_identifier(member.signing_key)
        wrapped = wrapping.wrap(
            member.wrapping_key, salt, wrapping.salt_info(space.space_id, space.salt_id, kid)
        )
        document = SaltWrap(
            space_id=space.space_id, salt_id=space.salt_id, recipient_kid=kid, wrapped=wrapped
        )
        return documents.sign(document, self._home.signing_key).document


def join(home: Home, caller: Caller, space_document: str, founder_enrolment: str) -> Signed[Space]:
    """Pin a space from two files, and as a member fetch, check and keep its salt.

    Args:
        space_document: the space, as the founder handed it over.
        founder_enrolment: the founder's enrolment, handed over with it or before.

    A party that is no member (a legal desk, an auditor) pins the space and gets no salt. Raises VerificationFailed
    when the files do not belong together or the salt is not the space's, NotFound when no wrap is there yet.
    """
    founder_key = read_enrolment(founder_enrolment, Role.AGENCY).payload.signing_key
    signed = home.pin_space(space_document, founder_key)
    space = signed.payload
    home.keep_founder(space.space_id, founder_enrolment)
    try:
        home.membership(space)
    except NotPermitted:
        return signed
    if not home.has_salt(space):
        home.keep_salt(space, _fetch_salt(home, caller, space))
    return signed


def _fetch_salt(home: Home, caller: Caller, space: Space) -> bytes:
    answer = caller.get(
        f"{space.broker_origin}/v1/spaces/{space.space_id.hex()}/salt-wraps", DocumentsMessage
    )
    members = {documents.key_identifier(member.signing_key): member.signing_key for member in space.members}
    kid = home.identity.kid
    refused: VerificationFailed | None = None
    for document in answer.documents:
        # Signed by a member, for this space, this salt and this very key: else it is somebody else's.
        try:
            wrap = documents.verify(SaltWrap, document, members).payload
        except VerificationFailed as error:
            refused = error
            continue
        if (wrap.space_id, wrap.salt_id, wrap.recipient_kid) == (space.space_id, space.salt_id, kid):
            return home.unwrap(wrap.wrapped, wrapping.salt_info(space.space_id, space.salt_id, kid))
    if refused is not None:
        raise refused
    raise NotFound(
        "The broker holds no salt wrapped for this member yet. Ask the founder to publish it again."
    )


def _space(plan: SpacePlan, space_id: bytes, salt_id: bytes, now: int) -> Space:
    broker = plan.broker
    if broker.bundle_digest is not None and broker.bundle_digest != plan.bundle_digest:
        raise VerificationFailed(
            "The broker runs other rules than the bundle given here. Agree on one first."
        )
    if not broker.trial and broker.witnesses and set(broker.witnesses) != set(plan.witnesses):
        raise BadInput(
            "The broker asks other witnesses than those named here. Agree with its operator, and get each key from the "
            "witness itself."
        )
    members = [read_enrolment(document, Role.AGENCY).payload for document in plan.members]
    unknown = set(plan.mandates) - {member.party_id for member in members}
    if unknown:
        raise BadInput("A mandate names an agency that is not among the members. Check its spelling.")
    return _checked(
        {
            "space_id": space_id,
            "name": plan.name,
            "roster_version": 1,
            "members": tuple(_member(one, plan.mandates.get(one.party_id)) for one in members),
            "holders": tuple(_holder(document, x) for x, document in enumerate(plan.holders, start=1)),
            "threshold": plan.threshold,
            "legal_desks": tuple(_reviewer(document, Role.LEGAL_DESK) for document in plan.desks),
            "auditors": tuple(_reviewer(document, Role.AUDITOR) for document in plan.auditors),
            "approvers": tuple(_approver(planned) for planned in plan.approvers),
            "broker_origin": broker.origin,
            "broker_signing_key": broker.signing_key,
            "log_origin": broker.log_origin,
            "log_key": broker.log_key,
            "identifier_types": tuple(plan.identifier_types),
            "size_class": plan.size_class,
            "salt_id": salt_id,
            "bundle_digest": plan.bundle_digest,
            "witnesses": () if broker.trial else tuple(plan.witnesses),
            "witness_quorum": 0 if broker.trial else plan.witness_quorum,
            "trial": broker.trial,
            "count_epsilon_millis": plan.count_epsilon_millis,
            "count_budget_millis": plan.count_budget_millis,
            "founded_at": now,
        }
    )


def _checked(fields: Mapping[str, object]) -> Space:
    try:
        return Space.model_validate(fields)
    except ValidationError as error:
        raise BadInput(f"These parts do not make a space: {explain(error)}") from None


def _member(enrolment: Enrolment, mandates: Sequence[Purpose] | None) -> Member:
    if enrolment.kind is None:
        raise BadInput("A member's enrolment file does not say what kind of agency it is.")
    return Member(
        agency_id=enrolment.party_id,
        name=enrolment.name,
        kind=enrolment.kind,
        jurisdiction=enrolment.jurisdiction,
        mandates=tuple(DEFAULT_MANDATES[enrolment.kind] if mandates is None else mandates),
        contact=enrolment.contact,
        signing_key=enrolment.signing_key,
        wrapping_key=enrolment.wrapping_key,
    )


def _holder(document: str, x: int) -> Holder:
    enrolment = read_enrolment(document, Role.KEY_HOLDER).payload
    if enrolment.origin is None:
        raise BadInput("A key holder's enrolment file does not say at which address it serves.")
    return Holder(
        holder_id=enrolment.party_id,
        name=enrolment.name,
        x=x,
        signing_key=enrolment.signing_key,
        wrapping_key=enrolment.wrapping_key,
        origin=enrolment.origin,
    )


def _reviewer(document: str, role: Role) -> Reviewer:
    enrolment = read_enrolment(document, role).payload
    return Reviewer(party_id=enrolment.party_id, name=enrolment.name, signing_key=enrolment.signing_key)


def _approver(planned: PlannedApprover) -> Approver:
    enrolment = read_enrolment(planned.enrolment, Role.APPROVER).payload
    return Approver(
        party_id=enrolment.party_id,
        name=enrolment.name,
        capacity=planned.capacity,
        agency_id=planned.agency_id,
        signing_key=enrolment.signing_key,
    )
