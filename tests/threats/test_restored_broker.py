"""A broker put back from a backup: old, as new as it gets, twice, or another's. What the witnesses and key holders saw
decides whether it serves, and nobody can say otherwise.

A broker with its folder, three witnesses of which two must cosign; what is put back is shown to those very witnesses.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import startup
from broker.context import Broker
from broker.protocol.errors import Unavailable, VerificationFailed
from broker.recovery import sealed_file
from clients.remote import RemoteBadInput, RemoteUnavailable
from tests.recovery_case import Kept, kept
from tests.world import WITNESSES, phone

pytestmark = pytest.mark.all_only


@pytest.fixture(autouse=True, scope="module")
def _quick_keys() -> Iterator[None]:
    patched = pytest.MonkeyPatch()
    patched.setattr(sealed_file, "_LOG2_N", 1)
    yield
    patched.undo()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Kept]:
    made = kept(tmp_path, witnesses=3, quorum=2)
    made.world.deposit("company-1", range(10))
    made.world.deposit("company-2", range(5, 15))
    made.world.deposit("ngo-1", range(5))
    yield made
    made.world.close()


def serve(case: Kept, broker: Broker) -> None:
    """This broker answers from now on; the one before goes on living."""
    case.world.broker = broker
    case.world.run_broker(broker)


def test_a_backup_as_new_as_the_witnesses_serves(case: Kept) -> None:
    assert case.world.ask([phone(3)]).hits
    file = case.backup()
    startup.stop(case.world.broker)
    done = case.restore(file)
    assert (done.findings, done.in_place) == ((), True)
    assert done.compared is not None
    assert done.compared.state == "up-to-date"
    serve(case, case.start())
    assert case.world.ask([phone(3), phone(7)]).hits == (phone(3), phone(7))
    assert case.world.auditor().verify().verified


def test_a_backup_that_is_behind_the_witnesses_is_told_and_never_serves(case: Kept) -> None:
    file = case.backup()
    assert case.world.ask([phone(3)]).hits
    startup.stop(case.world.broker)
    done = case.restore(file)
    assert done.compared is not None
    assert (done.in_place, done.compared.state) == (True, "behind")
    assert "Restore a newer backup" in done.compared.words
    for _ in range(2):
        with pytest.raises(Unavailable, match="rolled back"):
            case.start()
    case.world.broker = case.start("world")  # the one that was never lost


def test_whichever_witness_is_away_an_old_backup_is_found_out(case: Kept) -> None:
    """What left the broker two of three had cosigned, so any two that answer know of it; one alone is not asked."""
    world = case.world
    world.take_down(WITNESSES[3])
    file = case.backup()
    assert world.ask([phone(3)]).hits
    world.bring_up()
    startup.stop(world.broker)
    for number, away in enumerate(WITNESSES.values()):
        world.take_down(away)
        done = case.restore(file, f"restored-{number}")
        assert done.compared is not None
        assert done.compared.state == "behind", number
        world.bring_up()
    world.broker = case.start("world")


def test_while_too_few_witnesses_answer_nobody_knows_and_nothing_serves(case: Kept) -> None:
    world = case.world
    file = case.backup()
    startup.stop(world.broker)
    world.take_down(WITNESSES[1], WITNESSES[2])
    done = case.restore(file)
    assert done.compared is not None
    assert (done.in_place, done.compared.state) == (True, "not-known")
    with pytest.raises(Unavailable, match="Too few witnesses"):
        case.start()
    world.bring_up()
    serve(case, case.start())
    assert world.ask([phone(3)]).hits


def test_of_two_copies_that_live_at_once_one_goes_on_and_the_other_stops(case: Kept) -> None:
    """Both start: so far their logs are one. Whatever the first records, the second is behind it, or another's."""
    world, file = case.world, case.backup()
    startup.stop(world.broker)
    assert case.restore(file, "one").in_place
    assert case.restore(file, "two").in_place
    one, two = case.start("one"), case.start("two")
    serve(case, one)
    assert world.ask([phone(3)]).hits
    serve(case, two)
    with pytest.raises(RemoteUnavailable, match=r"larger log|another log"):
        world.ask([phone(4)])
    # For good: it appends nothing more, and says so to whoever watches it.
    with pytest.raises(RemoteUnavailable, match=r"larger log|another log"):
        world.deposit("company-1", [70])
    assert (
        world.wire.apps[world.settings.public_origin].send(
            "GET", f"{world.settings.public_origin}/healthz", {}
        )[0]
        == 503
    )
    startup.stop(two)
    with pytest.raises(Unavailable, match=r"larger log|another log"):
        case.start("two")
    serve(case, one)
    assert world.ask([phone(4)]).hits


def test_in_a_trial_without_witnesses_the_key_holders_find_a_second_copy_out(tmp_path: Path) -> None:
    """Each kept how far the log had come when it answered last: a permit on less, or on another, is refused."""
    case = kept(tmp_path)
    world = case.world
    world.deposit("company-1", range(10))
    world.deposit("company-2", range(5, 15))
    world.deposit("ngo-1", range(5))
    file = case.backup()
    assert world.ask([phone(3)]).hits
    before = world.broker
    done = case.restore(file)
    assert done.compared is not None
    assert done.compared.state == "nobody"
    old = case.start()
    serve(case, old)
    with pytest.raises((RemoteBadInput, VerificationFailed), match=r"has not grown to this size|it forked"):
        world.ask([phone(4)])
    startup.stop(old)
    serve(case, before)
    world.close()
