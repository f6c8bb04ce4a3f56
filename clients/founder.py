"""Found a space, let members in, and join one: who takes part, under which keys, and the salt among members.

Rule: the space's salt is 32 random bytes, drawn by the founding member and HPKE-wrapped to each member in a document
that a member signs (DESIGN 2.1); the broker carries the wraps and never has the salt. All keys come from enrolment
files that people handed over. A new roster is the next version of the same space, signed by the same founder;
it may name a new salt, which goes to the members it lists and to no other.

It does not judge who should be a member, and it never takes a key from an answer of the broker's.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from broker.protocol import documents, tokens, wrapping
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.envelopes import DocumentMessage, DocumentsMessage, Nothing
from broker.protocol.messages.parties import Member, SaltWrap, Space
from broker.protocol.messages.vocabulary import Purpose, RecordKind, Role
from clients.agency import read_enrolment
from clients.home import SALT_BYTES, Home
from clients.mirrors.log_key_change import NO_LOG_KEY_CHANGE, LogKeyChange, follow
from clients.recorded import post_recorded
from clients.space_plan import SpacePlan, checked, member_of, space_of
from clients.transport import Caller, Clock


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
        space = space_of(plan, self._random_bytes(16), tokens.salt_id(salt), self._clock())
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
        member = member_of(read_enrolment(enrolment, Role.AGENCY).payload, mandates)
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

    def change_log_key(self, space_id: bytes | None, change: LogKeyChange) -> Signed[Space]:
        """The next roster, which names the key that the broker's log was changed to. Errors as `change_rules`.

        Raises besides VerificationFailed when the file of log keys does not lead from the key that is pinned here."""
        space = self._home.space(space_id).payload
        if change.chain is None:
            raise BadInput("Give the file of log keys, from the broker's operator.")
        newest = follow(space, space, change.chain, accept_lost=change.accept_lost).newest.public_key
        if newest == space.log_key:
            raise BadInput("The space's roster names this key of the log already.")
        return self._next_roster(space, space.members, agreed={"log_key": newest}, change=change)

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
        change: LogKeyChange = NO_LOG_KEY_CHANGE,
    ) -> Signed[Space]:
        # A roster whose publishing broke off goes first: the broker takes them one after another. Not where the log's
        # key changes: under the key that it names, the broker's receipt may verify no more.
        if change is NO_LOG_KEY_CHANGE:
            self.publish(self._home.space(space.space_id))
        fields = {name: getattr(space, name) for name in Space.model_fields}
        fields |= {"members": members, "roster_version": space.roster_version + 1, **agreed}
        if new_salt is not None:
            fields["salt_id"] = tokens.salt_id(new_salt)
        following = checked(fields)
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
        signed = self._home.pin_space(document, self._home.founder_key(space.space_id), change)
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


def join(
    home: Home,
    caller: Caller,
    space_document: str,
    founder_enrolment: str,
    change: LogKeyChange = NO_LOG_KEY_CHANGE,
) -> Signed[Space]:
    """Pin a space from two files, and as a member fetch, check and keep its salt.

    Args:
        space_document: the space, as the founder handed it over.
        founder_enrolment: the founder's enrolment, handed over with it or before.
        change: how the log comes from the pinned key to the one that the space names, if that is another.

    A party that is no member (a legal desk, an auditor) pins the space and gets no salt. Raises VerificationFailed
    when the files do not belong together or the salt is not the space's, NotFound when no wrap is there yet.
    """
    founder_key = read_enrolment(founder_enrolment, Role.AGENCY).payload.signing_key
    signed = home.pin_space(space_document, founder_key, change)
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
    answer = caller.within(space.space_id).get(
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
