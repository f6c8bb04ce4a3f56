"""Who takes part: enrolments, spaces and their wrapped salts.

Rule: an enrolment means nothing until the operator accepted it; a space is signed by its founding member and lists
members exactly as they are enrolled here, and this broker's own keys, so that people can pin one file (DESIGN 2.1,
2.5). Each step is logged in the transaction that takes it. It opens no series.
"""

from dataclasses import dataclass

from broker import rules
from broker.audit.log import Receipt
from broker.audit.records import EnrolmentAccepted, SpaceFounded
from broker.context import Broker
from broker.enrolments import EnrolmentEntry, EnrolmentList
from broker.protocol.documents import Signed, key_identifier, unverified_kid, unverified_payload, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.messages.parties import Enrolment, Member, SaltWrap, Space
from broker.protocol.messages.vocabulary import RecordKind, Role
from broker.refusals import TooManyCalls
from broker.store import parties
from broker.store.database import Connection

MAXIMUM_PENDING = 1000


@dataclass(frozen=True)
class Caller:
    """Who signed a call: an accepted enrolment, or the operator of this broker."""

    kid: str
    signing_key: bytes
    party_id: str
    role: Role | None
    """None is the operator."""
    repeated: bool = False
    """The call came on a stick, and had come on one before: nobody knows who brought it this time. What it reads was
    recorded as read then."""

    def check_reads(self) -> None:
        """That what is new may be shown, which is an entry of the log. Raises Conflict for a repeated call."""
        if self.repeated:
            raise Conflict(
                "This file was answered before, and reads nothing that came since. Run the command again, and carry "
                "a new file: narrowgate bundle export"
            )


def enrol(broker: Broker, document: str) -> None:
    """Keep an enrolment until the operator accepts it. The same document may come again.

    Raises BadInput, VerificationFailed, Conflict (this key is enrolled otherwise) or TooManyCalls."""
    signed = _read_enrolment(document)
    if (signed.payload.role is Role.AGENCY) != (signed.payload.kind is not None):
        raise BadInput("An agency states its kind, and only an agency does.")
    with broker.database.write() as connection:
        known = parties.enrolment(connection, signed.kid)
        if known is None:
            if parties.pending_enrolments(connection) >= MAXIMUM_PENDING:
                raise TooManyCalls(
                    "Too many enrolments wait for the operator. Ask the operator to look at them."
                )
            parties.add_enrolment(
                connection,
                kid=signed.kid,
                party_id=signed.payload.party_id,
                role=signed.payload.role.value,
                signing_key=signed.payload.signing_key,
                document=document,
                received_at=broker.clock(),
            )
        elif known.document != document:
            # While it waits, too: the operator accepts a key, and must get the document that was looked at.
            raise Conflict(
                "This key is enrolled already, with another document. A new enrolment needs a new key."
            )


def enrolments(broker: Broker, caller: Caller) -> EnrolmentList:
    """All enrolments, for the operator. Raises NotPermitted."""
    require_operator(caller)
    with broker.database.read() as connection:
        stored = parties.all_enrolments(connection)
    return EnrolmentList(
        enrolments=tuple(
            EnrolmentEntry(
                kid=each.kid,
                party_id=each.party_id,
                name=_read_enrolment(each.document).payload.name,
                role=Role(each.role),
                state=each.state,
                received_at=each.received_at,
                document=each.document,
            )
            for each in stored
        )
    )


def accept_enrolment(broker: Broker, caller: Caller, kid: str) -> Receipt:
    """Accept a party's key: from then on it may call. Raises NotPermitted, NotFound or Conflict."""
    require_operator(caller)
    now = broker.clock()
    with broker.database.write() as connection:
        parties.lock_enrolments(connection)
        known = parties.enrolment(connection, kid)
        if known is None:
            raise NotFound("No enrolment of that key is waiting.")
        if known.log_index is not None:
            return broker.audit.receipt(connection, known.log_index)
        if parties.accepted_enrolment_of(connection, known.party_id) is not None:
            raise Conflict("A party of that name is enrolled already with another key.")
        if known.kid == broker.settings.operator_kid:
            raise Conflict("The operator's key can be no party's key.")
        signed = _read_enrolment(known.document)
        record = EnrolmentAccepted(
            party_id=known.party_id,
            role=Role(known.role),
            kid=kid,
            document_digest=signed.digest,
            operator_kid=caller.kid,
        )
        receipt = broker.audit.append(connection, RecordKind.ENROLMENT_ACCEPTED, record, now)
        parties.accept_enrolment(connection, kid, now, receipt.proof.index)
        return receipt


