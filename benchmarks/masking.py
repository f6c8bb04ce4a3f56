"""How near whole-record masking in Python comes to the same record in C. Run: `python -m benchmarks.masking`.

Rule: a figure is a ratio of two things measured in one run, in turn, round after round, on processor time; the median
of the rounds is printed. Both sides call the very same libsodium and must give the same tokens and sealed bytes, or
there is no figure. The aim for a whole record is 0.70 (C's time / Python's).

Also here: the group operations alone, and two threads against two processes, on wall time. Without a C compiler the
rows against C are left out and said to be. Nothing is written outside a temporary folder.
"""

import ctypes
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from broker.protocol import group, oprf, sealing, tokens
from broker.protocol.libsodium import sodium
from clients.masking import MaskedRecord, MaskingKeys, mask_records

AIM = 0.70
RECORDS = 1_500
ROUNDS = 9
PARALLEL_RECORDS = 6_144
PARALLEL_ROUNDS = 3
CHUNK_RECORDS = 256
WORKERS = 2
SIZE_CLASS = 512
PLAINTEXT_BYTES = 200
STRIDE = 64
Signal = tuple[str, bytes]
SOURCE = Path(__file__).with_name("masking_loop.c")
FLAGS = ("-O3", "-shared", "-fPIC")

SALT, SERIES_ID, SPACE_ID, DEPOSIT_ID = b"\x01" * 32, b"\x02" * 32, b"\x03" * 16, b"\x04" * 32
KEYS = MaskingKeys(group.scalar_from_int(3**150), group.scalar_from_int(5**100))
NONCES = bytes(i % 251 for i in range(sealing.NONCE_BYTES * RECORDS))


class _Deposit(ctypes.Structure):
    """`struct deposit` of masking_loop.c."""

    _fields_ = (
        ("k_match", ctypes.c_char_p),
        ("k_open", ctypes.c_char_p),
        ("salt", ctypes.c_char_p),
        ("series_id", ctypes.c_char_p),
        ("space_id", ctypes.c_char_p),
        ("deposit_id", ctypes.c_char_p),
        ("size_class", ctypes.c_uint32),
        ("with_payload", ctypes.c_uint32),
    )


@dataclass(frozen=True)
class Loop:
    """The compiled loop, and what compiled it."""

    library: ctypes.CDLL
    compiler: str


def compile_loop(folder: Path) -> Loop | None:
    """Compiles masking_loop.c into the folder; None if there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    target = folder / "masking_loop.so"
    subprocess.run([compiler, *FLAGS, "-o", str(target), str(SOURCE), "-ldl"], check=True)
    library = ctypes.CDLL(str(target))
    if library.bind_library(ctypes.c_void_p(sodium.handle)) != 0:
        raise SystemExit("The libsodium in use lacks a function that the loop in C needs.")
    version = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True)
    return Loop(library, version.stdout.splitlines()[0])


def numbers(count: int) -> list[Signal]:
    """Distinct numbers, each with a plaintext of 200 bytes; the first come from a range reserved for fiction."""
    return [(f"phone/1|+447700{900_000 + i}", b"x" * PLAINTEXT_BYTES) for i in range(count)]


def in_python(
    some: list[Signal], with_payload: bool, random_bytes: Callable[[int], bytes] = os.urandom
) -> list[MaskedRecord]:
    """The product's own function over these signals, here and now."""
    masked = mask_records(
        ((tokens.salted_hash(SALT, canonical), plaintext) for canonical, plaintext in some),
        KEYS,
        series_id=SERIES_ID,
        space_id=SPACE_ID,
        deposit_id=DEPOSIT_ID,
        size_class=SIZE_CLASS,
        with_payload=with_payload,
        random_bytes=random_bytes,
        threads=1,
    )
    return list(masked)


def in_c(loop: Loop, some: list[Signal], with_payload: bool) -> Callable[[], list[MaskedRecord]]:
    """Lays out the same work for the loop; each call of the result runs it and returns the records."""
    count, sealed_bytes = len(some), sealing.sealed_bytes(SIZE_CLASS)
    deposit = _Deposit(
        KEYS.k_match, KEYS.k_open, SALT, SERIES_ID, SPACE_ID, DEPOSIT_ID, SIZE_CLASS, with_payload
    )
    encoded = [canonical.encode() for canonical, _ in some]
    canonical = b"".join(each.ljust(STRIDE, b"\x00") for each in encoded)
    sizes = (ctypes.c_uint32 * count)(*map(len, encoded))
    plaintexts = b"".join(plaintext for _, plaintext in some)
    tokens_out = ctypes.create_string_buffer(tokens.TOKEN_BYTES * count)
    sealed_out = ctypes.create_string_buffer(sealed_bytes * count)

    def run() -> list[MaskedRecord]:
        failed = loop.library.mask_records(
            ctypes.byref(deposit), count, canonical, sizes, STRIDE, plaintexts, PLAINTEXT_BYTES, NONCES, tokens_out,
            sealed_out,
        )  # fmt: skip
        if failed:
            raise SystemExit("The loop in C failed.")
        token_bytes, sealed = tokens_out.raw, sealed_out.raw
        return [
            MaskedRecord(
                token_bytes[16 * i : 16 * (i + 1)], 1, sealed[sealed_bytes * i : sealed_bytes * (i + 1)]
            )
            for i in range(count)
        ]

    return run


