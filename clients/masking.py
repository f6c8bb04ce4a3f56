"""From salted hashes of identifiers to records, in bulk, on the contributor's machine, without a network (DESIGN 2.3).

Rule: memory is constant whatever the number of records. Signals are taken as they come, in chunks, and a few chunks
are in work at a time; records come out in the same order, which the caller must destroy by sorting on the token before
anything leaves the house, since the order of rows would link deposits. One record per identifier: gathering an
identifier's signals into one plaintext is the reader's work.

Large sets are masked by processes, small ones where they are. Threads would be simpler, and `python -m
benchmarks.masking` measures both in one run: two threads gain little, since a record lets go of the interpreter's lock
a dozen times. The keys reach the processes through a pipe and are in no file, and a process ends with the one that
started it, even where that was killed. This module reads no file, keeps no key and does not know what the plaintexts
say.
"""

import io
import itertools
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process

from broker.protocol import sealing, tokens
from broker.protocol.errors import BadInput
from broker.protocol.messages.deposits import Record

FIRST_VERSION = 1
"""The record version of a first deposit; a record that replaces another takes the next."""

_CHUNK_RECORDS = 256
_CHUNKS_IN_WORK = 2  # for each process: one being masked, one waiting
_CHUNKS_AT_ONCE = 16  # up to so many, starting processes takes longer than it saves

MaskedRecord = Record
"""What masking gives is what goes on the wire: token, record_version, sealed."""

Signal = tuple[bytes, bytes]
"""An identifier's salted hash (DESIGN 2.1) and the plaintext of its record."""

_Chunk = tuple[int, list[Signal], bytes]
"""A run of signals: the number of its first, from 1; the signals; a nonce for each."""


@dataclass(frozen=True, slots=True)
class MaskingKeys:
    """The two scalars of a series, which only its contributor has whole."""

    k_match: bytes = field(repr=False)
    k_open: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Deposit:
    """Everything that is the same for all records of one deposit."""

    keys: MaskingKeys
    series_id: bytes
    space_id: bytes
    deposit_id: bytes
    size_class: int
    with_payload: bool

    def mask_chunk(self, first: int, signals: Sequence[Signal], nonces: bytes) -> list[MaskedRecord]:
        """Masks and seals a run of signals, the first of which has that number in the whole, from 1."""
        draw = io.BytesIO(nonces).read
        records = []
        for number, (h, plaintext) in enumerate(signals, first):
            try:
                records.append(self.mask_hash(h, plaintext, draw))
            except BadInput as error:
                raise BadInput(f"Record {number}: {error.detail}") from None
        return records

    def mask_hash(self, h: bytes, plaintext: bytes, draw: Callable[[int], bytes]) -> MaskedRecord:
        """One input of the pseudorandom function and its plaintext to a record."""
        keys, place = self.keys, (self.series_id, self.space_id, self.deposit_id)
        outputs = tokens.mask(keys.k_match, keys.k_open if self.with_payload else None, h)
        token = tokens.derive(outputs.y_match, *place)
        sealed = sealing.seal(
            tokens.seal_key(outputs.y_match, outputs.y_open, *place),
            plaintext,
            space_id=self.space_id,
            deposit_id=self.deposit_id,
            token=token,
            record_version=FIRST_VERSION,
            size_class=self.size_class,
            random_bytes=draw,
        )
        return MaskedRecord(token, FIRST_VERSION, sealed)


def mask_records(
    signals: Iterable[Signal],
    keys: MaskingKeys,
    *,
    series_id: bytes,
    space_id: bytes,
    deposit_id: bytes,
    size_class: int,
    with_payload: bool,
    random_bytes: Callable[[int], bytes],
    threads: int,
) -> Iterator[MaskedRecord]:
    """Masks each `(salted hash, plaintext)`, in order.

    Args:
        with_payload: False for a deposit of payload category none; k_open is then not used.
        random_bytes: asked in this process alone, once a chunk, for its nonces.
        threads: how many mask at the same time, each in a process of its own; 1 stays in this one.

    Raises BadInput, naming the record's number and never its content, for a plaintext too long for the class; the
    records of earlier chunks have been given out by then.
    """
    deposit = _Deposit(keys, series_id, space_id, deposit_id, size_class, with_payload)
    chunks = _chunks(signals, random_bytes)
    first = list(itertools.islice(chunks, _CHUNKS_AT_ONCE + 1)) if threads > 1 else []
    everything = itertools.chain(first, chunks)
    if len(first) <= _CHUNKS_AT_ONCE:
        for chunk in everything:
            yield from deposit.mask_chunk(*chunk)
    else:
        yield from _in_processes(deposit, everything, threads)


def self_test_record(
    keys: MaskingKeys,
    *,
    series_id: bytes,
    space_id: bytes,
    deposit_id: bytes,
    size_class: int,
    with_payload: bool,
    random_bytes: Callable[[int], bytes],
) -> MaskedRecord:
    """The record of the series' public self-test element, to be put among the deposit's others. Raises BadInput."""
    deposit = _Deposit(keys, series_id, space_id, deposit_id, size_class, with_payload)
    plaintext = tokens.self_test_plaintext(series_id)
    return deposit.mask_hash(tokens.self_test_input(series_id), plaintext, random_bytes)


def _in_processes(deposit: _Deposit, chunks: Iterable[_Chunk], processes: int) -> Iterator[MaskedRecord]:
    # spawn: a fork would copy whatever locks the caller's other threads hold at this moment.
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent) as pool:
        # Not pool.map: it would read all the signals before it gave the first record.
        working: deque[Future[list[MaskedRecord]]] = deque()
        try:
            for chunk in chunks:
                working.append(pool.submit(deposit.mask_chunk, *chunk))
                if len(working) >= processes * _CHUNKS_IN_WORK:
                    yield from working.popleft().result()
            while working:
                yield from working.popleft().result()
        finally:
            # Whether the caller stopped early or a record was bad, nothing more is masked.
            for future in working:
                future.cancel()


def _end_with_parent() -> None:
    """In a process that masks: end when the process that started it has ended, however it did.

    The pool does not see to it: its processes would wait for work for ever, with the keys in their memory."""
    starter = parent_process()

    def wait() -> None:
        if starter is not None:
            starter.join()
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def _chunks(signals: Iterable[Signal], random_bytes: Callable[[int], bytes]) -> Iterator[_Chunk]:
    """Runs of signals, each with the number of its first (from 1) and a nonce for each."""
    remaining, first = iter(signals), 1
    while chunk := list(itertools.islice(remaining, _CHUNK_RECORDS)):
        yield first, chunk, random_bytes(sealing.NONCE_BYTES * len(chunk))
        first += len(chunk)
