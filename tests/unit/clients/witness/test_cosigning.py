"""A witness's answers, one by one as C2SP tlog-witness has them, by the whole service."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.protocol import checkpoint, witnessing
from broker.protocol.errors import Unavailable
from clients.witness.store import logs
from clients.witness.store.logs import forks_of, newest
from tests.witness_case import NOW, GrownLog, WitnessCase, key_of

SIZE = "text/x.tlog.size"


@pytest.fixture
def case(tmp_path: Path) -> Iterator[WitnessCase]:
    case = WitnessCase(tmp_path / "w1")
    yield case
    case.stop()


@pytest.fixture
def log(case: WitnessCase) -> GrownLog:
    log = GrownLog().grow(5)
    case.pin(log)
    return log


def test_a_log_that_grows_is_cosigned_with_the_time_of_the_witness(case: WitnessCase, log: GrownLog) -> None:
    first = case.cosigned(log, 0, 2)
    case.now += 60
    second = case.cosigned(log, 2, 5)
    assert (first.size, second.size) == (2, 5)
    assert [each.cosigned_at for each in (*first.cosignatures, *second.cosignatures)] == [NOW, NOW + 60]


def test_the_same_checkpoint_is_cosigned_again_for_a_log_that_missed_the_answer(
    case: WitnessCase, log: GrownLog
) -> None:
    assert case.cosigned(log, 0).size == case.cosigned(log, 5).size == 5


def test_an_empty_log_is_cosigned(case: WitnessCase) -> None:
    log = GrownLog()
    case.pin(log)
    assert case.cosigned(log, 0).size == 0
    assert case.cosigned(log.grow(3), 0).size == 3


def test_404_for_a_log_that_nobody_pinned(case: WitnessCase, log: GrownLog) -> None:
    other = GrownLog(origin="other.example.org/log").grow(2)
    assert case.post(other.call(0))[0] == 404


def test_403_for_a_checkpoint_that_another_key_signed(case: WitnessCase, log: GrownLog) -> None:
    impostor = GrownLog(key="impostor").grow(5)
    assert case.post(impostor.call(0))[0] == 403
    assert case.cosigned(log, 0).size == 5, "and nothing of it was remembered"


def test_403_when_one_of_two_signatures_of_the_pinned_key_is_bad(case: WitnessCase, log: GrownLog) -> None:
    line = log.note(4).splitlines(keepends=True)[-1]
    assert case.post(log.call(0) + line.encode())[0] == 403


def test_a_log_that_changes_its_key_is_pinned_under_both(case: WitnessCase, log: GrownLog) -> None:
    case.cosigned(log, 0, 3)
    log.key = key_of("the next key")
    assert case.post(log.call(3))[0] == 403
    case.pin(log)
    assert case.cosigned(log, 3).size == 5


def test_400_when_the_old_size_is_above_the_new(case: WitnessCase, log: GrownLog) -> None:
    case.cosigned(log, 0)
    assert case.post(log.call(9, 3, path=()))[0] == 400


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: b"",
        lambda body: b"\xff" + body,
        lambda body: body.replace(b"old 0", b"old 00"),
        lambda body: body.replace(b"old 0\n", b"old 0\nnot base64\n"),
        lambda body: body.replace(b"old 0\n", b"old 0\n" + b"AAAA\n"),
        lambda body: body.replace(b"\n\n", b"\n", 1),
        lambda body: body.rstrip(b"\n"),
    ],
)
def test_400_for_what_is_no_call(case: WitnessCase, log: GrownLog, damage: object) -> None:
    assert callable(damage)
    status, _, text = case.post(damage(log.call(0)))
    assert status == 400
    assert "AAAA" not in text


def test_409_with_the_size_seen_when_the_old_size_is_another(case: WitnessCase, log: GrownLog) -> None:
    assert case.post(log.call(2)) == (409, SIZE, "0\n")
    case.cosigned(log, 0, 3)
    assert case.post(log.call(0)) == (409, SIZE, "3\n")
    assert case.post(log.call(2, 2)) == (409, SIZE, "3\n"), "a smaller log is not cosigned any more"
    assert case.cosigned(log, 3).size == 5


def test_409_and_both_notes_as_evidence_when_one_size_has_two_roots(case: WitnessCase, log: GrownLog) -> None:
    case.cosigned(log, 0)
    fork = GrownLog("another story").grow(5)
    for old in (5, 0):
        assert case.post(fork.call(old)) == (409, SIZE, "5\n")
    with case.witness.database.read() as connection:
        kept, seen = forks_of(connection, log.origin), newest(connection, log.origin)
    assert [(each.seen_note, each.other_note) for each in kept] == [(log.note(), fork.note())]
    assert seen is not None
    assert seen.note == log.note(), "the first stays the one that is known"


def test_422_for_a_log_that_grew_from_another_history(case: WitnessCase, log: GrownLog) -> None:
    case.cosigned(log, 0)
    fork = GrownLog("another story").grow(8)
    assert case.post(fork.call(5))[0] == 422
    assert case.post(log.call(5, path=(bytes(32),)))[0] == 422
    assert case.cosigned(log.grow(8), 5).size == 8


def test_413_for_a_body_that_no_call_can_be(case: WitnessCase, log: GrownLog) -> None:
    assert case.post(log.call(0) + b"x" * witnessing.MAXIMUM_BYTES)[0] == 413


def test_no_log_line_and_no_answer_repeats_what_was_sent(
    case: WitnessCase, log: GrownLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = GrownLog(origin="canary.example.org/+447700900123x".replace("+", "")).grow(1)
    answers = [case.post(body)[2] for body in (canary.call(0), b"old canary\n\n", canary.note().encode())]
    assert "canary" not in caplog.text + "".join(answers)
    assert "refused" in caplog.text


def test_what_was_cosigned_is_remembered_over_a_restart(case: WitnessCase, log: GrownLog) -> None:
    case.cosigned(log, 0)
    case.stop()
    case.start()
    assert case.post(log.call(0)) == (409, SIZE, "5\n")


def test_a_database_that_is_put_in_place_of_the_open_one_cosigns_nothing(
    case: WitnessCase, log: GrownLog
) -> None:
    case.cosigned(log, 0, 2)
    path = case.witness.database.path
    path.rename(path.with_suffix(".old"))
    sqlite3.connect(path).close()
    assert case.post(log.call(2))[0] == 503
    with pytest.raises(Unavailable), case.witness.database.read():
        pass


def test_of_two_calls_at_once_one_is_cosigned_and_the_other_told_the_size(
    case: WitnessCase, log: GrownLog
) -> None:
    bodies = [log.call(0, 3), log.call(0, 4)]
    answers: list[tuple[int, str, str]] = []
    threads = [threading.Thread(target=lambda body=body: answers.append(case.post(body))) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _, _ in answers) == [200, 409]
    told = next(text for status, _, text in answers if status == 409)
    assert case.cosigned(log, int(told)).size == 5


def test_nobody_without_a_pinned_key_waits_for_the_writer_or_makes_others_wait(
    case: WitnessCase, log: GrownLog
) -> None:
    """Refused while the database is being written to: so nothing that is refused takes the writer's turn."""
    refused = {
        404: GrownLog(origin="other.example.org/log").grow(2).call(0),
        403: GrownLog(key="impostor").grow(5).call(0),
        400: log.call(9, 3, path=()),
    }
    answers: list[int] = []
    with case.witness.database.write():
        for body in refused.values():
            thread = threading.Thread(
                target=lambda body=body: answers.append(case.post(body)[0]), daemon=True
            )
            thread.start()
            thread.join(5)
    assert answers == list(refused)


