"""The officers an operator pinned: one public document each, in `officers/` of the operator's own folder.

Rule (decision 0014): whose signature puts rules in force is what each operator was told by file and checked by another
way, never what a broker says. One key is one officer, and one name has one key. It judges no approval.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from broker.protocol.documents import Signed, key_identifier, unverified_payload, verify
from broker.protocol.errors import BadInput, Conflict, NotFound
from broker.protocol.messages.bundles import RuleOfficer

OFFICERS_FOLDER = "officers"


def read_officer(document: str) -> Signed[RuleOfficer]:
    """An officer's document, which is signed by the very key it names. Raises BadInput or VerificationFailed."""
    # Read first only to find the key; the signature then has to be by that very key.
    claimed = unverified_payload(RuleOfficer, document)
    return verify(RuleOfficer, document, claimed.signing_key)


class PinnedOfficers:
    """The officers pinned in one operator's folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / OFFICERS_FOLDER

    def all(self) -> Mapping[str, RuleOfficer]:
        """The pinned officers by `kid`, in order of their names. Raises BadInput or VerificationFailed for a file
        that is none."""
        paths = sorted(self._directory.glob("*.jws")) if self._directory.is_dir() else []
        found: dict[str, RuleOfficer] = {}
        for path in paths:
            officer = read_officer(_read(path)).payload
            kid = key_identifier(officer.signing_key)
            if path.stem != officer.officer_id or kid in found:
                raise BadInput(
                    "A file among the pinned officers was renamed or copied. Pin the officers anew."
                )
            found[kid] = officer
        return found

    def pin(self, document: str) -> RuleOfficer:
        """Pin an officer. The same document may come again.

        Raises BadInput, VerificationFailed, or Conflict when the name or the key is pinned otherwise."""
        officer = read_officer(document).payload
        known = self.all()
        if officer in known.values():
            return officer
        if key_identifier(officer.signing_key) in known:
            raise Conflict("This key is pinned already, under another name or office.")
        if officer.officer_id in {each.officer_id for each in known.values()}:
            raise Conflict(
                "An officer of that name is pinned already with another key. Unpin that one first."
            )
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{officer.officer_id}.jws"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(document + "\n")
            file.flush()
            os.fsync(file.fileno())
        return officer

    def unpin(self, officer_id: str) -> None:
        """Let an officer's signature count no more; what is in force stays so. Raises NotFound."""
        if officer_id not in {each.officer_id for each in self.all().values()}:
            raise NotFound("No officer of that name is pinned here.")
        (self._directory / f"{officer_id}.jws").unlink()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("A file among the pinned officers cannot be read as a signed document.") from error
