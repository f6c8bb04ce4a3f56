"""Every benchmark that takes a size runs at the smallest, so that none breaks unseen when the code moves on.

Its figures are not looked at. `benchmarks.ladder` and `benchmarks.masking` have one size, of half a minute.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.all_only


@pytest.mark.parametrize(
    "arguments",
    [
        ("at_size", "500"),
        ("at_size", "--diff", "20000"),
        ("audit", "1000"),
        ("carry",),
        ("exchange", "1000"),
        ("gate", "5"),
        ("log", "1", "1000"),
        ("person", "50", "1"),
        ("postgresql", "1000"),
        ("withdrawal", "200"),
    ],
    ids=" ".join,
)
def test_a_benchmark_runs_to_its_end_and_prints_figures(arguments: tuple[str, ...]) -> None:
    module, *sizes = arguments
    ran = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *sizes],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert any(character.isdigit() for character in ran.stdout)
