"""Run the project's own commands as separate processes, and stop those that serve.

Rule: parties meet only over loopback HTTP and through files they hand to one another; nothing is shared in memory. A
command that ends otherwise than expected stops the demo with what it printed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

READY_SECONDS = 30.0
STOP_SECONDS = 10.0


class DemoFailed(Exception):
    """A step of the demo did not do what it says. The text is for the person who runs it."""


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    output: str
    errors: str

    def json(self) -> Any:
        """The one JSON object on its standard output."""
        return json.loads(self.output)


@dataclass
class Processes:
    """The demo's processes; leaving the `with` block stops those that still serve."""

    log_directory: Path
    started: list[tuple[str, int]] = field(default_factory=list)
    serving: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self.serving):
            self.stop(name)

    def run(self, role: str, arguments: Sequence[str | Path], expect: Sequence[int] = (0,)) -> Finished:
        """Run `narrowgate ARGUMENTS` in the role of a party and wait for it.

        Raises DemoFailed when it ends with another code than `expect`."""
        command = [*_program(), *(str(argument) for argument in arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._note(role, process.pid)
        output, errors = process.communicate(timeout=600)
        if process.returncode not in expect:
            shown = " ".join(str(argument) for argument in arguments[:3])
            raise DemoFailed(
                f"`narrowgate {shown}` ended with code {process.returncode}:\n{errors}\n{output}"
            )
        return Finished(process.returncode, output, errors)

    def serve(
        self,
        role: str,
        arguments: Sequence[str | Path],
        origin: str,
        program: Sequence[str] | None = None,
    ) -> None:
        """Start a service and wait until it answers at `origin`; `program` is another than the project's own."""
        log = (self.log_directory / f"{role}.log").open("ab")
        command = [*(program or _program()), *(str(argument) for argument in arguments)]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self._note(role, process.pid)
        self.serving[role] = process
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{origin}/healthz", timeout=1):  # noqa: S310 - loopback, our own
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        text = (self.log_directory / f"{role}.log").read_text(errors="replace")[-2000:]
        raise DemoFailed(f"The {role} did not start:\n{text}")

    def stop(self, role: str) -> None:
        """Stop a service as an operator would, and wait for it."""
        process = self.serving.pop(role)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _note(self, role: str, pid: int) -> None:
        with self._lock:
            if all(known != role for known, _ in self.started):
                self.started.append((role, pid))


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _program() -> list[str]:
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    return [sys.executable, "-m", "clients.cli.main"]
