"""strace on a running process: to see the order of its system calls, and to let some of them fail or kill it.

Rule: strace is the system's package; where it may be installed it is, else the test fails. A trace is whole when the
block that it is attached for has ended. What a trace shows is judged by the tests.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_SECONDS = 60.0


def install() -> None:
    """strace is there, or is installed where that is allowed. Raises AssertionError."""
    if shutil.which("strace") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "strace"], check=False, timeout=300)
    assert shutil.which("strace"), "These tests need strace: install the system's package of that name."


@contextmanager
def attached(pid: int, output: Path, *options: str) -> Iterator[None]:
    """Run the block with strace attached to all threads of a process."""
    command = ["strace", "-f", "-y", "-o", str(output), *options, "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while not _is_traced(pid, tracer):
            assert time.monotonic() < deadline, "strace does not attach"
            time.sleep(0.02)
        yield
    finally:
        tracer.terminate()
        _, errors = tracer.communicate(timeout=30)
    assert "attach" in errors, errors


def _is_traced(pid: int, tracer: "subprocess.Popen[str]") -> bool:
    assert tracer.poll() is None, f"strace ended: {tracer.stderr.read() if tracer.stderr else ''}"
    statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return bool(statuses) and all(f"TracerPid:\t{tracer.pid}\n" in status for status in statuses)
