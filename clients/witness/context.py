"""What every step of the witness is given: key, database and clock, in one frozen value.

Rule: no module below reads a clock or a file of its own. It holds no state of a call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clients.witness.keys import WitnessKeys, open_keys
from clients.witness.store.database import Database

DATABASE_FILE = "witness.sqlite"

Clock = Callable[[], int]
"""Unix seconds, UTC."""


@dataclass(frozen=True)
class Witness:
    """One open witness."""

    keys: WitnessKeys
    database: Database = field(repr=False)
    clock: Clock = field(repr=False)

    def close(self) -> None:
        """Give the folder up."""
        self.database.close()


def open_witness(directory: Path, clock: Clock) -> Witness:
    """Open a witness's folder. Raises what `keys.open_keys` does, Conflict if it runs already, or Unavailable."""
    keys = open_keys(directory)
    return Witness(keys, Database(directory / DATABASE_FILE), clock)
