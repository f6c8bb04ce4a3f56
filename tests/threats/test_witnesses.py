"""Witnesses that stop, lie or step in time, and a broker whose log is not the one they saw: all of it the real thing.

Each world runs three witnesses, of which two must cosign; calls to them go over the same wire as all others, where a
test may stop one or change its answers. A trial has none: tests/threats/test_dishonest_broker_log.py.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from broker import exchange, startup
from broker.audit.records import DepositCompleted
from broker.context import Broker
from broker.protocol import checkpoint, documents, witnessing
from broker.protocol.checkpoint import ED25519_COSIGNATURE, VerifierKey
from broker.protocol.errors import BadInput, NotPermitted, Unavailable, VerificationFailed
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Admission, Disclosure, Permit, TokensAnswered
from broker.protocol.messages.vocabulary import RecordKind, Tier
from broker.serving import RegularCosigning
from clients.keyholder import checks
from clients.keyholder.pinning import pinned_spaces
from clients.remote import RemoteConflict, RemoteUnavailable
from clients.requester_checks import permits
from clients.transport import Answer
from clients.witness.keys import Algorithm
from clients.witness.store.logs import forks_of, newest
from tests import rules
from tests.broker_case import key_of
from tests.world import BROKER, LOG_ORIGIN, WITNESSES, World, phone

pytestmark = pytest.mark.all_only

ASKED = [phone(3), phone(7), phone(500)]
STATUSES = (404, 500, 400, 403, 302)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Shared: no test of it breaks the broker's log."""
    made = deposited(tmp_path_factory.mktemp("witnessed"))
    yield made
    made.close()


@pytest.fixture
def fresh_world(tmp_path: Path) -> Iterator[World]:
    made = deposited(tmp_path)
    yield made
    made.close()


def deposited(folder: Path) -> World:
    """phone(0) to phone(14) by three contributors, in a space that is no trial."""
    world = World(folder, witnesses=3, quorum=2)
    world.deposit("company-1", range(10), highest_tier=Tier.SOURCES)
    world.deposit("company-2", range(5, 15))
    world.deposit("ngo-1", range(5))
    return world


def restart(world: World) -> Broker:
    """Stop the broker, and start it on what is in its folder now."""
    startup.stop(world.broker)
    world.broker = start(world)
    world.run_broker(world.broker)
    return world.broker


def start(world: World) -> Broker:
    return rules.start_broker(
        world.settings, world.broker_keys, world.clock, world.random("another"), ask=world.ask_witness
    )


@dataclass(frozen=True)
class Prepared:
    """A request with its finding, to be sent as often as needed."""

    request_id: bytes
    finding: str


def prepare(world: World) -> Prepared:
    prepared = world.prepare(ASKED)
    return Prepared(prepared.request_id, world.finding(prepared))


def run(world: World, prepared: Prepared) -> object:
    """File, evaluate and send tokens: from whichever step was reached."""
    return world.requester().run(prepared.request_id, [prepared.finding])


def cosigners(world: World, note: str) -> set[str]:
    """The witnesses that cosigned a note, each verified."""
    log_key = VerifierKey(LOG_ORIGIN, checkpoint.ED25519, world.broker_keys.log_public)
    verified = checkpoint.parse_and_verify(note.encode(), LOG_ORIGIN, log_key, world.space.witness_keys)
    return {each.witness for each in verified.cosignatures}


def answers(world: World, path_end: str) -> list[Answer]:
    """What the broker answered with 200 at addresses that end so."""
    return [
        each.answer
        for each in world.wire.seen(BROKER, "/v1/requests")
        if each.call.path.endswith(path_end) and each.answer.status == 200
    ]


# --- the honest way ---


