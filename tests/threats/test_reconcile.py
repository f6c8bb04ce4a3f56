"""Key holders and a broker that hide what they did from one another's logs, and the auditor who reconciles them.

Everything is the real thing: a holder that lies appends to its own log with its own code, or leaves it out; a broker
that hides an admission goes on from an older copy of its database. The mirrors are made over the wire.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker import startup
from broker.protocol.messages.base import Message, decode
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.holder_logs import MirroredHolderLog
from clients.auditing.mirrored import MirroredLog
from clients.auditing.reconcile import Alarm, Discrepancy, Reconciled, reconcile
from clients.auditor import Auditor
from clients.cli import run
from clients.cli.main import app
from clients.keyholder.context import KeyHolder
from clients.keyholder.own_log import Evaluated
from clients.keyholder.store.log import records_between
from clients.mirrors.watched_log import holder_log
from tests import rules
from tests.world import CONTRIBUTORS, World, phone

LATER = 3600


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One request that was answered, and one that was admitted and never evaluated."""
    made = told(tmp_path_factory.mktemp("reconcile"))
    yield made
    made.close()


def told(folder: Path) -> World:
    world = World(folder)
    for name in CONTRIBUTORS:
        world.deposit(name, range(3))
    world.ask([phone(1), phone(500)])
    prepared = world.prepare([phone(2)])
    world.requester().file(prepared.request_id, [world.finding(prepared)])
    return world


def mirror(world: World, *names: str) -> None:
    """The auditor mirrors the logs of all holders, or of those named, and the broker's."""
    home = world.homes["auditor-1"]
    for holder in world.space.holders:
        if not names or holder.holder_id in names:
            Auditor(
                home.vault, holder_log(world.space, holder), world.caller("auditor-1"), world.clock
            ).verify()
    world.auditor().verify()


def reconciled(world: World) -> Reconciled:
    """What she finds an hour later, mirroring twice: the second time with the entries of her own first reading, so that
    nothing of before is too new to be judged."""
    world.now += LATER
    for _ in range(2):
        mirror(world)
    return compared(world)


def compared(world: World) -> Reconciled:
    """What the mirrors say as they are."""
    home = world.homes["auditor-1"]
    logs = [MirroredHolderLog(home, world.space, each) for each in world.space.holders]
    return reconcile(MirroredLog(home, world.space), logs, world.space, world.now)


def first_evaluation(holder: KeyHolder) -> Evaluated:
    """The record of a holder's first EVALUATED."""
    with holder.database.read() as connection:
        stored = records_between(connection, 0, holder.log.size(connection))
        leaves = holder.log.leaf_page(connection, 0, len(stored)).leaves
    first = next(at for at, leaf in enumerate(leaves) if b'"EVALUATED"' in leaf)
    return decode(Evaluated, stored[first].record or b"")


def plant(world: World, at: int | None = None, **changes: Any) -> bytes:
    """The first holder logs an evaluation as it would, with these changes. Returns the permit's id."""
    holder = world.holders[1]
    record = first_evaluation(holder).model_copy(update=changes)
    with holder.database.write() as connection:
        holder.log.append(connection, RecordKind.EVALUATED, record, world.now if at is None else at)
    return record.permit_id


def alarms(found: Reconciled, permit_id: bytes) -> list[Discrepancy]:
    """Those about one permit."""
    return [each for each in found.alarms if each.permit_id == permit_id.hex()]


# --- the honest way ---


def test_honest_logs_raise_no_alarm_and_what_was_never_asked_is_listed(world: World) -> None:
    mirror(world)
    found = compared(world)
    assert found.alarms == []
    assert found.evaluations == sum(world.evaluations().values()) > 0
    assert [each.requester for each in found.not_evaluated] == ["unit-1"]
    assert (found.not_opened, found.unfinished, found.left_out, found.not_mirrored) == ([], [], [], ())
    assert [each.cosigned_by for each in found.holders] == [()] * 3, "a trial, and shown as such"


# --- a holder that lies ---


