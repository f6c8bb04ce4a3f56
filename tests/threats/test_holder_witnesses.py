"""Key holders' witnesses that stop, lie or saw another log, and who may read a holder's records: all of it real.

The first holder of a small world has three witnesses, of which two must cosign. Calls to them are delivered to the
witnesses' own applications, where a test may stop one or change what it answers.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.protocol import checkpoint, leaves, witnessing
from broker.protocol.calls import sign_call
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, NotPermitted, Unavailable, VerificationFailed
from broker.protocol.messages.base import decode, read
from broker.protocol.messages.evaluation import EvaluationCall
from broker.protocol.messages.log import RecordPage
from broker.protocol.receipts import verify_checkpoint
from broker.translog.cosigning import Answer
from clients.keyholder import own_log, records, witness_choice
from clients.keyholder.api.app import create_app
from clients.keyholder.evaluation import evaluate
from clients.keyholder.high_water import beside
from clients.keyholder.pinning import pin_space
from clients.keyholder.store import permits
from clients.keyholder.witnesses import RegularCosigning
from clients.witness.cosigning import pin_log
from clients.witness.store.logs import forks_of, newest
from tests.asgi import InMemoryClient
from tests.keyholder_calls import evaluations
from tests.keyholder_world import HOLDER_IDS, POLICE, World
from tests.witness_case import WitnessCase, key_of

NAME = HOLDER_IDS[0]


class Witnessed:
    """A holder with its witnesses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(folder, holders=())
        names = [f"w{number}.example.org" for number in (1, 2, 3)]
        self.cases = {f"https://{name}": WitnessCase(folder / name, name) for name in names}
        self.down: set[str] = set()
        self.answer: Callable[[str, Answer], Answer] = lambda url, answer: answer
        chosen = tuple((str(case.verifier_key), url) for url, case in self.cases.items())
        witness_choice.choose(self.directory, chosen, quorum=2, timeout_seconds=1)
        key = self.world.holder_keys[NAME]
        log_key = key.log_key.public_key().public_bytes_raw()
        self.log_key = checkpoint.VerifierKey(key.log_origin, checkpoint.ED25519, log_key)
        for case in self.cases.values():
            pin_log(case.witness, self.log_key)
        self.start()
        self.deals = self.world.deal_all()

    @property
    def directory(self) -> Path:
        return self.folder / NAME

    def start(self) -> None:
        self.world.start(NAME, self.ask)
        self.running = True

    def stop(self) -> None:
        self.running = False
        self.world.holder.close()

    def ask(self, url: str, body: bytes) -> Answer:
        where = url.removesuffix(witnessing.ADD_CHECKPOINT)
        if where in self.down:
            raise Unavailable("could not be reached in time")
        status, media_type, text = self.cases[where].post(body)
        return self.answer(where, Answer(status, media_type, text.encode()))

    def seen(self) -> list[int]:
        """The sizes that the witnesses cosigned last."""
        found = []
        for case in self.cases.values():
            with case.witness.database.read() as connection:
                last = newest(connection, self.log_key.name)
            found.append(0 if last is None else last.size)
        return found

    def size(self) -> int:
        with self.world.holder.database.read() as connection:
            return self.world.holder.log.size(connection)

    def copy(self) -> Path:
        """The folder and its mark as they are now."""
        copy = self.folder / "old"
        self.stop()
        shutil.copytree(self.directory, copy)
        shutil.copy(beside(self.directory), copy / "mark")
        self.start()
        return copy

    def put_back(self, copy: Path) -> None:
        """Both of then in the place of the present ones: what a mark kept with its folder cannot tell."""
        self.stop()
        shutil.rmtree(self.directory)
        shutil.copytree(copy, self.directory)
        (self.directory / "mark").replace(beside(self.directory))

    def close(self) -> None:
        for case in self.cases.values():
            case.stop()
        if self.running:
            self.world.holder.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witnessed]:
    made = Witnessed(tmp_path_factory.mktemp("shared"))
    yield made
    made.close()


