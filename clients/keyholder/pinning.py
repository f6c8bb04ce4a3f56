"""What the operator pins and activates by file: space documents with all keys in them, and rule bundles by digest.

Rule (DESIGN 2.5): the broker's key, its log key and every agency's key come from a space document that the founder
signed and a person handed over, never from the broker's word. A bundle is copied into the holder's own folder when it
is activated, so that a decision can be made again when the source is gone.

It does not judge whether a space or a bundle is a good one; that is the operator's to do before.
"""

import shutil
from functools import lru_cache
from pathlib import Path

from broker.gate import bundle as bundles
from broker.gate.bundle import Bundle
from broker.protocol.documents import Signed, key_identifier, unverified_kid, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import blob_from_text, read
from broker.protocol.messages.parties import Enrolment, Holder, Member, Space
from clients.keyholder.keys import HolderKeys
from clients.keyholder.store import pinned
from clients.keyholder.store.database import Connection, Database

BUNDLE_FOLDER = "bundles"


class BundleShelf:
    """The holder's own copies of rule bundles, DIR/bundles/<digest>."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / BUNDLE_FOLDER
        self._loaded: dict[bytes, Bundle] = {}

    def keep(self, source: Path, wanted: bytes | None = None) -> Bundle:
        """Load a bundle from where the operator has it, copy it, and load the copy.

        Raises BadInput for a bundle that does not load, VerificationFailed if its digest is not the one wanted."""
        bundle = bundles.load(source)
        if wanted is not None and bundle.digest != wanted:
            raise VerificationFailed(
                "The bundle has another digest than the one to activate. Nothing was changed."
            )
        kept = self._directory / bundle.digest.hex()
        if not kept.exists():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = self._directory / f".{bundle.digest.hex()}"
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(source, unfinished)
            unfinished.replace(kept)
        return self.get(bundle.digest)

    def get(self, digest: bytes) -> Bundle:
        """A kept bundle. Raises NotFound if there is none, VerificationFailed if its files were changed."""
        if digest not in self._loaded:
            kept = self._directory / digest.hex()
            if not kept.exists():
                raise NotFound("The rule bundle is not in this holder's folder. Activate it again.")
            bundle = bundles.load(kept)
            if bundle.digest != digest:
                raise VerificationFailed(
                    "This holder's copy of the rule bundle was changed. Activate it again."
                )
            self._loaded[digest] = bundle
        return self._loaded[digest]


def pin_space(
    database: Database, keys: HolderKeys, document: str, founder_enrolment: str, now: int
) -> Signed[Space]:
    """Pin a space, or the next roster of one that is pinned.

    Args:
        document: the signed Space document.
        founder_enrolment: the signed Enrolment document of the member that founded it, as handed over.

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
            _check_succeeds(known, space, founder)
        pinned.add_space(
            connection, pinned.PinnedSpace(space.space_id, space.roster_version, document, founder, now)
        )
    return signed


def activate_bundle(
    database: Database, shelf: BundleShelf, source: Path, now: int, wanted: bytes | None = None
) -> Bundle:
    """Put a bundle in force for this holder: it refuses what was decided under any other.

    Errors as `BundleShelf.keep`."""
    bundle = shelf.keep(source, wanted)
    with database.write() as connection:
        current = pinned.activation(connection)
        if current is None or current.bundle_digest != bundle.digest:
            pinned.activate(connection, bundle.digest, now)
    return bundle


def active_bundle(connection: Connection, shelf: BundleShelf) -> Bundle:
    """The bundle in force. Raises Conflict if the operator activated none."""
    current = pinned.activation(connection)
    if current is None:
        raise Conflict("This key holder has no rules in force yet. Its operator activates a bundle first.")
    return shelf.get(current.bundle_digest)


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


def _check_succeeds(known: pinned.PinnedSpace, space: Space, founder: bytes) -> None:
    before = _verified(known.document, known.founder_key).payload
    if founder != known.founder_key:
        raise Conflict("The space was founded by another key. A new roster is signed by the same founder.")
    if space.roster_version <= before.roster_version:
        raise Conflict(
            "This roster is not newer than the one that is pinned. Ask the founder for the newest."
        )
    # Else a new roster would let the broker's log start over, unseen.
    if (space.log_origin, space.log_key) != (before.log_origin, before.log_key):
        raise Conflict("The new roster names another log. A broker with a new log needs a new space.")


@lru_cache(maxsize=64)
def _verified(document: str, founder_key: bytes) -> Signed[Space]:
    if unverified_kid(document) != key_identifier(founder_key):
        raise BadInput(
            "The space document is signed by another key than the founder's enrolment document names."
        )
    return verify(Space, document, founder_key)
