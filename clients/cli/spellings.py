"""`--spellings` of `narrowgate request prepare`: persons are asked about in several spellings, and which ones is shown.

Rule: nothing is asked that the requester could not read first: the spellings go into a file that only the requester can
read, with what was changed, and their number is said. Each of them is an identifier of the request and counts as one.

It chooses no spelling: see `clients.spellings.person_spellings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from clients.cli import run
from clients.identifiers.person import TYPE
from clients.requesting.request_values import SpelledPerson
from clients.spellings.person_spellings import Spelling, spellings
from clients.writers.csv_text import csv_text

Spellings = Annotated[
    int,
    typer.Option(
        "--spellings",
        metavar="N",
        help="In how many spellings to ask about a person, at most; each counts as an identifier.",
    ),
]
OutSpellings = Annotated[
    Path | None,
    typer.Option(
        "--out-spellings", metavar="FILE", help="Write the spellings as CSV that only you can read."
    ),
]


@dataclass(frozen=True)
class Asked:
    """What is asked about: canonical texts by type, spellings among them, and whose they are."""

    identifiers: Mapping[str, Sequence[str]]
    persons: tuple[SpelledPerson, ...] = ()

    def members(self) -> dict[str, Any]:
        """The numbers as members of JSON, where persons are asked about in several spellings."""
        if not self.persons:
            return {}
        return {"persons": len(self.persons), "spellings": len(self.identifiers[TYPE])}

    def words(self, file: Path | None) -> str:
        """What it costs and where it can be read; "" where there are no spellings."""
        if not self.persons:
            return ""
        return (
            f"{len(self.persons)} persons are asked about in {len(self.identifiers[TYPE])} spellings. Each spelling "
            "is an identifier: it counts toward the limits of a request and of 30 days, and toward the key holders' "
            f"budgets. Read {file} before you hand the request over; with a smaller --spellings prepare it again.\n"
        )


def with_spellings(identifiers: Mapping[str, Sequence[str]], limit: int, out: Path | None) -> Asked:
    """The identifiers, with up to `limit` spellings of each person in the place of one, written to `out`.

    Raises BadInput: a limit out of range, or no file to show them in."""
    persons = tuple(dict.fromkeys(identifiers.get(TYPE, ())))
    if limit == 1 or not persons:
        return Asked(identifiers)
    if out is None:
        raise BadInput(
            "Say with --out-spellings where to write the spellings, so that you see what is asked."
        )
    spelled = [spellings(person, limit) for person in persons]
    run.write_private(out, _table(spelled), "the spellings")
    texts = tuple(dict.fromkeys(one.text for each in spelled for one in each))
    return Asked(
        {**identifiers, TYPE: texts},
        tuple(
            SpelledPerson(written=each[0].text, others=tuple(one.text for one in each[1:]))
            for each in spelled
        ),
    )


def _table(spelled: Sequence[Sequence[Spelling]]) -> str:
    rows = [
        (each[0].text.partition("|")[2], one.text.partition("|")[2], one.change)
        for each in spelled
        for one in each
    ]
    return csv_text(("person in your file", "asked as", "changed"), *rows)
