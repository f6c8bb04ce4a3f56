"""A step taken again and again in a thread of its own: what a service that keeps a log does beside its calls.

Rule: whatever fails is told by the error's type alone, since its text could hold a value, and the next time tries
again. The broker and a key holder let witnesses see their logs by it, and delete what has had its time.

It knows no log and no clock: how a failure is told, the service says.
"""

import threading
from collections.abc import Callable


class Regularly:
    """A step in a thread, again after each interval, until `stop`."""

    def __init__(
        self,
        name: str,
        step: Callable[[Callable[[], bool]], None],
        seconds: float,
        at_once: bool,
        failed: Callable[[str, str], None],
    ) -> None:
        """`step` is given whether to stop; with `at_once` the first does not wait for an interval.

        `failed` is told the name and the type of the error."""
        self._name = name
        self._step = step
        self._seconds = seconds
        self._wait = 0 if at_once else seconds
        self._failed = failed
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what runs now: a transaction, or a round."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        wait = self._wait
        while not self._stopped.wait(wait):
            wait = self._seconds
            try:
                self._step(self._stopped.is_set)
            except Exception as error:
                self._failed(self._name, type(error).__name__)
