"""The calls to one witness: a few at once, and of those that wait the newest alone.

Rule (AUDIT 3): a witness that hangs holds up its own calls and nobody else's. Each has a line of its own, so what it
keeps of threads and connections is bounded, whatever the number of rounds that go on without it. A call that waits is
worth something while its round lasts; a newer round's call takes its place.

It opens no socket and reads no clock.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

AT_ONCE = 4
"""Calls to one witness under way at a time: with 20 witnesses below the 100 connections of one HTTP client."""

Call = Callable[[], None]


class Line:
    """One witness's line. `submit` never waits; a call keeps its errors to itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[threading.Thread] = []
        self._waiting: Call | None = None
        self._closed = False

    def submit(self, call: Call) -> None:
        """Make the call in a thread, at once or as soon as an earlier one has ended."""
        with self._lock:
            if self._closed:
                return
            if len(self._running) >= AT_ONCE:
                self._waiting = call
                return
            thread = threading.Thread(target=self._run, args=(call,), name="witness", daemon=True)
            self._running.append(thread)
            thread.start()

    def close(self) -> tuple[threading.Thread, ...]:
        """Make no further call. Returns the threads of those under way, for who wants to wait."""
        with self._lock:
            self._closed, self._waiting = True, None
            return tuple(self._running)

    def _run(self, call: Call) -> None:
        following: Call | None = call
        while following is not None:
            with suppress(Exception):  # told by the call itself; the line goes on
                following()
            following = self._next()

    def _next(self) -> Call | None:
        """The call that waits; without one this thread leaves the line."""
        with self._lock:
            following, self._waiting = self._waiting, None
            if following is None:
                self._running.remove(threading.current_thread())
            return following
