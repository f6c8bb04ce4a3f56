"""What a home keeps while calls travel as files: calls that wait, bundles on their way, answers that came back.

Rule: everything lies below `carry/` in the home; bodies of calls and answers are sealed like any secret of it. A call
is known by the digest of method, address and body, so that the same step taken again finds its answer instead of asking
twice; it keeps the Idempotency-Key it was first written down with. What is over is erased with its bundle's time.

It makes no bundle and reads none: see `clients.carry.bundles`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from broker.protocol import carried
from broker.protocol.carried import CarriedCall
from broker.protocol.messages.base import (
    Bytes32,
    Count,
    Id16,
    KeyIdentifier,
    Message,
    Name,
    Seconds,
    encode,
    read,
)
from broker.protocol.messages.parties import Origin
from clients.remote import Answer
from clients.vault import Vault

_ON = "carry/carrying.json"
_SEEN = "carry/seen.json"


class Carrying(Message):
    """`carrying.json`: while it is there, this home's calls are carried and no socket is opened."""

    v: Literal[1] = 1
    carry_keys: tuple[str, ...]
    """The `CarryKey` documents of brokers."""


class SentBundle(Message):
    """`sent/ID.json`: a bundle that was written, and the calls in it, in order."""

    v: Literal[1] = 1
    bundle_id: Id16
    number: Count
    origin: Origin
    recipient: Name
    recipient_kid: KeyIdentifier
    space_id: Id16 | None = None
    """Whose receiver it is for; None of calls of no one space."""
    calls: tuple[Bytes32, ...]
    seen: tuple["SeenSize", ...] = ()
    """The points of the broker's log that the answer has to be connected with."""
    created_at: Seconds
    expires_at: Seconds
    answered_at: Seconds | None = None


class SeenSize(Message):
    """A checkpoint of a broker's log that was verified here."""

    space_id: Id16
    size: Count
    root: Bytes32


class _Seen(Message):
    v: Literal[1] = 1
    sizes: tuple[SeenSize, ...] = ()


class _KeptAnswer(Message):
    status: Count
    expires_at: Seconds


@dataclass(frozen=True)
class WaitingCall:
    """A call that was written down. `origin` is the service's; `space_id` is None if it is of no one space."""

    digest: bytes
    origin: str
    space_id: bytes | None
    call: CarriedCall
    body: bytes = field(repr=False)


def digest_of(method: str, url: str, body: bytes, space_id: bytes | None = None) -> bytes:
    """What a call is known by."""
    within = b"" if space_id is None else space_id.hex().encode() + b"\x00"
    return hashlib.sha256(within + b"\x00".join((method.encode(), url.encode(), body))).digest()


