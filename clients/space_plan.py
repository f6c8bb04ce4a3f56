"""What a founder decides about a space, and the document that follows from it.

Rule: every key comes from a file that its owner handed over; what does not make a space is refused before anything is
signed. It signs and sends nothing: that is `clients.founder`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pydantic import ValidationError

from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import Bytes32, Message, Name, explain
from broker.protocol.messages.parties import (
    Approver,
    Enrolment,
    Holder,
    Member,
    Origin,
    Reviewer,
    Space,
    WitnessKey,
)
from broker.protocol.messages.vocabulary import AgencyKind, Capacity, Purpose, Role
from clients.agency import read_enrolment
from clients.identifier_types import check_types

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


def space_of(plan: SpacePlan, space_id: bytes, salt_id: bytes, now: int) -> Space:
    """The first roster of a planned space. Raises BadInput or VerificationFailed (the parts do not fit).

    An identifier type that nobody has canonical forms for is refused here: every member would take the space, and no
    deposit or request could be made under it."""
    check_types(plan.identifier_types)
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
    return checked(
        {
            "space_id": space_id,
            "name": plan.name,
            "roster_version": 1,
            "members": tuple(member_of(one, plan.mandates.get(one.party_id)) for one in members),
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


def checked(fields: Mapping[str, object]) -> Space:
    """A space of these fields. Raises BadInput saying which of its rules it breaks."""
    try:
        return Space.model_validate(fields)
    except ValidationError as error:
        raise BadInput(f"These parts do not make a space: {explain(error)}") from None


def member_of(enrolment: Enrolment, mandates: Sequence[Purpose] | None) -> Member:
    """A member as its enrolment says, with these mandates or else its kind's. Raises BadInput."""
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
