"""The writer: a real service in a process of its own, served over HTTP, that faults happen to. Here: the broker.

Rule: the child is forked from a process that has imported everything and opened nothing; it then starts as the command
`broker serve` does, by `broker.serving`, and tells whether it serves or why it refused. A failpoint is set in the child
from outside (`tests.integration.dying`); the product holds none. Its clock is a number that the parent may move.
"""

import contextlib
import ctypes
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

from broker import serving
from broker.protocol.errors import NarrowgateError
from tests.integration.dying import arm

_PRELOADED = ["tests.faults.writer", "tests.faults.witness", "tests.faults.holder"]
PATIENCE_SECONDS = 60.0


class Refused(Exception):
    """The service would not start. Its text is what it told the operator."""


def processes() -> Any:
    """Where children come from: forked from a server that imported this module."""
    method = multiprocessing.get_context("forkserver")
    method.set_forkserver_preload(_PRELOADED)
    return method


class Served:
    """One service in a process. Starting raises Refused."""

    def __init__(self, folder: Path, now: int, target: Callable[..., None], *arguments: object) -> None:
        """`target` is called in the child with folder, arguments, clock, and what it tells its address."""
        self.folder = folder
        self.clock: Any = RawValue(ctypes.c_int64, now)
        self._control, control = processes().Pipe()
        given = (target, folder, arguments, self.clock, control)
        self.process = processes().Process(target=_run, args=given, daemon=True)
        self.process.start()
        control.close()
        try:
            word, text = self._told()
        except EOFError:
            self.kill()
            raise AssertionError(f"the service ended: {(folder / 'errors').read_text()[-3000:]}") from None
        if word == "refused":
            self.process.join()
            self._control.close()
            raise Refused(text)
        self.port = int(text.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Of the process."""
        return int(self.process.pid)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return bool(self.process.is_alive())

    def arm(self, point: str, at_call: int) -> None:
        """Let it die at its n-th call of that function from now."""
        self._control.send((point, at_call))
        assert self._told() == ("armed", point)

    def died(self) -> bool:
        """Whether it ended by itself; the word of it may come a moment after its last connection broke."""
        self.process.join(10)
        return not self.alive

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.join()
        self._control.close()

    def stop(self) -> None:
        """End it as an operator does."""
        self.process.terminate()
        self.process.join(PATIENCE_SECONDS)
        assert not self.alive, "the service ends when it is told to"
        self._control.close()

    def _told(self) -> tuple[str, str]:
        assert self._control.poll(PATIENCE_SECONDS), "the service says nothing"
        word, text = self._control.recv()
        return word, text


class Writer(Served):
    """One broker."""

    def __init__(self, folder: Path, now: int, trial: bool = True) -> None:
        super().__init__(folder, now, _serve_broker, trial)


def _serve_broker(folder: Path, trial: bool, clock: Callable[[], int], ready: Callable[[str], None]) -> None:
    serving.serve(
        folder, host="127.0.0.1", port=0, trial=trial, ready=ready, clock=clock, random_bytes=os.urandom
    )


def _run(
    target: Callable[..., None], folder: Path, arguments: tuple[object, ...], clock: Any, control: Connection
) -> None:
    errors = os.open(folder / "errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(errors, descriptor)
    threading.Thread(target=_obey, args=(control,), daemon=True).start()
    try:
        target(folder, *arguments, lambda: int(clock.value), lambda origin: control.send(("ready", origin)))
    except NarrowgateError as error:
        control.send(("refused", f"{type(error).__name__}: {error.detail}"))


def _obey(control: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            point, at_call = control.recv()
            arm(point, at_call)
            control.send(("armed", point))
