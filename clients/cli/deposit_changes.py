"""The commands of `narrowgate deposit` that change what was deposited: replace, take back, close.

Rule: identifiers come from a file, never from the command line, and are not printed. The commands are put into
`clients.cli.deposit`; what they do is `clients.deposit_changes.replacing`, `clients.deposit_changes.taking_back` and
`clients.contributor`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from clients.cli import run
from clients.cli.contributor_home import open_contributor_home
from clients.cli.reading_options import Options, reading_options, settle_reading
from clients.cli.signals_file import (
    SignalsFile,
    left_out_members,
    read_signals,
    say_left_out,
    say_refused,
)
from clients.contributor import Contributor
from clients.deposit_changes import replacing
from clients.deposit_changes.replacing import NewContent, Replacement, Replacing
from clients.deposit_changes.sieve import Sieve
from clients.deposit_changes.taking_back import Result, TakingBack
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.home import Home
from clients.readers.refused_rows import RefusedRows
from clients.readers.signals import RefusedRow

SeriesName = Annotated[
    str, typer.Argument(metavar="SERIES", help="The series' id, as `deposit list` shows it.")
]
SeriesOrDeposit = Annotated[
    str,
    typer.Argument(
        metavar="SERIES_OR_DEPOSIT", help="The id of a series or a deposit, as `deposit list` shows it."
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a sentence; it is kept with the statement.")]


def withdraw(
    directory: run.HomeFolder, name: SeriesOrDeposit, reason: Reason, as_json: run.Json = False
) -> None:
    """Take back one deposit, or a whole series.

    A deposit: its records are deleted at the broker; its series goes on. A series: records deleted at the broker,
    shares destroyed at the holders, keys erased here. From then on nothing of it can be matched or opened. What was
    disclosed before stays disclosed. Run it again if a holder did not answer.
    """
    home = open_contributor_home(directory)
    identifier = run.identifier(name, 32, "SERIES_OR_DEPOSIT")
    if any(item.deposit_id == identifier for item in all_deposits(home)):
        _taking_back(home).withdraw_deposit(identifier, reason)
        series_id = DepositFolder(home, identifier).declaration.payload.series_id.hex()
        run.show(
            {"deposit_id": name, "series_id": series_id},
            "Withdrawn: the deposit's records are deleted at the broker. Its series goes on.",
            as_json=as_json,
        )
        return
    result = _contributor(home).withdraw(identifier, reason)
    words = f"Withdrawn. {result.destruction_receipts} key holders signed that their shares are gone."
    if not result.complete:
        words += f" {result.needed} must: run the command again when the others answer."
    run.show(
        {
            "series_id": name,
            "destruction_receipts": result.destruction_receipts,
            "needed": result.needed,
            "complete": result.complete,
        },
        words,
        as_json=as_json,
    )


@reading_options
def withdraw_identifiers(
    directory: run.HomeFolder,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Read as by `deposit add`: the first line names the types.")
    ],
    reason: Reason,
    consent_withdrawn: Annotated[
        bool,
        typer.Option(
            "--consent-withdrawn",
            help="On the word of a person: no file puts them in again until they agree anew.",
        ),
    ] = False,
    reading: Options = Options(),
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Take back what you deposited of some identifiers, from all your deposits in open series.

    The identifiers stay on this computer; the broker is told tokens, which it deletes and does not keep. A deposit of a
    closed series can only be withdrawn whole. Nothing is taken back if one line of the file cannot be read.
    """
    home = open_contributor_home(directory)
    space = home.space(run.space_id(space_id)).payload
    read = _read_whole(home, space, file, reading, "taken back")
    result = _taking_back(home).withdraw_identifiers(
        space,
        {kind: tuple(groups) for kind, groups in read.by_type.items()},
        reason,
        keep_out="consent_withdrawn" if consent_withdrawn else None,
    )
    run.show(
        {
            "deposits": [
                {
                    "deposit_id": item.deposit_id.hex(),
                    "series_id": item.series_id.hex(),
                    "records": item.records,
                    "identifiers_left": item.identifiers_left,
                }
                for item in result.taken
            ],
            "closed": [deposit_id.hex() for deposit_id in result.closed],
        },
        _taken_words(result),
        as_json=as_json,
    )