def test_a_permit_and_a_disclosure_rest_on_two_cosignatures_and_the_auditor_sees_the_same_log(
    world: World,
) -> None:
    answer = world.ask(ASKED)
    assert not answer.trial
    assert answer.hits == (phone(3), phone(7))
    admission = decode(Admission, answers(world, "/requests")[-1].body)
    permit = documents.unverified_payload(Permit, admission.permit)
    told = decode(TokensAnswered, answers(world, "/tokens")[-1].body)
    disclosure = documents.unverified_payload(Disclosure, told.document or "")
    assert told.recorded is not None
    for proof in (permit.proof, disclosure.proof, told.recorded.proof):
        assert len(cosigners(world, proof.checkpoint)) >= 2
    report = world.auditor().verify()
    assert report.verified
    assert not report.trial


def test_the_ladder_up_to_sources_is_climbed_under_witnesses(fresh_world: World) -> None:
    world = fresh_world
    prepared = world.prepare([phone(1)])
    world.requester().run(prepared.request_id, [world.finding(prepared)])
    answer = world.climb(prepared.request_id)
    assert answer.sources
    assert world.replay().different == ()


def test_a_permit_and_a_disclosure_rest_on_ml_dsa_cosignatures_where_the_witnesses_have_such_keys(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, witnesses=2, quorum=2, algorithm=Algorithm.ML_DSA_44)
    try:
        for name, phones in (("company-1", range(5)), ("company-2", range(5)), ("ngo-1", range(5))):
            world.deposit(name, phones)
        assert {key.algorithm for key in world.space.witness_keys} == {checkpoint.ML_DSA_44_COSIGNATURE}
        assert world.ask([phone(3), phone(500)]).hits == (phone(3),)
        assert world.auditor().verify().verified
        world.take_down(WITNESSES[2])
        with pytest.raises(RemoteUnavailable, match="witnesses"):
            run(world, prepare(world))
    finally:
        world.close()


# --- a witness that stops ---


def test_with_too_few_witnesses_no_permit_leaves_and_the_same_call_goes_on_once_they_are_back(
    world: World,
) -> None:
    prepared, before = prepare(world), len(answers(world, "/requests"))
    world.take_down(WITNESSES[1], WITNESSES[2])
    try:
        with pytest.raises(RemoteUnavailable, match="witnesses"):
            run(world, prepared)
        assert len(answers(world, "/requests")) == before, "no permit left"
        entries = world.log_kinds().count("ADMITTED")
    finally:
        world.bring_up()
    assert run(world, prepared)
    assert world.log_kinds().count("ADMITTED") == entries, "admitted once"


def test_with_too_few_witnesses_nothing_is_disclosed_though_release_was_decided(world: World) -> None:
    prepared = prepare(world)
    world.requester().file(prepared.request_id, [prepared.finding])
    world.requester().evaluate(prepared.request_id)
    before = len(answers(world, "/tokens"))
    world.take_down(WITNESSES[1], WITNESSES[2])
    try:
        with pytest.raises(RemoteUnavailable, match="witnesses"):
            run(world, prepared)
        assert len(answers(world, "/tokens")) == before
        assert world.log_kinds()[-1] == "RELEASE", "an open RELEASE stays visible"
    finally:
        world.bring_up()
    assert run(world, prepared)
    assert world.log_kinds()[-1] == "RELEASED"


def test_with_too_few_witnesses_no_answer_leaves_though_it_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, disclose, before = prepare(world), exchange._disclose, len(answers(world, "/tokens"))

    def then_they_stop(*given: Any) -> Any:
        answer = disclose(*given)
        world.take_down(WITNESSES[1], WITNESSES[2])
        return answer

    try:
        monkeypatch.setattr(exchange, "_disclose", then_they_stop)
        with pytest.raises(RemoteUnavailable, match="witnesses"):
            run(world, prepared)
        assert len(answers(world, "/tokens")) == before
        assert world.log_kinds()[-1] == "RELEASED"
        released = world.log_kinds().count("RELEASED")
    finally:
        monkeypatch.undo()
        world.bring_up()
    assert run(world, prepared)
    assert world.log_kinds().count("RELEASED") == released, "the answer that was recorded"


