"""The auditor believes the pinned log key alone: roots are re-derived, records opened, forks kept as evidence."""

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.protocol import leaves, merkle
from broker.protocol.checkpoint import ED25519_COSIGNATURE, VerifierKey
from broker.protocol.errors import NotFound, Unavailable, VerificationFailed
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.log import RecordPage
from broker.protocol.messages.requests import AdmissionRecord
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import entry_bundle
from broker.recovery.logged import RECORD_TYPES
from clients.auditor import DECISIONS, AuditFailed, Auditor, NoDecision
from clients.mirrors.watched_log import broker_log
from clients.remote import Answer
from tests.messages_examples import TERMS
from tests.requester_world import Log, RequesterWorld, answer, down, problem

DECISION = '{"outcome":"ALLOW"}'


@pytest.fixture
def world(tmp_path: Path) -> RequesterWorld:
    """A log of five entries, three of which hold decisions."""
    world = RequesterWorld(tmp_path)
    world.log.append(RecordKind.SPACE_FOUNDED, b'{"v":1}')
    world.log.append(RecordKind.DEPOSIT_ADMITTED, json.dumps({"decision": DECISION}).encode())
    _admit(world, DECISION)
    world.log.append(RecordKind.TOKENS, b'{"v":1}')
    world.log.append(RecordKind.RELEASE, json.dumps({"decision": DECISION}).encode())
    return world


def _admit(world: RequesterWorld, decision: str) -> None:
    digest = hashlib.sha256(DECISION.encode()).digest()
    terms = TERMS.model_copy(update={"decision_digest": digest})
    world.log.append(RecordKind.ADMITTED, encode(AdmissionRecord(terms=terms, decision=decision)))


def _auditor(world: RequesterWorld) -> Auditor:
    home = world.homes["auditor-1"]
    return Auditor(home.vault, broker_log(world.space), world.caller(home), world.clock)


def test_the_root_is_re_derived_and_every_record_opens_its_leaf(world: RequesterWorld) -> None:
    report = _auditor(world).verify()
    assert (report.size, report.verified, report.fork) == (5, True, False)
    assert (report.first_bad_index, report.trial, report.erased) == (None, True, 0)
    assert dict(report.kinds) == {
        "SPACE_FOUNDED": 1,
        "DEPOSIT_ADMITTED": 1,
        "ADMITTED": 1,
        "TOKENS": 1,
        "RELEASE": 1,
    }


def test_a_second_audit_reads_what_is_new_alone(world: RequesterWorld) -> None:
    _auditor(world).verify()
    world.calls.clear()
    asked: list[str] = []

    def listening(method: str, path: str, body: bytes) -> Answer:
        asked.append(path)
        return world.answer_as_broker(method, path, body)

    world.broker = listening
    report = _auditor(world).verify()
    assert report.size == 6  # reading the records was an entry
    assert report.kinds["RECORDS_READ"] == 1
    assert asked == [
        "/checkpoint",
        "/tile/entries/000.p/6",
        "/v1/audit/records?start=5&end=6",
    ]


def test_a_log_of_more_than_a_page_is_mirrored_page_by_page(world: RequesterWorld) -> None:
    for _ in range(1100):
        world.log.entries.append(leaves.compose("TOKENS", 1, b"{}", bytes(32)))
    seen: list[tuple[int, int]] = []
    report = _auditor(world).verify(lambda done, total: seen.append((done, total)))
    assert report.size == 1105
    assert seen[0] == (256, 1105)
    assert _auditor(world).entry(1104).record == b"{}"


def test_decisions_are_found_whatever_the_kind_of_their_record(world: RequesterWorld) -> None:
    auditor = _auditor(world)
    auditor.verify()
    assert list(auditor.decisions()) == [(1, DECISION), (2, DECISION), (4, DECISION)]
    assert auditor.entry(3).content.kind == "TOKENS"
    with pytest.raises(NotFound):
        auditor.entry(99)


def test_entries_that_cannot_be_decided_again_are_told_with_kind_and_reason(world: RequesterWorld) -> None:
    world.log.append(RecordKind.REFUSED, b'{"v":1}')
    _changing_records(world, 2, record=None, salt=None)
    _auditor(world).verify()
    world.log.append(RecordKind.DEPOSIT_REFUSED, json.dumps({"decision": DECISION}).encode())
    _auditor(world).mirror()
    auditor = _auditor(world)
    assert [index for index, _ in auditor.decisions()] == [1, 4]
    assert [(each.index, each.kind, each.reason) for each in auditor.undecidable()] == [
        (2, "ADMITTED", NoDecision.ERASED),
        (5, "REFUSED", NoDecision.NOT_IN_RECORD),
        (7, "DEPOSIT_REFUSED", NoDecision.NOT_FETCHED),
    ]


