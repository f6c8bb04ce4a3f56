"""Call an ASGI application in this process, without a socket: what the tests and `tests/world.py` send calls with.

All applications run on one event loop in a thread of its own, as they would in a server; `send` waits for the answer.
A fault that leaves the application is raised in the test.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

Application = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
Received = tuple[int, tuple[tuple[str, str], ...], bytes]
"""Status, header lines and body of an answer."""


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="asgi", daemon=True).start()
    return loop


class InMemoryClient:
    """Sends calls to one application."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes = b""
    ) -> Received:
        """Send one call to the absolute `url`; its scheme, host and port only become headers.

        `headers` may be lines, so that a test can send one twice."""
        lines = list(headers.items() if isinstance(headers, Mapping) else headers)
        parts = urlsplit(url)
        names = {name.lower() for name, _ in lines}
        if "host" not in names:
            lines.append(("host", parts.netloc))
        if body and "content-length" not in names:
            lines.append(("content-length", str(len(body))))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode("latin-1"),
            "query_string": parts.query.encode("latin-1"),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines],
            "client": ("127.0.0.1", 1),
            "server": (parts.hostname, parts.port or 80),
        }
        return asyncio.run_coroutine_threadsafe(self._call(scope, body), _loop()).result(timeout=120)

    async def _call(self, scope: dict[str, Any], body: bytes) -> Received:
        sent = [{"type": "http.request", "body": body, "more_body": False}]
        status, lines, parts = 0, [], []

        async def receive() -> MutableMapping[str, Any]:
            return sent.pop(0) if sent else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, lines
            if message["type"] == "http.response.start":
                status, lines = message["status"], message["headers"]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self._app(scope, receive, send)
        decoded = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in lines)
        return status, decoded, b"".join(parts)
