"""The log's writer against a bare insert of the same durability, on SQLite and on PostgreSQL; then its proofs.

Run: python -m benchmarks.log [ROUNDS [LARGEST]]

What is bare is told in `benchmarks.bare_inserts`. What is compared is taken in turns, since disk and processors are
shared; figures of one run are comparable with one another only, and the last column is the ratio to the
bare insert with as many rows in a commit. SQLite syncs its write-ahead log at each commit (synchronous=FULL),
PostgreSQL runs with its defaults. Where the temporary folder is in memory (TMPDIR=/dev/shm) a sync costs nothing, and
what is left is computing. `LARGEST` is the largest log that proofs are timed on.
"""

import multiprocessing
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event

from benchmarks.bare_inserts import ROW_BYTES, Bare
from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.protocol import checkpoint, leaves, merkle
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import migrate
from broker.store.database import Connection, Database
from broker.store.log import SqlLogStorage
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from broker.translog.verify import rederive
from tests.databases import Databases, Server, SqliteFiles

ORIGIN = "broker.example.org/log"
NOW = 1_790_000_000
KEY = Ed25519PrivateKey.generate()
RECORD = BundleActivated(
    bundle_digest=bytes(32),
    previous_digest=None,
    valid_from=NOW,
    approvals=("one.officers.word", "another.officers.word"),
)
CALLERS = (1, 8, 32)
COMMITS_IN_A_ROUND = {1: 200, 100: 20, 200: 10}
"""By the number of rows in a commit."""
COMMITS_BEFORE = 1_000
"""Of one row each, not timed: SQLite's write-ahead log grows up to its first checkpoint, and is written over after."""
STEPS_OF_A_CALLER = 20
PROOFS = 2_000
Commit = Callable[[int], None]
"""Writes so many rows in one commit."""


@dataclass
class Log:
    """A database with a log of entries, one with a log of leaves alone, and the bare tables beside them."""

    name: str
    database: Database
    leaves: Database
    bare: Bare
    audit: AuditLog = field(default_factory=lambda: AuditLog(ORIGIN, KEY, secrets.token_bytes, trial=True))
    kept: translog.KeptEdge = field(default_factory=translog.KeptEdge)

    def append_leaves(self, rows: int) -> None:
        """Leaves, hashes and head, with one call."""
        added = [secrets.token_bytes(ROW_BYTES) for _ in range(rows)]
        with self.leaves.write() as connection:
            translog.append(SqlLogStorage(connection, lock=True), added, self.kept)

    def append_entries(self, rows: int) -> None:
        """What a step of a party does, so many times: salt, leaf, record, proof and signed checkpoint besides."""
        with self.database.write() as connection:
            for _ in range(rows):
                self.append_entry(connection)

    def append_entry(self, connection: Connection) -> None:
        """One entry."""
        self.audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, NOW)


def main(rounds: int, largest: int) -> None:
    """Print the figures."""
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder:
            with _log("SQLite", SqliteFiles(), Path(folder)) as log:
                _one_writer(log, 100, rounds)
                _callers(log, rounds)
            with _log("PostgreSQL", server, Path(folder)) as log:
                _one_writer(log, 200, rounds)
                _callers(log, rounds)
            _parts()
    finally:
        server.stop()
    with tempfile.TemporaryDirectory() as folder:
        _proofs(Path(folder), largest)


@contextmanager
def _log(name: str, databases: Databases, folder: Path) -> Iterator[Log]:
    # A log of its own for leaves that are no entries: to the audit log they are damage.
    folders = [folder / name / part for part in ("entries", "leaves")]
    for each in folders:
        each.mkdir(parents=True)
    url, url_of_leaves = map(databases.new, folders)
    database, leaves_alone, bare = Database(url), Database(url_of_leaves), Bare(url)
    for opened in (database, leaves_alone):
        migrate.upgrade(opened)
    yield Log(name, database, leaves_alone, bare)
    bare.close()
    for opened in (leaves_alone, database):
        opened.close()


