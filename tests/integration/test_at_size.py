"""Memory of a deposit does not grow with the file: the measured process of `benchmarks.at_size`, at two sizes."""

import pytest

from benchmarks.at_size import measure

pytestmark = pytest.mark.all_only

SMALL, LARGE = 16_000, 40_000
"""More than a run of masked records each, so that all buffers are full at the smaller one."""
MEGABYTE = 1_000_000
ROW_IN_MEMORY_BYTES = 1_500
"""What the smallest list of signals and records takes a row: a record alone has 560 bytes."""


def test_more_than_twice_as_many_rows_take_little_more_memory_and_as_many_bytes_each() -> None:
    small, large = measure(SMALL), measure(LARGE)
    assert large["peak_bytes"] < 400 * MEGABYTE
    assert (large["peak_bytes"] - small["peak_bytes"]) / (LARGE - SMALL) < ROW_IN_MEMORY_BYTES
    assert abs(large["wire_bytes"] / LARGE - small["wire_bytes"] / SMALL) < 1
