"""Carried bundles: calls, and later their answers, as one file that travels on a stick instead of a network.

    narrowgate-bundle-1 LF | length (4 bytes) | signed header (JWS) | sealed content to the end of the file

Rule: the header is a document signed by the sender: who, to whom, which steps, created, expires, and the digest of what
is sealed. The content is HPKE-wrapped to the receiver under an `info` that names bundle, sender and receiver, so that
nobody else opens it and nobody signs it anew as his own. The header takes the place of RFC 9421's signature of each
call, whose window of 60 seconds no stick can keep: it counts until it expires, and a receiver remembers its id as long.

Inside: the length of an index (4 bytes), the index as JSON, then all bodies in its order, as they would go over HTTP;
behind answers zeros, which hide how large they are (`broker.protocol.carried_answers`).
It keeps nothing and reads no clock. What a carried call may do is for the step itself to say, as for any call.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from broker.protocol import documents, wrapping
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, Expired, NotPermitted, VerificationFailed
from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Count,
    Id16,
    KeyIdentifier,
    Message,
    MessageT,
    Name,
    Seconds,
    blob_to_text,
    encode,
    read,
)
from broker.protocol.messages.parties import Origin

MAGIC = b"narrowgate-bundle-1\n"
LONGEST_SECONDS = 60 * 86_400
"""A bundle may be on its way for at most sixty days."""
CLOCK_SECONDS = 86_400
"""How far a sender's clock may be ahead of the receiver's: nobody sets it where there is no network."""
MAXIMUM_CALLS = 20_000
MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
"""No bundle is larger: its calls are what a service takes at once, its answers what it gives."""
_LENGTH_BYTES = 4
_MAXIMUM_HEADER_BYTES = 64 * 1024

_ID = r"[0-9a-f]{32,64}"
_CHANGES = "(withdraw|replace|contest)"
STEPS = MappingProxyType(
    {
        "one-time keys of a key holder": r"GET /v1/prekeys",
        "open, close or withdraw a series": rf"POST /v1/series(/{_ID}/(close|withdraw|destruction-receipts|destroy))?",
        "try a series out": rf"POST /v1/series/{_ID}/self-test",
        "declare a deposit": r"POST /v1/deposits",
        "state of a deposit": rf"GET /v1/deposits/{_ID}",
        "records of a deposit": rf"POST /v1/deposits/{_ID}/batches/[0-9]{{1,8}}",
        "finish a deposit": rf"POST /v1/deposits/{_ID}/(complete|self-test-record|serve)",
        "change or withdraw a deposit": rf"POST /v1/deposits/{_ID}/(withdraw|decide-contest|{_CHANGES}-records)",
        "file a request": r"POST /v1/requests",
        "evaluate a request": r"POST /v1/(evaluations|openings)",
        "tokens of a request": rf"POST /v1/requests/{_ID}/tokens",
        "report an outcome": rf"POST /v1/requests/{_ID}/outcome",
        "say about approvals": r"POST /v1/(reviews|approvals/(refusals|withdrawals))",
        "join a space": rf"GET /v1/spaces/{_ID}/salt-wraps",
        "read and answer notices": rf"(GET /v1/retractions|POST /v1/retractions/{_ID})",
        "read statistics": r"GET /v1/statistics",
        "say about releases": rf"(GET /v1/releases|POST /v1/releases/{_ID})",
        "proof of the log": r"GET /v1/log/(consistency|proof|seen)(\?[a-z0-9_=&]{1,200})?",
    }
)
"""What may be carried: the words that a header says, and METHOD TARGET of the calls they stand for."""


class CarriedStep(Message):
    """How many calls of one step a bundle carries, and how large their bodies are."""

    step: Name
    calls: Count
    size: Count


class CarriedHeader(Message):
    """What everybody may read of a bundle. Signed by its sender."""

    TYP: ClassVar[str] = "carried-bundle"
    v: Literal[1] = 1
    bundle_id: Id16
    kind: Literal["calls", "answers"]
    sender: Name
    recipient: Name
    recipient_kid: KeyIdentifier
    number: Count
    """The sender's running number of bundles to this receiver; of answers, the number of what they answer."""
    after: Id16 | None = None
    """The bundle that must have come before, with the number just before; None if any may come first."""
    answers: Id16 | None = None
    """Of answers: the bundle that they answer."""
    steps: Annotated[tuple[CarriedStep, ...], Field(max_length=len(STEPS))]
    sealed_digest: Bytes32
    created_at: Seconds
    expires_at: Seconds


