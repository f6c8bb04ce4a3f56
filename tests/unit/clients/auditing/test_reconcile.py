"""Reconciling a whole story, from hits to a payload that is opened: nothing in it is an alarm."""

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.holder_logs import MirroredHolderLog
from clients.auditing.mirrored import MirroredLog
from clients.auditing.reconcile import Reconciled, reconcile
from clients.auditor import Auditor
from clients.mirrors.watched_log import holder_log
from tests import auditing_case as case
from tests.world import World


def reconciled(world: World) -> Reconciled:
    """What an auditor finds who mirrors all logs."""
    home = world.homes["auditor-1"]
    for each in world.space.holders:
        Auditor(home.vault, holder_log(world.space, each), world.caller("auditor-1"), world.clock).verify()
    logs = [MirroredHolderLog(home, world.space, each) for each in world.space.holders]
    return reconcile(case.mirror(world), logs, world.space, world.now)


def test_a_payload_that_was_released_is_listed_until_it_is_opened_and_then_reconciles(honest: World) -> None:
    before = reconciled(honest)
    assert (before.alarms, before.openings, before.not_evaluated) == ([], 0, [])
    (released,) = before.not_opened
    log = MirroredLog(honest.homes["auditor-1"], honest.space)
    entry = next(each for each in log.entries() if each.index == released.broker_entry)
    assert entry.kind == RecordKind.RELEASE
    assert entry.record is not None
    honest.payloads().open(bytes.fromhex(entry.record.request_id or ""))
    found = reconciled(honest)
    assert (found.alarms, found.not_opened, found.unfinished) == ([], [], [])
    assert found.openings >= honest.space.threshold
    assert found.evaluations == before.evaluations


def test_a_holder_that_was_not_mirrored_is_named_and_no_silence_of_it_counts(honest: World) -> None:
    home = honest.homes["auditor-1"]
    log = holder_log(honest.space, honest.space.holders[0])
    Auditor(home.vault, log, honest.caller("auditor-1"), honest.clock).verify()
    only = MirroredHolderLog(home, honest.space, honest.space.holders[0])
    found = reconcile(case.mirror(honest), [only], honest.space, honest.now)
    assert found.not_mirrored == ("holder-2", "holder-3")
    assert found.alarms == []
    assert found.too_new > 0
