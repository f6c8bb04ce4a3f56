"""A party's home: one folder with its identity, its keys, the spaces it pinned and their salts.

Rule: other parties' keys are read from space documents that were pinned here from a file, under the founder's key from
the founder's own enrolment file, never from what a broker says (DESIGN 2.5). Every secret is sealed at rest and none
has a repr. Contributor, requester, legal desk and auditor keep their own files here through `vault`, each in its own
folder: `series/`, `deposits/`, `requests/`, `findings/`, `mirror/`.

It makes no call and draws no conclusion from a document beyond whose it is.

    home.key  identity.json  enrolment.jws  secrets/{signing,wrapping}
    spaces/SPACE/{founder.json,founder.jws,roster-00000001.jws,salt-SALT_ID}
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import documents, tokens, wrapping
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Jurisdiction,
    Message,
    Name,
    RandomBytes,
    Seconds,
    Slug,
)
from broker.protocol.messages.parties import Contact, Enrolment, Member, Origin, Space
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.mirrors.log_key_change import NO_LOG_KEY_CHANGE, LogKeyChange, check_same_log
from clients.vault import Vault, create_vault, open_vault

SALT_BYTES = 32


class Identity(Message):
    """Who lives here: what its enrolment says. Public."""

    v: Literal[1] = 1
    party_id: Slug
    name: Name
    role: Role
    kind: AgencyKind | None
    jurisdiction: Jurisdiction
    signing_key: Bytes32
    wrapping_key: Blob
    origin: Origin | None = None
    contact: Contact = ""
    created_at: Seconds

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint of the signing key."""
        return documents.key_identifier(self.signing_key)


class _Founder(Message):
    """The key that signs a space's rosters, as its enrolment file gave it."""

    v: Literal[1] = 1
    signing_key: Bytes32


@dataclass(frozen=True)
class Persona:
    """What a person chooses about a party before it has keys."""

    party_id: str
    name: str
    role: Role
    jurisdiction: str
    kind: AgencyKind | None = None
    origin: str | None = None
    contact: str = ""


