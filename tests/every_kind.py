"""A story in which every kind of log entry is made once at least, with a canary in everything that a party gives.

Rule: nothing is planted in a log; parties act through their own clients, the broker's and a holder's operators through
what their commands call. `FREE_TEXT` are words that people write; `GIVEN` is what must be in no record at all. It
judges nothing: see tests/threats/test_every_record.py.
"""

import shutil
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from broker import erasing, retention, startup
from broker.audit.log import AuditLog
from broker.protocol import tokens
from broker.protocol.documents import verify
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.approvals import Approval
from broker.protocol.messages.consent import ANSWERS, ContestState, RetractionDone
from broker.protocol.messages.erasure import ErasureGround, order
from broker.protocol.messages.requests import TokensAnswered
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import (
    MatchOutcome,
    PayloadCategory,
    Purpose,
    RecordKind,
    Tier,
)
from clients.auditor import Auditor
from clients.deposit_changes.replacing import NewContent, Replacement, Replacing
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing.series_folder import SeriesState, all_series
from clients.keyholder import erasing as holder_erasing
from clients.keyholder import retention as holder_retention
from clients.keyholder.api.app import create_app as holder_app
from clients.keyholder.context import KeyHolder, open_key_holder, open_unmarked
from clients.keyholder.log_keys import change
from clients.keyholder.own_log import OwnLog
from clients.keyholder.restoring import accept_restore
from clients.mirrors.watched_log import holder_log
from clients.persons.contesting import Contesting
from clients.remote import RefusedByGate
from clients.requesting.answers import AnswerAwaited
from clients.requesting.outcome_reports import OutcomeReports
from clients.requesting.request_folder import RequestFolder
from clients.requesting.retractions import Retractions
from tests import gate_world, rules
from tests.asgi import InMemoryClient
from tests.broker_case import key_of
from tests.world import BROKER, CONTRIBUTORS, HOLDERS, POLICE, World, email, phone

DAY_SECONDS = 86_400
CLOCK_STEP_SECONDS = 3_600
PIN = "PIN 4711-0815"
"""Such as a reporter writes into the text of a report."""

FREE_TEXT = {
    "inclusion_criterion": "canary-criterion",
    "case_reference": "CANARY-CASE-7",
    "officer": "canary-officer",
    "necessity": "canary-necessity",
    "less_intrusive_means": "canary-means",
    "basis.reference": "canary-order-12",
    "basis.article": "canary-article",
    "ordered_by": "canary-court, letter 7",
    "erased_reason": "canary-erasure",
    "rotated_reason": "canary-rotation",
}
"""What people write that is documented to stand in records, by where it was given."""
REASONS = {
    name: f"canary-reason-{name}"
    for name in (
        *("refused", "taken-back", "reviewed", "released", "withdrawn", "replaced", "restored", "kept"),
        *("contested", "decided"),
    )
}
"""What people write that is signed in documents, of which records have digests."""
PLAINTEXT = f'{{"signals":[{{"note":"canary-payload {PIN}"}}],"v":1}}'.encode()
LOCAL_REFERENCE = "canary-local-reference"


@dataclass
class Told:
    """What the story leaves: the masking keys that were in use while they were, raw."""

    masking_keys: list[bytes] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)


def tell(world: World) -> Told:
    """The whole story, some 130 days long."""
    told = Told()
    deposit(world, told)
    ask(world)
    stand_by(world)
    take_back(world)
    audit(world)
    restore(world)
    expire(world)
    erase(world)
    change_log_key(world)
    audit(world)
    return told


def claims(**changes: Any) -> dict[str, Any]:
    """Claims with a canary in each free text."""
    basis = changes.pop("basis", gate_world.basis())
    written = {"reference": FREE_TEXT["basis.reference"], "article": FREE_TEXT["basis.article"]}
    return {
        "case_reference": FREE_TEXT["case_reference"],
        "officer": FREE_TEXT["officer"],
        "necessity": FREE_TEXT["necessity"],
        "less_intrusive_means": FREE_TEXT["less_intrusive_means"],
        "basis": basis.model_copy(update=written),
        **changes,
    }


def agreed(world: World, name: str, **changes: Any) -> Conditions:
    """Conditions with a canary in the free text."""
    usual = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}
    return world.conditions(name, inclusion_criterion=FREE_TEXT["inclusion_criterion"], **usual | changes)


