"""A broker starts as a trial that says so, and on a log that fits together."""

import pytest
from sqlalchemy import text

from broker import startup
from broker.protocol.errors import Conflict, NotPermitted, Unavailable
from tests import rules
from tests.broker_case import Case, seeded


def _start(case: Case, **changes: object) -> None:
    settings = case.settings.model_copy(update=changes)
    startup.stop(startup.start(settings, case.keys, rules.shared_shelf(), case.clock, seeded("second")))


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
        "UPDATE log_leaves SET hashes = :zeros",
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


def test_what_was_recorded_is_there_after_a_restart(ready: Case) -> None:
    entries = ready.kinds()
    ready.restart()
    assert ready.kinds() == entries
