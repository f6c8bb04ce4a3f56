"""Mask a deposit: from canonical texts and plaintexts to records, list of leaves, references and signed declaration.

Rule (DESIGN 2.3): masking is local, without a network, under the salt that the series names. Everything is kept in the
home before the deposit is there, and the deposit is there before the broker hears of it. No identifier is kept.

What brings it to the broker is `clients.upload`.
"""

import hashlib
import hmac
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from broker.protocol import documents
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.deposits import DepositDeclaration, Record
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import PayloadCategory
from clients import local_references, masked_records, record_leaves
from clients.deposit_folder import DepositEntry, DepositFolder, records_name
from clients.home import Home
from clients.masking import MaskingKeys, mask_records, self_test_record
from clients.series_folder import SeriesFolder
from clients.upload import Progress

_LABEL = b"narrowgate/v1/input\x00"


@dataclass(frozen=True)
class DepositInput:
    """What is to be deposited under one series: (canonical text, plaintext) sorted, and what it is called here.

    `digest` tells the same input again."""

    rows: Sequence[tuple[str, bytes]] = field(repr=False)
    references: Mapping[str, str] = field(repr=False)
    digest: bytes


class _OfDeposit(TypedDict):
    """What masking takes that is the same for all records of a deposit."""

    series_id: bytes
    space_id: bytes
    deposit_id: bytes
    size_class: int
    with_payload: bool
    random_bytes: RandomBytes


def checked(
    records: Iterable[tuple[str, bytes]], references: Mapping[str, str] | None, series: SeriesFolder
) -> DepositInput:
    """The records of one deposit, sorted. Raises BadInput: none, an identifier twice, or one of another type."""
    rows = _checked_rows(records, series.manifest.payload.identifier_type)
    return DepositInput(rows, references or {}, input_digest(series.keys(), _LABEL, rows))


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
    """Mask a deposit and keep it. Nothing is sent.

    Raises BadInput for a plaintext too long for the space's size class, NotFound once the keys are erased."""
    manifest, keys, deposit_id = series.manifest.payload, series.keys(), random_bytes(32)
    of_deposit: _OfDeposit = {
        "series_id": series.series_id,
        "space_id": space.space_id,
        "deposit_id": deposit_id,
        "size_class": space.size_class,
        "with_payload": manifest.conditions.payload_category is not PayloadCategory.NONE,
        "random_bytes": random_bytes,
    }
    test_record = self_test_record(keys, **of_deposit)
    salt = home.salt_of(space.space_id, manifest.salt_id)
    masked = mask_records(given.rows, keys, salt=salt, threads=threads, **of_deposit)
    called: list[tuple[bytes, str]] = []
    noted = _noted(masked, given, called)
    written = masked_records.write_sorted(
        home.vault,
        records_name(deposit_id),
        itertools.chain((test_record,), _counted(noted, len(given.rows), progress)),
        space.size_class,
    )
    record_leaves.keep(home.vault, deposit_id, written)
    if called:
        local_references.keep(home.vault, deposit_id, called)
    declaration = DepositDeclaration(
        deposit_id=deposit_id,
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
        deposit_id=deposit_id,
        series_id=series.series_id,
        identifier_type=manifest.identifier_type,
        input_digest=given.digest,
        identifiers=len(given.rows),
        stage="masked",
        changed_at=now,
    )
    return DepositFolder.create(home, documents.sign(declaration, home.signing_key), entry)


def input_digest(keys: MaskingKeys, label: bytes, rows: Iterable[tuple[str, bytes]]) -> bytes:
    """Tells the same sorted input again, for one purpose. 32 bytes.

    Keyed, since a digest of identifiers alone could be guessed through."""
    digest = hmac.new(keys.k_match, label, hashlib.sha256)
    for canonical, plaintext in rows:
        name = canonical.encode("utf-8")
        digest.update(len(name).to_bytes(4, "big") + name + len(plaintext).to_bytes(4, "big") + plaintext)
    return digest.digest()


def _checked_rows(records: Iterable[tuple[str, bytes]], identifier_type: str) -> list[tuple[str, bytes]]:
    rows = sorted(records)
    if not rows:
        raise BadInput("There is nothing to deposit.")
    if not all(canonical.startswith(f"{identifier_type}/") for canonical, _ in rows):
        raise BadInput(
            "The series is for another type of identifier. Deposit each type under its own series."
        )
    if any(first[0] == second[0] for first, second in itertools.pairwise(rows)):
        raise BadInput("An identifier is given twice. Group its signals into one record first.")
    return rows


def _counted(masked: Iterable[Record], total: int, progress: Progress | None) -> Iterator[Record]:
    for done, record in enumerate(masked, start=1):
        yield record
        if progress is not None and (done % 1000 == 0 or done == total):
            progress(done, total)


def _noted(
    masked: Iterable[Record], given: DepositInput, called: list[tuple[bytes, str]]
) -> Iterator[Record]:
    """The records, each with its token noted beside what its contributor calls it."""
    for record, (canonical, _) in zip(masked, given.rows, strict=True):
        if canonical in given.references:
            called.append((record.token, given.references[canonical]))
        yield record
