"""A deposit and a request over a network that cuts every connection sooner or later, mostly sooner.

All calls to the broker and the key holders go through proxies that cut in the middle of calls, of answers, and between
the two. What must hold: both come to their end, nothing is stored, charged, admitted or evaluated twice, and the answer
is a plain comparison's.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
import uvicorn

from broker.protocol.errors import Unavailable
from clients.contributor import Contributor
from clients.remote import Answer
from clients.requester import Requester
from clients.transport import Caller, HttpTransport
from tests.cutting_proxy import CuttingProxy
from tests.world import PLAINTEXT, POLICE, World, phone

pytestmark = pytest.mark.all_only

SEED = 20261126
MEAN_BYTES = 150_000
"""That pass one way before a connection is cut, on average: less than one batch of the deposit has."""
RECORDS = 600
ResultT = TypeVar("ResultT")


class CutNetwork:
    """The services of a world on real sockets, each behind a proxy that cuts. `Transport` by its `send`."""

    def __init__(self, world: World) -> None:
        chance = random.Random(SEED)
        self.servers: list[tuple[uvicorn.Server, threading.Thread]] = []
        self.proxies: dict[str, CuttingProxy] = {}
        for origin, client in world.wire.apps.items():
            server, port = self._serve(client._app)
            self.servers.append(server)
            proxied = random.Random(chance.random())
            self.proxies[origin] = CuttingProxy(port, proxied, MEAN_BYTES)
        self.http = HttpTransport(timeout_seconds=10)
        self.pauses: list[float] = []

    def _serve(self, app: object) -> tuple[tuple[uvicorn.Server, threading.Thread], int]:
        config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", access_log=False)  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        return (server, thread), server.servers[0].sockets[0].getsockname()[1]

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """As HTTP does, to the proxy of the service that the address names."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        return self.http.send(method, url.replace(origin, self.proxies[origin].address, 1), headers, body)

    def cuts(self) -> list[str]:
        """All cuts so far."""
        return [cut for proxy in self.proxies.values() for cut in proxy.cut_in]

    def close(self) -> None:
        self.http.close()
        for proxy in self.proxies.values():
            proxy.close()
        for server, thread in self.servers:
            server.should_exit = True
            thread.join(timeout=20)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.deposit("company-2", range(5))
    made.deposit("ngo-1", range(5))
    yield made
    made.close()


@pytest.fixture
def network(world: World) -> Iterator[CutNetwork]:
    made = CutNetwork(world)
    yield made
    made.close()


def as_a_person_would(step: Callable[[], ResultT]) -> ResultT:
    """Run a command again that says the network is bad."""
    for _ in range(8):
        try:
            return step()
        except Unavailable:
            continue
    return step()


def test_a_deposit_and_a_request_end_over_a_network_that_cuts(world: World, network: CutNetwork) -> None:
    def caller(name: str) -> Caller:
        key, pause = world.homes[name].signing_key, network.pauses.append
        return Caller(network, key, world.clock, world.random(f"cut {name}"), pause=pause)

    acts = Contributor(world.homes["company-1"], caller("company-1"), world.clock, world.random("company-1"))
    agreed = world.conditions("company-1")
    series = as_a_person_would(lambda: acts.open_series(world.space, "phone", agreed))
    records = [(phone(number), PLAINTEXT) for number in range(RECORDS)]
    deposited = as_a_person_would(lambda: acts.deposit(series, records))
    assert deposited.identifiers == RECORDS

    requester = Requester(world.homes[POLICE], world.space, caller(POLICE), world.clock, world.random(POLICE))
    prepared = world.prepare(map(phone, range(590, 610)))
    finding = world.finding(prepared)
    evaluated = sum(world.evaluations().values())
    answer = as_a_person_would(lambda: requester.run(prepared.request_id, [finding]))
    assert set(answer.hits) == {phone(number) for number in range(590, 600)}

    kinds = world.log_kinds()
    assert [kinds.count(kind) for kind in ("ADMITTED", "RELEASE")] == [1, 1]
    assert (
        kinds.count("SERIES_OPENED") == kinds.count("DEPOSIT_ADMITTED") == kinds.count("DEPOSIT_SERVING") == 3
    )
    # Three series and two holders: each evaluated once, however often it was asked.
    assert sum(world.evaluations().values()) - evaluated == 6
    cuts = network.cuts()
    assert set(cuts) == {"call", "answer", "between"}
    assert len(cuts) > 10
    assert network.pauses
