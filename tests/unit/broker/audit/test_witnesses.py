"""The broker's side of witnesses, on a real log in a real database, with real witnesses behind the calls."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.audit.log import AuditLog
from broker.audit.records import DepositCompleted
from broker.audit.witnesses import BrokerLog, witnesses_of
from broker.protocol import checkpoint, receipts, witnessing
from broker.protocol.documents import public_bytes
from broker.protocol.errors import Unavailable
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import migrate
from broker.store import witnesses as rows
from broker.store.database import Database
from broker.translog.cosigning import Answer, Ask, Cosigning, WitnessAt, Witnessed, Witnesses
from clients.witness.cosigning import pin_log
from clients.witness.keys import Algorithm
from tests.broker_case import key_of, seeded
from tests.witness_case import NOW, WitnessCase

ORIGIN = "broker.example.org/log"
LOG_KEY = key_of("log")


class Case:
    """A log, two witnesses, and what a test does to the calls between them."""

    def __init__(
        self, folder: Path, database_url: str, algorithm: Algorithm = Algorithm.ED25519, pinned: int = 0
    ) -> None:
        """Two witnesses of `algorithm`; of keys of both kinds the broker's settings name that in place `pinned`."""
        self.pinned = pinned
        self.database = Database(database_url)
        migrate.upgrade(self.database)
        self.audit = AuditLog(ORIGIN, LOG_KEY, seeded("witnesses"), trial=False)
        names = ("w1.example.org", "w2.example.org")
        self.cases = {f"http://{name}": WitnessCase(folder / name, name, NOW, algorithm) for name in names}
        for case in self.cases.values():
            pin_log(case.witness, self.audit.verifier_key)
        self.calls: list[tuple[str, int]] = []
        """Each call's witness and the status it was answered with."""
        self.before: Callable[[str], None] = lambda url: None
        self.brokers: list[Witnesses] = []
        self.witnesses = self.broker(2)

    def broker(self, quorum: int, ask: Ask | None = None, timeout_seconds: int = 5) -> Witnesses:
        """The witnesses of one broker on this database."""
        named = [WitnessAt(case.verifier_keys[self.pinned], url) for url, case in self.cases.items()]
        made = witnesses_of(
            self.database, self.audit, named, quorum, ask or self.ask, lambda: NOW, timeout_seconds
        )
        self.brokers.append(made)
        return made

    def ask(self, url: str, body: bytes) -> Answer:
        """Deliver a call."""
        self.before(url)
        origin = url.removesuffix(witnessing.ADD_CHECKPOINT)
        status, media_type, text = self.cases[origin].post(body)
        self.calls.append((origin, status))
        return Answer(status, media_type, text.encode())

    def append(self, entries: int = 1) -> int:
        """Record so many entries; the index of the last one."""
        index = -1
        for _ in range(entries):
            with self.database.write() as connection:
                record = DepositCompleted(deposit_id=bytes(32), records=1, root=bytes(32))
                index = self.audit.append(connection, RecordKind.DEPOSIT_COMPLETED, record, NOW).proof.index
        return index

    def sizes(self) -> set[int]:
        """What the database remembers of the witnesses."""
        with self.database.read() as connection:
            return set(rows.sizes(connection).values())

    def cosigned(self, witnessed: Witnessed, quorum: int = 2) -> checkpoint.Checkpoint:
        """A cosigned note, verified as anybody would."""
        keys = [case.verifier_key for case in self.cases.values()]
        return receipts.verify_checkpoint(witnessed.note, ORIGIN, public_bytes(LOG_KEY), keys, quorum)

    def close(self) -> None:
        for broker in self.brokers:
            broker.close()
        self.database.close()
        for case in self.cases.values():
            case.stop()


@pytest.fixture
def case(tmp_path: Path, database_url: str) -> Iterator[Case]:
    case = Case(tmp_path, database_url)
    yield case
    case.close()


def test_an_entry_is_cosigned_by_all_that_are_needed_and_proved_under_that_checkpoint(case: Case) -> None:
    index = case.append(5)
    witnessed = case.witnesses.cosign(index)
    assert (case.cosigned(witnessed).size, case.sizes()) == (5, {5})
    with case.database.read() as connection:
        proof = case.audit.under(connection, 2, witnessed)
    keys = [each.verifier_key for each in case.cases.values()]
    assert receipts.verify_log_proof(proof, ORIGIN, public_bytes(LOG_KEY), keys, 2).index == 2


def test_what_was_cosigned_already_asks_nobody_again(case: Case) -> None:
    index = case.append(3)
    first = case.witnesses.cosign(index)
    calls = len(case.calls)
    assert case.witnesses.cosign(0) == case.witnesses.cosign(index) == first
    assert len(case.calls) == calls


