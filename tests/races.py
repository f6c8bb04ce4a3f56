"""Calls that are made at the same moment: by threads of one broker or of two, or by processes with a broker each.

Rule: every racer waits at a barrier and then takes its step for itself; where it is told that the database is busy or
that another was first, it repeats the very same call, as clients do. What comes of each call is told as a short text
that is equal for equal answers. It judges nothing.
"""

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker import exchange, startup
from broker.context import Broker
from broker.gate.bundle import Bundle, load
from broker.protocol.errors import NarrowgateError, Unavailable
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.requests import RequestSubmission, TokenSubmission
from broker.refusals import GateRefusal
from broker.registry import Caller
from tests.exchange_story import open_broker
from tests.taken_back import TakeBack

POLICIES = Path(__file__).parent.parent / "policies"
ATTEMPTS = 5
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class FileRequest:
    """A request is filed."""

    caller: Caller
    body: bytes

    def take(self, broker: Broker) -> bytes:
        """The exact answer."""
        return encode(exchange.file_request(broker, self.caller, decode(RequestSubmission, self.body)))


@dataclass(frozen=True)
class SendTokens:
    """Tokens are sent under a permit."""

    caller: Caller
    request_id: bytes
    body: bytes

    def take(self, broker: Broker) -> bytes:
        """The exact answer, but for the checkpoint that its entry is proved to: the newest that is cosigned."""
        tokens = decode(TokenSubmission, self.body)
        answer = exchange.answer_tokens(broker, self.caller, self.request_id, tokens)
        if answer.recorded is None:
            return encode(answer)
        proof = answer.recorded.proof.model_copy(update={"path": (), "checkpoint": ""})
        recorded = answer.recorded.model_copy(update={"proof": proof})
        return encode(answer.model_copy(update={"recorded": recorded}))


Call = FileRequest | SendTokens | TakeBack


def by_threads(brokers: Sequence[Broker], calls: Sequence[Call]) -> list[str]:
    """A thread for each call, which go to the brokers by turns. Returns what came of each, in order of the calls."""
    start, outcomes = threading.Barrier(len(calls)), [""] * len(calls)

    def run(number: int) -> None:
        outcomes[number] = _outcome(brokers[number % len(brokers)], calls[number], start)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    return outcomes


def by_processes(url: str, now: int, calls: Sequence[Call]) -> list[str]:
    """A process for each call, with a broker of its own on that database. Returns what came of each, in order."""
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(len(calls)), context.Queue()
    racers = [
        context.Process(target=_race, args=(number, url, now, call, start, told))
        for number, call in enumerate(calls)
    ]
    for racer in racers:
        racer.start()
    outcomes = dict(told.get(timeout=PATIENCE_SECONDS) for _ in racers)
    for racer in racers:
        racer.join(PATIENCE_SECONDS)
    return [outcomes[number] for number in range(len(calls))]


def _race(number: int, url: str, now: int, call: Call, start: Any, told: Any) -> None:
    bundle: Bundle = load(POLICIES)
    broker = open_broker(url, bundle, lambda: now, os.urandom)
    told.put((number, _outcome(broker, call, start)))
    startup.stop(broker)


def _outcome(broker: Broker, call: Call, start: Any) -> str:
    start.wait(PATIENCE_SECONDS)
    for attempt in range(ATTEMPTS):
        try:
            return f"answered {hashlib.sha256(call.take(broker)).hexdigest()}"
        except GateRefusal as refusal:
            return f"refused {','.join(refusal.told.rules)}"
        except Unavailable:
            if attempt == ATTEMPTS - 1:
                raise
        except NarrowgateError as error:
            return error.problem
    raise AssertionError("the last attempt returns or raises")
