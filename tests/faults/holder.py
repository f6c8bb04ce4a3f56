"""A real key holder in a process of its own, and the oracle that evaluates at it and holds what was answered.

Rule: an evaluation counts as acknowledged when its answer came whole. One permit is charged once, one series of it is
recorded once for a quorum; whatever is repeated is answered and recorded no second time. Papers, shares and permits
are those of `tests.keyholder_world`. The holder is served as `keyholder serve` does, with another clock.
"""

import json
import os
import queue
import random
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from broker.protocol.messages.base import encode
from clients.keyholder.api.app import create_app
from clients.keyholder.context import DATABASE_FILE, open_key_holder
from tests.faults.lines import GIVE_UP, THREADS, Calling, Line, side_by_side
from tests.faults.table import Row
from tests.faults.writer import Refused, Served
from tests.keyholder_world import HOLDER_IDS, NOW, POLICE, World

NAME = HOLDER_IDS[0]
PATH = "/v1/evaluations"


@dataclass(frozen=True)
class Evaluation:
    """One call for one series of one permit."""

    permit_id: bytes
    series_id: bytes
    body: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Of the step."""
        return f"{self.permit_id.hex()} {self.series_id.hex()}"


def evaluations(world: World, permits: int) -> list[Evaluation]:
    """The calls of so many permits, one for each series, all under one checkpoint of the broker's log."""
    deals = world.deal_all()

    def quiet(facts: Any) -> Any:
        derived = facts.derived.model_copy(update={"hits_90d": 1_000})
        return facts.model_copy(update={"derived": derived})

    filed = [world.admit(deals, inputs=(b"%d" % number,), change_facts=quiet) for number in range(permits)]
    size = world.log.storage.head().size
    filed = [world.with_proof(each, world.log.proof(each.permit.payload.proof.index, size)) for each in filed]
    return [
        Evaluation(each.terms.permit_id, deal.series_id, encode(each.call(world.holder, deal)))
        for each in filed
        for deal in deals
    ]


def serve(folder: Path, clock: Callable[[], int], ready: Callable[[str], None]) -> None:
    """What the child runs."""
    holder = open_key_holder(folder, clock, os.urandom)
    listener = socket.create_server(("127.0.0.1", 0))
    ready(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(create_app(holder), access_log=False, log_level="warning", server_header=False)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        holder.close()


@dataclass
class HolderRounds:
    """One key holder, faulted again and again."""

    folder: Path
    calling: Calling
    evaluations: list[Evaluation]
    fault: str
    seed: int
    acknowledged: set[str] = field(default_factory=set)
    tried: dict[str, Evaluation] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.row = Row(f"key holder: {self.fault} (seed {self.seed})")
        self.waiting: queue.SimpleQueue[Evaluation] = queue.SimpleQueue()
        for each in self.evaluations:
            self.waiting.put(each)
        self.holder = self.start()

    def start(self) -> Served:
        """Start it on what is in its folder now. Raises Refused."""
        return Served(self.folder, NOW, serve)

    def call(self, seconds: float, until: Callable[[], bool] = lambda: False) -> int:
        """Evaluate for that long, or until no answers come. Returns how many came."""
        before, end = len(self.acknowledged), time.monotonic() + seconds

        def work(_number: int) -> None:
            silent = 0
            with Line(self.holder.port, self.calling) as line:
                while silent < GIVE_UP and time.monotonic() < end and not until():
                    step = self.waiting.get_nowait()
                    silent = 0 if self._take(line, step) else silent + 1

        side_by_side([(work, number) for number in range(THREADS)])
        assert not self.surprises, self.surprises[:3]
        return len(self.acknowledged) - before

    def _take(self, line: Line, step: Evaluation) -> bool:
        self.tried[step.name] = step
        answer = line.post(step.name, PATH, step.body)
        if answer is not None and answer[0] == 200:
            self.acknowledged.add(step.name)
            return True
        if answer is not None and answer[0] != 503:
            self.surprises.append(f"{answer[0]} {answer[1][:300]!r}")
        return False

    def restart(self) -> None:
        """After the fault: start, compare, make the same calls again, compare."""
        self.holder.kill()
        self.holder = self.start()
        self.row.rounds += 1
        self._compare()
        repeated = list(self.tried.values())[-60:] + [
            step for name, step in self.tried.items() if name not in self.acknowledged
        ]
        with Line(self.holder.port, self.calling) as line:
            for step in repeated:
                assert self._take(line, step), "what is repeated is answered"
        assert self._compare() == 0

    def refused(self, words: str) -> None:
        """The start refuses, twice."""
        self.holder.kill()
        for _ in range(2):
            with pytest.raises(Refused, match=words):
                self.start()
        self.row.refused += 1

    def _compare(self) -> int:
        """Note what became of all that was acknowledged. Returns how many steps stand that were never answered."""
        rows = self._rows("SELECT permit_id, series_id, log_index FROM evaluations")
        stands = {f"{permit.hex()} {series.hex()}": index for permit, series, index in rows}
        query = (
            "SELECT leaf_index, leaf, record FROM log_leaves JOIN log_records USING (leaf_index) ORDER BY 1"
        )
        logged = [
            (f"{json.loads(record)['permit_id']} {json.loads(record)['series_id']}", index)
            for index, leaf, record in self._rows(query)
            if json.loads(leaf)["kind"] == "EVALUATED"
        ]
        charged = {permit.hex() for (permit,) in self._rows("SELECT permit_id FROM permits_used")}
        size = len(self._rows("SELECT leaf_index FROM log_leaves"))
        assert self._rows("SELECT size FROM log_head") == [(size,)]
        self.row.acknowledged = len(self.acknowledged)
        self.row.lost += len(self.acknowledged - {name for name, _ in logged})
        self.row.doubled += sum(count - 1 for count in Counter(name for name, _ in logged).values())
        self.row.torn += stands != dict(logged) or charged != {name.split()[0] for name in stands}
        unanswered = len(set(stands) - self.acknowledged)
        self.row.taken_unanswered += unanswered
        return unanswered

    def _rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.folder / DATABASE_FILE}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def end(self) -> Row:
        """Stop, keep the row, and show that nothing was lost or doubled."""
        self.holder.stop()
        self.row.keep()
        assert (self.row.lost, self.row.doubled, self.row.torn) == (0, 0, 0)
        return self.row


def calling(world: World) -> Calling:
    """The police unit's calls to the first holder."""
    return Calling(world.holder_keys[NAME].origin, world.keys[POLICE], lambda: NOW)