def found_space(broker: Broker, caller: Caller, document: str) -> Receipt:
    """Accept a space's document, or its next version. Signed by the founding member, who calls.

    Raises BadInput, VerificationFailed, NotPermitted or Conflict; the text names what does not fit."""
    signed = verify(Space, document, caller.signing_key)
    space = signed.payload
    now = broker.clock()
    with broker.database.write() as connection:
        newest = parties.space(connection, space.space_id)
        if newest is not None and newest.document == document:
            return broker.audit.receipt(connection, newest.log_index)
        founder = next((each for each in space.members if each.signing_key == caller.signing_key), None)
        if founder is None:
            raise NotPermitted("A space is founded by one of its members.")
        _check_this_broker(broker, space)
        if space.bundle_digest != rules.in_force(broker, connection).digest:
            raise Conflict("The space expects another rule bundle than the one in force at this broker.")
        _check_members(connection, space)
        _check_version(caller, space, newest)
        record = SpaceFounded(
            space_id=space.space_id,
            roster_version=space.roster_version,
            document_digest=signed.digest,
            founder=founder.agency_id,
            bundle_digest=space.bundle_digest,
        )
        receipt = broker.audit.append(connection, RecordKind.SPACE_FOUNDED, record, now)
        index = receipt.proof.index
        stored = parties.StoredSpace(space.space_id, space.roster_version, document, signed.kid, now, index)
        parties.add_space(connection, stored)
        return receipt


def load_space(connection: Connection, space_id: bytes, roster_version: int | None = None) -> Signed[Space]:
    """A space's document, the newest if no version is named, verified again under its founder's enrolled key.

    Raises NotFound or VerificationFailed."""
    stored = parties.space(connection, space_id, roster_version)
    if stored is None:
        raise NotFound("No such space is known here.")
    founder = parties.enrolment(connection, stored.founder_kid)
    if founder is None:
        raise NotFound("No such space is known here.")
    return verify(Space, stored.document, founder.signing_key)


def member_of(space: Space, caller: Caller) -> Member:
    """The roster entry of a calling agency. Raises NotFound: to others the space is not there."""
    for member in space.members:
        if member.signing_key == caller.signing_key and member.agency_id == caller.party_id:
            return member
    raise NotFound("No such space is known here.")


def space_document(broker: Broker, caller: Caller, space_id: bytes) -> str:
    """The newest document of a space, for whoever is named in it. Raises NotFound."""
    with broker.database.read() as connection:
        signed = load_space(connection, space_id)
    space = signed.payload
    named = {member.signing_key for member in space.members}
    named |= {holder.signing_key for holder in space.holders}
    named |= {reviewer.signing_key for reviewer in (*space.legal_desks, *space.auditors)}
    if caller.signing_key not in named:
        raise NotFound("No such space is known here.")
    return signed.document


def add_salt_wraps(broker: Broker, caller: Caller, space_id: bytes, documents: tuple[str, ...]) -> None:
    """Keep wrapped salts that a member signed for members. The signer of a wrap may replace it.

    Raises NotFound, VerificationFailed, BadInput or Conflict (another member wrapped it before)."""
    with broker.database.write() as connection:
        space = load_space(connection, space_id).payload
        member_of(space, caller)
        parties.lock_salt_wraps(connection, space_id)
        recipients = {key_identifier(member.signing_key) for member in space.members}
        for document in documents:
            wrap = verify(SaltWrap, document, caller.signing_key).payload
            if wrap.space_id != space_id or wrap.salt_id != space.salt_id:
                raise BadInput("A salt is wrapped for this space and under its present salt_id.")
            if wrap.recipient_kid not in recipients:
                raise BadInput("A salt is wrapped to members of the space only.")
            known = parties.salt_wrap(connection, space_id, wrap.salt_id, wrap.recipient_kid)
            if known is not None and unverified_kid(known) != caller.kid:
                raise Conflict("Another member wrapped the salt to this member before.")
            parties.put_salt_wrap(connection, space_id, wrap.salt_id, wrap.recipient_kid, document)