@reading_options
def replace(
    directory: run.HomeFolder,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The identifiers with their new content, as by `deposit add`."),
    ],
    reason: Reason,
    reading: Options = Options(),
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Replace what you deposited of some identifiers by what the file says now, in all your deposits in open series.

    Each record is sealed anew and takes the place of the old one at the broker, whose bytes are gone at once. Whoever
    is given it later can tell the newest from an older one. Nothing is replaced if one line of the file cannot be read.
    What a person took back is left out, by line, until they agree anew, and so is what is contested: what serves of it
    under another reference stays as it is.
    """
    home = open_contributor_home(directory)
    space = home.space(run.space_id(space_id)).payload
    read = _read_whole(home, space, file, reading, "replaced")
    acts = Replacing(home, run.caller(home), run.clock, run.random_bytes)
    sifting = _Sifting(read, space, Sieve(home, space, run.clock(), run.random_bytes))
    results = {kind: acts.replace(space, sifting.replacement(kind), reason) for kind in read.by_type}
    left_out = sifting.left_out()
    say_left_out(left_out, "--json names their lines")
    if left_out.count and not sifting.went_in:
        raise BadInput("Every line was left out, so nothing was replaced. See the reasons above.")
    done = [item for result in results.values() for item in result.replaced]
    run.show(
        {
            "deposits": [
                {
                    "deposit_id": item.deposit_id.hex(),
                    "series_id": item.series_id.hex(),
                    "records": item.records,
                    "repeated": item.repeated,
                }
                for item in done
            ],
            "closed": [each.hex() for result in results.values() for each in result.closed],
            "without_payload": [each.hex() for result in results.values() for each in result.without_payload],
            "not_held": sum(result.not_held for result in results.values()),
            **left_out_members(left_out),
        },
        _replaced_words(results.values()),
        as_json=as_json,
    )


def close(directory: run.HomeFolder, series: SeriesName, as_json: run.Json = False) -> None:
    """Erase a series' keys here, for good. Its deposits go on being matched; nothing can be added to them."""
    _contributor(open_contributor_home(directory)).close(run.identifier(series, 32, "SERIES"))
    run.show({"series_id": series, "state": "closed"}, "Closed: its keys are erased here.", as_json=as_json)


def _read_whole(home: Home, space: Space, file: Path, options: Options, done: str) -> SignalsFile:
    read = read_signals(file, settle_reading(home, file, options, space), RefusedRows())
    if read.refused.count:
        say_refused(read.refused)
        raise BadInput(f"Some lines cannot be read, so nothing was {done}. Mend the file and run it again.")
    if not read.by_type:
        raise BadInput(f"The file holds no identifier that can be used, so nothing was {done}.")
    return read


class _Sifting:
    """The file held against what may not go in again, by the conditions of each deposit that it is to change."""

    def __init__(self, read: SignalsFile, space: Space, sieve: Sieve) -> None:
        self._read = read
        self._space = space
        self._sieve = sieve
        self._left_out: set[RefusedRow] = set()
        self.went_in = False

    def replacement(self, kind: str) -> Replacement:
        """What of one type may go in."""

        def records(conditions: Conditions) -> Sequence[NewContent]:
            sifted = self._read.sifted(kind, conditions, self._sieve, self._left_out)
            found = sifted.records(kind, conditions, self._space)
            self.went_in = self.went_in or bool(found)
            return found

        return Replacement(kind, records)

    def left_out(self) -> RefusedRows:
        """The rows that went into none of the deposits, or not into each; notes which marks were needed."""
        self._sieve.renew()
        rows = RefusedRows()
        for row in sorted(self._left_out, key=lambda each: (each.unit, each.line, each.reason)):
            rows.add(row)
        return rows


def _contributor(home: Home) -> Contributor:
    return Contributor(home, run.caller(home), run.clock, run.random_bytes)


def _taking_back(home: Home) -> TakingBack:
    return TakingBack(home, run.caller(home), run.clock, run.random_bytes)


def _taken_words(result: Result) -> str:
    records = sum(item.records for item in result.taken)
    lines = [f"Taken back: {records:,} records from {len(result.taken):,} deposits."]
    lines += [
        f"  {item.deposit_id.hex()}  {item.identifiers_left:,} identifiers left" for item in result.taken
    ]
    if result.closed:
        lines.append(
            "These belong to closed series, whose keys are erased: withdraw them whole, if you must."
        )
        lines += [f"  {deposit_id.hex()}" for deposit_id in result.closed]
    return "\n".join(lines)


def _replaced_words(results: Iterable[replacing.Result]) -> str:
    results = list(results)
    done = [item for result in results for item in result.replaced]
    lines = [f"Replaced: {sum(item.records for item in done):,} records in {len(done):,} deposits."]
    lines += [
        f"  {item.deposit_id.hex()}  {item.records:,}"
        + (" (the same file as before)" if item.repeated else "")
        for item in done
    ]
    for title, found in (
        (
            "Not looked into, since the keys of their series are erased. Deposit anew and withdraw these, if you must:",
            [each for result in results for each in result.closed],
        ),
        (
            "Without payload, so there is no content to replace in these:",
            [each for result in results for each in result.without_payload],
        ),
    ):
        if found:
            lines += [title, *(f"  {deposit_id.hex()}" for deposit_id in found)]
    not_held = sum(result.not_held for result in results)
    if not_held:
        lines.append(
            f"{not_held:,} of the identifiers are in none of these deposits. To share them: narrowgate deposit add"
        )
    return "\n".join(lines)