def test_the_kinds_that_hold_a_decision_are_those_the_broker_records_one_in() -> None:
    assert {kind for kind, record in RECORD_TYPES.items() if "decision" in record.model_fields} == DECISIONS


def test_records_lie_sealed_in_the_mirror(world: RequesterWorld) -> None:
    _auditor(world).verify()
    kept = b"".join(
        path.read_bytes() for path in (world.directory / "auditor-1").rglob("*") if path.is_file()
    )
    assert b"outcome" not in kept


# --- forks ---


def _rewritten(honest: Log) -> Log:
    """The same log with entry 2 told otherwise, signed with the same key."""
    fork = copy.copy(honest)
    fork.entries = list(honest.entries)
    fork.entries[2] = leaves.compose("ADMITTED", 1, b"{}", bytes(32))
    return fork


@pytest.mark.parametrize(
    "cut",
    [
        lambda log: (log.entries.__setitem__(2, _rewritten(log).entries[2]), log.entries.pop()),
        lambda log: log.entries.__setitem__(2, _rewritten(log).entries[2]),
        lambda log: (
            log.entries.__setitem__(2, _rewritten(log).entries[2]),
            log.append(RecordKind.TOKENS, b"{}"),
            log.append(RecordKind.TOKENS, b"{}"),
        ),
    ],
    ids=["rewritten and shrunk", "rewritten at the same size", "rewritten and grown"],
)
def test_a_fork_raises_and_both_signed_checkpoints_are_kept(
    world: RequesterWorld, cut: Callable[[Log], object]
) -> None:
    before = world.log.note()
    _auditor(world).verify()
    world.log.entries.pop()  # the entry that the auditor's own reading made
    cut(world.log)
    with pytest.raises(AuditFailed, match="two different logs") as failed:
        _auditor(world).verify()
    report = failed.value.report
    assert (report.verified, report.fork, report.size) == (False, True, len(world.log.entries))
    assert failed.value.evidence is not None
    evidence = Path(failed.value.evidence).read_text()
    assert before in evidence
    assert world.log.note() in evidence
    # The mirror still holds the first log: the honest one verifies again, the fork fails again.
    with pytest.raises(AuditFailed):
        _auditor(world).verify()


def test_an_older_checkpoint_of_the_same_log_is_stale_and_no_fork(world: RequesterWorld) -> None:
    old = world.log.note(3)
    _auditor(world).verify()
    held = world.log.note(5)
    world.broker = lambda method, path, body: (
        Answer(200, (), old.encode()) if path == "/checkpoint" else world.answer_as_broker(method, path, body)
    )
    report = _auditor(world).verify()
    assert (report.verified, report.fork, report.stale) == (True, False, 3)
    assert (report.size, report.new, report.root) == (5, 0, merkle.root_of(world.log.hashes(5)))
    assert not list((world.directory / "auditor-1").rglob("evidence-*"))
    # What was verified stays verified, and the log is followed once more when the cache is.
    world.broker = world.answer_as_broker
    report = _auditor(world).verify()
    assert (report.size, report.stale) == (len(world.log.entries) - 1, None)
    assert held != world.log.note()


def test_a_log_cut_back_is_a_fork_once_it_grows_another_way(world: RequesterWorld) -> None:
    """Cut back alone, it is what an old cache shows: the auditor is told so, and the lie is caught by its next step."""
    _auditor(world).verify()
    del world.log.entries[4:]
    assert _auditor(world).mirror().stale == 4
    for _ in range(3):
        world.log.append(RecordKind.TOKENS, b"{}")
    with pytest.raises(AuditFailed, match="Entry 4 is the first") as failed:
        _auditor(world).mirror()
    assert failed.value.report.fork


