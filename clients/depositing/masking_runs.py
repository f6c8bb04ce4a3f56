"""What was masked so far of a deposit that is not declared yet: runs of records, kept one by one, so that none is lost.

Rule (DESIGN 2.3): identifiers are masked in the order of their salted hashes, a run at a time; a run is kept durably,
sorted by token, before the next begins. A masking that was killed goes on after its last whole run, under the same
deposit_id. No identifier is here: records and references are sealed one by one, index rows by run. When all runs are
there they are merged into the deposit's own files, and go. What a kill left half-written goes when the masking goes on:
one process at a time masks from a home (`clients.working_folder`), so nobody is writing it.

    deposits/DEPOSIT/masking/{plan.json,records-NUMBER,references-NUMBER,index-NUMBER}

It masks nothing: `clients.depositing.masked_deposit` does.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from broker.protocol.messages.base import Bytes32, Message, Seconds
from broker.protocol.messages.deposits import Record, encode_batch, record_bytes
from clients.depositing import deposit_index, local_references, masked_records
from clients.depositing.deposit_index import IndexRow
from clients.depositing.masked_records import MaskedRecords
from clients.home import Home

RUN_BYTES = 8 * 1024 * 1024
MAXIMUM_RUN_RECORDS = 16_384


class MaskingPlan(Message):
    """What is being masked, fixed when it begins."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    input_digest: Bytes32
    references_digest: Bytes32 | None = None
    """None in a plan of an earlier version, which is then given up."""
    identifiers: Annotated[int, Field(ge=1)]
    size_class: Annotated[int, Field(ge=1)]
    run_records: Annotated[int, Field(ge=1)]
    """How many records are in a run; the last has fewer."""
    reference_width: Annotated[int, Field(ge=0)]
    """Of the rows of references; 0 where none is given."""
    begun_at: Seconds


class MaskingRuns:
    """The runs of one masking."""

    def __init__(self, home: Home, plan: MaskingPlan) -> None:
        self.plan = plan
        self._vault = home.vault
        self._folder = _folder(plan.deposit_id)

    @classmethod
    def begin(cls, home: Home, plan: MaskingPlan) -> "MaskingRuns":
        """Keep the plan of a new masking."""
        home.vault.write_message(f"{_folder(plan.deposit_id)}/plan.json", plan)
        return cls(home, plan)

    @property
    def done(self) -> int:
        """How many runs are kept whole."""
        number = 0
        while self._vault.exists(f"{self._folder}/index-{number:06d}"):
            number += 1
        return number

    def keep(
        self, number: int, records: Iterable[Record], references: Iterable[bytes], index: Sequence[IndexRow]
    ) -> None:
        """Keep one run durably. `references` are `local_references.sealed_rows`."""
        self._vault.write(f"{self._folder}/records-{number:06d}", encode_batch(sorted(records)))
        self._vault.write(f"{self._folder}/references-{number:06d}", b"".join(sorted(references)))
        # Last: a run is there once this file is.
        block = deposit_index.sealed_block(self._vault, self.plan.deposit_id, number, index)
        self._vault.write(f"{self._folder}/index-{number:06d}", block)

    def merge(self, name: str, runs: int) -> MaskedRecords:
        """Write the deposit's records under a name, its references and its index, from so many runs."""
        deposit_id, width = self.plan.deposit_id, self.plan.reference_width
        written = masked_records.write_merged(
            self._vault, name, self._paths("records", runs), self.plan.size_class
        )
        if width:
            rows = masked_records.merged_rows(
                self._paths("references", runs), local_references.row_bytes(width)
            )
            local_references.write(self._vault, deposit_id, width, rows)
        with self._vault.writing(deposit_index.index_name(deposit_id)) as file:
            for path in self._paths("index", runs):
                file.write(path.read_bytes())
            file.write(deposit_index.sealed_block(self._vault, deposit_id, runs, ()))
        return written

    def sweep(self) -> None:
        """Remove what a masking that was killed left half-written, in its own folder and the deposit's."""
        for folder in (self._folder, self._folder.rpartition("/")[0]):
            self._vault.sweep(folder)

    def erase(self) -> None:
        """Remove all of it, the plan last; and what was merged for a deposit that was not declared after all."""
        self.sweep()
        deposit = self._folder.rpartition("/")[0]
        declared = self._vault.exists(f"{deposit}/deposit.json")
        merged = () if declared else (name for name in self._vault.names(deposit) if name != "masking")
        runs = (f"masking/{name}" for name in self._vault.names(self._folder) if name != "plan.json")
        for name in (*runs, *merged, "masking/plan.json"):
            self._vault.remove(f"{deposit}/{name}")
        for folder in (self._folder, deposit):
            path = self._vault.path(folder)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()

    def _paths(self, kind: str, runs: int) -> list[Path]:
        return [self._vault.path(f"{self._folder}/{kind}-{number:06d}") for number in range(runs)]


def run_records(size_class: int) -> int:
    """How many records a run has: at most 8 MiB of them."""
    return max(1, min(MAXIMUM_RUN_RECORDS, RUN_BYTES // record_bytes(size_class)))


def unfinished(home: Home, series_id: bytes | None = None) -> Iterator[MaskingRuns]:
    """The maskings of a home, or of one series, that broke off; and what is left of those that are done."""
    for name in home.vault.names("deposits"):
        plan = f"deposits/{name}/masking/plan.json"
        if home.vault.exists(plan):
            runs = MaskingRuns(home, home.vault.read_message(MaskingPlan, plan))
            if series_id is None or runs.plan.series_id == series_id:
                yield runs


def erase_left(home: Home, deposit_id: bytes) -> None:
    """Erase what a kill left of a masking whose deposit is declared: it is merged, and needed no more."""
    plan = f"{_folder(deposit_id)}/plan.json"
    if home.vault.exists(plan):
        MaskingRuns(home, home.vault.read_message(MaskingPlan, plan)).erase()


def erase_unfinished(home: Home, series_id: bytes) -> None:
    """Erase what was masked and not declared under a series: its keys are gone, or another input takes its place."""
    for runs in unfinished(home, series_id):
        runs.erase()


def _folder(deposit_id: bytes) -> str:
    return f"deposits/{deposit_id.hex()}/masking"
