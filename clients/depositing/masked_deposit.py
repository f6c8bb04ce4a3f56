"""Mask a deposit: from salted hashes and plaintexts to records, leaves, index, references and signed declaration.

Rule (DESIGN 2.3): masking is local, without a network, under the salt that the series names. It goes on where it broke
off (`clients.depositing.masking_runs`). Everything is kept in the home before the deposit is there, and the deposit is
there before the broker hears of it. No identifier is kept. Memory is constant: the input is a stream, read twice.

What brings it to the broker is `clients.depositing.upload`.
"""

import hashlib
import hmac
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict

from broker.protocol import documents
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.deposits import DepositDeclaration, Record
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.depositing import local_references, masking_runs, record_leaves
from clients.depositing.deposit_folder import DepositEntry, DepositFolder, records_name
from clients.depositing.deposit_index import KEY_BYTES, IndexRow, content_digest, reference_digest
from clients.depositing.masking_runs import MaskingPlan, MaskingRuns
from clients.depositing.series_folder import SeriesFolder
from clients.depositing.upload import Progress
from clients.home import Home
from clients.masking import MaskingKeys, mask_records, self_test_record

_LABEL = b"narrowgate/v1/input\x00"
_REFERENCES_LABEL = b"narrowgate/v1/input-references\x00"


class Row(NamedTuple):
    """One identifier to deposit: its salted hash, what its record holds, and what it is called here, if anything."""

    salted_hash: bytes
    plaintext: bytes
    reference: str | None = None


@dataclass(frozen=True)
class DepositInput:
    """What is to be deposited under one series, in order of the salted hashes. `digest` tells the same input again."""

    rows: Callable[[], Iterator[Row]] = field(repr=False)
    """The same rows at every call."""
    identifiers: int
    longest_reference: int
    """As `local_references.needed_bytes`; 0 where none is given."""
    digest: bytes
    references_digest: bytes
    """Tells the same references again. A deposit is the same whatever its records are called here, but a masking that
    broke off goes on with the very references it began with: their rows have one width."""


class _OfDeposit(TypedDict):
    """What masking takes that is the same for all records of a deposit."""

    series_id: bytes
    space_id: bytes
    deposit_id: bytes
    size_class: int
    with_payload: bool
    random_bytes: RandomBytes


def checked(rows: Callable[[], Iterator[Row]], keys: MaskingKeys) -> DepositInput:
    """The input of one deposit, read through once. Raises BadInput: nothing in it, or an identifier twice."""
    digest, called = _InputDigest(keys, _LABEL), _InputDigest(keys, _REFERENCES_LABEL)
    number, longest, before = 0, 0, b""
    for row in rows():
        if row.salted_hash == before:
            raise BadInput("An identifier is given twice. Group its signals into one record first.")
        number, before = number + 1, row.salted_hash
        longest = max(longest, local_references.needed_bytes(row.reference or ""))
        digest.add(row.salted_hash, row.plaintext)
        if row.reference is not None:
            called.add(row.salted_hash, row.reference.encode("utf-8", errors="replace"))
    if not number:
        raise BadInput("There is nothing to deposit.")
    return DepositInput(rows, number, longest, digest.value(), called.value())


