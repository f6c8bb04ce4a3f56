"""Settings for every test: no skip passes unseen in `make test-all`."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With NARROWGATE_NO_SKIPS set, a skipped test is a failed one: what was not run was not shown."""
    report = yield
    if report.skipped and os.environ.get("NARROWGATE_NO_SKIPS") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and a skip counts as a failure here"
    return report