class CarriedCall(Message):
    """One call as it would go over HTTP, without its body."""

    method: Literal["GET", "POST"]
    target: Annotated[str, Field(max_length=400)]
    content_type: Literal["application/json", "application/octet-stream"] | None = None
    idempotency_key: Annotated[str, Field(min_length=8, max_length=64)] | None = None
    size: Count


class CarriedCalls(Message):
    """The index of carried calls. `seen_sizes`: the sizes of the broker's log that the sender wants connected."""

    calls: Annotated[tuple[CarriedCall, ...], Field(min_length=1, max_length=MAXIMUM_CALLS)]
    seen_sizes: Annotated[tuple[Count, ...], Field(max_length=16)] = ()


class CarriedAnswer(Message):
    """One answer, without its body."""

    status: Annotated[int, Field(ge=100, le=599)]
    size: Count


class CarriedProof(Message):
    """RFC 9162 2.1.4 between a size that the sender saw and the checkpoint's, whichever is older first."""

    seen_size: Count
    path: tuple[Bytes32, ...]


class CarriedAnswers(Message):
    """The index of carried answers, in the order of the calls; from a broker with its log's checkpoint and proofs."""

    answers: Annotated[tuple[CarriedAnswer, ...], Field(max_length=MAXIMUM_CALLS)]
    checkpoint: str = ""
    proofs: tuple[CarriedProof, ...] = ()


IndexT = TypeVar("IndexT", CarriedCalls, CarriedAnswers)


class CarryKey(Message):
    """The key that bundles to a broker are sealed to. Signed by the broker's signing key, which a space names."""

    TYP: ClassVar[str] = "carry-key"
    v: Literal[1] = 1
    origin: Origin
    wrapping_key: Blob


@dataclass(frozen=True)
class CarriedBy:
    """Evidence that a call came in a bundle that this very key signed and that was opened here.

    Made by a service's own door once the bundle's checks are done, and handed on beside the call, never in it."""

    kid: str
    bundle_id: bytes
    created_at: int
    idempotency_key: str | None = None
    """Of the call that this is handed on with."""
    repeated: bool = False
    """Whether all of the bundle was answered before."""


@dataclass(frozen=True)
class Packed:
    """A bundle as its file holds it, the header not verified yet."""

    document: str
    sealed: bytes = field(repr=False)

    @property
    def claimed(self) -> CarriedHeader:
        """What the header says. Proves nothing. Raises BadInput."""
        return documents.unverified_payload(CarriedHeader, self.document)

    @property
    def claimed_kid(self) -> str:
        """Whose key the header says that it is signed with. Proves nothing. Raises BadInput."""
        return documents.unverified_kid(self.document)


def step_of(method: str, target: str) -> str:
    """The words for a call that may be carried. Raises NotPermitted for any other."""
    call = f"{method} {target}"
    for words, pattern in STEPS.items():
        if re.fullmatch(pattern, call):
            return words
    raise NotPermitted("This step cannot be carried on a stick. Take it over the network.")


def steps_of(calls: Sequence[CarriedCall]) -> tuple[CarriedStep, ...]:
    """The steps that calls are of, in the order of `STEPS`. Raises NotPermitted as `step_of`."""
    sizes: dict[str, list[int]] = {}
    for call in calls:
        sizes.setdefault(step_of(call.method, call.target), []).append(call.size)
    return tuple(
        CarriedStep(step=words, calls=len(sizes[words]), size=sum(sizes[words]))
        for words in STEPS
        if words in sizes
    )


def seal(
    content: bytes, recipient_key: bytes, bundle_id: bytes, sender_kid: str, recipient_kid: str
) -> bytes:
    """Wrap content to its receiver alone. Raises BadInput if the key is none."""
    return wrapping.wrap(recipient_key, content, _info(bundle_id, sender_kid, recipient_kid))


def pack(header: CarriedHeader, sealed: bytes, signing_key: Ed25519PrivateKey) -> bytes:
    """The file of a bundle whose header names the digest of `sealed`."""
    document = documents.sign(header, signing_key).document.encode("ascii")
    return MAGIC + len(document).to_bytes(_LENGTH_BYTES, "big") + document + sealed


