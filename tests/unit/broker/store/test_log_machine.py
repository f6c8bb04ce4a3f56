"""The stored log against a plain list: whatever is done to it in whatever order, it is that list, and proves it.

Steps are taken as the broker takes them, through `Database` and `AuditLog`; some are refused, some commits fail, and
the database is opened again. Proofs are checked with the verifying side alone, and the whole with an independent reader
of its tiles.
"""

import itertools
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.protocol import checkpoint, leaves, merkle, receipts
from broker.protocol.documents import public_bytes
from broker.protocol.errors import NotFound, Unavailable
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import read_path
from broker.store import migrate
from broker.store.database import Connection, Database
from broker.store.log import SqlLogStorage
from broker.translog import log as translog
from broker.translog.storage import Head
from tests import tlog_reader
from tests.conftest import BOTH
from tests.databases import Databases, Server, SqliteFiles

KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
ORIGIN = "broker.example.org/log"
VERIFIER = checkpoint.verifier_key(ORIGIN, public_bytes(KEY))
NOW = 1_790_000_000
RECORD = BundleActivated(
    bundle_digest=bytes(32), previous_digest=None, valid_from=NOW, approvals=("a.b.c", "d.e.f")
)


def root_of(leaves: list[bytes]) -> bytes:
    """The root by definition, level by level, from nothing but the leaves."""
    return tlog_reader._root([merkle.leaf_hash(leaf) for leaf in leaves])