def test_one_witness_of_three_may_stop(world: World) -> None:
    world.take_down(WITNESSES[2])
    try:
        assert world.ask(ASKED).hits
    finally:
        world.bring_up()


# --- a witness that lies ---


def other_key(world: World, body: bytes) -> bytes:
    """A cosignature over the right checkpoint by a key that nobody pinned, under the witness's name."""
    log_key = VerifierKey(LOG_ORIGIN, checkpoint.ED25519, world.broker_keys.log_public)
    note = world.wire.seen(WITNESSES[1])[-1].call.body.partition(b"\n\n")[2]
    text = checkpoint.parse_and_verify(note, LOG_ORIGIN, log_key).text
    return checkpoint.cosign(text, world.now, key_of("mallory"), "witness-1.example.org")


def another_checkpoint(world: World, body: bytes) -> bytes:
    """The witness's true key, over a log that does not exist."""
    text = checkpoint.body(LOG_ORIGIN, 10_000, bytes(32))
    return checkpoint.cosign(
        text, world.now, world.witnesses[1].witness.keys.private_keys[0], "witness-1.example.org"
    )


def damaged(world: World, body: bytes) -> bytes:
    return body[:-20] + b"AAAA" + body[-16:]


LIES: list[Callable[[World, bytes], bytes]] = [
    other_key,
    another_checkpoint,
    damaged,
    lambda world, body: b"",
    lambda world, body: body.replace("—".encode(), b"-"),
    lambda world, body: "— witness-1.example.org \n".encode() * 50,
    lambda world, body: b"\xff" * 100,
]


@pytest.mark.parametrize("lie", LIES)
def test_a_false_cosignature_does_not_count(world: World, lie: Callable[[World, bytes], bytes]) -> None:
    prepared = prepare(world)
    world.take_down(WITNESSES[2])

    def lying(answer: Answer) -> Answer:
        return replace(answer, body=lie(world, answer.body)) if answer.status == 200 else answer

    try:
        with world.tamper(WITNESSES[1], "/add-checkpoint", answer=lying) as tampering:
            with pytest.raises(RemoteUnavailable, match="witnesses"):
                run(world, prepared)
            assert tampering.times
        assert run(world, prepared), "and counts once it is a true one"
    finally:
        world.bring_up()


@pytest.mark.parametrize("status", STATUSES)
def test_a_witness_that_refuses_does_not_count_and_stops_nobody_for_good(world: World, status: int) -> None:
    def refusing(answer: Answer) -> Answer:
        return replace(answer, status=status)

    prepared = prepare(world)
    with world.tamper(WITNESSES[1], "/", answer=refusing):
        assert run(world, prepared), "two others are enough"
    assert world.ask([phone(8)]).hits


def test_a_witness_with_a_clock_that_steps_cosigns_all_the_same_and_the_time_is_data(world: World) -> None:
    for now in (world.now + 10 * 365 * 86_400, 1):
        for case in world.witnesses.values():
            case.now = now
        prepared = prepare(world)
        assert run(world, prepared)
    for case in world.witnesses.values():
        case.now = world.now
    assert world.auditor().verify().verified


# --- a log that is not the one they saw ---


def old_copy(world: World) -> Path:
    """A copy of the broker's database as it is now, taken while it is stopped."""
    startup.stop(world.broker)
    copy = world.folder / "old"
    copy.mkdir()
    for path in world.folder.glob("broker.sqlite3*"):
        shutil.copy(path, copy / path.name)
    world.broker = start(world)
    world.run_broker(world.broker)
    return copy


def put_back(world: World, copy: Path) -> None:
    """The database of then in the place of the present one."""
    startup.stop(world.broker)
    for path in world.folder.glob("broker.sqlite3*"):
        path.unlink()
    for path in copy.iterdir():
        shutil.copy(path, world.folder / path.name)