def test_many_that_wait_are_served_by_one_round(case: Case) -> None:
    case.witnesses.cosign(case.append())
    calls = len(case.calls)
    case.append(8)
    found: list[Witnessed] = []
    threads = [
        threading.Thread(target=lambda at=at: found.append(case.witnesses.cosign(at))) for at in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.size for each in found} == {9}
    assert len(case.calls) - calls == 2


def test_a_size_that_is_remembered_wrongly_is_corrected_by_the_witness(case: Case) -> None:
    case.witnesses.cosign(case.append(4))
    with case.database.write() as connection:
        keys = tuple(each.verifier_key.short for each in case.cases.values())
        rows.keep(connection, keys, 1, NOW)
    case.calls.clear()
    assert case.cosigned(case.broker(2).cosign(case.append(2))).size == 6
    assert sorted(status for _, status in case.calls) == [200, 200, 409, 409]


def test_a_broker_that_was_overtaken_by_another_on_the_same_log_goes_on_from_there(case: Case) -> None:
    """Between its reading of the head and its call, the other broker records and has it cosigned."""
    case.witnesses.cosign(case.append(3))
    other, index = case.broker(2), case.append()
    raced = threading.Event()

    def race(url: str) -> None:
        if not raced.is_set():
            raced.set()
            case.append(2)
            other.cosign(5)

    case.before = race
    witnessed = case.broker(2).cosign(index)
    assert case.cosigned(witnessed).size >= 4
    assert 409 in {status for _, status in case.calls}
    case.before = lambda url: None
    assert case.cosigned(case.witnesses.cosign(case.append())).size == 7


def test_too_few_cosignatures_are_none_and_a_later_call_goes_on(case: Case) -> None:
    index = case.append()
    down = {"http://w2.example.org/add-checkpoint"}

    def unreached(url: str) -> None:
        if url in down:
            raise Unavailable("could not be reached in time")

    case.before = unreached
    with pytest.raises(Unavailable, match="Too few witnesses"):
        case.witnesses.cosign(index)
    assert case.cosigned(case.broker(1).cosign(index), 1).size == 1
    down.clear()
    assert case.cosigned(case.witnesses.cosign(index)).size == 1


def test_a_witness_that_hangs_costs_one_timeout_and_none_where_the_others_are_enough(case: Case) -> None:
    free = threading.Event()

    def hang(url: str) -> None:
        if "w2" in url:
            free.wait(60)

    case.before = hang
    index, started = case.append(), time.monotonic()
    assert case.cosigned(case.broker(1, timeout_seconds=60).cosign(index), 1).size == 1
    with pytest.raises(Unavailable, match="Too few witnesses"):
        case.broker(2, timeout_seconds=1).cosign(index)
    assert 1 <= time.monotonic() - started < 30, "one timeout of a second, and not the minute that it hangs"
    free.set()


def test_a_witness_that_saw_more_than_there_is_stops_the_log_for_good(case: Case) -> None:
    index = case.append()

    def more(url: str, body: bytes) -> Answer:
        return Answer(409, witnessing.SIZE_TYPE, b"7\n")

    with pytest.raises(Unavailable, match="rolled back"):
        case.broker(2, more).cosign(index)
    for refused in (lambda: case.append(), lambda: case.witnesses.cosign(index), case.witnesses.published):
        with pytest.raises(Unavailable, match="rolled back"):
            refused()


def test_a_late_answer_that_contradicts_stops_the_log_too(case: Case) -> None:
    def late(url: str, body: bytes) -> Answer:
        if "w2" not in url:
            return case.ask(url, body)
        time.sleep(0.3)
        return Answer(409, witnessing.SIZE_TYPE, b"700\n")

    case.broker(1, late).cosign(case.append())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            case.audit.check_not_refused()
        except Unavailable:
            break
        time.sleep(0.02)
    with pytest.raises(Unavailable, match="rolled back"):
        case.append()


@pytest.mark.parametrize(
    "answer",
    [Answer(409, "text/plain", b"1\n"), Answer(409, witnessing.SIZE_TYPE, b"1\n")],
    ids=["without a size", "with the size"],
)
def test_a_witness_that_saw_another_root_at_this_size_stops_the_log(case: Case, answer: Answer) -> None:
    index = case.append()
    case.witnesses.cosign(index)
    with pytest.raises(Unavailable, match="entries were changed"):
        case.broker(2, lambda url, body: answer).cosign(index)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(409, "text/plain", b"nonsense"),
        Answer(409, witnessing.SIZE_TYPE, b"-1\n"),
        Answer(409, witnessing.SIZE_TYPE, b"0\n"),
        Answer(422, "text/plain", b""),
        Answer(200, "text/plain", b""),
        Answer(503, "text/plain", b"down"),
    ],
)
def test_an_answer_that_is_none_neither_counts_nor_stops_the_log(case: Case, answer: Answer) -> None:
    index = case.append(2)
    with pytest.raises(Unavailable, match="Too few witnesses"):
        case.broker(1, lambda url, body: answer).cosign(index)
    assert case.cosigned(case.witnesses.cosign(case.append())).size == 3