def salt_wraps(broker: Broker, caller: Caller, space_id: bytes) -> tuple[str, ...]:
    """The caller's own wrapped salts. Raises NotFound."""
    with broker.database.read() as connection:
        member_of(load_space(connection, space_id).payload, caller)
        return parties.salt_wraps_for(connection, space_id, caller.kid)


def require_auditor(connection: Connection, caller: Caller) -> None:
    """Raises NotPermitted unless the caller is enrolled as an auditor, and one of the newest version of some space.

    Any member can found a space and list whom it likes, so the operator's acceptance of the role counts too."""
    spaces = parties.newest_spaces(connection) if caller.role is Role.AUDITOR else ()
    for stored in spaces:
        space = load_space(connection, stored.space_id).payload
        if any(auditor.signing_key == caller.signing_key for auditor in space.auditors):
            return
    raise NotPermitted("Records are for auditors of a space on this broker.")


def require_operator(caller: Caller) -> None:
    """Raises NotPermitted unless the broker's operator calls."""
    if caller.role is not None:
        raise NotPermitted("This step is the operator's.")


def _read_enrolment(document: str) -> Signed[Enrolment]:
    # An enrolment is signed by the very key it names, so the key is read before it can be checked.
    return verify(Enrolment, document, unverified_payload(Enrolment, document).signing_key)


def _check_this_broker(broker: Broker, space: Space) -> None:
    if space.broker_origin != broker.settings.public_origin or space.log_origin != broker.audit.origin:
        raise Conflict("The space names another broker: check broker_origin and log_origin.")
    if space.broker_signing_key != broker.keys.signing_public:
        raise Conflict("The space pins other keys than this broker's. Ask the operator for its description.")
    if space.log_key not in broker.audit.public_keys:
        raise Conflict(
            "The space names another key of the broker's log. Ask the operator for its description, or, if the key was "
            "changed, for its file of log keys: narrowgate space change-log-key"
        )
    if space.trial != broker.audit.trial:
        raise Conflict("Broker and space must agree whether this is a trial, without witnesses.")
    if not space.trial and (frozenset(space.witness_keys), space.witness_quorum) != broker.witnesses.asked:
        raise Conflict("The space names other witnesses, or another number, than this broker asks.")


def _check_members(connection: Connection, space: Space) -> None:
    for member in space.members:
        known = parties.accepted_enrolment_of(connection, member.agency_id)
        if known is None or known.role != Role.AGENCY.value:
            raise Conflict("A member of the space is not enrolled here as an agency. Ask the operator.")
        enrolled = _read_enrolment(known.document).payload
        as_enrolled = (enrolled.signing_key, enrolled.wrapping_key, enrolled.kind, enrolled.jurisdiction)
        if (member.signing_key, member.wrapping_key, member.kind, member.jurisdiction) != as_enrolled:
            raise Conflict("A member's keys, kind or jurisdiction are not those it is enrolled with.")


def _check_version(caller: Caller, space: Space, newest: parties.StoredSpace | None) -> None:
    expected = 1 if newest is None else newest.roster_version + 1
    if space.roster_version != expected:
        raise Conflict("A space's roster versions follow one another, from 1.")
    if newest is None:
        return
    if newest.founder_kid != caller.kid:
        raise NotPermitted("A new version of a space is signed by the member that founded it.")
    before = verify(Space, newest.document, caller.signing_key).payload
    fixed = (before.holders, before.threshold, before.size_class, before.trial)
    if (space.holders, space.threshold, space.size_class, space.trial) != fixed:
        raise Conflict(
            "Holders, threshold and size class of a space are fixed. Found a new space for others."
        )