def test_an_evaluation_that_the_brokers_log_never_admitted_is_an_alarm(world: World) -> None:
    permit_id = plant(world, permit_id=bytes(range(16)))
    (alarm,) = alarms(reconciled(world), permit_id)
    assert (alarm.alarm, alarm.holder) == (Alarm.EVALUATED_UNADMITTED, "holder-1")


def test_an_evaluation_beyond_the_end_of_the_brokers_log_is_too_new_only_while_it_is(world: World) -> None:
    permit_id = plant(world, permit_id=bytes(range(1, 17)), admitted_index=1_000_000)
    mirror(world)
    found = compared(world)
    assert (alarms(found, permit_id), found.too_new) == ([], 1)
    (alarm,) = alarms(reconciled(world), permit_id)
    assert alarm.alarm is Alarm.EVALUATED_UNADMITTED


DIFFERENCES: list[tuple[dict[str, Any], Alarm, str]] = [
    ({"bundle_digest": bytes(32)}, Alarm.OTHER_BUNDLE, "0000"),
    ({"decision_digest": bytes(32)}, Alarm.EVALUATED_OTHERWISE, "decision"),
    ({"request_digest": bytes(32)}, Alarm.EVALUATED_OTHERWISE, "request"),
    ({"series_id": bytes(32)}, Alarm.EVALUATED_OTHERWISE, "series"),
    ({"points": 3}, Alarm.EVALUATED_OTHERWISE, "points"),
    ({"batch_root": bytes(32)}, Alarm.EVALUATED_OTHERWISE, "points"),
    ({"requester": "unit-9"}, Alarm.EVALUATED_OTHERWISE, "requester"),
    ({"admitted_index": 0}, Alarm.EVALUATED_OTHERWISE, "entry of the broker's log"),
    ({"quorum": (2, 3)}, Alarm.OTHER_HOLDERS, "this is number 1"),
    ({"quorum": (1, 9)}, Alarm.OTHER_HOLDERS, "1, 9"),
    ({"quorum": (1, 2, 3)}, Alarm.OTHER_HOLDERS, "it takes 2 of 3"),
]


def test_what_was_evaluated_otherwise_than_permitted_is_an_alarm_each(world: World) -> None:
    mirror(world)
    at, before = _evaluated_at(world), compared(world).alarms
    for changes, _, _ in DIFFERENCES:
        permit_id = plant(world, at=at, **changes)
    plant(world, at=at - 86_400)
    mirror(world)
    fresh = [each for each in alarms(compared(world), permit_id) if each not in before]
    fresh.sort(key=lambda each: each.holder_entry or 0)
    expected = [*((alarm, words) for _, alarm, words in DIFFERENCES), (Alarm.OUT_OF_TIME, "before it began")]
    assert [each.alarm for each in fresh] == [alarm for alarm, _ in expected]
    for found, (_, words) in zip(fresh, expected, strict=True):
        assert words in found.detail


def test_what_is_dated_ahead_is_an_alarm_and_never_too_new_to_be_judged(world: World) -> None:
    permit_id = plant(
        world, at=world.now + 40 * 86_400, permit_id=bytes(range(2, 18)), admitted_index=1_000_000
    )
    mirror(world)
    assert [each.alarm for each in alarms(compared(world), permit_id)] == [Alarm.DATED_AHEAD]
    permit_id = plant(world, at=world.now + 50 * 86_400)
    mirror(world)
    found = {each.alarm for each in alarms(compared(world), permit_id)}
    assert found >= {Alarm.OUT_OF_TIME, Alarm.DATED_AHEAD}


def test_an_evaluation_that_names_another_space_is_passed_over_and_counted(world: World) -> None:
    permit_id = plant(world, permit_id=bytes(range(3, 19)), space_id=bytes(16))
    found = reconciled(world)
    assert (alarms(found, permit_id), found.other_spaces) == ([], 1)


def _evaluated_at(world: World) -> int:
    """A time within the first permit's."""
    home = world.homes["auditor-1"]
    log = MirroredHolderLog(home, world.space, world.space.holders[0])
    return next(each.recorded_at for each in log.entries() if each.evaluation is not None)