class LogMachine(RuleBasedStateMachine):
    """One log, and the list that it must be."""

    def __init__(self, databases: Databases, template: str, folder: Path) -> None:
        super().__init__()
        self.databases = databases
        self.url = databases.copy(template, folder)
        self.salts = itertools.count()
        self.leaves: list[bytes] = []
        self._open()

    def teardown(self) -> None:
        self.database.close()
        self.databases.drop(self.url)
        if self.database.path is not None:
            for path in self.database.path.parent.glob(f"{self.database.path.name}*"):
                path.unlink()

    def _open(self) -> None:
        self.database = Database(self.url)
        self.audit = AuditLog(ORIGIN, KEY, self._salt, trial=True)
        with self.database.read() as connection:
            assert self.audit.start(connection) == Head(len(self.leaves), root_of(self.leaves))

    def _salt(self, size: int) -> bytes:
        return next(self.salts).to_bytes(size, "big")

    def _append(self, connection: Connection) -> tuple[int, bytes]:
        """One entry. Its receipt holds at once, and for the log that ends with it."""
        receipt = self.audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, NOW)
        shown = receipts.verify_log_proof(receipt.proof, ORIGIN, public_bytes(KEY)).checkpoint
        assert shown.size == receipt.proof.index + 1
        return receipt.proof.index, receipt.proof.leaf

    @rule()
    def one_entry(self) -> None:
        with self.database.write() as connection:
            index, leaf = self._append(connection)
        assert index == len(self.leaves)
        self.leaves.append(leaf)

    @rule(added=st.integers(0, 40))
    def many_leaves(self, added: int) -> None:
        """At once, each with its record, without which the log would not start again."""
        composed = [
            leaves.compose(
                RecordKind.BUNDLE_ACTIVATED.value, NOW, encode(RECORD), self._salt(leaves.SALT_BYTES)
            )
            for _ in range(added)
        ]
        with self.database.write() as connection:
            beside = [(each.record, each.salt) for each in composed]
            storage = SqlLogStorage(connection, lock=True, beside=beside)
            appended = translog.append(storage, [each.leaf for each in composed])
        assert appended.first_index == len(self.leaves)
        self.leaves += [each.leaf for each in composed]

    @rule(added=st.integers(1, 3))
    def a_step_that_is_refused(self, added: int) -> None:
        def step() -> None:
            with self.database.write() as connection:
                for _ in range(added):
                    self._append(connection)
                raise NotFound("Stop.")

        with pytest.raises(NotFound):
            step()

    @rule(refused=st.lists(st.booleans(), min_size=2, max_size=4))
    def steps_at_once(self, refused: list[bool]) -> None:
        def step(is_refused: bool) -> tuple[int, bytes] | None:
            try:
                with self.database.write() as connection:
                    appended = self._append(connection)
                    if is_refused:
                        raise NotFound("Stop.")
                    return appended
            except NotFound:
                return None

        with ThreadPoolExecutor(len(refused)) as pool:
            found = [each for each in pool.map(step, refused) if each is not None]
        assert len(found) == refused.count(False)
        for index, leaf in sorted(found):
            assert index == len(self.leaves)
            self.leaves.append(leaf)

    @rule(added=st.integers(1, 3))
    def a_commit_that_fails(self, added: int) -> None:
        def step(spoil: Callable[[Connection], None]) -> None:
            with self.database.write() as connection:
                for _ in range(added):
                    self._append(connection)
                spoil(connection)

        with _spoiling(self.database) as spoil, pytest.raises(Unavailable):
            step(spoil)
        if self.database.is_sqlite:
            with pytest.raises(Unavailable), self.database.write():
                pass
            self.open_again()

    @rule()
    def open_again(self) -> None:
        self.database.close()
        self._open()

    @precondition(lambda self: self.leaves)
    @rule(data=st.data())
    def a_leaf_is_proved(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(1, len(self.leaves)))
        index = data.draw(st.integers(0, size - 1))
        with self.database.read() as connection:
            proof = self.audit.inclusion(connection, index, size)
        assert proof.leaf == self.leaves[index]
        key = checkpoint.parse_verifier_key(VERIFIER)
        shown = checkpoint.parse_and_verify(proof.checkpoint.encode(), ORIGIN, key)
        assert (shown.size, shown.root) == (size, root_of(self.leaves[:size]))
        merkle.verify_inclusion(merkle.leaf_hash(proof.leaf), index, size, proof.path, shown.root)

    @precondition(lambda self: self.leaves)
    @rule(data=st.data())
    def growth_is_proved(self, data: st.DataObject) -> None:
        new = data.draw(st.integers(1, len(self.leaves)))
        old = data.draw(st.integers(1, new))
        with self.database.read() as connection:
            path = self.audit.consistency(connection, old, new).path
        merkle.verify_consistency(old, new, path, root_of(self.leaves[:old]), root_of(self.leaves[:new]))

    @rule()
    def the_tiles_are_read_by_others(self) -> None:
        with self.database.read() as connection:

            def fetch(path: str) -> bytes:
                if path == "checkpoint":
                    return self.audit.checkpoint(connection).note.encode()
                return self.audit.tile(connection, read_path(path.removeprefix("tile/")))

            assert tlog_reader.read_log(fetch, VERIFIER).leaves == tuple(self.leaves)

    @invariant()
    def it_is_the_list(self) -> None:
        with self.database.read() as connection:
            storage = SqlLogStorage(connection)
            assert storage.head() == Head(len(self.leaves), root_of(self.leaves))
            assert list(storage.leaves(0, len(self.leaves) + 1)) == self.leaves


@contextmanager
def _spoiling(database: Database) -> Iterator[Callable[[Connection], None]]:
    """What makes the next commit fail: no file may grow any more, or the server hangs up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def spoil(connection: Connection) -> None:
        if database.path is not None:
            size = Path(f"{database.path}-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
            return
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with database.read() as other:
            other.execute(text("SELECT pg_terminate_backend(:own, 10000)"), {"own": own})

    try:
        yield spoil
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _run(databases: Databases, folder: Path, examples: int, steps: int) -> None:
    (folder / "template").mkdir()
    template = databases.new(folder / "template")
    prepared = Database(template)
    migrate.upgrade(prepared)
    prepared.close()
    factory: Any = partial(LogMachine, databases, template, folder)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    databases.drop(template)


def test_the_log_is_a_list(tmp_path: Path) -> None:
    _run(SqliteFiles(), tmp_path, examples=8, steps=12)


@pytest.mark.all_only
@pytest.mark.parametrize("databases", BOTH, indirect=True)
def test_the_log_is_a_list_whatever_is_done_to_it(databases: Databases, tmp_path: Path) -> None:
    _run(databases, tmp_path, examples=12 if isinstance(databases, Server) else 60, steps=25)
