"""A computer without a network: commands of `narrowgate` in a process in which no socket can be opened.

Rule: an audit hook ends whatever touches a socket, in the program and in all that it imports; a test sees first that it
does. One process takes many commands, which spares the second that Python and its libraries take to start.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """
import json, sys
def forbid(event, arguments):
    if event.startswith("socket."):
        raise AssertionError("a socket was opened: " + event)
sys.addaudithook(forbid)
from typer.testing import CliRunner
import clients.cli.run as run
{clock}
from clients.cli.main import app
for line in sys.stdin:
    done = CliRunner().invoke(app, json.loads(line))
    print(json.dumps([done.exit_code, done.stdout, done.stderr]), flush=True)
"""


class WithoutSockets:
    """Runs commands. `now` is what their clock says; None for the machine's. Close it."""

    def __init__(self, now: int | None = None) -> None:
        clock = "" if now is None else f"run.clock = lambda: {now}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(clock=clock)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
        """The exit code of a command with --json, and what it told; what it said on standard error under `error`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([*map(str, arguments), "--json"]), file=self._process.stdin, flush=True)
        code, stdout, stderr = json.loads(self._process.stdout.readline())
        told = json.loads(stdout) if stdout else {}
        return code, told | ({"error": stderr} if code else {})

    def done(self, *arguments: str | Path) -> dict[str, Any]:
        """What a command told that has to succeed."""
        code, told = self.run(*arguments)
        assert code == 0, told
        return told

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
