"""One matching request, split by step and party, against 10^5 and 10^6 records; and the join alone.

Run: python -m benchmarks.exchange [RECORDS ...]

One series, threshold 2 of 3, all proofs verified, on one thread. The deposit holds the tokens of 100 of the 1,000
identifiers asked; its other tokens are random bytes, which cost the join as much as real ones (masking a million
identifiers is what `benchmarks.masking` measures). Figures of one run are comparable with one another only; the last
column is the ratio to one scalar multiplication measured in the same run.
"""

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import insert

from broker.protocol import group, oprf, quorum, shares, tokens
from broker.store.database import Database
from broker.store.matches import held
from broker.store.tables import METADATA, records

IDENTIFIERS = 1_000
KNOWN = 100
SEALED_BYTES = 540
THRESHOLD, HOLDERS, QUORUM = 2, 3, (1, 3)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Series:
    """One series with its dealt shares, and the names its tokens are derived under."""

    key: bytes
    dealing: shares.Dealing
    salt: bytes
    series_id: bytes
    space_id: bytes
    deposit_id: bytes

    def token(self, output: bytes) -> bytes:
        """The token of an OPRF output."""
        return tokens.derive(output, self.series_id, self.space_id, self.deposit_id)


@dataclass
class Steps:
    """Times by step, in seconds of this process's CPU."""

    multiplication_seconds: float

    def measure(self, name: str, step: Callable[[], ResultT]) -> ResultT:
        """Run one step and print its line."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = step()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        each = cpu / IDENTIFIERS / self.multiplication_seconds
        print(f"  {name:<52} {cpu * 1e3:9.1f} ms CPU {wall * 1e3:9.1f} ms wall {each:7.2f}")
        return result


def main(sizes: list[int]) -> None:
    """Print the figures for each size."""
    steps = Steps(_multiplication_seconds())
    print(
        f"{IDENTIFIERS} identifiers, one series, {THRESHOLD} of {HOLDERS}; last column: multiplications each"
    )
    key = group.random_scalar(os.urandom)
    dealing = shares.split(key, THRESHOLD, HOLDERS, os.urandom)
    series = Series(key, dealing, *(secrets.token_bytes(n) for n in (32, 32, 16, 32)))
    asked = _request(steps, series)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            _join(steps, series, asked, size, Path(folder))


def _request(steps: Steps, series: Series) -> list[bytes]:
    canonical = [f"phone/1|+4477009{number:05d}" for number in range(IDENTIFIERS)]
    hashes = steps.measure(
        "requester: salted hashes", lambda: [tokens.salted_hash(series.salt, c) for c in canonical]
    )
    blinded = steps.measure("requester: blind", lambda: oprf.blind_many(hashes, os.urandom))
    points = [one.blinded_element for one in blinded]
    commitments = series.dealing.commitments
    answers = {}
    for x in QUORUM:
        share = series.dealing.shares[x - 1]
        answers[x] = steps.measure(
            f"holder {x}: evaluate and prove",
            lambda share=share: quorum.evaluate_share(share, commitments, QUORUM, points, os.urandom),  # type: ignore[misc]
        )
    verified = steps.measure(
        "requester: verify both proofs",
        lambda: {x: quorum.verify_answer(commitments, QUORUM, x, points, answers[x]) for x in QUORUM},
    )
    combined = steps.measure("requester: combine", lambda: quorum.combine(verified, QUORUM))
    blinds = [one.blind for one in blinded]
    outputs = steps.measure(
        "requester: unblind and finalize", lambda: oprf.finalize_batch(hashes, blinds, combined)
    )
    asked = steps.measure(
        "requester: derive tokens of one deposit", lambda: [series.token(y) for y in outputs]
    )
    expected = series.token(oprf.evaluate(series.key, hashes[0]))
    if asked[0] != expected:
        raise SystemExit("The benchmark computes other tokens than the contributor would.")
    return asked


def _join(steps: Steps, series: Series, asked: list[bytes], size: int, folder: Path) -> None:
    database = Database(f"sqlite:///{folder}/{size}.db")
    with database.write() as connection:
        METADATA.create_all(connection)
    print(f"against {size:,} records, SQLite:")
    started = time.perf_counter()
    for chunk in _rows(asked[:KNOWN], size):
        with database.write() as connection:
            connection.execute(insert(records), chunk)
    rate = size / (time.perf_counter() - started)
    print(f"  {'broker: store the deposit, sorted':<52} {rate:9,.0f} records a second")
    with database.read() as connection:
        lists = {1: sorted(asked)}
        held(connection, lists)  # warm the page cache once, as a serving broker's is
        found = steps.measure("broker: the join alone", lambda: held(connection, lists))
    if {match.token for match in found} != set(asked[:KNOWN]):
        raise SystemExit("The join found other tokens than were stored.")
    database.close()


def _rows(known: list[bytes], size: int) -> Iterator[list[dict[str, object]]]:
    held = sorted({*known, *(secrets.token_bytes(16) for _ in range(size - len(known)))})
    for at in range(0, len(held), 10_000):
        yield [
            {
                "deposit_number": 1,
                "token": token,
                "record_version": 1,
                "sealed": secrets.token_bytes(SEALED_BYTES),
            }
            for token in held[at : at + 10_000]
        ]


def _multiplication_seconds() -> float:
    scalar = group.random_scalar(os.urandom)
    element = group.multiply_base(scalar)
    started = time.process_time()
    for _ in range(5_000):
        element = group.multiply(scalar, element)
    return (time.process_time() - started) / 5_000


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100_000, 1_000_000])