@pytest.mark.all_only
def test_a_holder_that_evaluates_and_writes_nothing_down_is_found_by_the_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = told(tmp_path)
    real = world.holders[1].log.append

    def silent(connection: Any, kind: RecordKind, record: Message, now: int) -> int:
        return 0 if kind is RecordKind.EVALUATED else real(connection, kind, record, now)

    monkeypatch.setattr(world.holders[1].log, "append", silent)
    answer = world.ask([phone(0)])
    assert answer.hits
    mirror(world)
    first = compared(world)
    assert (first.alarms, first.too_new > 0) == ([], True), "the mirrors may end too early to say"
    found = reconciled(world)
    assert {each.alarm for each in found.alarms} == {Alarm.TOO_FEW_HOLDERS}
    assert "1 of 2 holders" in found.alarms[0].detail
    world.close()


@pytest.mark.all_only
def test_a_holder_that_is_down_and_replaced_by_another_is_no_alarm(tmp_path: Path) -> None:
    world = told(tmp_path)
    world.take_down(world.space.holders[1].origin)
    prepared = world.prepare([phone(0)])
    world.requester().run(prepared.request_id, [world.finding(prepared)])
    world.bring_up()
    assert reconciled(world).alarms == []
    world.close()


# --- a broker that lies ---


@pytest.mark.all_only
def test_a_broker_that_hides_an_admission_is_found_by_the_holders_logs(tmp_path: Path) -> None:
    """It goes on from a copy of its database from before: the admission never was, and the hits were told."""
    world = told(tmp_path)
    startup.stop(world.broker)
    copy = tmp_path / "old"
    copy.mkdir()
    for path in tmp_path.glob("broker.sqlite3*"):
        shutil.copy(path, copy / path.name)
    _start_broker(world)
    assert world.ask([phone(0)]).hits
    startup.stop(world.broker)
    for path in tmp_path.glob("broker.sqlite3*"):
        path.unlink()
    for path in copy.iterdir():
        shutil.copy(path, tmp_path / path.name)
    _start_broker(world)
    found = reconciled(world)
    assert {each.alarm for each in found.alarms} == {Alarm.EVALUATED_UNADMITTED}
    assert {each.holder for each in found.alarms} >= {"holder-1", "holder-2"}
    world.close()


def _start_broker(world: World) -> None:
    world.broker = rules.start_broker(world.settings, world.broker_keys, world.clock, world.random("again"))
    world.run_broker(world.broker)


# --- as the auditor uses it ---


def called(world: World, *words: str, expect: int) -> str:
    name, *rest = words
    result = CliRunner().invoke(app, ["audit", name, str(world.folder / "auditor-1"), *rest])
    assert result.exit_code == expect, result.output
    return result.stdout


@pytest.mark.all_only
def test_the_commands_mirror_all_holders_and_exit_with_four_on_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = told(tmp_path)
    monkeypatch.setattr(run, "new_transport", lambda: world.wire)
    monkeypatch.setattr(run, "clock", world.clock)
    called(world, "verify", expect=0)
    assert "holder-2: " in called(world, "verify-holders", expect=0)
    text = called(world, "reconcile", expect=0)
    assert "Alarms: 0." in text
    assert "TRIAL: no witness of the space cosigned the log of holder-1, holder-2, holder-3" in text
    plant(world, permit_id=bytes(16))
    world.take_down(world.space.holders[2].origin)
    shown = json.loads(called(world, "verify-holders", "--json", expect=5))["holders"]
    assert [each["verified"] for each in shown] == [True, True, False]
    world.now += LATER
    called(world, "verify", expect=0)
    called(world, "verify", expect=0)
    found = json.loads(called(world, "reconcile", "--json", expect=4))
    (alarm,) = found["alarms"]
    assert (alarm["alarm"], alarm["holder"]) == ("evaluated-unadmitted", "holder-1")
    at = str(alarm["holder_entry"])
    shown = json.loads(called(world, "show", at, "--holder", "holder-1", "--json", expect=0))
    assert (shown["kind"], shown["record"]["permit_id"]) == ("EVALUATED", alarm["permit_id"])
    world.close()