class Outbox:
    """The folder `carry/` of one home."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    # --- whether this home carries ---

    def carrying(self) -> Carrying | None:
        """What was begun, or None while calls go over the network."""
        return self._vault.read_message(Carrying, _ON) if self._vault.exists(_ON) else None

    def begin(self, carrying: Carrying) -> None:
        """From now on calls are carried."""
        self._vault.write_message(_ON, carrying)

    def end(self) -> None:
        """From now on calls go over the network. What waits stays, and is answered as the same call."""
        self._vault.remove(_ON)

    # --- calls that wait ---

    def add(
        self, origin: str, call: CarriedCall, body: bytes, digest: bytes, space_id: bytes | None = None
    ) -> None:
        """Write a call down, unless it is."""
        if self._name(digest) is not None:
            return
        number = max((int(name[:8]) for name in self._vault.names("carry/calls")), default=0) + 1
        index = carried.CarriedCalls(calls=(call,))
        whom = origin if space_id is None else f"{origin} {space_id.hex()}"
        content = whom.encode() + b"\n" + carried.frame(index, [body])
        self._vault.write_secret(f"carry/calls/{number:08d}-{digest.hex()}", content)

    def calls(self) -> Iterator[WaitingCall]:
        """The calls without an answer, in the order in which they were written down."""
        for name in self._vault.names("carry/calls"):
            whom, _, content = self._vault.read_secret(f"carry/calls/{name}").partition(b"\n")
            origin, _, space = whom.decode().partition(" ")
            index, bodies = carried.unframe(carried.CarriedCalls, content)
            space_id = bytes.fromhex(space) or None
            yield WaitingCall(bytes.fromhex(name[9:]), origin, space_id, index.calls[0], bodies[0])

    def waiting(self) -> int:
        """How many calls have no answer."""
        return len(self._vault.names("carry/calls"))

    def _name(self, digest: bytes) -> str | None:
        ending = f"-{digest.hex()}"
        return next((name for name in self._vault.names("carry/calls") if name.endswith(ending)), None)

    # --- answers ---

    def keep_answer(self, digest: bytes, status: int, body: bytes, expires_at: int) -> None:
        """Keep what came back for a call, which then waits no more, for as long as any bundle with it counts."""
        kept = self._kept(digest)
        until = expires_at if kept is None else max(expires_at, kept[0].expires_at)
        head = encode(_KeptAnswer(status=status, expires_at=until))
        self._vault.write_secret(f"carry/answers/{digest.hex()}", head + b"\n" + body)
        name = self._name(digest)
        if name is not None:
            self._vault.erase(f"carry/calls/{name}")

    def answer(self, digest: bytes) -> Answer | None:
        """What came back for a call, or None."""
        kept = self._kept(digest)
        return None if kept is None else Answer(kept[0].status, (), kept[1])

    def _kept(self, digest: bytes) -> tuple[_KeptAnswer, bytes] | None:
        name = f"carry/answers/{digest.hex()}"
        if not self._vault.exists(name):
            return None
        head, _, body = self._vault.read_secret(name).partition(b"\n")
        return read(_KeptAnswer, head), body

    def forget_answer(self, digest: bytes) -> None:
        """The answer was of its moment only: asked again, the call waits anew."""
        self._vault.erase(f"carry/answers/{digest.hex()}")

    def forget_refusals(self) -> int:
        """Erase the answers that are errors, so that the same steps can be asked again. Returns how many."""
        count = 0
        for name in self._vault.names("carry/answers"):
            kept = self.answer(bytes.fromhex(name))
            if kept is not None and kept.status >= 300:
                self.forget_answer(bytes.fromhex(name))
                count += 1
        return count

    # --- bundles ---

    def keep_sent(self, sent: SentBundle) -> None:
        """Note a bundle, or that its answers came."""
        self._vault.write_message(f"carry/sent/{sent.bundle_id.hex()}.json", sent)

    def sent(self) -> tuple[SentBundle, ...]:
        """The bundles that were written and are not over, the oldest first."""
        found = [
            self._vault.read_message(SentBundle, f"carry/sent/{name}")
            for name in self._vault.names("carry/sent")
        ]
        return tuple(sorted(found, key=lambda each: (each.created_at, each.number)))

    def forget_past(self, now: int) -> None:
        """Erase bundles and answers whose time is over; the calls of an unanswered bundle wait again.

        A call may have travelled in several: what came back for one that still counts stays."""
        for sent in self.sent():
            if sent.expires_at <= now:
                for digest in sent.calls:
                    kept = self._kept(digest)
                    if kept is not None and kept[0].expires_at <= now:
                        self.forget_answer(digest)
                self._vault.remove(f"carry/sent/{sent.bundle_id.hex()}.json")

    def next_number(self, recipient_kid: str) -> int:
        """The running number of the next bundle to a receiver. Durable before the bundle is written."""
        name = f"carry/numbers/{recipient_kid}"
        last = int(self._vault.read_text(name)) if self._vault.exists(name) else 0
        self._vault.write_text(name, str(last + 1))
        return last + 1

    # --- the log as it was seen ---

    def seen(self, space_id: bytes) -> tuple[SeenSize, ...]:
        """The checkpoints of a space's log that later ones have to continue, the smallest first."""
        return tuple(each for each in self._seen() if each.space_id == space_id)

    def keep_seen(self, space_id: bytes, sizes: tuple[SeenSize, ...]) -> None:
        """Put these in the place of what was kept for the space."""
        others = tuple(each for each in self._seen() if each.space_id != space_id)
        ordered = sorted({each.size: each for each in sizes}.values(), key=lambda each: each.size)
        self._vault.write_message(_SEEN, _Seen(sizes=(*others, *ordered)))

    def _seen(self) -> tuple[SeenSize, ...]:
        return self._vault.read_message(_Seen, _SEEN).sizes if self._vault.exists(_SEEN) else ()