@pytest.fixture
def witnessed(shared: Witnessed) -> Iterator[Witnessed]:
    """Shared: no test of it breaks the holder's log."""
    yield shared
    shared.down.clear()
    shared.answer = lambda url, answer: answer


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Witnessed]:
    made = Witnessed(tmp_path)
    yield made
    made.close()


def anew(witnessed: Witnessed) -> EvaluationCall:
    """A request of its own: the call for its first series."""
    world = witnessed.world
    filed = world.admit(witnessed.deals)
    with world.holder.database.read() as connection:
        seen = permits.seen(connection, [public_bytes(world.keys["log"])])
    size = world.log.storage.head().size
    consistency = None if seen is None else world.log.consistency(seen.size, size)
    return filed.call(world.holder, witnessed.deals[0], consistency=consistency)


def ask_anew(witnessed: Witnessed) -> None:
    """A request of its own, answered for its first series."""
    evaluate(witnessed.world.holder, witnessed.world.caller(POLICE), anew(witnessed))


# --- the honest way ---


def test_an_answer_leaves_once_two_witnesses_cosigned_its_entry(witnessed: Witnessed) -> None:
    witnessed.down.add("https://w3.example.org")
    ask_anew(witnessed)
    assert sorted(witnessed.seen())[1:] == [witnessed.size()] * 2
    keys = [case.verifier_key for case in witnessed.cases.values()]
    note = witnessed.world.holder.witnesses.published()
    for public in (witnessed.log_key.public_key, witnessed.world.holder.keys.signing_public):
        assert verify_checkpoint(note, witnessed.log_key.name, public, keys, 2).size == witnessed.size()


def test_what_no_answer_rests_on_is_shown_to_the_witnesses_all_the_same(witnessed: Witnessed) -> None:
    """Else a destroyed share could be rolled back, and be there again."""
    read_page(witnessed, "auditor-1")
    assert max(witnessed.seen()) < witnessed.size()
    regular = RegularCosigning(witnessed.world.holder.witnesses, seconds=0.02)
    regular.start()
    deadline = time.monotonic() + 20
    while sorted(witnessed.seen())[1] < witnessed.size() and time.monotonic() < deadline:
        time.sleep(0.02)
    regular.stop()
    assert sorted(witnessed.seen())[1] == witnessed.size()


# --- witnesses that stop or lie ---


def test_with_too_few_witnesses_nothing_is_answered_and_the_same_call_goes_on_once_they_are_back(
    witnessed: Witnessed,
) -> None:
    world = witnessed.world
    call, before = anew(witnessed), evaluations(world)
    witnessed.down.update(["https://w1.example.org", "https://w2.example.org"])
    for _ in range(2):
        with pytest.raises(Unavailable, match="Too few witnesses"):
            evaluate(world.holder, world.caller(POLICE), call)
    assert evaluations(world) == before + 1, "recorded, and not answered"
    witnessed.down.clear()
    assert evaluate(world.holder, world.caller(POLICE), call).chunks
    assert evaluations(world) == before + 1, "recorded once"


def other_key(witnessed: Witnessed, url: str, answer: Answer) -> bytes:
    """A cosignature over the right checkpoint by a key that nobody chose, under the witness's name."""
    with witnessed.cases[url].witness.database.read() as connection:
        last = newest(connection, witnessed.log_key.name)
    assert last is not None
    text = (last.note.partition("\n\n")[0] + "\n").encode()
    return checkpoint.cosign(text, 1, key_of("mallory"), url.removeprefix("https://"))


def another_log(witnessed: Witnessed, url: str, answer: Answer) -> bytes:
    """The witness's true key, over a log that does not exist."""
    keys = witnessed.cases[url].witness.keys
    text = checkpoint.body(witnessed.log_key.name, 10_000, bytes(32))
    return checkpoint.cosign(text, 1, keys.private_keys[0], keys.name)


