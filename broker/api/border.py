"""The outermost layer: counts and logs each call by its route template, and lets no fault tell anything.

Rule: a log line or metric holds method, route template, status and duration, never a path, a query or a message of
an error (DESIGN 5). An error that reaches this layer is logged by its type and the places in the code it came
through.
"""

import time
import traceback

import structlog
from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGGER = structlog.stdlib.get_logger("narrowgate.broker")


class Border:
    """Wraps the application; `registry` collects its metrics."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._calls = Counter(
            "narrowgate_calls", "Calls by route and status.", ("route", "status"), registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begun = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            # The answer went out already (api/problems.py); the server above would log the error's text.
            LOGGER.error("fault", error=type(error).__name__, places=places_of(error))
        route = getattr(scope.get("route"), "path", "unmatched")
        self._calls.labels(route, str(status)).inc()
        milliseconds = round((time.perf_counter() - begun) * 1000, 1)
        LOGGER.info("call", method=_method(scope), route=route, status=status, milliseconds=milliseconds)


def places_of(error: BaseException) -> list[str]:
    """Where an error came through, `module:line`, innermost last; no text of the error."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames]


def _method(scope: Scope) -> str:
    # A client may send any word as a method.
    method = str(scope["method"])
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