def unpack(data: bytes) -> Packed:
    """The parts of a bundle's file. Raises BadInput if it is none."""
    start = len(MAGIC) + _LENGTH_BYTES
    size = int.from_bytes(data[len(MAGIC) : start], "big")
    if not data.startswith(MAGIC) or not 0 < size <= _MAXIMUM_HEADER_BYTES or len(data) < start + size:
        raise BadInput("This file is not a carried bundle, or only the beginning of one. Copy it again.")
    try:
        document = data[start : start + size].decode("ascii")
    except UnicodeDecodeError as error:
        raise BadInput("The header of the bundle is damaged. Copy the file again.") from error
    return Packed(document, data[start + size :])


def verify(packed: Packed, sender_key: bytes, recipient_kid: str, now: int) -> Signed[CarriedHeader]:
    """Check who signed a bundle, that it is for this receiver, in time, and whole. It is not opened yet.

    Raises VerificationFailed (another signer, or altered), NotPermitted (for somebody else), Expired, BadInput."""
    signed = documents.verify(CarriedHeader, packed.document, sender_key)
    header = signed.payload
    if header.recipient_kid != recipient_kid:
        raise NotPermitted(
            "This bundle is for somebody else, who alone can open it. Hand it to its receiver."
        )
    if hashlib.sha256(packed.sealed).digest() != header.sealed_digest:
        raise VerificationFailed(
            "The content of the bundle is not what its sender signed: altered or damaged."
        )
    if now >= header.expires_at:
        raise Expired(
            "The time of this bundle is over, and nothing in it counts. Ask its sender for a new one."
        )
    if header.created_at > now + CLOCK_SECONDS or header.expires_at - header.created_at > LONGEST_SECONDS:
        raise BadInput(
            "The bundle's times are not possible. Its sender should set the clock and export again."
        )
    return signed


def check_order(said: CarriedHeader, came: Callable[[str], bool]) -> None:
    """Raises Conflict while the bundle before is not answered. `came`: whether the sender's of this id, as text, is."""
    if said.after is not None and not came(blob_to_text(said.after)):
        raise Conflict(
            f"This bundle goes on from bundle {said.number - 1} of its sender, which has not come yet. Wait for "
            "that one, then bring this one again; nothing in it was done."
        )


def open_bundle(
    signed: Signed[CarriedHeader], sealed: bytes, private_key: bytes, index: type[IndexT]
) -> tuple[IndexT, list[bytes]]:
    """Open a verified bundle: its index and the bodies.

    Raises VerificationFailed (sealed for another key or by another sender) or BadInput (not what the header says)."""
    header = signed.payload
    info = _info(header.bundle_id, signed.kid, header.recipient_kid)
    found, bodies = unframe(index, wrapping.unwrap(private_key, sealed, info))
    if isinstance(found, CarriedCalls) and (header.kind != "calls" or steps_of(found.calls) != header.steps):
        raise BadInput("The bundle carries other steps than its header says. It is refused.")
    if isinstance(found, CarriedAnswers) and header.kind != "answers":
        raise BadInput("This bundle carries no answers.")
    return found, bodies


def frame(index: Message, bodies: Sequence[bytes]) -> bytes:
    """An index and the bodies it lists, as the content of a bundle."""
    data = encode(index)
    return b"".join((len(data).to_bytes(_LENGTH_BYTES, "big"), data, *bodies))


def unframe(kind: type[MessageT], content: bytes) -> tuple[MessageT, list[bytes]]:
    """The inverse of `frame`. Raises BadInput."""
    size = int.from_bytes(content[:_LENGTH_BYTES], "big")
    index = read(kind, content[_LENGTH_BYTES : _LENGTH_BYTES + size])
    parts = index.calls if isinstance(index, CarriedCalls) else getattr(index, "answers", ())
    bodies, at = [], _LENGTH_BYTES + size
    for part in parts:
        bodies.append(content[at : at + part.size])
        at += part.size
    behind = content[at:].strip(b"\x00") if isinstance(index, CarriedAnswers) else content[at:]
    if at > len(content) or behind:
        raise BadInput("The content of the bundle is longer or shorter than its index says.")
    return index, bodies


def _info(bundle_id: bytes, sender_kid: str, recipient_kid: str) -> bytes:
    return b"narrowgate/v1/carried\x00" + bundle_id + sender_kid.encode() + recipient_kid.encode()
