"""Whom a service depends on, and whether they answer: the doctor's calls for a broker's and a key holder's folder.

Rule: addresses come from the folder itself, from documents pinned there or its operator's settings. Each address is
asked once, unsigned, as `clients.doctor.services` says. It draws no conclusion from how many answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from clients.doctor.finding import Finding
from clients.doctor.services import (
    CALL_OPERATOR,
    START_IT,
    look_at_broker,
    look_at_service,
    look_at_witness,
)
from clients.remote import readable
from clients.transport import Clock, Transport


@dataclass(frozen=True)
class Peer:
    """A service, who it is in words, and its origin: scheme, host and port."""

    kind: Literal["broker", "service", "witness"]
    about: str
    origin: str
    own: bool = False
    """Whether it is the service whose folder is looked at: then nobody else is to be called."""


@dataclass(frozen=True)
class Looked:
    """What was found in a folder, and whom its service depends on."""

    findings: tuple[Finding, ...]
    peers: tuple[Peer, ...] = ()


def look_at_peers(peers: Iterable[Peer], transport: Transport, clock: Clock) -> Iterator[Finding]:
    """Each peer, the first of those that share an address."""
    asked: set[str] = set()
    for peer in peers:
        if peer.origin in asked:
            continue
        asked.add(peer.origin)
        about = readable(peer.about)
        if_silent = START_IT if peer.own else CALL_OPERATOR
        if peer.kind == "broker":
            yield from look_at_broker(peer.origin, transport, clock, if_silent)
        elif peer.kind == "witness":
            yield from look_at_witness(about, peer.origin, transport, clock)
        else:
            yield from look_at_service(about, peer.origin, transport, clock, if_silent)
