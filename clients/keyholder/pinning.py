"""What the operator pins by file: space documents, with all keys in them.

Rule (DESIGN 2.5): the broker's key, its log key and every agency's key come from a space document that the founder
signed and a person handed over, never from the broker's word.

It does not judge whether a space is a good one; that is the operator's to do before. Rules are `activation`'s.
"""

from functools import lru_cache

from broker.protocol.documents import Signed, key_identifier, unverified_kid, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import blob_from_text, read
from broker.protocol.messages.parties import Enrolment, Holder, Member, Space
from clients.keyholder.keys import HolderKeys
from clients.keyholder.store import pinned
from clients.keyholder.store.database import Connection, Database
from clients.mirrors.log_key_change import NO_LOG_KEY_CHANGE, LogKeyChange, check_same_log


def pin_space(
    database: Database,
    keys: HolderKeys,
    document: str,
    founder_enrolment: str,
    now: int,
    change: LogKeyChange = NO_LOG_KEY_CHANGE,
) -> Signed[Space]:
    """Pin a space, or the next roster of one that is pinned.

    Args:
        document: the signed Space document.
        founder_enrolment: the signed Enrolment document of the member that founded it, as handed over.
        change: how the log comes from the pinned key to the one that the document names, if that is another.

    Returns: the verified document. Raises BadInput, VerificationFailed, NotPermitted (this holder is not in it) or
    Conflict (an older roster, another founder, or another log than before)."""
    founder = _founder_key(founder_enrolment)
    signed = _verified(document, founder)
    space = signed.payload
    if founder not in [member.signing_key for member in space.members]:
        raise VerificationFailed("The space document is not signed by one of its own members.")
    own = own_entry(space, keys.holder_id)
    if (own.signing_key, own.wrapping_key) != (keys.signing_public, keys.wrapping.public):
        raise VerificationFailed("The space document names other keys for this holder than it has.")
    with database.write() as connection:
        known = pinned.space(connection, space.space_id)
        if known is not None:
            if known.document == document:
                return signed
            _check_succeeds(known, space, founder, change)
        pinned.add_space(
            connection, pinned.PinnedSpace(space.space_id, space.roster_version, document, founder, now)
        )
    return signed


def pinned_spaces(connection: Connection) -> tuple[Signed[Space], ...]:
    """The newest pinned document of each space, verified."""
    return tuple(_verified(each.document, each.founder_key) for each in pinned.spaces(connection))


def pinned_space(connection: Connection, space_id: bytes) -> Signed[Space]:
    """The newest pinned document of a space, verified. Raises NotFound."""
    known = pinned.space(connection, space_id)
    if known is None:
        raise NotFound("This key holder does not know the space. Hand its operator the space document.")
    return _verified(known.document, known.founder_key)


def pinned_roster(connection: Connection, space_id: bytes, roster_version: int) -> Space:
    """The roster of a space that was in force at a version, or the next one pinned here: an operator need not have
    pinned each. Raises NotFound."""
    known = pinned.roster(connection, space_id, roster_version)
    if known is None:
        raise NotFound("This key holder has not pinned that roster. Hand its operator the space document.")
    return _verified(known.document, known.founder_key).payload


def log_keys_of(connection: Connection, space_id: bytes) -> tuple[bytes, ...]:
    """The keys that the space's log has or had as far as this holder knows, the newest first: they are one log's."""
    found = pinned.versions(connection, space_id)
    return tuple(dict.fromkeys(_verified(each.document, each.founder_key).payload.log_key for each in found))


def member_by_id(space: Space, agency_id: str) -> Member:
    """The member of this name. Raises NotPermitted."""
    for member in space.members:
        if member.agency_id == agency_id:
            return member
    raise NotPermitted("The requester was no member of the space then.")


def member_by_key(space: Space, signing_key: bytes) -> Member:
    """The member with this key. Raises NotPermitted."""
    for member in space.members:
        if member.signing_key == signing_key:
            return member
    raise NotPermitted("The key that signed the call is not one of the space's members.")


def own_entry(space: Space, holder_id: str) -> Holder:
    """This holder's entry in a roster. Raises NotPermitted."""
    for holder in space.holders:
        if holder.holder_id == holder_id:
            return holder
    raise NotPermitted("This key holder is not among the space's holders.")


def _founder_key(enrolment: str) -> bytes:
    """The key of a self-signed enrolment document."""
    payload = read(Enrolment, blob_from_text(enrolment.split(".")[1] if enrolment.count(".") == 2 else ""))
    # Read first only to find the key; the signature then has to be by that very key.
    if unverified_kid(enrolment) != key_identifier(payload.signing_key):
        raise VerificationFailed("The founder's enrolment document is not signed by the key it names.")
    return verify(Enrolment, enrolment, payload.signing_key).payload.signing_key


def _check_succeeds(known: pinned.PinnedSpace, space: Space, founder: bytes, change: LogKeyChange) -> None:
    before = _verified(known.document, known.founder_key).payload
    if founder != known.founder_key:
        raise Conflict("The space was founded by another key. A new roster is signed by the same founder.")
    if space.roster_version <= before.roster_version:
        raise Conflict(
            "This roster is not newer than the one that is pinned. Ask the founder for the newest."
        )
    # Else a new roster would let the broker's log start over, unseen.
    check_same_log(before, space, change)
    # Else one signature of the founder's would do away with every witness.
    if space.trial and not before.trial:
        raise Conflict(
            "The new roster makes a trial of a space that has witnesses. Found a new space for a trial."
        )


@lru_cache(maxsize=64)
def _verified(document: str, founder_key: bytes) -> Signed[Space]:
    if unverified_kid(document) != key_identifier(founder_key):
        raise BadInput(
            "The space document is signed by another key than the founder's enrolment document names."
        )
    return verify(Space, document, founder_key)
