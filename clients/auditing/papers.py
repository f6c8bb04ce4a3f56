"""What an auditor verifies signed documents with: papers that parties handed over, and the keys of those who sign.

Rule: a paper is found by its SHA-256, as the log has it, or by the request that it says it is about; being found proves
nothing. Keys come from pinned rosters, from enrolments that the log accepted, and from officers' own files. Papers are
read from their folders when they are needed: they may be many, and stay where they are.

What is verified with them is in `clients.auditing.signed_documents`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from broker.protocol import documents
from broker.protocol.errors import BadInput
from broker.protocol.messages import approvals, parties, requests
from broker.protocol.messages.base import Message
from broker.protocol.messages.bundles import RuleOfficer

DESKS, HOLDERS, BROKER, MEMBERS, APPROVERS = (
    "legal desks",
    "key holders",
    "the broker",
    "members",
    "approvers",
)
GROUPS = (DESKS, HOLDERS, BROKER, MEMBERS, APPROVERS)
"""Who signs, where a record names no party: anybody of these."""
ABOUT_A_REQUEST: Mapping[type[Message], str] = MappingProxyType(
    {requests.Finding: DESKS, approvals.Approval: APPROVERS, requests.Permit: BROKER}
)
"""What belongs to an admitted request though its record has no digest of it, and who signs it."""


class Papers:
    """Signed documents that parties handed over, found by the digest that the log has. Kept as paths, not in memory."""

    def __init__(self, folders: Iterable[Path], texts: Iterable[str] = ()) -> None:
        """`texts` are documents that the home has already. Raises BadInput for a folder that is none."""
        self._texts = {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
        self._paths: dict[str, Path] = {}
        self._about: dict[bytes, list[tuple[type[Message], Path]]] = {}
        for folder in folders:
            if not folder.is_dir():
                raise BadInput("--papers names a folder of signed documents (.jws). Check its name.")
            for path in sorted(folder.rglob("*.jws")):
                text = path.read_bytes().strip()
                self._paths[hashlib.sha256(text).hexdigest()] = path
                self._note_request(text.decode("ascii", "replace"), path)

    def about(self, request_digest: bytes) -> Iterator[tuple[type[Message], str]]:
        """Findings, approvals and permits that say they are about that request."""
        for kind, path in self._about.get(request_digest, ()):
            yield kind, _text(path)

    def _note_request(self, document: str, path: Path) -> None:
        for kind in ABOUT_A_REQUEST:
            try:
                said = documents.unverified_payload(kind, document)
            except BadInput:
                continue
            digest = said.terms.request_digest if isinstance(said, requests.Permit) else _request_digest(said)
            self._about.setdefault(digest, []).append((kind, path))

    def find(self, digest: str) -> str | None:
        """The document of that SHA-256, or None."""
        if digest in self._texts:
            return self._texts[digest]
        path = self._paths.get(digest)
        return None if path is None else _text(path)


class Signers:
    """Keys by party: of every pinned roster, and of enrolments that the log accepted."""

    def __init__(self, rosters: Sequence[parties.Space], founder_keys: Iterable[bytes]) -> None:
        self._keys: dict[str, dict[str, bytes]] = {}
        for space in rosters:
            for member in space.members:
                self.add(member.agency_id, member.signing_key)
                self.add(MEMBERS, member.signing_key)
            for approver in space.approvers:
                self.add(approver.party_id, approver.signing_key)
                self.add(APPROVERS, approver.signing_key)
            for desk in space.legal_desks:
                self.add(desk.party_id, desk.signing_key)
                self.add(DESKS, desk.signing_key)
            for holder in space.holders:
                self.add(HOLDERS, holder.signing_key)
            self.add(BROKER, space.broker_signing_key)
        for key in founder_keys:
            self.add("founder", key)

    def add(self, party: str, key: bytes) -> None:
        """This key is the party's."""
        self._keys.setdefault(party, {})[documents.key_identifier(key)] = key

    def of(self, party: str) -> Mapping[str, bytes]:
        """The party's keys by `kid`."""
        return self._keys.get(party, {})


def officers_of(files: Iterable[str]) -> dict[str, RuleOfficer]:
    """Rule officers by `kid`, from the public files they handed over. Raises BadInput or VerificationFailed."""
    found = {}
    for document in files:
        key = documents.unverified_payload(RuleOfficer, document).signing_key
        signed = documents.verify(RuleOfficer, document, key)
        found[signed.kid] = signed.payload
    return found


def _text(path: Path) -> str:
    return path.read_bytes().strip().decode("ascii", "replace")


def _request_digest(said: Message) -> bytes:
    digest = getattr(said, "request_digest", b"")
    return digest if isinstance(digest, bytes) else b""
