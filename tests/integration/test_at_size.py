"""Memory of a deposit does not grow with the file: the measured process of `benchmarks.at_size`, at two sizes."""

import pytest

from benchmarks.at_size import measure

pytestmark = pytest.mark.all_only

SMALL, LARGE = 40_000, 120_000
"""More than two runs of masked records each, so that all buffers but DuckDB's are full at the smaller one."""
MEGABYTE = 1_000_000
ROW_IN_MEMORY_BYTES = 800
"""DuckDB takes its 64 MB by and by, which is this for each of the 80,000 rows between the two. A list of records alone
takes as much again (560 bytes and an object each), one of signals more."""


def test_three_times_as_many_rows_take_little_more_memory_and_as_many_bytes_each() -> None:
    small, large = measure(SMALL), measure(LARGE)
    assert large["peak_bytes"] < 400 * MEGABYTE
    assert (large["peak_bytes"] - small["peak_bytes"]) / (LARGE - SMALL) < ROW_IN_MEMORY_BYTES
    assert abs(large["wire_bytes"] / LARGE - small["wire_bytes"] / SMALL) < 1
