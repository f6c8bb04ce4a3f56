"""The chain of custody of a case folder: who handed it to whom, each signing for everything before.

Rule: the requester's manifest begins the chain. A hand-over is numbered, signed over the manifest and all earlier
hand-overs, by whoever the folder was handed to before; the first by the requester. Its signer's enrolment is in it, so
that it verifies offline; a party of the space must sign with the key that the space document gives it.

What no chain can show: that the newest hand-over was taken away again, and who read the folder on its way. Of a signer
outside the space only the thumbprint is known, for people to compare.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NotPermitted, VerificationFailed
from broker.protocol.messages.parties import Approver, Enrolment, Reviewer, Space
from clients.agency import read_enrolment
from clients.case_file.layout import CUSTODY, Files
from clients.case_file.papers import CaseManifest, HandOver
from clients.home import Home

MAXIMUM_NAME = 200


@dataclass(frozen=True)
class _Person:
    """Somebody whom a space document lists."""

    party_id: str
    name: str
    signing_key: bytes


@dataclass(frozen=True)
class HandedOver:
    """Evidence of one hand-over. `known` is False for a signer that the space document does not list."""

    party_id: str
    name: str
    kid: str
    to: str
    handed_at: int
    known: bool


def before_digest(manifest: str, earlier: Sequence[str]) -> bytes:
    """What a hand-over is over: the exact bytes of manifest and earlier hand-overs; 32 bytes."""
    digest = hashlib.sha256(b"narrowgate/v1/case-custody\x00")
    for document in (manifest, *earlier):
        data = document.encode("ascii")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()


def hand_overs(files: Files) -> tuple[str, ...]:
    """The hand-overs of a folder in their order. Raises BadInput for a gap or another file among them."""
    names = [name for name in files if name.startswith(f"{CUSTODY}/")]
    wanted = [f"{CUSTODY}/{number}.jws" for number in range(1, len(names) + 1)]
    if set(names) != set(wanted):
        raise BadInput("The hand-overs are not numbered from 1 without a gap: one is missing, or was added.")
    try:
        return tuple(files[name].decode("ascii") for name in wanted)
    except UnicodeDecodeError:
        raise BadInput("A hand-over is not a signed document.") from None


def check_custody(
    manifest: Signed[CaseManifest], listed: Sequence[str], spaces: Sequence[Space]
) -> tuple[HandedOver, ...]:
    """Verify the chain. `spaces` are the space documents of the case. Raises BadInput or VerificationFailed."""
    people = _people(spaces)
    has_it, last, found = manifest.payload.requester, manifest.payload.exported_at, list[HandedOver]()
    for number, document in enumerate(listed, 1):
        claimed = documents.unverified_payload(HandOver, document)
        party = read_enrolment(claimed.enrolment).payload
        said = documents.verify(HandOver, document, party.signing_key).payload
        over = before_digest(manifest.document, listed[: number - 1])
        if (said.number, said.before_digest) != (number, over):
            raise VerificationFailed("A hand-over is over other papers than those before it.")
        of_space = [each for each in people if each.party_id == party.party_id]
        if of_space and party.signing_key not in [each.signing_key for each in of_space]:
            raise VerificationFailed("A hand-over bears a name of the space under another key than its own.")
        if not _has_it(party, has_it, people):
            raise VerificationFailed("The folder was handed over by somebody whom it was not handed to.")
        if said.handed_at < last:
            raise VerificationFailed("A hand-over is older than the one before it.")
        kid = documents.key_identifier(party.signing_key)
        found.append(HandedOver(party.party_id, party.name, kid, said.to, said.handed_at, bool(of_space)))
        has_it, last = said.to, said.handed_at
    return tuple(found)


def sign_hand_over(
    home: Home,
    manifest: Signed[CaseManifest],
    listed: Sequence[str],
    spaces: Sequence[Space],
    to: str,
    now: int,
) -> Signed[HandOver]:
    """Sign the next hand-over of a verified folder.

    Raises NotPermitted unless this home was handed the folder, BadInput, VerificationFailed (this clock is behind)."""
    has_it = documents.unverified_payload(HandOver, listed[-1]).to if listed else manifest.payload.requester
    if not _has_it(read_enrolment(home.enrolment).payload, has_it, _people(spaces)):
        raise NotPermitted("The folder was handed to somebody else, who alone can hand it on.")
    if not 1 <= len(to.strip()) <= MAXIMUM_NAME:
        raise BadInput("Say in 1 to 200 characters to whom the folder is handed.")
    signed = documents.sign(
        HandOver(
            number=len(listed) + 1,
            before_digest=before_digest(manifest.document, listed),
            enrolment=home.enrolment,
            to=to.strip(),
            handed_at=now,
        ),
        home.signing_key,
    )
    check_custody(manifest, (*listed, signed.document), spaces)
    return signed


def _has_it(party: Enrolment, handed_to: str, people: Sequence[_Person]) -> bool:
    """Whether a folder that was handed to that name is this party's. A name of the space means its party alone."""
    meant = [each.signing_key for each in people if handed_to in (each.party_id, each.name)]
    if meant:
        return party.signing_key in meant
    return handed_to in (party.party_id, party.name)


def _people(spaces: Sequence[Space]) -> tuple[_Person, ...]:
    found = []
    for space in spaces:
        found += [_Person(each.agency_id, each.name, each.signing_key) for each in space.members]
        found += [_Person(each.holder_id, each.name, each.signing_key) for each in space.holders]
        people: tuple[Reviewer | Approver, ...] = (*space.legal_desks, *space.auditors, *space.approvers)
        found += [_Person(each.party_id, each.name, each.signing_key) for each in people]
    return tuple(found)
