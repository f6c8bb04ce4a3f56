"""Signals grouped by identifier: the same whatever their order, and nothing of them to read on the disk."""

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.protocol import tokens
from clients.identifiers import Canonical, canonicalise
from clients.readers.grouping import Group, Grouping
from clients.readers.record import encode_record, record_of
from clients.readers.signals import Signal

SALT = bytes(range(32))
EMAILS = [canonicalise("email", f"person{number}@example.org", None) for number in range(6)]
SIGNALS = st.builds(
    Signal,
    line=st.integers(2, 2**40),
    canonical=st.sampled_from(EMAILS),
    attributes=st.dictionaries(
        st.sampled_from(["note", "seen", "reference"]), st.text("ab é", min_size=1, max_size=9)
    ).map(lambda each: tuple(each.items())),
)


def _grouped(folder: Path, signals: list[Signal]) -> list[Group]:
    with tempfile.TemporaryDirectory(dir=folder) as name, Grouping(Path(name), SALT, os.urandom) as grouping:
        for signal in signals:
            grouping.add(3, signal)
        assert grouping.identifiers() == ({3: len({each.canonical for each in signals})} if signals else {})
        assert list(grouping.groups(4)) == []
        first = list(grouping.groups(3))
        assert list(grouping.groups(3)) == first
        return first


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(signals=st.lists(SIGNALS, max_size=40, unique_by=lambda signal: signal.line), seed=st.integers())
def test_each_identifier_has_one_group_of_all_its_signals_in_whatever_order_they_came(
    tmp_path: Path, signals: list[Signal], seed: int
) -> None:
    groups = _grouped(tmp_path, signals)
    shuffled = signals[:]
    random.Random(seed).shuffle(shuffled)
    assert _grouped(tmp_path, shuffled) == groups
    by_hash: dict[bytes, list[Signal]] = {}
    for signal in sorted(signals, key=lambda each: each.line):
        by_hash.setdefault(tokens.salted_hash(SALT, signal.canonical.text), []).append(signal)
    assert [group.salted_hash for group in groups] == sorted(by_hash)
    for group in groups:
        expected = by_hash[group.salted_hash]
        assert group.line == expected[0].line
        record = record_of(group.parts, "a.csv", line=group.line, maximum_bytes=100_000)
        assert record == encode_record(expected, "a.csv", maximum_bytes=100_000)


def test_nothing_that_lies_on_the_disk_can_be_read(tmp_path: Path) -> None:
    text = "seen at the station " * 200
    with Grouping(tmp_path, SALT, os.urandom) as grouping:
        for number in range(3_000):
            grouping.add(0, Signal(number + 2, EMAILS[number % 6], (("note", text),)))
        groups = grouping.groups(0)
        assert len(next(groups).parts) == 500
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) > 10_000_000
        for path in files:
            assert path.stat().st_mode & 0o077 == 0
            data = path.read_bytes()
            assert b"example.org" not in data
            assert b"station" not in data
        groups.close()  # type: ignore[attr-defined]  # an Iterator by its signature, a generator in fact


@pytest.mark.all_only
def test_more_than_duckdb_may_hold_is_spilled_and_comes_out_whole(tmp_path: Path) -> None:
    rows = 450_000
    with Grouping(tmp_path, SALT, os.urandom) as grouping:
        for number in range(rows):
            # Canonicalising so many would take longer than sorting them.
            grouping.add(0, Signal(number + 2, Canonical("email", 1, f"person{number}@example.org")))
        before = b""
        for count, group in enumerate(grouping.groups(0), start=1):
            assert group.salted_hash > before
            before = group.salted_hash
            if count == 1:
                assert any(path.name != "signals" and path.stat().st_size for path in tmp_path.iterdir())
        assert count == rows
