"""The whole ladder, 500 identifiers over 20 series, then 5 payloads of them, split by party.

Run: python -m benchmarks.ladder

Everybody runs in this process on one thread after another, with real crypto, gate, log and SQLite, and calls instead of
sockets. A call is measured where it arrives, so a party's figure is what its service did; the rest is the requester's
own program with its checks. Holders answer at the same time in life, so of a quorum of two the wall time is about half
of theirs. Figures of one run are comparable with one another only; the last column is the share of the step.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.requesting import evaluating
from clients.requesting.request_values import Answer as Answered
from tests.asgi import InMemoryClient, Received
from tests.world import BROKER, CONTRIBUTORS, HOLDERS, World, phone

IDENTIFIERS = 500
SERIES = 20
PAYLOADS = 5
ResultT = TypeVar("ResultT")


@dataclass
class Clocked:
    """Stands before one party's service and adds up the CPU time of the calls to it."""

    service: InMemoryClient
    party: str
    spent: dict[str, float]

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Received:
        """Deliver a call and charge its time to the party."""
        started = time.process_time()
        answer = self.service.send(method, url, headers, body)
        self.spent[self.party] = self.spent.get(self.party, 0.0) + time.process_time() - started
        return answer


def main() -> None:
    """Print one table a step."""
    # One thread: what runs at the same time cannot be told apart by the time of the process.
    setattr(evaluating, "ThreadPoolExecutor", lambda max_workers: ThreadPoolExecutor(1))  # noqa: B010
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(prefix="narrowgate-bench-") as folder:
        world = World(Path(folder))
        for number in range(SERIES):
            world.deposit(
                CONTRIBUTORS[number % 2],
                range(PAYLOADS),
                inclusion_criterion=f"Reviewed accounts, list {number}",
                highest_tier=Tier.PAYLOAD,
                payload_category=PayloadCategory.SUBSCRIBER,
            )
        world.deposit(CONTRIBUTORS[2], [900], highest_tier=Tier.PAYLOAD)
        spent: dict[str, float] = {}
        for origin, service in world.wire.apps.items():
            party = "broker" if origin == BROKER else "key holders"
            world.wire.apps[origin] = Clocked(service, party, spent)  # type: ignore[assignment]
        print(f"{IDENTIFIERS} identifiers, {SERIES + 1} series, threshold 2 of {len(HOLDERS)}")
        hits = _step(spent, "hits", lambda: _hits(world))
        sources = _step(spent, "sources", lambda: world.climb(hits.request_id))
        payload = _step(spent, "payload, decided", lambda: world.climb(sources.request_id))
        opened = _step(spent, "payload, opened", lambda: world.payloads().open(payload.request_id))
        if len(opened.payloads) != PAYLOADS * SERIES:
            raise SystemExit("Not every released record was opened.")
        print(f"{len(opened.payloads)} records of {PAYLOADS} identifiers opened")
        world.close()


def _hits(world: World) -> Answered:
    """So many matches leave only because a judge looked at the request (L16)."""
    prepared = world.prepare([phone(number) for number in range(IDENTIFIERS)])
    finding = world.finding(prepared)
    looked = world.approvals(prepared.request, finding, "judge-1")
    return world.requester().run(prepared.request_id, [finding], looked)


def _step(spent: dict[str, float], name: str, step: Callable[[], ResultT]) -> ResultT:
    spent.clear()
    started = time.process_time()
    result = step()
    total = time.process_time() - started
    own = total - sum(spent.values())
    print(f"{name}: {total:.2f} CPU-seconds")
    for party, seconds in {**spent, "requester, desk and approvers": own}.items():
        print(f"  {party:<32} {seconds:8.2f} {seconds / total:6.0%}")
    return result


if __name__ == "__main__":
    main()