# --- one writer ---


def _one_writer(log: Log, many: int, rounds: int) -> None:
    print(f"{log.name}, one writer, rows of {ROW_BYTES} bytes:")
    commits: tuple[tuple[str, Commit], ...] = (
        ("bare insert", log.bare.insert),
        ("the same rows, bare", log.bare.insert_the_same_rows),
        ("the first prototype's rows, bare", log.bare.insert_as_first_written),
        ("leaf, hashes and head", log.append_leaves),
        ("whole entry with receipt", log.append_entries),
    )
    for _ in range(COMMITS_BEFORE):
        for _, commit in commits:
            commit(1)
    for rows in (1, many):
        spent = dict.fromkeys((name for name, _ in commits), 0.0)
        for _ in range(rounds):
            for name, commit in commits:
                spent[name] += _time(_repeat, commit, rows)
        done = rounds * COMMITS_IN_A_ROUND[rows] * rows
        for name, seconds in spent.items():
            _print(f"{name}, {rows} a commit", done / seconds, spent["bare insert"] / seconds)


def _repeat(commit: Commit, rows: int) -> None:
    for _ in range(COMMITS_IN_A_ROUND[rows]):
        commit(rows)


# --- callers at once ---


def _callers(log: Log, rounds: int) -> None:
    print(f"{log.name}, whole entries by callers at once, each in a `Database.write` of its own:")
    spent, commits = dict.fromkeys(CALLERS, 0.0), dict.fromkeys(CALLERS, 0)
    bare = 0.0
    for _ in range(rounds):
        bare += _time(_repeat, log.bare.insert, 1)
        for callers in CALLERS:
            with _counted_commits(log.database) as counted:
                spent[callers] += _time(_at_once, log, callers)
            commits[callers] += len(counted)
    for callers, seconds in spent.items():
        done = rounds * callers * STEPS_OF_A_CALLER
        rate, bare_rate = done / seconds, rounds * COMMITS_IN_A_ROUND[1] / bare
        _print(f"{callers} callers, {done / commits[callers]:.1f} steps a commit", rate, rate / bare_rate)


def _at_once(log: Log, callers: int) -> None:
    def call() -> None:
        for _ in range(STEPS_OF_A_CALLER):
            log.append_entries(1)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _print(name: str, rate: float, ratio: float) -> None:
    print(f"  {name:<50} {rate:10,.0f} a second {ratio:7.2f}")


@contextmanager
def _counted_commits(database: Database) -> Iterator[list[object]]:
    seen: list[object] = []
    note = seen.append
    event.listen(database.engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "commit", note)


# --- what an entry is made of ---


def _parts() -> None:
    """CPU time of each part of one entry, in a log of 10,000 entries, without the commit."""
    print("one entry, SQLite, CPU time without the commit:")
    with tempfile.TemporaryDirectory() as folder, _log("parts", SqliteFiles(), Path(folder)) as log:
        log.append_entries(10_000)
        salt = secrets.token_bytes(leaves.SALT_BYTES)
        leaf = leaves.compose("BUNDLE_ACTIVATED", NOW, encode(RECORD), salt)
        edge = translog.append(MemoryStorage(), [b"leaf"] * 10_000).after
        with log.database.write() as connection:
            storage = SqlLogStorage(connection, lock=True, beside=[(leaf.record, salt)])
            kept = translog.KeptEdge()
            parts: tuple[tuple[str, Callable[[], object]], ...] = (
                ("record as canonical JSON", lambda: encode(RECORD)),
                (
                    "salt, digest and leaf",
                    lambda: leaves.compose("X", NOW, leaf.record, secrets.token_bytes(32)),
                ),
                (
                    "hashes; rows of leaf, head and record",
                    lambda: translog.append(storage, [leaf.leaf], kept),
                ),
                ("proof off the edge", lambda: edge.path_of_next),
                ("checkpoint, signed", lambda: checkpoint.sign(ORIGIN, 9, bytes(32), KEY, ORIGIN)),
                ("all of it, through the audit log", lambda: log.append_entry(connection)),
            )
            for name, part in parts:
                print(f"  {name:<41} {_cpu_each(part) * 1e6:9.1f} microseconds")