def test_a_key_that_is_replaced_while_a_call_waits_counts_no_more(case: WitnessCase, log: GrownLog) -> None:
    call, answers = log.call(0), list[int]()
    with case.witness.database.write() as connection:
        thread = threading.Thread(target=lambda: answers.append(case.post(call)[0]))
        thread.start()
        thread.join(0.3)
        assert answers == [], "it waits for its turn"
        logs.replace_keys(connection, log.origin, str(GrownLog(key="the next key").verifier_key), NOW)
    thread.join()
    assert answers == [403]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(st.sampled_from(["one", "other"]), st.integers(0, 6), st.integers(0, 6)), max_size=12
    )
)
def test_whatever_is_submitted_the_cosigned_checkpoints_are_of_one_history(
    case: WitnessCase, calls: list[tuple[str, int, int]]
) -> None:
    """Two histories part after two leaves; the witness follows one of them, and never goes back."""
    origin = f"log.example.org/{id(calls)}"
    logs = {name: GrownLog(name, origin).grow(2, "same").grow(6) for name in ("one", "other")}
    case.pin(logs["one"])
    seen: list[checkpoint.Checkpoint] = []
    for name, old, size in calls:
        if old <= size:
            log = logs[name]
            status, _, line = case.post(log.call(old, size))
            if status == 200:
                note = (log.note(size) + line).encode()
                seen.append(
                    checkpoint.parse_and_verify(note, origin, log.verifier_key, [case.verifier_key], 1)
                )
    assert [each.size for each in seen] == sorted(each.size for each in seen)
    roots = {(each.size, each.root) for each in seen if each.size > 2}
    of = {
        name: {
            (size, checkpoint.parse_and_verify(log.note(size).encode(), origin, log.verifier_key).root)
            for size in range(3, 7)
        }
        for name, log in logs.items()
    }
    assert roots <= of["one"] or roots <= of["other"]