def test_a_rolled_back_database_refuses_to_start(fresh_world: World) -> None:
    world = fresh_world
    copy = old_copy(world)
    assert world.ask(ASKED).hits
    put_back(world, copy)
    with pytest.raises(Unavailable, match="rolled back"):
        start(world)


def test_an_empty_database_in_place_of_the_log_refuses_to_start(fresh_world: World) -> None:
    world = fresh_world
    assert world.ask(ASKED).hits
    startup.stop(world.broker)
    for path in world.folder.glob("broker.sqlite3*"):
        path.unlink()
    with pytest.raises(Unavailable, match="rolled back"):
        start(world)


def seen_size(world: World) -> int:
    """The size that the first witness cosigned last."""
    with world.witnesses[1].witness.database.read() as connection:
        seen = newest(connection, LOG_ORIGIN)
    assert seen is not None
    return seen.size


def forge(world: World, size: int) -> None:
    """The broker's host grows another history up to `size`, with its true key; in a trial nobody is asked."""
    trial = world.settings.model_copy(update={"trial": True})
    forger = rules.start_broker(trial, world.broker_keys, world.clock, world.random("forger"))
    with forger.database.write() as connection:
        while forger.audit.size(connection) < size:
            record = DepositCompleted(deposit_id=bytes(32), records=1, root=bytes(32))
            forger.audit.append(connection, RecordKind.DEPOSIT_COMPLETED, record, world.now)
    startup.stop(forger)


@pytest.mark.parametrize("further", [1, 9])
def test_a_restored_database_with_another_tail_refuses_to_start(fresh_world: World, further: int) -> None:
    world = fresh_world
    copy = old_copy(world)
    assert world.ask(ASKED).hits
    put_back(world, copy)
    forge(world, seen_size(world) + further)
    with pytest.raises(Unavailable, match="entries were changed"):
        start(world)


def test_of_a_second_root_at_one_size_the_witness_keeps_both_notes(fresh_world: World) -> None:
    world = fresh_world
    copy = old_copy(world)
    assert world.ask(ASKED).hits
    put_back(world, copy)
    forge(world, seen_size(world))
    with pytest.raises(Unavailable, match="entries were changed"):
        start(world)
    with world.witnesses[1].witness.database.read() as connection:
        (fork,) = forks_of(connection, LOG_ORIGIN)
    assert fork.seen_note != fork.other_note
    for note in (fork.seen_note, fork.other_note):
        assert cosigners(world, note) == set(), "each verifies under the log's own key"


def test_a_broker_whose_log_a_witness_saw_further_stops_serving_at_once_and_for_good(
    fresh_world: World,
) -> None:
    """As after a failover to a replica that lags behind."""
    world = fresh_world

    def seen_more(answer: Answer) -> Answer:
        headers = (("content-type", witnessing.SIZE_TYPE),)
        return replace(answer, status=409, headers=headers, body=b"100000\n")

    prepared, other = prepare(world), prepare(world)
    world.take_down(WITNESSES[2], WITNESSES[3])
    with (
        world.tamper(WITNESSES[1], "/add-checkpoint", answer=seen_more),
        pytest.raises(RemoteUnavailable, match="rolled back"),
    ):
        run(world, prepared)
    world.bring_up()
    for each in (prepared, other):
        with pytest.raises(RemoteUnavailable, match="rolled back"):
            run(world, each)
    for path in ("/healthz", "/checkpoint"):
        assert world.wire.apps[BROKER].send("GET", f"{BROKER}{path}", {})[0] == 503


def test_what_no_permit_rests_on_is_shown_to_the_witnesses_all_the_same(fresh_world: World) -> None:
    """Else a withdrawal could be rolled back, and its records be there again."""
    world = fresh_world
    entries = len(world.log_kinds())
    assert seen_size(world) < entries
    regular = RegularCosigning(world.broker, seconds=0.05)
    regular.start()
    deadline = time.monotonic() + 20
    while seen_size(world) < entries and time.monotonic() < deadline:
        time.sleep(0.05)
    regular.stop()
    assert seen_size(world) == entries