def compared(name: str, count: int, c: Callable[[], object], python: Callable[[], object]) -> float:
    """Runs both in turn, prints the median microseconds of each and returns the median ratio."""
    if c() != python():
        raise SystemExit(f"{name}: C and Python do not give the same bytes, so there is nothing to compare.")
    rounds = [(processor_seconds(c), processor_seconds(python)) for _ in range(ROUNDS)]
    c_time, python_time = (statistics.median(each) / count * 1e6 for each in zip(*rounds, strict=True))
    ratio = statistics.median(c / python for c, python in rounds)
    print(f"{name:<44} C {c_time:6.1f} us   Python {python_time:6.1f} us   ratio {ratio:.2f}")
    return ratio


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of one run in this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def against_c(loop: Loop) -> bool:
    """The rows against C. Returns whether every whole record reached the aim."""
    some = numbers(RECORDS)
    hashes = [tokens.salted_hash(SALT, canonical) for canonical, _ in some]
    joined, elements = b"".join(hashes), ctypes.create_string_buffer(group.ELEMENT_BYTES * RECORDS)

    def group_in_c() -> bytes:
        loop.library.multiply_hashes(RECORDS, KEYS.k_match, joined, elements)
        return elements.raw

    def group_in_python() -> bytes:
        return b"".join(group.multiply(KEYS.k_match, oprf.hash_input(h)) for h in hashes)

    compared("group only: hash to group, one multiplication", RECORDS, group_in_c, group_in_python)
    whole = []
    for with_payload in (False, True):
        name = f"whole record, {'payload, two keys' if with_payload else 'no payload, one key'}"

        def python(with_payload: bool = with_payload) -> list[MaskedRecord]:
            return in_python(some, with_payload, io.BytesIO(NONCES).read)

        whole.append(compared(name, RECORDS, in_c(loop, some, with_payload), python))
    return min(whole) >= AIM


def threads_against_processes() -> None:
    """Records a second on wall time: one thread, two threads, two processes that send the records back."""
    some = numbers(PARALLEL_RECORDS)
    parts = [some[i : i + CHUNK_RECORDS] for i in range(0, len(some), CHUNK_RECORDS)]
    times: dict[str, list[float]] = {}

    def timed(name: str, results: Callable[[], Iterable[list[MaskedRecord]]]) -> None:
        start = time.perf_counter()
        if sum(len(each) for each in results()) != len(some):
            raise SystemExit(f"{name}: records are missing.")
        times.setdefault(name, []).append(time.perf_counter() - start)

    # spawn: as the product does, which may have threads of its own.
    with (
        ThreadPoolExecutor(WORKERS) as threads,
        ProcessPoolExecutor(WORKERS, get_context("spawn")) as processes,
    ):
        list(processes.map(in_python, parts[:WORKERS], [True] * WORKERS))
        for _ in range(PARALLEL_ROUNDS):
            timed("1 thread", lambda: [in_python(part, True) for part in parts])
            timed(f"{WORKERS} threads", lambda: threads.map(in_python, parts, [True] * len(parts)))
            timed(f"{WORKERS} processes", lambda: processes.map(in_python, parts, [True] * len(parts)))
    print(f"whole records with payload a second, wall time, {os.cpu_count()} cores:")
    alone = statistics.median(times["1 thread"])
    for name, each in times.items():
        median = statistics.median(each)
        print(f"  {name:<12} {len(some) / median:8.0f}   {alone / median:.2f} times one thread")


def main() -> int:
    """Prints everything; exit code 1 if a whole record stays under the aim."""
    print(f"libsodium {'.'.join(map(str, sodium.version))}, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        loop = compile_loop(Path(folder))
        if loop is None:
            print("No C compiler on this machine: the rows against C are left out.")
            reached = True
        else:
            print(f"{loop.compiler}, flags {' '.join(FLAGS)}; tokens and sealed bytes equal on both sides")
            reached = against_c(loop)
            print(f"aim for a whole record {AIM:.2f}: {'reached' if reached else 'NOT reached'}")
    threads_against_processes()
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