def deposit(world: World, told: Told) -> None:
    """Three contributors deposit, one under conditions that end soon, and one against the rules."""
    for name in CONTRIBUTORS:
        contributor = world.contributor(name)
        conditions = agreed(world, name)
        series = contributor.open_series(world.space, "phone", conditions)
        records = [(phone(number), PLAINTEXT) for number in range(8)]
        references = {phone(number): LOCAL_REFERENCE for number in range(8)}
        done = contributor.deposit(series, records, references=references)
        keys = next(each.keys() for each in all_series(world.homes[name]) if each.series_id == series)
        told.masking_keys += [keys.k_match, keys.k_open]
        salted = tokens.salted_hash(world.homes[name].salt(world.space), phone(1))
        outputs = tokens.mask(keys.k_match, keys.k_open, salted)
        told.tokens.append(tokens.derive(outputs.y_match, series, world.space.space_id, done.deposit_id))
    soon = agreed(world, "company-2", retain_until=world.now + 20 * DAY_SECONDS)
    series = world.contributor("company-2").open_series(world.space, "email", soon)
    world.contributor("company-2").deposit(series, [(email(1), PLAINTEXT)])
    with pytest.raises(RefusedByGate):
        world.deposit("company-1", [9], reviewed_by_person=False)


def ask(world: World) -> None:
    """From hits to a payload by way of a contributor's word, a refusal, and an emergency that is reviewed."""
    hits = world.ask([phone(1), phone(2), phone(500)], **claims())
    read_again(world, hits.request_id)
    acts = (world.homes[POLICE], world.space, world.caller(POLICE), world.clock, world.random(POLICE))
    OutcomeReports(*acts).report(hits.request_id, {MatchOutcome.USEFUL: [phone(1)]})
    sources = world.climb(hits.request_id, [phone(1), phone(2)], **claims())
    world.now += 3600
    request = world.climb_prepared(sources.request_id, [phone(2)], **claims())
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    with pytest.raises(AnswerAwaited):
        world.requester().run(request.payload.request_id, [finding], approvals)
    (asked,) = world.releasing("ngo-1").asks()
    world.releasing("ngo-1").answer(asked.permit_id, True, REASONS["released"])
    world.requester().submit(request.payload.request_id)
    assert world.payloads().open(request.payload.request_id)
    with pytest.raises(RefusedByGate):
        world.ask([phone(3)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE}, **claims())
    basis = gate_world.emergency_basis()
    emergency = world.ask([phone(4)], answers={"threat_to_life": True}, **claims(basis=basis))
    folder = RequestFolder(world.homes[POLICE].vault, emergency.request_id)
    judge = world.approver("judge-1")
    judge.review(judge.read(folder.document, folder.findings()), True, REASONS["reviewed"])


def read_again(world: World, request_id: bytes) -> None:
    """The requester's answer was lost on its way, and the same tokens are sent once more."""
    kept = RequestFolder(world.homes[POLICE].vault, request_id).tokens()
    assert kept is not None
    url = f"{BROKER}/v1/requests/{request_id.hex()}/tokens"
    world.caller(POLICE).post(url, kept.submission, TokensAnswered)


def audit(world: World) -> None:
    """The auditor reads the broker's records and the key holders'."""
    world.auditor().verify()
    for holder in world.space.holders:
        log, caller = holder_log(world.space, holder), world.caller("auditor-1")
        Auditor(world.homes["auditor-1"].vault, log, caller, world.clock).verify()


def stand_by(world: World) -> None:
    """A judge refuses what was admitted, so that its release fails; a prosecutor takes an approval back."""
    hits = world.ask([phone(5), phone(6)], **claims())
    request = world.climb_prepared(hits.request_id, [phone(5)], **claims())
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    requester, request_id = world.requester(), request.payload.request_id
    requester.file(request_id, [finding], approvals)
    requester.evaluate(request_id)
    judge = world.approver("judge-1")
    judge.refuse(judge.read(request.document, [finding]), REASONS["refused"])
    own = verify(Approval, approvals[1], world.homes["prosecutor-1"].identity.signing_key)
    world.approver("prosecutor-1").withdraw(own.payload.approval_id, REASONS["taken-back"])
    with pytest.raises(RefusedByGate):
        requester.submit(request_id)


def take_back(world: World) -> None:
    """Some records are replaced, some taken back; a deposit is withdrawn, and a whole series."""
    acts = (world.homes["company-1"], world.caller("company-1"), world.clock, world.random("company-1"))
    newer = [NewContent(phone(3), PLAINTEXT.replace(b"payload", b"payload-2"), LOCAL_REFERENCE)]
    given = Replacement("phone", lambda _: newer)
    Replacing(*acts).replace(world.space, given, REASONS["replaced"])
    TakingBack(*acts).withdraw_identifiers(world.space, {"phone": [phone(1), phone(7)]}, REASONS["withdrawn"])
    (second,) = world.deposit("company-1", [40], inclusion_criterion=FREE_TEXT["inclusion_criterion"])
    TakingBack(*acts).withdraw_deposit(second.deposit_id, REASONS["withdrawn"])
    opened = [each for each in all_series(world.homes["company-1"]) if each.state is SeriesState.OPEN]
    assert world.contributor("company-1").withdraw(opened[0].series_id, REASONS["withdrawn"]).complete
    # Somebody says that a record is not theirs, and company-2 decides.
    contesting = Contesting(
        world.homes["company-2"], world.caller("company-2"), world.clock, world.random("company-2")
    )
    contesting.contest(LOCAL_REFERENCE, REASONS["contested"])
    contesting.decide(LOCAL_REFERENCE, ContestState.UPHELD, REASONS["decided"])
    # Whoever was told of them is told so, and says what it did.
    told = Retractions(world.homes[POLICE], world.space, world.caller(POLICE), world.clock)
    for each in told.fetch():
        done = ANSWERS[each.notice.payload.ground][-1]
        on = REASONS["kept"] if done is RetractionDone.KEPT else None
        told.acknowledge(each.notice.payload.notice_id, "officer-1", on, done)


