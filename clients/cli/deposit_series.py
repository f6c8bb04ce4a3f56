"""Under which series a file goes in: the options of `deposit add` and `sync` that say so, and what they come to.

Rule: either a file of conditions, under which each type and class gets this quarter's series, or series by name, one
for each type. It opens series that are missing, and deposits nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from clients.cli import run
from clients.cli.conditions_by_column import ConditionsByColumn, read_conditions_by_column
from clients.cli.deposit_file import Part
from clients.contributor import Contributor
from clients.depositing.series_folder import SeriesFolder
from clients.home import Home
from clients.transport import Awaiting

ConditionsFile = Annotated[
    Path | None,
    typer.Option("--conditions", metavar="FILE", help="Under what you share: see `deposit conditions`."),
]
SeriesNames = Annotated[
    list[str] | None, typer.Option("--series", metavar="ID", help="Deposit under these series instead.")
]
SourceName = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="NAME",
        help="What rows without a reference of their own are called; else the file's name.",
    ),
]


@dataclass(frozen=True)
class Chosen:
    """What the options say. `conditions` is None where series are named, or nothing is."""

    conditions: ConditionsByColumn | None
    series: dict[str, bytes]
    """By identifier type."""

    @classmethod
    def read(cls, home: Home, conditions: Path | None, series: Sequence[str], *, needed: bool) -> "Chosen":
        """Read the options. Raises BadInput unless exactly one is given; with `needed` False none will do."""
        if (conditions is not None and series) or (needed and conditions is None and not series):
            raise BadInput(
                "Say under what you share: either --conditions FILE, or --series ID for each type in the file."
            )
        folders = [SeriesFolder(home, run.identifier(text, 32, "--series")) for text in series]
        by_type = {folder.manifest.payload.identifier_type: folder.series_id for folder in folders}
        return cls(None if conditions is None else read_conditions_by_column(conditions), by_type)

    def conditions_of_series(self, home: Home) -> dict[str, Conditions]:
        """The conditions of the series that are named, by identifier type."""
        return {
            kind: SeriesFolder(home, series_id).manifest.payload.conditions
            for kind, series_id in self.series.items()
        }

    def series_of(
        self, contributor: Contributor, space: Space, parts: Sequence[Part]
    ) -> tuple[tuple[Part, bytes], ...]:
        """The series of each part, opened now where there is none.

        Raises BadInput for a type the space does not compare, NotFound for one no series was named for, and Awaited
        where the answers of those who open a series come later."""
        kinds = {part.identifier_type for part in parts}
        foreign = sorted(kinds - set(space.identifier_types))
        if foreign:
            raise BadInput(
                f"The space does not compare {', '.join(foreign)}, so nothing was deposited. Leave out each column "
                'that holds them: --column "ITS NAME=ignore"; to leave it out of every such file: narrowgate deposit '
                'map HOME FILE --column "ITS NAME=ignore" --save NAME. In a file without columns, take them out.'
            )
        missing = sorted(kinds - set(self.series)) if self.conditions is None else []
        if missing:
            raise NotFound(f"No series was named for {', '.join(missing)}. Name one, or use --conditions.")
        found, awaiting = [], Awaiting()
        for part in parts:
            if part.conditions is None:
                found.append((part, self.series[part.identifier_type]))
                continue
            with awaiting:
                known = contributor.find_series(space, part.identifier_type, part.conditions)
                opened = known or contributor.open_series(space, part.identifier_type, part.conditions)
                found.append((part, opened))
        awaiting.check()
        return tuple(found)
