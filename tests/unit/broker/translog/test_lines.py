"""A witness's line: a few calls at once, of those that wait the newest, and no thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

from broker.translog.lines import AT_ONCE, Line


class Hanging:
    """Calls that hang until they are let go; `made` are their names, as they were begun."""

    def __init__(self) -> None:
        self.line = Line()
        self.free = threading.Event()
        self.made: list[str] = []

    def submit(self, name: str) -> None:
        def call() -> None:
            self.made.append(name)
            assert self.free.wait(20)

        self.line.submit(call)

    def wait_for(self, made: list[str]) -> None:
        deadline = time.monotonic() + 10
        while self.made != made and time.monotonic() < deadline:
            time.sleep(0.005)
        assert self.made == made


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    hanging = Hanging()
    yield hanging
    hanging.free.set()


def threads() -> int:
    return sum(thread.name == "witness" for thread in threading.enumerate())


def test_a_witness_that_hangs_keeps_so_many_threads_and_no_more(hanging: Hanging) -> None:
    before = threads()
    for number in range(100):
        hanging.submit(str(number))
    assert threads() - before == AT_ONCE
    assert sorted(hanging.made) == [str(number) for number in range(AT_ONCE)]


def test_of_the_calls_that_wait_the_newest_is_made_once_an_earlier_one_has_ended(hanging: Hanging) -> None:
    names = [str(number) for number in range(AT_ONCE)]
    for name in names:
        hanging.submit(name)
        hanging.wait_for(names[: int(name) + 1])
    hanging.submit("outdated")
    hanging.submit("newest")
    hanging.free.set()
    hanging.wait_for([*names, "newest"])
    for thread in hanging.line.close():
        thread.join(10)
    assert hanging.line.close() == ()


def test_a_call_that_raises_does_not_block_the_line(hanging: Hanging) -> None:
    def broken() -> None:
        raise RuntimeError

    for _ in range(3 * AT_ONCE):
        hanging.line.submit(broken)
        time.sleep(0.002)
    hanging.submit("next")
    hanging.wait_for(["next"])


def test_a_line_that_is_closed_makes_no_further_call(hanging: Hanging) -> None:
    for number in range(AT_ONCE):
        hanging.submit(str(number))
    hanging.submit("waiting")
    under_way = hanging.line.close()
    hanging.submit("late")
    hanging.free.set()
    for thread in under_way:
        thread.join(10)
    assert len(under_way) == AT_ONCE
    assert not {"waiting", "late"} & set(hanging.made)