class Home:
    """One party's folder, open. `vault` reads and writes its files; `identity` is public, the keys are not."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.identity = vault.read_message(Identity, "identity.json")
        seed = vault.read_secret("secrets/signing")
        self.signing_key: Ed25519PrivateKey = Ed25519PrivateKey.from_private_bytes(seed)
        if not hmac.compare_digest(documents.public_bytes(self.signing_key), self.identity.signing_key):
            raise VerificationFailed(
                "The home's signing key is not the one of its identity. Restore a backup."
            )

    @classmethod
    def create(
        cls,
        directory: Path,
        persona: Persona,
        *,
        now: int,
        random_bytes: RandomBytes,
        passphrase: str | None = None,
    ) -> "Home":
        """Make a home with fresh keys in an empty or new folder, and its signed enrolment in `enrolment.jws`.

        Raises Conflict if a home is there, BadInput for a persona that no enrolment may bear.
        """
        signing_key = Ed25519PrivateKey.from_private_bytes(random_bytes(32))
        wrapping_keys = wrapping.generate_key_pair()
        enrolment = _enrolment(persona, signing_key, wrapping_keys.public, now)
        vault = create_vault(directory, random_bytes, passphrase)
        vault.write_secret("secrets/signing", signing_key.private_bytes_raw())
        vault.write_secret("secrets/wrapping", wrapping_keys.private)
        vault.write_text("enrolment.jws", documents.sign(enrolment, signing_key).document)
        # Last: a home without an identity is one whose making was cut short.
        vault.write_message(
            "identity.json",
            Identity(**{name: getattr(enrolment, name) for name in Identity.model_fields if name != "v"}),
        )
        return cls(vault)

    @classmethod
    def open(cls, directory: Path, random_bytes: RandomBytes, passphrase: str | None = None) -> "Home":
        """Open a home. Raises NotFound, BadInput (a passphrase is needed) or VerificationFailed (it is wrong)."""
        return cls(open_vault(directory, random_bytes, passphrase))

    @property
    def party_id(self) -> str:
        """The party's id: its agency_id as a member of a space."""
        return self.identity.party_id

    @property
    def enrolment(self) -> str:
        """The party's signed enrolment document."""
        return self.vault.read_text("enrolment.jws")

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Open what was HPKE-wrapped to this party's key under `info`. Raises VerificationFailed."""
        return wrapping.unwrap(self.vault.read_secret("secrets/wrapping"), wrapped, info)

    # --- spaces ---

    def pin_space(
        self, document: str, founder_key: bytes, change: LogKeyChange = NO_LOG_KEY_CHANGE
    ) -> Signed[Space]:
        """Verify a space document under its founder's raw key and keep it.

        The founder of a space never changes, a roster version never has two texts, and the log stays the same one, by
        `change` perhaps under another key. Returns the evidence. Raises VerificationFailed, BadInput, or Conflict for a
        second text of a known version, or for another log.
        """
        signed = documents.verify(Space, document, founder_key)
        space = signed.payload
        if founder_key not in [member.signing_key for member in space.members]:
            raise VerificationFailed("The space document is not signed by one of its members.")
        folder = f"spaces/{space.space_id.hex()}"
        if self.vault.exists(f"{folder}/founder.json"):
            known = self.vault.read_message(_Founder, f"{folder}/founder.json")
            if known.signing_key != founder_key:
                raise Conflict(
                    "This space was pinned under another founder. Ask both by another way who founded it."
                )
        name = f"{folder}/roster-{space.roster_version:08d}.jws"
        if self.vault.exists(name) and self.vault.read_text(name) != document:
            raise Conflict(
                "This roster version is pinned with another text. Keep both files and ask the founder."
            )
        self._check_succeeds(space, change)
        self.vault.write_message(f"{folder}/founder.json", _Founder(signing_key=founder_key))
        self.vault.write_text(name, document)
        return signed

    def _check_succeeds(self, space: Space, change: LogKeyChange) -> None:
        """That a roster may follow the newest one here. Raises Conflict, VerificationFailed or BadInput."""
        try:
            before = self.space(space.space_id).payload
        except NotFound:
            return
        if before.roster_version < space.roster_version:
            check_same_log(before, space, change)
        # Else one signature of the founder's would do away with every witness.
        if space.trial and not before.trial:
            raise Conflict(
                "This roster makes a trial of a space that has witnesses. Keep the file, and ask the founder; a trial "
                "is a space of its own."
            )

    def space_ids(self) -> tuple[bytes, ...]:
        """The spaces pinned here."""
        return tuple(bytes.fromhex(name) for name in self.vault.names("spaces"))

    def space(self, space_id: bytes | None = None, roster_version: int | None = None) -> Signed[Space]:
        """A pinned space document, verified again as it is read.

        Args:
            space_id: which; None for the only one.
            roster_version: which roster; None for the newest pinned.

        Raises NotFound, or BadInput when there are several and none is named.
        """
        if space_id is None:
            known = self.space_ids()
            if len(known) > 1:
                raise BadInput("This home is in several spaces. Name one with --space-id.")
            if not known:
                raise NotFound("This home has joined no space yet. Use: narrowgate space join")
            space_id = known[0]
        folder = f"spaces/{space_id.hex()}"
        rosters = [name for name in self.vault.names(folder) if name.startswith("roster-")]
        name = rosters[-1] if rosters and roster_version is None else f"roster-{roster_version or 0:08d}.jws"
        if name not in rosters:
            raise NotFound("This home has not pinned that space, or not that version of its roster.")
        return documents.verify(Space, self.vault.read_text(f"{folder}/{name}"), self.founder_key(space_id))

    def rosters(self) -> Iterator[Signed[Space]]:
        """Every pinned version of every pinned space, verified again as it is read."""
        for space_id in self.space_ids():
            for name in self.vault.names(f"spaces/{space_id.hex()}"):
                if name.startswith("roster-"):
                    yield self.space(space_id, int(name.removeprefix("roster-").removesuffix(".jws")))

    def founder_key(self, space_id: bytes) -> bytes:
        """The raw key under which a pinned space's rosters verify. Raises NotFound."""
        return self.vault.read_message(_Founder, f"spaces/{space_id.hex()}/founder.json").signing_key

    def keep_founder(self, space_id: bytes, enrolment: str) -> None:
        """Keep the enrolment that a pinned space's founder handed over: a case folder has it for a court."""
        self.vault.write_text(f"spaces/{space_id.hex()}/founder.jws", enrolment)

    def founder_enrolment(self, space_id: bytes) -> str:
        """The founder's enrolment of a pinned space; one's own if one founded it. Raises NotFound."""
        if self.founder_key(space_id) == self.identity.signing_key:
            return self.enrolment
        name = f"spaces/{space_id.hex()}/founder.jws"
        if not self.vault.exists(name):
            raise NotFound("The founder's enrolment is not kept here. Use again: narrowgate space join")
        return self.vault.read_text(name)

    def membership(self, space: Space) -> Member:
        """This party's entry among a space's members. Raises NotPermitted if it has none, or under another key."""
        for member in space.members:
            if member.agency_id == self.party_id and member.signing_key == self.identity.signing_key:
                return member
        raise NotPermitted("This party is not a member of the space. Ask the founder to add it.")

    # --- salts ---

    def keep_salt(self, space: Space, salt: bytes) -> None:
        """Keep the salt of a space, sealed. Raises VerificationFailed when it is not the one the space names."""
        if len(salt) != SALT_BYTES or tokens.salt_id(salt) != space.salt_id:
            raise VerificationFailed("The salt is not the one that the space document names.")
        self.vault.write_secret(_salt_name(space.space_id, space.salt_id), salt)

    def has_salt(self, space: Space) -> bool:
        """Whether the salt of a space is kept here."""
        return self.vault.exists(_salt_name(space.space_id, space.salt_id))

    def salt(self, space: Space) -> bytes:
        """The present salt of a space, 32 bytes. Raises NotFound if this party has not got it yet."""
        return self.salt_of(space.space_id, space.salt_id)

    def salt_of(self, space_id: bytes, salt_id: bytes) -> bytes:
        """One salt of a space, the present one or an earlier, which a series from before still needs. As `salt`."""
        name = _salt_name(space_id, salt_id)
        if not self.vault.exists(name):
            raise NotFound("This home has no salt for the space yet. Use: narrowgate space join")
        return self.vault.read_secret(name)


def _salt_name(space_id: bytes, salt_id: bytes) -> str:
    return f"spaces/{space_id.hex()}/salt-{salt_id.hex()}"


def _enrolment(
    persona: Persona, signing_key: Ed25519PrivateKey, wrapping_public: bytes, now: int
) -> Enrolment:
    if (persona.role is Role.AGENCY) != (persona.kind is not None):
        raise BadInput(
            "An agency has a kind (police, company, bank, hotline, helpline or ngo), and nobody else has."
        )
    try:
        return Enrolment(
            party_id=persona.party_id,
            name=persona.name,
            role=persona.role,
            kind=persona.kind,
            jurisdiction=persona.jurisdiction,
            signing_key=documents.public_bytes(signing_key),
            wrapping_key=wrapping_public,
            origin=persona.origin,
            contact=persona.contact,
            created_at=now,
        )
    except ValueError as error:
        raise BadInput(
            "The identity is not one an enrolment may bear: the id is a short name in lower-case letters, digits, dot, "
            "dash or underscore; the name has 1 to 200 characters; the jurisdiction is two capital letters such as GB; "
            "an address is scheme, host and port without a path."
        ) from error
