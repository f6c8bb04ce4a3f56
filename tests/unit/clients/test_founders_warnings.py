"""Warnings are of types that there are: one that nobody can name would warn nobody."""

from clients.founders_warnings import FOUNDERS_WARNINGS
from clients.identifiers import registered_types


def test_each_warning_is_of_a_registered_type() -> None:
    assert FOUNDERS_WARNINGS
    assert set(FOUNDERS_WARNINGS) <= set(registered_types())