def test_a_broker_that_answers_no_more_is_not_accused_of_a_fork(world: RequesterWorld) -> None:
    _auditor(world).verify()
    served: list[str] = []

    def broker(method: str, path: str, body: bytes) -> Answer:
        if "tile" not in path:
            return world.answer_as_broker(method, path, body)
        served.append(path)
        false = [entry.leaf for entry in world.log.entries[:5]] + [b"not the leaf"]
        return Answer(200, (), entry_bundle(false)) if len(served) == 1 else down(method, path, body)

    world.broker = broker
    with pytest.raises(Unavailable):
        _auditor(world).verify()
    world.broker = world.answer_as_broker
    assert _auditor(world).verify().verified


def test_false_leaves_under_a_true_root_are_told_apart_from_a_fork(world: RequesterWorld) -> None:
    _auditor(world).verify()

    def broker(method: str, path: str, body: bytes) -> Answer:
        if "tile" in path:
            return Answer(200, (), entry_bundle([world.log.entries[0].leaf] * 6))
        return world.answer_as_broker(method, path, body)

    world.broker = broker
    with pytest.raises(AuditFailed, match="do not give the root") as failed:
        _auditor(world).verify()
    assert not failed.value.report.fork
    world.broker = world.answer_as_broker
    assert _auditor(world).verify().verified


def test_a_checkpoint_signed_by_another_key_is_not_believed(world: RequesterWorld) -> None:
    world.log.key = world.broker_key
    with pytest.raises(VerificationFailed, match="log's key"):
        _auditor(world).verify()


# --- single entries ---


def _changing_records(world: RequesterWorld, index: int, **change: object) -> None:
    def broker(method: str, path: str, body: bytes) -> Answer:
        honest = world.answer_as_broker(method, path, body)
        if "records" not in path:
            return honest
        page = read(RecordPage, honest.body)
        records = list(page.records)
        records[index] = records[index].model_copy(update=change)
        return answer(page.model_copy(update={"records": tuple(records)}))

    world.broker = broker


@pytest.mark.parametrize(
    "change", [{"record": b"{}"}, {"salt": bytes(32)}, {"salt": None}, {"record": None}], ids=str
)
def test_a_record_that_does_not_open_its_leaf_is_named_by_its_index(
    world: RequesterWorld, change: dict[str, object]
) -> None:
    _changing_records(world, 3, **change)
    with pytest.raises(AuditFailed, match="Entry 3") as failed:
        _auditor(world).verify()
    assert (failed.value.report.first_bad_index, failed.value.report.fork) == (3, False)


def test_an_erased_record_leaves_its_leaf_standing(world: RequesterWorld) -> None:
    _changing_records(world, 3, record=None, salt=None)
    report = _auditor(world).verify()
    assert (report.verified, report.erased, report.size) == (True, 1, 5)
    assert _auditor(world).entry(3).record is None


def test_a_permit_that_names_another_decision_than_the_recorded_one_is_found(world: RequesterWorld) -> None:
    _admit(world, '{"outcome":"DENY"}')
    with pytest.raises(AuditFailed, match="another decision") as failed:
        _auditor(world).verify()
    assert failed.value.report.first_bad_index == 5


@pytest.mark.parametrize("leaf", [b"{}", leaves.compose("SOMETHING_ELSE", 1, b"", bytes(32)).leaf])
def test_a_leaf_that_is_malformed_or_of_an_unknown_kind_is_named_by_its_index(
    world: RequesterWorld, leaf: bytes
) -> None:
    world.log.entries.insert(1, leaves.Leaf(leaf, b"", bytes(32)))
    with pytest.raises(AuditFailed, match="Entry 1") as failed:
        _auditor(world).verify()
    assert failed.value.report.first_bad_index == 1


def test_who_is_no_auditor_gets_no_record(world: RequesterWorld) -> None:
    world.broker = lambda method, path, body: (
        problem("not-permitted", 403) if "records" in path else world.answer_as_broker(method, path, body)
    )
    with pytest.raises(Exception, match="not yours"):
        _auditor(world).verify()


def test_a_space_with_witnesses_is_not_passed_off_as_witnessed(world: RequesterWorld) -> None:
    home = world.homes["auditor-1"]
    witness = VerifierKey("w1.example.org", ED25519_COSIGNATURE, bytes(32))
    changes = {"witnesses": (str(witness),), "witness_quorum": 1, "trial": False}
    space = world.space.model_copy(update=changes)
    with pytest.raises(VerificationFailed, match="witnesses"):
        Auditor(home.vault, broker_log(space), world.caller(home), world.clock).verify()