@pytest.mark.parametrize("lie", [other_key, another_log, lambda *_: b""])
def test_a_false_cosignature_does_not_count(
    witnessed: Witnessed, lie: Callable[[Witnessed, str, Answer], bytes]
) -> None:
    witnessed.down.add("https://w3.example.org")

    def lying(url: str, answer: Answer) -> Answer:
        if url != "https://w1.example.org" or answer.status != 200:
            return answer
        return replace(answer, body=lie(witnessed, url, answer))

    witnessed.answer = lying
    with pytest.raises(Unavailable, match="Too few witnesses"):
        ask_anew(witnessed)


# --- a log that is not the one they saw ---


def test_a_folder_put_back_together_with_its_mark_refuses_to_serve(fresh: Witnessed) -> None:
    copy = fresh.copy()
    ask_anew(fresh)
    fresh.put_back(copy)
    with pytest.raises(Unavailable, match="rolled back"):
        fresh.start()


def test_a_log_with_another_tail_refuses_to_serve_and_the_witness_keeps_both_notes(
    fresh: Witnessed,
) -> None:
    copy = fresh.copy()
    ask_anew(fresh)
    size = fresh.size()
    fresh.put_back(copy)
    witness_choice.choose(fresh.directory, quorum=0)
    fresh.world.start(NAME)
    while fresh.size() < size:
        ask_anew(fresh)
    fresh.stop()
    witness_choice.choose(fresh.directory, quorum=2)
    with pytest.raises(Unavailable, match="entries were changed"):
        fresh.start()
    with fresh.cases["https://w1.example.org"].witness.database.read() as connection:
        (fork,) = forks_of(connection, fresh.log_key.name)
    assert fork.size == size


@pytest.mark.all_only
def test_a_holder_whose_log_a_witness_saw_further_stops_serving_at_once_and_for_good(
    fresh: Witnessed,
) -> None:
    def seen_more(url: str, answer: Answer) -> Answer:
        return Answer(409, witnessing.SIZE_TYPE, b"100000\n")

    fresh.answer = seen_more
    fresh.down.update(["https://w2.example.org", "https://w3.example.org"])
    with pytest.raises(Unavailable, match="rolled back"):
        ask_anew(fresh)
    fresh.answer = lambda url, answer: answer
    fresh.down.clear()
    with pytest.raises(Unavailable, match="rolled back"):
        ask_anew(fresh)
    client = InMemoryClient(create_app(fresh.world.holder))
    for path in ("/healthz", "/checkpoint"):
        assert client.send("GET", f"{fresh.world.holder.keys.origin}{path}", {})[0] == 503


@pytest.mark.all_only
def test_without_enough_witnesses_that_answer_it_does_not_start(fresh: Witnessed) -> None:
    fresh.down.update(["https://w1.example.org", "https://w2.example.org"])
    fresh.stop()
    with pytest.raises(Unavailable, match="Too few witnesses"):
        fresh.start()
    fresh.down.clear()
    fresh.start()
    ask_anew(fresh)


# --- records ---


def read_page(witnessed: Witnessed, name: str) -> tuple[int, bytes]:
    """What the holder's door answers to a party that asks for records 0 to 2."""
    world, path = witnessed.world, "/v1/audit/records?start=0&end=2"
    url = world.holder.keys.origin + path
    headers = sign_call(
        world.keys[name],
        method="GET",
        url=url,
        headers={},
        body=b"",
        now=world.clock(),
        random_bytes=world.random_bytes,
    )
    status, _, body = InMemoryClient(create_app(world.holder)).send("GET", url, headers)
    return status, body