# --- starting ---


def test_without_enough_witnesses_that_answer_it_does_not_start(fresh_world: World) -> None:
    world = fresh_world
    startup.stop(world.broker)
    world.take_down(WITNESSES[1], WITNESSES[2])
    with pytest.raises(Unavailable, match="Too few witnesses"):
        start(world)
    world.bring_up()
    world.broker = start(world)


def test_with_no_witness_configured_only_a_trial_starts(fresh_world: World) -> None:
    world = fresh_world
    startup.stop(world.broker)
    world.settings = world.settings.model_copy(update={"witnesses": (), "witness_quorum": 0})
    with pytest.raises(NotPermitted, match="No witness is configured"):
        start(world)


def test_after_a_restart_the_witnesses_are_asked_from_the_size_they_saw(fresh_world: World) -> None:
    world = fresh_world
    restart(world)
    calls = len(world.wire.seen(WITNESSES[1]))
    restart(world)
    asked = world.wire.seen(WITNESSES[1])[calls:]
    assert [each.answer.status for each in asked] == [200], "at once, without a 409"


def test_when_the_broker_asks_other_witnesses_the_founder_names_them_in_a_new_roster(
    fresh_world: World,
) -> None:
    world = fresh_world
    startup.stop(world.broker)
    world.settings = world.settings.model_copy(update={"witnesses": world.settings.witnesses[:2]})
    world.broker = start(world)
    world.run_broker(world.broker)
    keys = [each.key for each in world.settings.witnesses]
    with pytest.raises(RemoteConflict, match="other witnesses"):
        world.founder().change_witnesses(None, keys[:1], 1)
    with pytest.raises(BadInput, match="more than half"):
        world.founder().change_witnesses(None, keys, 1)
    world.take_over(world.founder().change_witnesses(None, keys, 2))
    assert world.ask(ASKED).hits
    world.take_down(WITNESSES[2])
    with pytest.raises(RemoteUnavailable, match="witnesses"):
        run(world, prepare(world))


# --- who checks ---


def without_cosignatures(note: str) -> str:
    """The same note with the log's own signature alone."""
    text, _, lines = note.rpartition("\n\n")
    return f"{text}\n\n{lines.splitlines(keepends=True)[0]}"


def uncosigned(world: World, keep: int) -> Permit:
    """The permit of a good request, resigned by the broker with the first `keep` cosignatures."""
    world.ask(ASKED)
    admission = decode(Admission, answers(world, "/requests")[-1].body)
    permit = documents.unverified_payload(Permit, admission.permit)
    text, _, lines = permit.proof.checkpoint.rpartition("\n\n")
    kept = "".join(lines.splitlines(keepends=True)[: keep + 1])
    proof = permit.proof.model_copy(update={"checkpoint": f"{text}\n\n{kept}"})
    return permit.model_copy(update={"proof": proof})


@pytest.mark.parametrize("keep", [0, 1])
def test_the_requester_refuses_a_permit_without_the_quorum(world: World, keep: int) -> None:
    def stripped(answer: Answer) -> Answer:
        admission = decode(Admission, answer.body)
        permit = documents.unverified_payload(Permit, admission.permit)
        text, _, lines = permit.proof.checkpoint.rpartition("\n\n")
        kept = "".join(lines.splitlines(keepends=True)[: keep + 1])
        proof = permit.proof.model_copy(update={"checkpoint": f"{text}\n\n{kept}"})
        signed = documents.sign(permit.model_copy(update={"proof": proof}), world.broker_keys.signing_key)
        return replace(answer, body=encode(admission.model_copy(update={"permit": signed.document})))

    evaluated = world.evaluations()
    prepared = prepare(world)
    with (
        world.tamper(BROKER, "/v1/requests", answer=stripped),
        pytest.raises(VerificationFailed, match="Too few of the known witnesses"),
    ):
        run(world, prepared)
    assert world.evaluations() == evaluated, "no key holder was asked"