def mask_deposit(
    home: Home,
    space: Space,
    series: SeriesFolder,
    given: DepositInput,
    now: int,
    random_bytes: RandomBytes,
    *,
    threads: int,
    progress: Progress | None = None,
) -> DepositFolder:
    """Mask a deposit and keep it, or go on with one that broke off. Nothing is sent.

    Another masking that broke off under the same series is given up. Raises BadInput for a plaintext too long for the
    space's size class, NotFound once the keys are erased."""
    manifest, keys = series.manifest.payload, series.keys()
    runs = _begun(home, space, series, given, now, random_bytes)
    plan = runs.plan
    of_deposit: _OfDeposit = {
        "series_id": series.series_id,
        "space_id": space.space_id,
        "deposit_id": plan.deposit_id,
        "size_class": plan.size_class,
        "with_payload": manifest.conditions.payload_category is not PayloadCategory.NONE,
        "random_bytes": random_bytes,
    }
    test_record = self_test_record(keys, **of_deposit)
    done, needed = runs.done, -(-plan.identifiers // plan.run_records)
    pending: deque[Row] = deque()
    rows = itertools.islice(given.rows(), done * plan.run_records, None)
    masked = _counted(
        mask_records(_noted(rows, pending), keys, threads=threads, **of_deposit),
        done * plan.run_records,
        plan.identifiers,
        progress,
    )
    for number in range(done, needed):
        run = list(itertools.islice(masked, plan.run_records))
        of_run = [pending.popleft() for _ in run]
        extra = [test_record] if number == 0 else []
        runs.keep(
            number,
            (*run, *extra),
            _references(home, plan, of_run, run),
            _index(of_run, run, of_deposit["with_payload"]),
        )
    # Its end: whatever masked is told that nothing more comes.
    next(masked, None)
    written = runs.merge(records_name(plan.deposit_id), needed)
    record_leaves.keep(home.vault, plan.deposit_id, written)
    declaration = DepositDeclaration(
        deposit_id=plan.deposit_id,
        series_id=series.series_id,
        space_id=space.space_id,
        contributor=manifest.contributor,
        salt_id=manifest.salt_id,
        size_class=space.size_class,
        records=written.records,
        root=written.root,
        self_test_token=test_record.token,
        period_from=now,
        period_until=now,
        declared_at=now,
    )
    entry = DepositEntry(
        deposit_id=plan.deposit_id,
        series_id=series.series_id,
        identifier_type=manifest.identifier_type,
        input_digest=given.digest,
        identifiers=plan.identifiers,
        stage="masked",
        changed_at=now,
    )
    deposit = DepositFolder.create(home, documents.sign(declaration, home.signing_key), entry)
    runs.erase()
    return deposit


def input_digest(keys: MaskingKeys, label: bytes, rows: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Tells the same sorted input, of salted hashes and plaintexts, again for one purpose. 32 bytes."""
    digest = _InputDigest(keys, label)
    for salted_hash, plaintext in rows:
        digest.add(salted_hash, plaintext)
    return digest.value()


class _InputDigest:
    """Keyed, since a digest of identifiers alone could be guessed through by whoever has the salt."""

    def __init__(self, keys: MaskingKeys, label: bytes) -> None:
        self._digest = hmac.new(keys.k_match, label, hashlib.sha256)

    def add(self, salted_hash: bytes, plaintext: bytes) -> None:
        """The next row, in order."""
        self._digest.update(salted_hash + len(plaintext).to_bytes(4, "big") + plaintext)

    def value(self) -> bytes:
        """The digest of what was added. 32 bytes."""
        return self._digest.digest()


def _begun(
    home: Home, space: Space, series: SeriesFolder, given: DepositInput, now: int, random_bytes: RandomBytes
) -> MaskingRuns:
    for runs in masking_runs.unfinished(home, series.series_id):
        declared = home.vault.exists(f"deposits/{runs.plan.deposit_id.hex()}/deposit.json")
        begun = (runs.plan.input_digest, runs.plan.references_digest, runs.plan.size_class)
        same = begun == (given.digest, given.references_digest, space.size_class)
        if same and not declared:
            runs.sweep()
            return runs
        runs.erase()
    plan = MaskingPlan(
        deposit_id=random_bytes(32),
        series_id=series.series_id,
        input_digest=given.digest,
        references_digest=given.references_digest,
        identifiers=given.identifiers,
        size_class=space.size_class,
        run_records=masking_runs.run_records(space.size_class),
        reference_width=local_references.width_for(given.longest_reference) if given.longest_reference else 0,
        begun_at=now,
    )
    return MaskingRuns.begin(home, plan)


def _noted(rows: Iterable[Row], pending: deque[Row]) -> Iterator[tuple[bytes, bytes]]:
    """What is masked of each row, which is noted until its record comes."""
    for row in rows:
        pending.append(row)
        yield row.salted_hash, row.plaintext


def _counted(
    masked: Iterable[Record], before: int, total: int, progress: Progress | None
) -> Iterator[Record]:
    for done, record in enumerate(masked, start=before + 1):
        yield record
        if progress is not None and (done % 1000 == 0 or done == total):
            progress(done, total)


def _references(
    home: Home, plan: MaskingPlan, rows: Iterable[Row], records: Iterable[Record]
) -> Iterator[bytes]:
    for row, record in zip(rows, records, strict=True):
        if row.reference is not None and plan.reference_width:
            yield from local_references.sealed_rows(
                home.vault, plan.deposit_id, record.token, row.reference, plan.reference_width
            )


def _index(rows: Iterable[Row], records: Iterable[Record], with_payload: bool) -> list[IndexRow]:
    return [
        IndexRow(
            row.salted_hash[:KEY_BYTES],
            record.token,
            content_digest(row.plaintext) if with_payload else reference_digest(row.reference),
        )
        for row, record in zip(rows, records, strict=True)
    ]
