"""A broker starts as a trial that says so, on a log that fits together, and logs the rules it decides by."""

import pytest
from sqlalchemy import text

from broker import startup
from broker.gate.bundle import load
from broker.protocol.errors import Conflict, NotPermitted, Unavailable
from tests.broker_case import POLICIES, Case, seeded


def _start(case: Case, **changes: object) -> None:
    settings = case.settings.model_copy(update=changes)
    startup.stop(startup.start(settings, case.keys, load(POLICIES), case.clock, seeded("second")))


def test_without_trial_it_refuses_and_says_why(case: Case) -> None:
    with pytest.raises(NotPermitted, match="No witness is configured"):
        _start(case, trial=False)


@pytest.mark.sqlite_only
def test_a_second_broker_on_the_same_file_is_refused(case: Case) -> None:
    with pytest.raises(Conflict, match="Another process owns"):
        _start(case)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_head SET root = :zeros",
        "UPDATE log_leaves SET leaf = :zeros WHERE leaf_index = 0",
        "UPDATE log_nodes SET hash = :zeros WHERE level = 0",
        "DELETE FROM log_leaves",
    ],
)
def test_a_log_that_does_not_fit_together_refuses_to_serve(ready: Case, damage: str) -> None:
    with ready.broker.database.write() as connection:
        connection.execute(text(damage), {"zeros": bytes(32)})
    ready.close()
    with pytest.raises(Unavailable, match="damaged"):
        _start(ready)
    with pytest.raises(Unavailable, match="damaged"):
        _start(ready)


def test_the_rule_bundle_is_logged_when_it_changes_and_only_then(case: Case) -> None:
    assert case.kinds() == ["BUNDLE_ACTIVATED"]
    case.restart()
    assert case.kinds() == ["BUNDLE_ACTIVATED"]
    with case.broker.database.write() as connection:
        connection.execute(text("UPDATE bundle_activations SET bundle_digest = :other"), {"other": bytes(32)})
    case.restart()
    assert case.kinds() == ["BUNDLE_ACTIVATED", "BUNDLE_ACTIVATED"]


def test_what_was_recorded_is_there_after_a_restart(ready: Case) -> None:
    entries = ready.kinds()
    ready.restart()
    assert ready.kinds() == entries
