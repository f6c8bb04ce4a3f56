"""A key holder's own log as its witnesses are shown it (`broker.translog.cosigning` asks them), once a minute besides.

Rule (AUDIT 3): an entry is durable, then cosigned, and then what it records is answered; no transaction is open while
a witness is asked. What each witness saw last is kept in memory alone: after a start its own answer says it. A witness
that saw more than this folder has, or another root, stops the holder for good.

It decides nothing. Whom to ask is the operator's choice (`clients.keyholder.witness_choice`).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from broker.protocol.checkpoint import VerifierKey
from broker.protocol.errors import NarrowgateError, Unavailable
from broker.protocol.messages.parties import read_witness_key
from broker.translog.cosigning import Answer, Ask, SignedHead, WitnessAt, Witnesses
from broker.translog.regularly import Regularly
from clients.keyholder.own_log import OwnLog
from clients.keyholder.store.database import Database
from clients.keyholder.witness_choice import WitnessChoice
from clients.transport import HttpTransport

COSIGN_SECONDS = 60
MAXIMUM_ANSWER_BYTES = 64 * 1024
LOGGER = logging.getLogger("narrowgate.keyholder")


class HolderLog:
    """Implements `broker.translog.cosigning.WitnessedLog`."""

    def __init__(self, database: Database, log: OwnLog) -> None:
        self._database = database
        self._log = log
        self._seen: dict[str, int] = {}

    @property
    def verifier_key(self) -> VerifierKey:
        """See `WitnessedLog.verifier_key`."""
        return self._log.verifier_key

    def head(self) -> SignedHead:
        """See `WitnessedLog.head`."""
        with self._database.read() as connection:
            return self._log.checkpoint(connection)

    def path(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See `WitnessedLog.path`."""
        with self._database.read() as connection:
            return self._log.consistency(connection, old_size, new_size)

    def seen(self) -> Mapping[str, int]:
        """See `WitnessedLog.seen`."""
        return dict(self._seen)

    def keep_seen(self, witnesses: Sequence[str], size: int) -> None:
        """See `WitnessedLog.keep_seen`."""
        self._seen.update(dict.fromkeys(witnesses, size))

    def refuse(self, why: str) -> None:
        """See `WitnessedLog.refuse`."""
        self._log.refuse(why)

    def check_not_refused(self) -> None:
        """See `WitnessedLog.check_not_refused`."""
        self._log.check_not_refused()

    def tell_operator(self, witness: str, reason: str) -> None:
        """See `WitnessedLog.tell_operator`."""
        LOGGER.warning("witness %s did not cosign: %s", witness, reason)


class HttpCalls:
    """Calls to witnesses over HTTP: bounded in time and size. Connections stay open until `close`."""

    def __init__(self, timeout_seconds: int) -> None:
        self._transport = HttpTransport(timeout_seconds, timeout_seconds, MAXIMUM_ANSWER_BYTES)

    def __call__(self, url: str, body: bytes) -> Answer:
        """One call. Raises Unavailable when no whole answer came in time."""
        try:
            answer = self._transport.send("POST", url, {}, body)
        except NarrowgateError as error:
            raise Unavailable("could not be reached in time") from error
        return Answer(answer.status, answer.header("content-type") or "", answer.body)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def witnesses_of(database: Database, log: OwnLog, choice: WitnessChoice, ask: Ask | None) -> Witnesses:
    """The witnesses of a holder's log; `ask` carries calls to them, over HTTP unless it is given."""
    shown, timeout = HolderLog(database, log), choice.timeout_seconds
    if choice.trial:
        return Witnesses(shown, (), 0, _nobody, time.monotonic, timeout)
    named = [WitnessAt(read_witness_key(each.key), each.url) for each in choice.witnesses]
    if ask is not None:
        return Witnesses(shown, named, choice.quorum, ask, time.monotonic, timeout)
    calls = HttpCalls(timeout)
    return Witnesses(shown, named, choice.quorum, calls, time.monotonic, timeout, calls.close)


def _nobody(_url: str, _body: bytes) -> Answer:
    raise Unavailable("In a trial no witness is asked.")


def tell_failed(name: str, error_type: str) -> None:
    """Write that a regular step failed; the next time tries again."""
    LOGGER.warning("%s failed: %s", name, error_type)


class RegularCosigning(Regularly):
    """Lets witnesses see, every minute, what no answer made them see: nothing older can be rolled back unseen.

    The first round is after one interval, since the start was one."""

    def __init__(self, witnesses: Witnesses, seconds: float = COSIGN_SECONDS) -> None:
        def step(_stopped: Callable[[], bool]) -> None:
            witnesses.published()

        super().__init__("cosigning", step, seconds, at_once=False, failed=tell_failed)
