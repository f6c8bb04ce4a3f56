"""The table of faults: a row for each, of what was acknowledged and what became of it.

Rule: rows are printed as they are made, and kept as lines of JSON in the file that NARROWGATE_FAULTS names, whatever
process made them; `python -m tests.faults` prints the table from it.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "NARROWGATE_FAULTS"
HEADER = (
    "| fault | rounds | acknowledged | lost | doubled | rows torn | taken, not answered | refused at start |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass
class Row:
    """One fault over its rounds. `lost` counts entries that were acknowledged, are gone, and were served without."""

    fault: str
    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    taken_unanswered: int = 0
    refused: int = 0

    def keep(self) -> None:
        """Print the row, and keep it for the table."""
        print(json.dumps(asdict(self)))
        if path := os.environ.get(FILE):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(self)) + "\n")

    def line(self) -> str:
        """The row in Markdown."""
        return f"| {' | '.join(str(each) for each in asdict(self).values())} |"


def markdown(lines: Iterable[str]) -> str:
    """The table from kept rows."""
    rows = sorted((Row(**json.loads(line)) for line in lines), key=lambda row: row.fault)
    return "\n".join([HEADER, *(row.line() for row in rows)])
