"""An officer whose signature can put rules in force: its own key, and what it signs about a bundle of rules.

Rule (decision 0014): what is signed is the digest of exactly the rules that were shown, what they follow, and from
when they are valid; the signature is laid beside the rules, and a file that exists is never written over. An officer
calls nobody: each operator pins its public file, and takes the rules with their signatures by hand.

    home.key  officer.jws  secrets/signing
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from broker.gate.activation import SIGNATURES_FOLDER
from broker.gate.bundle import Bundle
from broker.gate.officers import read_officer
from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, VerificationFailed
from broker.protocol.messages.base import RandomBytes, explain
from broker.protocol.messages.bundles import BundleApproval, RuleOfficer
from clients.vault import Vault, create_vault, open_vault


class Officer:
    """One officer's folder, open."""

    def __init__(self, vault: Vault) -> None:
        self.public = read_officer(vault.read_text("officer.jws")).payload
        self._key = Ed25519PrivateKey.from_private_bytes(vault.read_secret("secrets/signing"))
        if documents.public_bytes(self._key) != self.public.signing_key:
            raise VerificationFailed("The folder's key is not the one of its officer. Restore a backup.")

    @classmethod
    def create(
        cls,
        directory: Path,
        officer_id: str,
        name: str,
        office: str,
        *,
        now: int,
        random_bytes: RandomBytes,
        passphrase: str | None = None,
    ) -> "Officer":
        """Make an officer's folder with a fresh key. Raises Conflict if one is there, BadInput for a name."""
        key = Ed25519PrivateKey.from_private_bytes(random_bytes(32))
        try:
            officer = RuleOfficer(
                officer_id=officer_id,
                name=name,
                office=office,
                signing_key=documents.public_bytes(key),
                created_at=now,
            )
        except ValidationError as error:
            raise BadInput(f"This does not describe an officer: {explain(error)}") from None
        vault = create_vault(directory, random_bytes, passphrase)
        vault.write_secret("secrets/signing", key.private_bytes_raw())
        vault.write_text("officer.jws", documents.sign(officer, key).document)
        return cls(vault)

    @classmethod
    def open(cls, directory: Path, random_bytes: RandomBytes, passphrase: str | None = None) -> "Officer":
        """Open an officer's folder. Raises NotFound, BadInput (a passphrase is needed) or VerificationFailed."""
        return cls(open_vault(directory, random_bytes, passphrase))

    def approve(
        self, bundle: Bundle, previous: Bundle | None, valid_from: int, changes: str, now: int
    ) -> Signed[BundleApproval]:
        """Sign that `bundle` is put in force after `previous`. Raises BadInput, as for rules that follow themselves."""
        if previous is not None and previous.digest == bundle.digest:
            raise BadInput("These rules are the ones they are to follow: nothing would change.")
        if not changes.strip():
            raise BadInput("Say what changes, in plain words: it is signed and kept in each log.")
        try:
            approval = BundleApproval(
                bundle_digest=bundle.digest,
                previous_digest=None if previous is None else previous.digest,
                valid_from=valid_from,
                officer_id=self.public.officer_id,
                office=self.public.office,
                changes=changes,
                signed_at=now,
            )
        except ValidationError as error:
            raise BadInput(f"This is no approval: {explain(error)}") from None
        return documents.sign(approval, self._key)


def lay_beside(source: Path, signed: Signed[BundleApproval]) -> Path:
    """Write an approval into `signatures/` of the rules it is about. Raises Conflict if it is there, or BadInput."""
    said = signed.payload
    name = f"{said.bundle_digest.hex()[:16]}-{said.valid_from}-{said.officer_id}.jws"
    path = source / SIGNATURES_FOLDER / name
    try:
        path.parent.mkdir(exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as file:
            file.write(signed.document + "\n")
    except FileExistsError:
        raise Conflict(
            "You signed these rules for that time before. The signature lies beside them."
        ) from None
    except OSError as error:
        raise BadInput(
            "The signature cannot be written beside the rules. Copy them to where you may."
        ) from error
    return path
