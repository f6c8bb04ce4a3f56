"""Steps that come at once share one durable commit in SQLite (decision 0017).

Rule: one step runs at a time, in the order in which they came, all on one connection in one transaction. Whoever ends
its step while others wait leaves the transaction open to the next of them and waits; whoever ends it while nobody does
commits for all. So a caller alone commits at once, and those who come while a commit is being synced are the next
group. Nobody returns, with an answer or an error, before the group's commit is durable: an error too may tell of what
an earlier step of the group wrote. Each step but the first, before which there is nothing to keep, has a savepoint: a
step that raises is rolled back alone, before the next begins, so that none ever reads what is taken back afterwards. A
failed commit fails every step of the group. What the files must be and how a fault is told is `Database`'s.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import RootTransaction

from broker.protocol.errors import Unavailable

_NOT_TAKEN = "The step could not be recorded, so it was not taken."
_NOT_KNOWN = (
    "The database failed while the step was being recorded, so whether it was taken is known only after a restart. "
    "Then repeat the very same call: it is answered as it stands."
)
MOST_STEPS = 64
LONGEST_SECONDS = 0.05
"""Once its group is so old, whoever ends a step commits: the first of it waits for one more step, not for ever."""


class _NotKnown(Exception):
    """A commit did not return; `cause` says why."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__()
        self.cause = cause


@dataclass
class _Group:
    """One transaction and how many steps it holds."""

    connection: Connection
    transaction: RootTransaction
    began_at: float
    steps: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None


@dataclass(frozen=True, eq=False)
class _Waiting:
    """Somebody in the queue. It may join a group, or needs the database to itself."""

    joins: bool
    called: threading.Event = field(default_factory=threading.Event)


class GroupCommit:
    """Whose turn it is to write, and the transaction that is open."""

    def __init__(
        self,
        engine: Engine,
        check_step: Callable[[], None],
        check_commit: Callable[[], None],
        is_fault: Callable[[BaseException], bool],
        stop: Callable[[], None],
    ) -> None:
        """
        Args:
            check_step, check_commit: raise before a step, and before a commit, that must not be.
            is_fault: whether an error is the database's, which no savepoint undoes, and not the step's own refusal.
            stop: called after a fault, before anybody else has a turn.
        """
        self._engine = engine
        self._check_step = check_step
        self._check_commit = check_commit
        self._is_fault = is_fault
        self._stop = stop
        self._monitor = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._taken = False
        self._writer: int | None = None
        self._group: _Group | None = None
        self._connection: Connection | None = None

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """A connection for one step; once the block has ended, its group is durable.

        Raises what the block raised, and Unavailable when the group, this step in it, was not committed."""
        group = self._enter()
        try:
            yield group.connection
            if group.steps:
                group.connection.exec_driver_sql("RELEASE step")
        except BaseException as error:
            self._take_back(group, error)
            self._leave(group, error)
            raise
        group.steps += 1
        self._leave(group, None)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody writes meanwhile, and everything that was written is committed."""
        self._take_turn(joins=False)
        try:
            yield
        finally:
            self._pass_turn()

    def close(self) -> None:
        """Give the connection up. Nobody writes."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _enter(self) -> _Group:
        self._take_turn(joins=True)
        try:
            self._check_step()
            if self._group is None:
                self._group = self._begin()
            else:
                self._group.connection.exec_driver_sql("SAVEPOINT step")
            return self._group
        except BaseException as error:
            self._end(error)
            self._pass_turn()
            raise

    def _begin(self) -> _Group:
        # One connection for all groups: to take one from the pool each time takes as long as an entry of the log.
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            return _Group(self._connection, self._connection.begin(), time.monotonic())
        except BaseException:
            self.close()
            raise

    def _take_back(self, group: _Group, error: BaseException) -> None:
        """Undo one step. A fault may have undone more than that already, so it ends the group."""
        if self._is_fault(error):
            self._end(error)
        elif not group.steps:
            self._end(None)
        else:
            try:
                group.connection.exec_driver_sql("ROLLBACK TO step")
                group.connection.exec_driver_sql("RELEASE step")
            except BaseException as failure:
                self._end(failure)

    def _leave(self, group: _Group, own: BaseException | None) -> None:
        """Let the next one join, or commit. Returns when it is known what became of the group."""
        commits = not self._hand_on()
        if commits:
            try:
                self._commit()
            finally:
                self._pass_turn()
        else:
            group.over.wait()
        failure = group.failure
        if failure is None or failure is own:
            return
        if isinstance(failure, _NotKnown):
            raise Unavailable(_NOT_KNOWN) from failure.cause
        if isinstance(failure, Unavailable):
            raise Unavailable(failure.detail) from failure
        raise Unavailable(_NOT_TAKEN) from failure

    def _hand_on(self) -> bool:
        with self._monitor:
            group = self._group
            if (
                group is None
                or not (self._queue and self._queue[0].joins)
                or group.steps >= MOST_STEPS
                or time.monotonic() - group.began_at > LONGEST_SECONDS
            ):
                return False
            self._writer = None
            self._queue.popleft().called.set()
            return True

    def _commit(self) -> None:
        """Make the open group durable, or take all of it back."""
        if self._group is None:
            return
        try:
            self._check_commit()
            self._group.transaction.commit()
        except BaseException as error:
            # Whatever it is: what a commit that did not return left behind is not known before the files are read anew.
            self._stop()
            self._end(error if isinstance(error, Unavailable) else _NotKnown(error))
        else:
            self._end(None)

    def _end(self, failure: BaseException | None) -> None:
        """The group is over: committed, or rolled back here. All who wait for it are told."""
        group, self._group = self._group, None
        if failure is not None and self._is_fault(failure):
            self._stop()
        if group is None:
            return
        try:
            if group.transaction.is_active:
                group.transaction.rollback()
            if failure is not None:
                self.close()
        except BaseException as error:
            self._stop()
            failure = failure or error
        finally:
            group.failure = failure
            group.over.set()

    def _take_turn(self, joins: bool) -> None:
        # A second transaction of the same thread would wait for the first for ever: that is a fault of ours.
        if self._writer == threading.get_ident():
            raise RuntimeError("a write transaction is open already in this thread")
        with self._monitor:
            waiting = _Waiting(joins) if self._taken else None
            if waiting is not None:
                self._queue.append(waiting)
            self._taken = True
        if waiting is not None:
            self._wait(waiting)
        self._writer = threading.get_ident()

    def _wait(self, waiting: _Waiting) -> None:
        try:
            waiting.called.wait()
        except BaseException:
            with self._monitor:
                is_called = waiting not in self._queue
                if not is_called:
                    self._queue.remove(waiting)
            if is_called:
                # The turn is this one's already, and a group may rely on it.
                self._commit()
                self._pass_turn()
            raise

    def _pass_turn(self) -> None:
        """The next begins a group of its own."""
        self._writer = None
        with self._monitor:
            if self._queue:
                self._queue.popleft().called.set()
            else:
                self._taken = False
