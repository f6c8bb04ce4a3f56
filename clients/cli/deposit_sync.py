"""`narrowgate deposit sync`: make what is deposited what tonight's file says. The work is `deposit_changes.syncing`'s.

Rule: the file is whole. A type or class that is not in it at all is left alone and named, and so is all that lies in
series of earlier quarters: a file that was cut short, or a new quarter, takes nothing back unasked. How much of that
is in the file no more is said (`clients.deposit_changes.left_behind`).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from clients.cli import run
from clients.cli.contributor_home import open_contributor_home
from clients.cli.deposit_file import grouped_file
from clients.cli.deposit_series import Chosen, ConditionsFile, SeriesNames, SourceName
from clients.cli.reading_options import Options, RefusedFile, reading_options, settle_reading
from clients.cli.series_remarks import say_earlier_quarters, say_older_salt
from clients.cli.signals_file import left_out_members, say_left_out, say_refused
from clients.contributor import Contributor
from clients.deposit_changes.left_behind import LeftBehind, left_behind
from clients.deposit_changes.syncing import Syncing, SyncResult
from clients.depositing.masked_deposit import Row
from clients.depositing.series_folder import SeriesFolder
from clients.transport import Awaiting


@reading_options
def sync(
    directory: run.HomeFolder,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="All your signals as they are now, as by `deposit add`.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", help="Why, in a sentence; it is kept with the statements.")
    ],
    conditions: ConditionsFile = None,
    series: SeriesNames = None,
    reading: Options = Options(),
    refused: RefusedFile = None,
    source: SourceName = None,
    large_change: Annotated[
        bool,
        typer.Option(
            "--large-change",
            help="More than a tenth may be taken back or replaced, or half of a short list go: it is meant.",
        ),
    ] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Make what is deposited under a series what the file says now: for the whole export of each night.

    New identifiers are deposited, those no longer in the file are taken back, changed content is replaced; the rest is
    not touched and not masked again. Nothing changes if one line of the file cannot be read. The same file again
    changes nothing. What a person took back is left out, by line, until they agree anew. Series of earlier quarters are
    left as they are; how many of their records the file has no more is said.
    """
    home = open_contributor_home(directory)
    space = home.space(run.space_id(space_id)).payload
    say_older_salt(home)
    chosen = Chosen.read(home, conditions, series or (), needed=True)
    settled = settle_reading(home, file, reading, space)
    of_series = chosen.conditions_of_series(home)
    with grouped_file(home, space, file, settled, chosen.conditions, refused, source, of_series) as read:
        say_left_out(read.left_out)
        if read.refused.count:
            say_refused(read.refused)
            raise BadInput(
                "Some lines cannot be read, so nothing was changed: an identifier that cannot be read is not gone. "
                "Mend the file and run it again."
            )
        if not read.parts:
            raise BadInput("The file holds no identifier that can be used, so nothing was changed.")
        caller = run.caller(home)
        contributor = Contributor(home, caller, run.clock, run.random_bytes, threads=os.cpu_count() or 1)
        acts = Syncing(home, contributor, caller, run.clock, run.random_bytes)
        compared, results, awaiting = [], [], Awaiting()
        by_type: dict[str, list[Callable[[], Iterator[Row]]]] = {}
        # All of the file first: where one part of it is refused, no part was changed.
        for part, series_id in chosen.series_of(contributor, space, read.parts):
            conditions_of = SeriesFolder(home, series_id).manifest.payload.conditions
            rows = read.rows_of(part, conditions_of, space)
            by_type.setdefault(part.identifier_type, []).append(rows)
            with awaiting:
                found = acts.compare(
                    space,
                    series_id,
                    rows,
                    large_change=large_change,
                    untouched=read.untouched,
                    leaving=read.leaving,
                )
                compared.append((part.identifier_type, found))
        awaiting.check()
        for kind, found in compared:
            with awaiting, run.progress(f"Depositing {kind}") as depositing:
                results.append((kind, acts.change(found, reason, depositing)))
        awaiting.check()
        left = left_behind(home, space, by_type, run.clock(), read.untouched)
    for series_left in left:
        run.say(_left_words(series_left))
    say_earlier_quarters(home, run.clock(), [each.series_id for each in left])
    run.show(
        {
            "series": [_members(kind, done) for kind, done in results],
            "left_in_earlier_quarters": [
                {
                    "series_id": each.series_id.hex(),
                    "quarter": each.quarter,
                    "identifier_type": each.identifier_type,
                    "records": each.records,
                }
                for each in left
            ],
            **left_out_members(read.left_out),
            "trial": space.trial,
        },
        "\n".join(_line(kind, done) for kind, done in results),
        as_json=as_json,
    )


def _members(kind: str, done: SyncResult) -> dict[str, object]:
    return {
        "series_id": done.series_id.hex(),
        "identifier_type": kind,
        "new": done.changes.new,
        "gone": done.changes.gone,
        "replaced": done.changes.replaced,
        "unchanged": done.changes.unchanged,
        "deposit_id": None if done.added is None else done.added.deposit_id.hex(),
    }


def _left_words(left: LeftBehind) -> str:
    return (
        f"{left.records:,} record(s) of {left.identifier_type} go on serving in series {left.series_id.hex()} of "
        f"{left.quarter}, though this file has them no more: of an earlier quarter nothing is taken back unasked. What "
        "the file does have serves in this quarter's series, so take the earlier one back whole: narrowgate deposit "
        "withdraw"
    )


def _line(kind: str, done: SyncResult) -> str:
    changes = done.changes
    return (
        f"{kind}: {changes.new:,} added, {changes.gone:,} taken back, {changes.replaced:,} replaced, "
        f"{changes.unchanged:,} as they were. Series {done.series_id.hex()}"
    )
