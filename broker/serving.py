"""Run the broker's application in this process, with JSON logs that repeat nothing, until SIGTERM.

Rule: one process; no access log (a query or path could hold what somebody submitted); the libraries' own log lines
are written by their constant text alone, without arguments or errors. A thread beside it deletes what has had its
time: at start, then once an hour by the timer, while what is due goes by the broker's clock. Another lets witnesses
cosign what was recorded since, once a minute.
"""

import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from broker import folder, retention, startup
from broker.api.app import create_app
from broker.context import Broker, Clock
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import Conflict
from broker.protocol.messages.base import RandomBytes
from broker.translog.regularly import Regularly

GRACE_SECONDS = 10
PURGE_SECONDS = 3600
COSIGN_SECONDS = 60


class _ConstantText(logging.Handler):
    """Writes a library's log line as its text before any argument is put in."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line of JSON."""
        logger = structlog.get_logger("narrowgate.broker")
        logger.warning("library", library=record.name, text=str(record.msg)[:200])


def configure_logs() -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.root.handlers = [_ConstantText(level=logging.WARNING)]


def _failed(name: str, error_type: str) -> None:
    structlog.get_logger("narrowgate.broker").warning(name, failed=error_type)


class HourlyPurge(Regularly):
    """Purges at start, and again after each interval, until `stop`."""

    def __init__(self, broker: Broker, seconds: float = PURGE_SECONDS) -> None:
        def step(stopped: Callable[[], bool]) -> None:
            purged = retention.purge(broker, stopped)
            structlog.get_logger("narrowgate.broker").info("purge", **purged.model_dump(mode="json"))

        super().__init__("purge", step, seconds, at_once=True, failed=_failed)


class RegularCosigning(Regularly):
    """Lets witnesses see, every minute, what no permit made them see: nothing older can be rolled back unseen.

    The first round is after one interval, since the start was one."""

    def __init__(self, broker: Broker, seconds: float = COSIGN_SECONDS) -> None:
        def step(_stopped: Callable[[], bool]) -> None:
            broker.witnesses.published()

        super().__init__("cosigning", step, seconds, at_once=False, failed=_failed)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise Conflict("The broker cannot listen there. Is the port in use, or not yours to open?") from error


def serve(
    directory: Path,
    *,
    host: str,
    port: int,
    trial: bool,
    ready: Callable[[str], None],
    clock: Clock,
    random_bytes: RandomBytes,
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called with the address once calls are queued for an answer.

    Raises what `broker.startup.start` and `broker.folder` do, or Conflict for a port in use."""
    configure_logs()
    settings = folder.read_settings(directory, trial=trial or None)
    keys = folder.read_keys(directory)
    broker = startup.start(settings, keys, BundleShelf(directory), clock, random_bytes)
    purge = HourlyPurge(broker)
    purge.start()
    cosigning = RegularCosigning(broker)
    cosigning.start()
    try:
        listener = _listen(host, port)
        config = uvicorn.Config(
            create_app(broker),
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = uvicorn.Server(config)

        def end(_signal: int, _frame: FrameType | None) -> None:
            server.should_exit = True

        # The server takes these over while it runs, stops at one, and then raises it anew: without them the process
        # would end before the database is closed. One that comes before the server runs keeps it from running.
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        address, bound = listener.getsockname()[:2]
        ready(f"http://{address}:{bound}")
        with listener:
            server.run(sockets=[listener])
    finally:
        cosigning.stop()
        purge.stop()
        startup.stop(broker)