def test_at_start_every_witness_is_shown_the_log_and_all_that_are_needed_must_answer(case: Case) -> None:
    case.append(3)
    case.broker(1).start()
    assert sorted(case.calls) == [("http://w1.example.org", 200), ("http://w2.example.org", 200)]


def test_what_is_published_is_the_newest_cosigned_when_the_witnesses_are_away(case: Case) -> None:
    case.witnesses.cosign(case.append(2))

    def unreached(url: str) -> None:
        raise Unavailable("could not be reached in time")

    case.append()
    case.before = unreached
    assert case.cosigned(Witnessed(2, case.witnesses.published())).size == 2
    with pytest.raises(Unavailable, match="Too few"):
        case.broker(2).published()
    case.before = lambda url: None
    assert case.cosigned(Witnessed(3, case.witnesses.published())).size == 3


@pytest.mark.parametrize(
    ("algorithm", "pinned", "byte"),
    [(Algorithm.ML_DSA_44, 0, 6), (Algorithm.BOTH, 0, 4), (Algorithm.BOTH, 1, 6)],
)
def test_witnesses_may_cosign_with_ml_dsa_alone_or_beside_ed25519(
    tmp_path: Path, algorithm: Algorithm, pinned: int, byte: int
) -> None:
    """Of a witness with both kinds of keys the one counts that the settings name."""
    case = Case(tmp_path, f"sqlite:///{tmp_path / 'broker.sqlite3'}", algorithm, pinned)
    try:
        named = [each.verifier_keys[pinned] for each in case.cases.values()]
        assert {key.algorithm for key in named} == {byte}
        note = case.witnesses.cosign(case.append(3)).note
        read = checkpoint.parse_and_verify(note.encode(), ORIGIN, case.audit.verifier_key, named, 2)
        assert len(read.cosignatures) == 2
        with case.database.read() as connection:
            assert rows.sizes(connection) == {key.short: 3 for key in named}, "the hint fits its column"
        case.calls.clear()
        case.broker(2).start()
        assert [status for _, status in case.calls] == [200, 200]
    finally:
        case.close()


def test_in_a_trial_nobody_is_asked(case: Case) -> None:
    trial = witnesses_of(case.database, case.audit, (), 0, case.ask, lambda: NOW, 5)
    trial.start()
    assert case.cosigned(trial.cosign(case.append(2)), 0).size == 2
    assert case.calls == []


def test_a_fault_in_a_call_is_no_cosignature_and_its_text_is_not_logged(
    case: Case, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def broken(url: str, body: bytes) -> Answer:
        raise RuntimeError("canary")

    with pytest.raises(Unavailable, match="Too few"):
        case.broker(1, broken).cosign(case.append())
    told = capsys.readouterr()
    assert "canary" not in told.out + told.err + caplog.text


def test_who_watches_the_service_sees_what_was_cosigned_when_and_what_failed(case: Case) -> None:
    now = 100.0
    named = [WitnessAt(each.verifier_key, url) for url, each in case.cases.items()]
    log = BrokerLog(case.database, case.audit, lambda: NOW)
    watched = Witnesses(log, named, 2, case.ask, lambda: now, 5)
    case.brokers.append(watched)
    names = [each.key.name for each in named]
    assert watched.cosigning == Cosigning(None, None, 0, dict.fromkeys(names, 0))
    watched.cosign(case.append(3))
    now += 40
    assert watched.cosigning == Cosigning(3, 40.0, 0, dict.fromkeys(names, 0))

    def unreached(url: str) -> None:
        if "w2" in url:
            raise Unavailable("could not be reached in time")

    case.before = unreached
    index = case.append()
    for _ in range(2):
        with pytest.raises(Unavailable, match="Too few witnesses"):
            watched.cosign(index)
    now += 2
    assert watched.cosigning == Cosigning(3, 42.0, 2, {names[0]: 0, names[1]: 2})
    case.before = lambda url: None
    watched.cosign(index)
    assert watched.cosigning == Cosigning(4, 0.0, 2, {names[0]: 0, names[1]: 2})
    assert witnesses_of(case.database, case.audit, (), 0, case.ask, lambda: NOW, 5).cosigning is None


def test_a_witness_that_contradicts_counts_as_a_round_that_failed(case: Case) -> None:
    broker = case.broker(2, lambda url, body: Answer(409, witnessing.SIZE_TYPE, b"7\n"))
    with pytest.raises(Unavailable, match="rolled back"):
        broker.cosign(case.append())
    assert broker.cosigning is not None
    assert broker.cosigning.failed_rounds == 1
