"""A stick between a party without a network and the services of a `World`: files out, files back, nothing else.

Rule: the party's caller is the one the program uses in a home that carries; what comes to a service are the bytes of a
file, posted to `/v1/carried` by nobody in particular. It asserts nothing.
"""

import json
from collections.abc import Callable
from typing import TypeVar

from clients.carry.bundles import Bundles, ReadAnswers, WrittenBundle
from clients.carry.outbox import Outbox
from clients.carry.transport import CarryingTransport
from clients.remote import Answer, problem_of
from clients.transport import Awaited, Caller
from tests.world import BROKER, HOLDERS, World

ResultT = TypeVar("ResultT")


class Carrying:
    """One party of a world that has no network."""

    def __init__(self, world: World, name: str, *, begin: bool = True) -> None:
        self.world = world
        self.home = world.homes[name]
        self.outbox = Outbox(self.home.vault)
        self.bundles = Bundles(self.home, world.random(f"stick {name}"))
        self.trips = 0
        self.files: list[WrittenBundle] = []
        if begin:
            self.begin()

    def begin(self) -> None:
        """Carry from now on, with the broker's key from its operator."""
        key = json.loads(self.world.wire.apps[BROKER].send("GET", f"{BROKER}/v1/carried/key", {})[2])
        self.bundles.begin([key["document"]])

    def caller(self) -> Caller:
        """What the party's steps call with: it writes calls down."""
        transport = CarryingTransport(self.outbox)
        return Caller(transport, self.home.signing_key, self.world.clock, self.world.random("carried"))

    def export(self, **options: object) -> tuple[WrittenBundle, ...]:
        """What waits, as files."""
        written = self.bundles.export(self.world.now, **options)  # type: ignore[arg-type]
        self.files.extend(written)
        return written

    def deliver(self, bundle: WrittenBundle) -> bytes:
        """Bring one file to its receiver. Returns the file with the answers; raises what the service answers else."""
        answer = deliver(self.world, bundle.header.recipient, bundle.data)
        if answer.status != 200:
            raise problem_of(answer, self.world.now)
        return answer.body

    def read_in(self, data: bytes) -> ReadAnswers:
        """Read the answers in."""
        return self.bundles.read_in(data, self.world.now)

    def round_trip(self) -> None:
        """Everything that waits goes to its receivers, and all answers come back."""
        self.trips += 1
        for bundle in self.export():
            self.read_in(self.deliver(bundle))

    def take(self, step: Callable[[], ResultT], at_most: int = 12) -> ResultT:
        """Take a step as often as its answers take to come."""
        for _ in range(at_most):
            try:
                return step()
            except Awaited:
                self.round_trip()
        raise AssertionError("the step awaits answers for ever")


def deliver(world: World, recipient: str, data: bytes) -> Answer:
    """Somebody hands a file to a service."""
    origins = {"broker": BROKER} | {f"holder-{x}": origin for x, origin in HOLDERS.items()}
    origin = origins[recipient]
    headers = {"content-type": "application/octet-stream"}
    return Answer(*world.wire.apps[origin].send("POST", f"{origin}/v1/carried", headers, data))