def _cpu_each(part: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(PROOFS):
        part()
    return (time.process_time() - started) / PROOFS


# --- proofs ---


def _proofs(folder: Path, largest: int) -> None:
    print("proofs from the SQLite store; sizes in hashes of 32 bytes, the longest; times of the median:")
    print(
        "      entries   inclusion    prove   verify   consistency    prove   verify   rederive         memory grew by"
    )
    size = 1_000
    while size <= largest:
        url = f"sqlite:///{folder}/{size}.sqlite3"
        _fill(url, size)
        print(f"  {size:11,}   {_proof_figures(url, size)}   {_rederived(url)}")
        size *= 10


def _fill(url: str, size: int) -> None:
    database = Database(url)
    migrate.upgrade(database)
    kept = translog.KeptEdge()
    for at in range(0, size, 10_000):
        with database.write() as connection:
            batch = [secrets.token_bytes(ROW_BYTES) for _ in range(min(10_000, size - at))]
            translog.append(SqlLogStorage(connection), batch, kept)
    database.close()


def _proof_figures(url: str, size: int) -> str:
    database, dice = Database(url), secrets.SystemRandom()
    included, continued = _Timed(), _Timed()
    with database.read() as connection:
        storage = SqlLogStorage(connection)
        root = storage.head().root
        for _ in range(PROOFS):
            index, old = dice.randrange(size), dice.randrange(1, size)
            path = included.prove(translog.inclusion_proof, storage, index, size)
            (leaf,) = storage.leaves(index, index + 1)
            included.verify(merkle.verify_inclusion, merkle.leaf_hash(leaf), index, size, path, root)
            old_root = translog.root_at(storage, old)
            path = continued.prove(translog.consistency_proof, storage, old, size)
            continued.verify(merkle.verify_consistency, old, size, path, old_root, root)
    database.close()
    return f"{included}   {continued}"


@dataclass
class _Timed:
    """Times of proving and verifying, and the longest proof."""

    longest: int = 0
    proving: list[float] = field(default_factory=list)
    verifying: list[float] = field(default_factory=list)

    def prove(self, function: Callable[..., tuple[bytes, ...]], *arguments: object) -> tuple[bytes, ...]:
        """Time one proof."""
        started = time.perf_counter()
        path = function(*arguments)
        self.proving.append(time.perf_counter() - started)
        self.longest = max(self.longest, len(path))
        return path

    def verify(self, function: Callable[..., None], *arguments: object) -> None:
        """Time one check, which raises if it does not hold."""
        self.verifying.append(_time(function, *arguments))

    def __str__(self) -> str:
        middle = [sorted(times)[len(times) // 2] * 1e3 for times in (self.proving, self.verifying)]
        return f"{self.longest:9} {middle[0]:6.3f}ms {middle[1]:6.3f}ms"


def _rederived(url: str) -> str:
    """Seconds of wall and CPU, and growth of memory, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        wall, cpu, grown_kib = pool.apply(_rederive, (url,))
    return f"{wall:6.2f} s wall {cpu:6.2f} s CPU {grown_kib / 1024:6.1f} MiB"


def _rederive(url: str) -> tuple[float, float, int]:
    database = Database(url)
    with database.read() as connection:
        storage = SqlLogStorage(connection)
        storage.head()
        before, cpu = _most_memory_kib(), time.process_time()
        wall = _time(rederive, storage)
        cpu, grown = time.process_time() - cpu, _most_memory_kib() - before
    database.close()
    return wall, cpu, grown


def _most_memory_kib() -> int:
    """The most memory that this process had so far; of the program it was before `exec` Linux leaves that out here."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _time(function: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*(given + [5, 1_000_000][len(given) :]))