def test_the_requester_refuses_an_answer_whose_entry_too_few_cosigned(world: World) -> None:
    def stripped(answer: Answer) -> Answer:
        told = decode(TokensAnswered, answer.body)
        assert told.recorded is not None
        note = without_cosignatures(told.recorded.proof.checkpoint)
        proof = told.recorded.proof.model_copy(update={"checkpoint": note})
        recorded = told.recorded.model_copy(update={"proof": proof})
        return replace(answer, body=encode(told.model_copy(update={"recorded": recorded})))

    prepared = prepare(world)
    path = f"/v1/requests/{prepared.request_id.hex()}"
    with (
        world.tamper(BROKER, path, answer=stripped),
        pytest.raises(VerificationFailed, match="Too few of the known witnesses"),
    ):
        run(world, prepared)
    assert run(world, prepared)


@pytest.mark.parametrize("keep", [0, 1])
def test_a_key_holder_refuses_a_permit_without_the_quorum(world: World, keep: int) -> None:
    holder = world.holders[1]
    permit = uncosigned(world, keep)
    admission = decode(Admission, answers(world, "/requests")[-1].body)
    sealed = next(each.wrapped for each in admission.sealed_records if each.holder_id == "holder-1")
    signed = documents.sign(permit, world.broker_keys.signing_key)
    with holder.database.read() as connection:
        spaces = pinned_spaces(connection)
    checked = checks.check_permit(signed.document, spaces, world.now)
    with pytest.raises(VerificationFailed, match="Too few of the known witnesses"):
        checks.open_record(checked, holder.keys, sealed, RecordKind.ADMITTED)


def test_the_same_permit_with_its_cosignatures_is_believed(world: World) -> None:
    """The honest twin of the two above."""
    permit = uncosigned(world, 2)
    entry = permits.check_entry(permit.proof, world.space, RecordKind.ADMITTED)
    assert len(entry.checkpoint.cosignatures) == 2


def test_cosignatures_of_witnesses_that_the_space_does_not_name_do_not_count(world: World) -> None:
    permit = uncosigned(world, 2)
    strangers = tuple(
        str(
            VerifierKey(
                f"stranger-{number}", ED25519_COSIGNATURE, documents.public_bytes(key_of(str(number)))
            )
        )
        for number in (1, 2)
    )
    space: Space = world.space.model_copy(update={"witnesses": strangers})
    with pytest.raises(VerificationFailed, match="Too few of the known witnesses"):
        permits.check_entry(permit.proof, space, RecordKind.ADMITTED)


def test_the_auditor_refuses_a_checkpoint_without_the_quorum(world: World) -> None:
    def stripped(answer: Answer) -> Answer:
        return replace(answer, body=without_cosignatures(answer.body.decode()).encode())

    with (
        world.tamper(BROKER, "/checkpoint", answer=stripped),
        pytest.raises(VerificationFailed, match="Too few of the known witnesses"),
    ):
        world.auditor().verify()


def test_requests_that_come_at_once_are_all_cosigned(fresh_world: World) -> None:
    world = fresh_world
    prepared = [prepare(world) for _ in range(6)]
    failed: list[BaseException] = []

    def file(each: Prepared) -> None:
        try:
            world.requester().file(each.request_id, [each.finding])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=file, args=(each,)) for each in prepared]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    permits_given = answers(world, "/requests")
    assert len(permits_given) == len(prepared)
    for answer in permits_given:
        permit = documents.unverified_payload(Permit, decode(Admission, answer.body).permit)
        assert len(cosigners(world, permit.proof.checkpoint)) >= 2