def restore(world: World) -> None:
    """Holder 3 loses its last entry, and its operator goes on from the copy before it."""
    directory, copy = world.folder / "holder-3", world.folder / "copy"
    world.holders[3].close()
    shutil.copytree(directory, copy)
    _run_holder(world, 3, open_unmarked(directory, world.clock, world.random("holder-3")))
    world.deposit("company-2", [41], inclusion_criterion=FREE_TEXT["inclusion_criterion"])
    world.holders[3].close()
    shutil.rmtree(directory)
    shutil.copytree(copy, directory)
    holder = open_unmarked(directory, world.clock, world.random("holder-3"))
    with holder.database.read() as connection:
        size = holder.log.size(connection)
    accept_restore(holder, size, REASONS["restored"])
    _run_holder(world, 3, holder)


def _run_holder(world: World, x: int, holder: KeyHolder) -> None:
    world.holders[x] = holder
    world.wire.apps[HOLDERS[x]] = InMemoryClient(holder_app(holder))


def expire(world: World) -> None:
    """Twenty days later the retention of one series is over."""
    world.now += 21 * DAY_SECONDS
    retention.purge(world.broker)
    for holder in world.holders.values():
        holder_retention.purge(holder)


def erase(world: World) -> None:
    """A court has the broker's record of a refusal erased and a holder's of an acceptance, with clocks put back."""
    world.now -= CLOCK_STEP_SECONDS
    said = (ErasureGround.COURT_ORDER, FREE_TEXT["ordered_by"], FREE_TEXT["erased_reason"])
    index = next(each.index for each in broker_entries(world) if each.kind == RecordKind.REFUSED)
    broker = world.broker
    erasing.erase(broker.database, broker.audit, order(index, RecordKind.REFUSED, *said), world.now)
    holder = world.holders[1]
    index = next(each.index for each in holder_entries(holder) if each.kind == RecordKind.SERIES_ACCEPTED)
    holder_erasing.erase(holder, order(index, RecordKind.SERIES_ACCEPTED, *said))
    world.now += CLOCK_STEP_SECONDS


def change_log_key(world: World) -> None:
    """The broker's operator changes the key that signs the log, and a holder's its own; both keys sign from then on."""
    startup.stop(world.broker)
    world.broker_keys = replace(world.broker_keys, next_log_key=key_of("log 2"))
    acts = (world.clock, world.random("broker"))
    startup.rotate_log_key(world.settings, world.broker_keys, FREE_TEXT["rotated_reason"], *acts)
    world.broker = rules.start_broker(world.settings, world.broker_keys, *acts)
    world.run_broker(world.broker)
    world.holders[2].close()
    stopped = change.StoppedHolder(world.folder / "holder-2", world.clock, world.random("holder-2"))
    change.change(stopped, FREE_TEXT["rotated_reason"])
    _run_holder(world, 2, open_key_holder(stopped.directory, stopped.clock, stopped.random_bytes))


# --- what was made ---


@dataclass(frozen=True)
class Made:
    """One entry of a log. `record` is None once erased."""

    index: int
    kind: str
    leaf: bytes
    record: bytes | None
    salt: bytes | None


def broker_entries(world: World) -> list[Made]:
    """The broker's log with its records."""
    with world.broker.database.read() as connection:
        log: AuditLog = world.broker.audit
        size = log.size(connection)
        leaves = log.leaf_page(connection, 0, size).leaves
        records = log.record_page(connection, 0, size).records
    return [
        Made(each.index, parse_leaf(leaf).kind, leaf, each.record, each.salt)
        for leaf, each in zip(leaves, records, strict=True)
    ]


def holder_entries(holder: KeyHolder) -> list[Made]:
    """A key holder's log with its records."""
    with holder.database.read() as connection:
        log: OwnLog = holder.log
        size = log.size(connection)
        leaves = log.leaf_page(connection, 0, size).leaves
        records = log.record_page(connection, 0, size).records
    return [
        Made(each.index, parse_leaf(leaf).kind, leaf, each.record, each.salt)
        for leaf, each in zip(leaves, records, strict=True)
    ]
