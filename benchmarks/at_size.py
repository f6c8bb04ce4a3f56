"""A large file deposited: rows a second, peak memory, bytes on the wire. Run: `python -m benchmarks.at_size [ROWS ...]`

Rule: each size is read, grouped, masked and made ready to send in a process of its own, by the product's own code in a
real home; the resident set of that process and of those it starts is added up every 0.1 s, shared pages counted for
each, so the peak printed is an upper bound. Rates are of this machine and this run; memory is held to a bound by
`tests/integration/test_at_size.py`. The broker's work is not in it. With `--diff N` the comparison of a nightly file of
N identifiers with the index alone: 10,000 new and 10,000 gone.

Addresses are of a domain reserved for examples.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.cli.conditions_by_column import ConditionsByColumn
from clients.cli.deposit_file import read_deposit_file
from clients.deposit_changes.index_comparison import compare
from clients.depositing import deposit_index, masked_records
from clients.depositing.deposit_index import IndexRow
from clients.depositing.masked_deposit import Row, checked, mask_deposit
from clients.depositing.series_folder import SeriesFolder, all_series
from clients.home import Home
from clients.readers import Reading
from clients.readers.grouping import Grouping
from clients.readers.refused_rows import RefusedRows
from clients.vault import create_vault
from clients.working_folder import working_folder

SIZES = (100_000, 1_000_000)
CHANGED = 10_000
NOW = 1_790_000_000


def write_rows(path: Path, rows: int) -> None:
    """A file of so many different email addresses, with a note and a reference each."""
    with path.open("w", encoding="utf-8") as file:
        file.write("email,note,reference\n")
        for number in range(rows):
            file.write(f"person{number}@example.org,seen in an advert on a site,case {number % 977}\n")


def deposit_here(directory: Path, file: Path) -> dict[str, Any]:
    """Read, group and mask a file in a home that has an open series. Returns seconds by step, and sizes."""
    home, conditions = Home.open(directory, os.urandom), _conditions(directory)
    space = home.space().payload
    times, started = {}, time.perf_counter()
    with (
        working_folder(home) as folder,
        Grouping(folder, home.salt(space), os.urandom) as grouping,
    ):
        read = read_deposit_file(
            file, Reading(), grouping, ConditionsByColumn(conditions.model_dump(), {}), RefusedRows()
        )
        times["read and group"] = time.perf_counter() - started
        (part,) = read.parts
        (series,) = all_series(home)
        rows = read.rows_of(part, conditions, space)
        given = checked(rows, series.keys())
        times["digest"] = time.perf_counter() - started - sum(times.values())
        deposit = mask_deposit(home, space, series, given, NOW, os.urandom, threads=os.cpu_count() or 1)
        times["mask and merge"] = time.perf_counter() - started - sum(times.values())
    sent = sum(len(data) for data in masked_records.remaining(home.vault, deposit.masked))
    return {"seconds": times, "wire_bytes": sent, "identifiers": given.identifiers}


def measured(directory: Path, file: Path) -> dict[str, Any]:
    """`deposit_here` in a process of its own, and the peak of its and its children's resident sets, in bytes."""
    command = [sys.executable, "-m", "benchmarks.at_size", "--here", str(directory), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(_resident_bytes, _tree(process.pid))))
            time.sleep(0.1)
        assert process.stdout is not None
        text = process.stdout.read()
    if process.returncode:
        raise SystemExit("The measured process failed.")
    return {**json.loads(text), "peak_bytes": peak}


def prepared(folder: Path) -> Path:
    """A home in a founded space with an open series of email addresses with payload. Returns its folder."""
    # Here alone: the measured process and those it starts load no broker.
    from tests.contributor_case import CONDITIONS, ContributorCase

    conditions = CONDITIONS.model_copy(update={"payload_category": PayloadCategory.OWN_REPORT})
    case = ContributorCase(folder)
    try:
        case.found()
        case.contributor().open_series(case.company.space().payload, "email", conditions)
        return case.company.vault.directory
    finally:
        case.close()


def measure(rows: int) -> dict[str, Any]:
    """One size from the beginning."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        directory, file = prepared(folder), folder / "signals.csv"
        write_rows(file, rows)
        return measured(directory, file)


def difference(identifiers: int) -> None:
    """The comparison of a nightly file with the index alone, both in order of their hashes."""

    def rows_of_index() -> Iterator[IndexRow]:
        for number in range(identifiers):
            yield IndexRow((2 * number).to_bytes(16, "big"), number.to_bytes(16, "big"), bytes(16))

    def nightly() -> Iterator[Row]:
        # 10,000 spread over all of them are gone, and as many stand between two others.
        step = max(1, identifiers // CHANGED)
        for number in range(identifiers):
            if number % step:
                yield Row((2 * number).to_bytes(16, "big"), b"", None)
            else:
                yield Row((2 * number + 1).to_bytes(16, "big"), b"", None)

    with tempfile.TemporaryDirectory() as name:
        vault = create_vault(Path(name) / "home", os.urandom)
        deposit_id, started = bytes(32), time.perf_counter()
        deposit_index.write(vault, deposit_id, rows_of_index())
        written = time.perf_counter()
        changes = {"new": 0, "gone": 0}
        for each in compare(
            nightly(), [(deposit_id, deposit_index.rows(vault, deposit_id))], with_payload=False
        ):
            changes["new" if each.row is not None else "gone"] += 1
        seconds = time.perf_counter() - written
        size = vault.path(deposit_index.index_name(deposit_id)).stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{identifiers:>10,} identifiers: index {size / identifiers:.0f} bytes each, written in "
        f"{written - started:.1f} s; compared in {seconds:.1f} s, {identifiers / seconds:,.0f} a second: {changes}; "
        f"peak resident set {peak:.0f} MiB",
        flush=True,
    )


def main() -> int:
    """Prints a line for each size."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--here"]:
        print(json.dumps(deposit_here(Path(arguments[1]), Path(arguments[2]))))
        return 0
    if arguments[:1] == ["--diff"]:
        for text in arguments[1:]:
            difference(int(text))
        return 0
    for rows in map(int, arguments) if arguments else SIZES:
        found = measure(rows)
        seconds = sum(found["seconds"].values())
        steps = ", ".join(f"{name} {each:.1f} s" for name, each in found["seconds"].items())
        wire = 1000 * found["wire_bytes"] / found["identifiers"]
        print(
            f"{rows:>10,} rows: {rows / seconds:,.0f} rows a second ({steps}); peak resident set "
            f"{found['peak_bytes'] / 1e6:.0f} MB; {wire:,.0f} bytes on the wire per 1,000 identifiers",
            flush=True,
        )
    return 0


def _conditions(directory: Path) -> Conditions:
    (series,) = all_series(Home.open(directory, os.urandom))
    return SeriesFolder(Home.open(directory, os.urandom), series.series_id).manifest.payload.conditions


def _tree(pid: int) -> Iterator[int]:
    """A process and all it started (proc(5))."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
