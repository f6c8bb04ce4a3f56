"""Write bundles of what waits, and read in the answers that come back.

Rule: a bundle is for one receiver, whose keys come from the pinned document of the space that its calls are of, and a
broker's carry key from a file that its signing key there verifies. What another space says of the same address counts
for nothing: whoever founds one would else name itself. Answers count when the receiver signed them for a bundle of this
home that has none yet; a broker's must show a checkpoint of its log that continues every one seen before, so that an
old view, or another one, is found out. Reading in the same answers again changes nothing.

It opens no socket and decides about no answer: that is for the step that asked, when it is taken again.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.protocol import carried, documents, merkle
from broker.protocol.carried import CarriedAnswers, CarriedCalls, CarriedHeader, CarryKey
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.parties import Space
from clients.carry.outbox import Carrying, Outbox, SeenSize, SentBundle, WaitingCall
from clients.home import Home
from clients.mirrors.watched_log import broker_log

MAXIMUM_CONTENT_BYTES = 12 * 1024 * 1024
"""Bodies in one bundle, below what a service takes at once; more goes into several, to be read in one after another."""
DEFAULT_SECONDS = 30 * 86_400
_MAXIMUM_SEEN = 16


@dataclass(frozen=True)
class Receiver:
    """A service that bundles go to, by the keys it is pinned with. `space` is whose broker it is, if a broker."""

    name: str
    origin: str
    signing_key: bytes
    wrapping_key: bytes
    space: Space | None


@dataclass(frozen=True)
class WrittenBundle:
    """A bundle to put on a stick."""

    name: str
    data: bytes
    header: CarriedHeader


@dataclass(frozen=True)
class ReadAnswers:
    """What came back. `repeated`: it was read in before, and nothing changed."""

    sender: str
    number: int
    answers: int
    repeated: bool


class Bundles:
    """The bundles of one home."""

    def __init__(self, home: Home, random_bytes: RandomBytes) -> None:
        self._home = home
        self._outbox = Outbox(home.vault)
        self._random_bytes = random_bytes

    def begin(self, carry_keys: Sequence[str]) -> None:
        """From now on calls of this home are carried. Raises VerificationFailed for a key no pinned broker signed."""
        before = self._outbox.carrying()
        documents_kept = dict.fromkeys((*(before.carry_keys if before else ()), *carry_keys))
        brokers = {space.broker_signing_key for space in self._spaces()}
        for document in carry_keys:
            _verify_carry_key(document, brokers)
        self._outbox.begin(Carrying(carry_keys=tuple(documents_kept)))

    def export(
        self, now: int, *, seconds: int = DEFAULT_SECONDS, again: bool = False
    ) -> tuple[WrittenBundle, ...]:
        """A bundle or more for each receiver that calls wait for; nothing if none waits.

        Args:
            seconds: how long they count.
            again: also what is in bundles on their way, for sticks that were lost; nothing is done twice.

        Raises Conflict (this home does not carry), NotFound (a broker's carry key is missing).
        """
        if self._outbox.carrying() is None:
            raise Conflict("This home takes its steps over the network. Begin with: narrowgate bundle begin")
        self._outbox.forget_past(now)
        on_their_way = {
            digest for sent in self._outbox.sent() if sent.answered_at is None for digest in sent.calls
        }
        waiting: dict[tuple[str, bytes | None], list[WaitingCall]] = {}
        for call in self._outbox.calls():
            if again or call.digest not in on_their_way:
                waiting.setdefault((call.origin, call.space_id), []).append(call)
        written: list[WrittenBundle] = []
        for (origin, space_id), calls in waiting.items():
            receiver, before = self._receiver(origin, space_id), None
            for part in _parts(calls):
                bundle = self._write(receiver, part, before, now, seconds)
                before = bundle.header.bundle_id
                written.append(bundle)
        return tuple(written)

    def _write(
        self, receiver: Receiver, calls: Sequence[WaitingCall], after: bytes | None, now: int, seconds: int
    ) -> WrittenBundle:
        own_kid = documents.key_identifier(self._home.identity.signing_key)
        kid, bundle_id = documents.key_identifier(receiver.signing_key), self._random_bytes(16)
        seen = () if receiver.space is None else self._outbox.seen(receiver.space.space_id)[-_MAXIMUM_SEEN:]
        index = CarriedCalls(
            calls=tuple(each.call for each in calls), seen_sizes=tuple(each.size for each in seen)
        )
        content = carried.frame(index, [each.body for each in calls])
        sealed = carried.seal(content, receiver.wrapping_key, bundle_id, own_kid, kid)
        header = CarriedHeader(
            bundle_id=bundle_id,
            kind="calls",
            sender=self._home.party_id,
            recipient=receiver.name,
            recipient_kid=kid,
            number=self._outbox.next_number(kid),
            after=after,
            steps=carried.steps_of(index.calls),
            sealed_digest=hashlib.sha256(sealed).digest(),
            created_at=now,
            expires_at=now + seconds,
        )
        sent = SentBundle(
            bundle_id=bundle_id,
            number=header.number,
            origin=receiver.origin,
            recipient=receiver.name,
            recipient_kid=kid,
            space_id=calls[0].space_id,
            calls=tuple(each.digest for each in calls),
            seen=seen,
            created_at=now,
            expires_at=header.expires_at,
        )
        self._outbox.keep_sent(sent)
        data = carried.pack(header, sealed, self._home.signing_key)
        return WrittenBundle(
            # Numbers run for each receiver, and two spaces may each have a "broker".
            f"{self._home.party_id}-to-{receiver.name}-{header.number:04d}-{bundle_id[:4].hex()}.bundle",
            data,
            header,
        )

    def read_in(self, data: bytes, now: int) -> ReadAnswers:
        """Read in answers. The steps that asked go on from them when they are taken again.

        Raises NotFound (answers to no bundle of this home), VerificationFailed, Expired, NotPermitted, BadInput."""
        packed = carried.unpack(data)
        claimed = packed.claimed
        if claimed.kind != "answers":
            raise BadInput("This bundle carries calls. Bring it to its receiver: narrowgate bundle deliver")
        sent = next((each for each in self._outbox.sent() if each.bundle_id == claimed.answers), None)
        if sent is None:
            raise NotFound("These answers are to no bundle that this home sent and that still counts.")
        receiver = self._receiver(sent.origin, sent.space_id)
        own_kid = documents.key_identifier(self._home.identity.signing_key)
        header = carried.verify(packed, receiver.signing_key, own_kid, now)
        if header.payload.answers != sent.bundle_id:
            raise VerificationFailed("These answers are to another bundle than they say.")
        private = self._home.vault.read_secret("secrets/wrapping")
        index, bodies = carried.open_bundle(header, packed.sealed, private, CarriedAnswers)
        if len(index.answers) != len(sent.calls):
            raise VerificationFailed("The bundle does not answer each call once. Keep it as evidence.")
        if sent.answered_at is not None:
            return ReadAnswers(receiver.name, sent.number, len(bodies), repeated=True)
        if receiver.space is not None:
            self._follow_log(receiver.space, index, sent.seen)
        for digest, answer, body in zip(sent.calls, index.answers, bodies, strict=True):
            self._outbox.keep_answer(digest, answer.status, body, sent.expires_at)
        self._outbox.keep_sent(sent.model_copy(update={"answered_at": now}))
        return ReadAnswers(receiver.name, sent.number, len(bodies), repeated=False)

    def _follow_log(self, space: Space, index: CarriedAnswers, seen: Sequence[SeenSize]) -> None:
        """That the log shown continues all that this home had seen when it asked."""
        rosters = [each.payload for each in self._home.rosters() if each.payload.space_id == space.space_id]
        shown = broker_log(space, rosters).verify_checkpoint(index.checkpoint)
        paths = {each.seen_size: each.path for each in index.proofs}
        for point in seen:
            try:
                _check_continues(
                    point, SeenSize(space_id=space.space_id, size=shown.size, root=shown.root), paths
                )
            except VerificationFailed as error:
                raise VerificationFailed(
                    "The log that the broker shows does not continue the one it showed before. Keep the bundle as "
                    "evidence and tell an auditor."
                ) from error
        connected = {point.size for point in seen}
        # What was seen since this bundle left stays until an answer connects it, too.
        left = [point for point in self._outbox.seen(space.space_id) if point.size not in connected]
        newest = max((shown.size, *connected))
        kept = [point for point in seen if point.size == newest and point.size != shown.size]
        if shown.size == newest:
            kept = [SeenSize(space_id=space.space_id, size=shown.size, root=shown.root)]
        for point in left:
            if point.size == shown.size and point.root != shown.root:
                raise VerificationFailed(
                    "The broker showed two logs of one size. Keep the bundles as evidence and tell an auditor."
                )
        self._outbox.keep_seen(space.space_id, (*left, *kept))

    def _spaces(self) -> Iterator[Space]:
        for space_id in self._home.space_ids():
            yield self._home.space(space_id).payload

    def _receiver(self, origin: str, space_id: bytes | None) -> Receiver:
        """Who is at an address: by the word of the calls' space, or where they are of no one space, of all alike.

        Raises NotFound (nobody, or a broker whose carry key is missing) or Conflict (more than one)."""
        found: list[Receiver] = []
        for space in self._spaces():
            if space_id not in (None, space.space_id):
                continue
            for holder in space.holders:
                if holder.origin == origin:
                    keys = (holder.signing_key, holder.wrapping_key)
                    found.append(Receiver(holder.holder_id, origin, *keys, None))
            if space.broker_origin == origin:
                found.append(self._broker(space))
        if not found:
            raise NotFound(
                "Calls wait for a service that no pinned space names. Pin the newest space document."
            )
        if len({_identity(each) for each in found}) > 1:
            raise Conflict(
                "The pinned space documents name different services at one address. Nothing is written for either. "
                "Ask the founders which is right, and pin the document that says so."
            )
        return found[0]

    def _broker(self, space: Space) -> Receiver:
        carrying = self._outbox.carrying()
        kid = documents.key_identifier(space.broker_signing_key)
        for document in carrying.carry_keys if carrying else ():
            if documents.unverified_kid(document) == kid:
                key = _verify_carry_key(document, {space.broker_signing_key})
                signing, wrapping = space.broker_signing_key, key.wrapping_key
                return Receiver("broker", space.broker_origin, signing, wrapping, space)
        raise NotFound(
            "The broker's carry key is not here. Ask its operator for the file (narrowgate broker carry-key), "
            "then: narrowgate bundle begin DIR --carry-key FILE"
        )


def _identity(receiver: Receiver) -> tuple[bytes, bytes, bytes | None]:
    """What makes it the same service: its keys, and of a broker its log's."""
    log_key = None if receiver.space is None else receiver.space.log_key
    return receiver.signing_key, receiver.wrapping_key, log_key


def _verify_carry_key(document: str, brokers: set[bytes]) -> CarryKey:
    keys = {documents.key_identifier(key): key for key in brokers}
    return documents.verify(CarryKey, document, keys).payload


def _check_continues(seen: SeenSize, shown: SeenSize, paths: dict[int, tuple[bytes, ...]]) -> None:
    old, new = sorted((seen, shown), key=lambda each: each.size)
    path = () if seen.size == shown.size else paths.get(seen.size, ())
    merkle.verify_consistency(old.size, new.size, path, old.root, new.root)


def _parts(calls: Sequence[WaitingCall]) -> Iterator[list[WaitingCall]]:
    """The calls in their order, in parts that fit a bundle."""
    part: list[WaitingCall] = []
    size = 0
    for call in calls:
        if part and (size + len(call.body) > MAXIMUM_CONTENT_BYTES or len(part) == carried.MAXIMUM_CALLS):
            yield part
            part, size = [], 0
        part.append(call)
        size += len(call.body)
    if part:
        yield part