def test_an_auditor_reads_records_that_open_their_leaves_and_the_reading_is_an_entry(
    witnessed: Witnessed,
) -> None:
    before = witnessed.size()
    status, body = read_page(witnessed, "auditor-1")
    assert status == 200
    holder = witnessed.world.holder
    with holder.database.read() as connection:
        page = holder.log.leaf_page(connection, 0, witnessed.size())
        shown = holder.log.record_page(connection, before, before + 1)
    for leaf, logged in zip(page.leaves, read(RecordPage, body).records, strict=False):
        leaves.verify_record(leaf, logged.record or b"", logged.salt or b"")
    assert leaves.parse_leaf(page.leaves[before]).kind == "RECORDS_READ"
    said = decode(own_log.RecordsRead, shown.records[0].record or b"")
    assert (said.auditor, said.start, said.end, said.read_at) == ("auditor-1", 0, 2, witnessed.world.clock())


@pytest.mark.parametrize("name", [POLICE, "company-1", "desk-1", "broker"])
def test_nobody_but_a_pinned_auditor_reads_a_holders_records(witnessed: Witnessed, name: str) -> None:
    before = witnessed.size()
    status, body = read_page(witnessed, name)
    assert status in (401, 403)
    assert b"salt" not in body
    assert witnessed.size() == before


@pytest.mark.all_only
def test_an_auditor_whom_a_newer_roster_leaves_out_reads_nothing_more(fresh: Witnessed) -> None:
    world = fresh.world
    newer = world.sign_space(roster_version=2, auditors=())
    pin_space(world.holder.database, world.holder.keys, newer.document, world.enrolment(), world.clock())
    assert read_page(fresh, "auditor-1")[0] == 401
    with pytest.raises(NotPermitted, match="auditors"):
        records.read_records(world.holder, world.caller("auditor-1"), 0, 2)


# --- the operator's choice ---


def test_one_witness_under_two_names_or_half_of_them_or_more_than_there_are_is_no_choice(
    tmp_path: Path,
) -> None:
    case = WitnessCase(tmp_path / "w", "w1.example.org")
    other = WitnessCase(tmp_path / "w2", "w2.example.org")
    case.stop()
    other.stop()
    key = str(case.verifier_key)
    renamed = str(replace(case.verifier_key, name="w2.example.org"))
    for pairs, quorum in (
        ([(key, "https://w1.example.org"), (renamed, "https://w2.example.org")], 2),
        ([(key, "https://w1.example.org")], 2),
        ([(key, "https://w1.example.org"), (str(other.verifier_key), "https://w2.example.org")], 1),
        ([(key, "ftp://w1.example.org")], 1),
        ([(str(replace(case.verifier_key, algorithm=checkpoint.ED25519)), "https://w1.example.org")], 1),
    ):
        with pytest.raises(BadInput):
            witness_choice.choose(tmp_path, tuple(pairs), quorum=quorum)
    witness_choice.choose(tmp_path, ((key, "https://w1.example.org"),), quorum=1)
    with pytest.raises(Conflict):
        witness_choice.choose(tmp_path, ((key, "https://w9.example.org"),))
    assert not witness_choice.read_choice(tmp_path).trial


def test_a_witness_on_another_machine_is_called_over_http_only_where_the_operator_says_so(
    tmp_path: Path,
) -> None:
    case = WitnessCase(tmp_path / "w", "w1.example.org")
    case.stop()
    key = str(case.verifier_key)
    witness_choice.choose(tmp_path, ((key, "http://127.0.0.1:8475"),), quorum=1)
    clear = (((key, "http://w1.example.org"),), (case.verifier_key.name,))
    with pytest.raises(BadInput, match=r"use https://, or --plain-http"):
        witness_choice.choose(tmp_path, *clear)
    assert witness_choice.choose(tmp_path, *clear, plain_http=True).plain_http
    assert witness_choice.read_choice(tmp_path).witnesses[0].url == "http://w1.example.org"
    with pytest.raises(BadInput, match=r"use https://, or --plain-http"):
        witness_choice.choose(tmp_path, plain_http=False)
    # A choice made before this rule, or by hand, is refused at the next start and not passed over.
    file = tmp_path / witness_choice.CHOICE_FILE
    file.write_text(file.read_text().replace('"plain_http":true', '"plain_http":false'))
    with pytest.raises(VerificationFailed, match="--plain-http"):
        witness_choice.read_choice(tmp_path)
