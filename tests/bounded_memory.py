"""A file read in a process of its own, which says what came of it and how far its memory grew.

Rule: the growth is counted from when everything is imported (`ru_maxrss`, which the kernel keeps as the highest ever),
so that a bound is one on the reading alone.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """
import json, resource, sys
import openpyxl, pyarrow.parquet
from pathlib import Path
from broker.protocol.errors import BadInput
from clients.readers import Reading, Signal, read_file
list(read_file(Path(sys.argv[2])))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
signals = refused = 0
error = ""
try:
    for item in read_file(Path(sys.argv[1]), Reading(default_region="GB")):
        if isinstance(item, Signal):
            signals += 1
        else:
            refused += 1
except BadInput as fault:
    error = fault.detail
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(json.dumps([signals, refused, error, grown]))
"""


@dataclass(frozen=True)
class Outcome:
    """What reading a file came to; `grown` in MB."""

    signals: int
    refused: int
    error: str
    grown: float


def read_apart(path: Path) -> Outcome:
    """Read a file in a process of its own, as `clients.readers.read_file` does."""
    warm = path.with_name("warm.csv")
    warm.write_text("phone\n+447700900123\n07700900123\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, path, warm], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return Outcome(*json.loads(done.stdout))
