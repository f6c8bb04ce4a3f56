"""Processes that die by SIGKILL in the middle of what they do, and what stands when they are back.

Each test kills a real process at a moment that it sees in the databases, starts it again on the same folder, and runs
the interrupted command once more, as a person would. What must hold: nothing acknowledged is lost, nothing is stored,
charged or recorded twice, and the answer is that of a plain comparison (AUDIT 3; DESIGN 2.3, 2.5, 3).

A kill shows that steps are idempotent; that they are on the disk is for test_durability.
"""

import random
import shutil
import signal
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from broker.protocol import checkpoint, documents, merkle
from broker.protocol.messages.base import read
from broker.protocol.messages.requests import TokensAnswered
from broker.protocol.tiles import TILE_WIDTH, Tile, read_entry_bundle
from clients.cli.run import ExitCode
from clients.demo.parties import COMPANY, HOLDERS, PAYMENTS, POLICE, Party
from clients.keyholder.keys import open_keys
from tests.integration import processes_world
from tests.integration.processes_world import (
    ASKED,
    Asked,
    Background,
    World,
    assert_answered_once,
    wait_until,
)

pytestmark = pytest.mark.all_only
"""A minute and more of processes: `make test-all` runs it."""

RECORDS = 12_000
"""In one deposit: two batches of the size class 512."""
STATES = ("admitted", "tokens", "releasing", "released")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with processes_world.running_world(tmp_path_factory.mktemp("space") / "parties") as running:
        yield running


# --- deposits ---


def test_a_broker_killed_in_mid_deposit_lost_nothing_and_the_same_command_ends_that_deposit(
    world: World,
) -> None:
    file = world.emails("company-large", range(100_000, 100_000 + RECORDS))
    command = world.deposit(COMPANY, file, ["company"])
    before = deposits_of(world, COMPANY)
    running = world.processes.start(command)
    wait_until(lambda: any(row[1] for row in deposits_of(world, COMPANY) - before), "a batch was stored")
    [(deposit_id, acknowledged, _, state)] = deposits_of(world, COMPANY) - before
    world.processes.kill("broker")
    assert state == "admitted"
    assert running.finish().code == ExitCode.UNREACHABLE

    world.start_broker()
    [(same_id, batches, _, state)] = deposits_of(world, COMPANY) - before
    assert (same_id, state) == (deposit_id, "admitted")
    assert acknowledged <= batches < 2
    assert world.run(COMPANY, *command).json()["deposits"][0]["deposit_id"] == deposit_id.hex()
    assert deposits_of(world, COMPANY) - before == {(deposit_id, 2, RECORDS + 1, "serving")}
    assert_deposited_once(world, deposit_id)
    assert world.audit()["verified"]


def test_a_contributor_killed_while_masking_and_again_while_sending_ends_with_one_deposit(
    world: World,
) -> None:
    file = world.emails("payments-large", range(200_000, 200_000 + RECORDS))
    command = world.deposit(PAYMENTS, file, ["company"])
    before, opened = deposits_of(world, PAYMENTS), series_of(world, PAYMENTS)
    # Masking begins once the series is open, and leaves nothing behind that a later run would take for a deposit.
    running = world.processes.start(command)
    wait_until(lambda: series_of(world, PAYMENTS) > opened, "the series was opened")
    running.kill()
    kept = world.places.home(PAYMENTS) / "deposits"
    assert len(list(kept.glob("*/deposit.json"))) == len(before)
    assert deposits_of(world, PAYMENTS) == before

    running = world.processes.start(command)
    wait_until(lambda: any(row[1] for row in deposits_of(world, PAYMENTS) - before), "a batch was stored")
    running.kill()
    [(deposit_id, batches, _, state)] = deposits_of(world, PAYMENTS) - before
    assert (batches < 2, state) == (True, "admitted")

    done = world.run(PAYMENTS, *command).json()["deposits"]
    assert [item["deposit_id"] for item in done] == [deposit_id.hex()]
    assert deposits_of(world, PAYMENTS) - before == {(deposit_id, 2, RECORDS + 1, "serving")}
    assert series_of(world, PAYMENTS) == opened + 1
    assert_deposited_once(world, deposit_id)


# --- requests and the broker ---


def test_a_broker_killed_after_admission_and_again_after_the_tokens_answers_the_request_once(
    world: World,
) -> None:
    asked = world.ask("killed-twice")
    # The finer steps are in test_durability, which kills the broker at each of its writes.
    for moment in ("admitted", "tokens"):
        running = world.processes.start(world.request("send", asked))
        wait_until(partial(reached, world, asked, moment), f"the request is {moment}")
        world.processes.kill("broker")
        assert running.finish().code in (ExitCode.DONE, ExitCode.UNREACHABLE)
        world.start_broker()
        assert reached(world, asked, moment), "a step that was recorded is gone"
    assert_answered_once(world, asked, world.run(POLICE, *world.request("send", asked)).json())


@pytest.mark.parametrize("seed", range(3))
def test_a_broker_killed_at_random_moments_answers_a_request_once(world: World, seed: int) -> None:
    chance = random.Random(seed)
    asked = world.ask(f"killed-at-random-{seed}")
    for _ in range(4):
        running = world.processes.start(world.request("send", asked))
        time.sleep(chance.uniform(0.3, 2.5))
        world.processes.kill("broker")
        assert running.finish().code in (ExitCode.DONE, ExitCode.UNREACHABLE)
        world.start_broker()
    assert_answered_once(world, asked, world.run(POLICE, *world.request("send", asked)).json())


# --- requests and the key holders ---


def test_a_request_goes_to_another_quorum_when_a_holder_is_killed_under_it(world: World) -> None:
    asked = world.ask("another-quorum")
    running = world.processes.start(world.request("send", asked))
    kill_while_evaluating(world, running, delay_seconds=0.0)
    done = running.finish()
    world.start_holder(1)
    assert done.code == ExitCode.DONE, done.errors
    assert_answered_once(world, asked, done.json())
    for number in (1, 2, 3):
        assert_charged_once(world, asked, number)
    quorums = world.holder_books(3).rows(
        "SELECT DISTINCT quorum FROM evaluations WHERE permit_id = ?", world.permit_id(asked)
    )
    assert len(quorums) == 1, "the third holder stood in"


def a_holder_dies(world: World, case: str, delay_seconds: float) -> None:
    """Kill holder 1 while it evaluates, start it again, and ask the very same once more, and once more."""
    asked = world.ask(case)
    world.run(POLICE, *world.request("file", asked))
    twin = world.places.root / f"police-before-{case}"
    shutil.copytree(world.places.home(POLICE), twin)
    before = charged(world, 1)
    quorum = ("--quorum", "1,2")
    running = world.processes.start(world.request("evaluate", asked, *quorum))
    kill_while_evaluating(world, running, delay_seconds)
    assert running.finish().code in (ExitCode.DONE, ExitCode.UNREACHABLE)
    world.start_holder(1)
    world.run(POLICE, *world.request("evaluate", asked, *quorum))
    assert_answered_once(world, asked, world.run(POLICE, *world.request("submit", asked)).json())
    assert_charged_once(world, asked, 1)
    assert charged(world, 1) == before + ASKED
    # The twin never heard of the answers: it makes the identical calls.
    evaluated = world.holder_books(1).log_size()
    world.run(POLICE, *world.request("evaluate", asked, *quorum, home=twin))
    assert charged(world, 1) == before + ASKED
    assert world.holder_books(1).log_size() == evaluated
    assert_own_log_verifies(world, 1)


def test_a_holder_killed_while_evaluating_charges_the_permit_once_and_answers_again(world: World) -> None:
    a_holder_dies(world, "holder-dies", 0.03)


@pytest.mark.parametrize("seed", range(6))
def test_a_holder_killed_at_random_moments_charges_each_permit_once(world: World, seed: int) -> None:
    a_holder_dies(world, f"holder-dies-{seed}", random.Random(seed).uniform(0.0, 0.2))


# --- the requester ---


def test_a_requester_killed_while_evaluating_and_before_submitting_goes_on_where_it_was(world: World) -> None:
    asked = world.ask("requester-dies")
    world.run(POLICE, *world.request("file", asked))
    running = world.processes.start(world.request("evaluate", asked))
    wait_until(lambda: any(world.kept(asked).glob("answers/*/*")), "an answer was kept")
    running.kill()
    running = world.processes.start(world.request("evaluate", asked))
    wait_until((world.kept(asked) / "tokens").exists, "the tokens were kept")
    running.kill()
    tokens = (world.kept(asked) / "tokens").read_bytes()
    assert world.state(asked) == "admitted", "nothing was submitted"
    assert_charged_once(world, asked, 1)

    world.processes.freeze("broker")
    running = world.processes.start(world.request("send", asked))
    wait_until(lambda: unread_bytes(world) > 0, "the tokens were sent")
    assert (world.kept(asked) / "tokens").read_bytes() == tokens, "a retry sends the very same"
    running.kill()
    world.processes.thaw("broker")
    assert_answered_once(world, asked, world.run(POLICE, *world.request("send", asked)).json())


def test_a_requester_killed_right_after_submitting_reads_the_same_answer_later(world: World) -> None:
    asked = world.ask("requester-never-read")
    world.run(POLICE, *world.request("file", asked))
    world.run(POLICE, *world.request("evaluate", asked))
    # The broker is stopped while the tokens are sent, and the unit before the answer comes: it cannot have read it.
    world.processes.freeze("broker")
    running = world.processes.start(world.request("submit", asked))
    wait_until(partial(all_is_sent, world), "the tokens were sent", pause_seconds=0.3)
    running.process.send_signal(signal.SIGSTOP)
    world.processes.thaw("broker")
    wait_until(lambda: world.state(asked) == "released", "the broker answered")
    running.kill()
    assert not (world.kept(asked) / "answer").exists()
    [(given,)] = world.books.rows("SELECT disclosure FROM permits WHERE request_id = ?", asked.request_id)
    assert_answered_once(world, asked, world.run(POLICE, *world.request("submit", asked)).json())
    kept = (world.kept(asked) / "disclosure.jws").read_text()
    assert kept == read(TokensAnswered, given).document


# --- at the end ---


def test_after_all_this_the_log_verifies_and_the_holders_logs_too(world: World) -> None:
    report = world.audit()
    assert report["verified"]
    assert report["first_bad_index"] is None
    for number in (1, 2, 3):
        assert_own_log_verifies(world, number)


# --- what the tests share ---


def deposits_of(world: World, party: Party) -> set[tuple[bytes, int, int, str]]:
    """Id, batches, records and state of each of a party's deposits at the broker."""
    query = "SELECT deposit_id, next_batch, records_stored, state FROM deposits WHERE contributor = ?"
    return set(world.books.rows(query, party.party_id))


def series_of(world: World, party: Party) -> int:
    """How many series a party opened."""
    return len(world.books.rows("SELECT series_id FROM series WHERE contributor = ?", party.party_id))


def reached(world: World, asked: Asked, moment: str) -> bool:
    """Whether a request has come to that state, or beyond."""
    state = world.state(asked)
    return state is not None and STATES.index(state) >= STATES.index(moment)


def assert_deposited_once(world: World, deposit_id: bytes) -> None:
    """Every declared record is there, every batch is there once, and so is every entry of the log."""
    query = "SELECT deposit_number, records_declared FROM deposits WHERE deposit_id = ?"
    [(number, declared)] = world.books.rows(query, deposit_id)
    assert declared == RECORDS + 1, "the records of the file and the test record"
    batches = world.books.rows(
        "SELECT batch_number, records FROM batches WHERE deposit_number = ? ORDER BY batch_number", number
    )
    assert [batch for batch, _ in batches] == [0, 1]
    assert sum(records for _, records in batches) == declared
    stored = world.books.rows(
        "SELECT count(*), count(DISTINCT token) FROM records WHERE deposit_number = ?", number
    )
    assert stored == [(declared, declared)]
    for kind in ("DEPOSIT_ADMITTED", "DEPOSIT_COMPLETED", "DEPOSIT_SERVING"):
        assert len(world.books.entries(kind, deposit_id=deposit_id)) == 1, kind


def kill_while_evaluating(world: World, running: Background, delay_seconds: float) -> None:
    """Kill key holder 1 that long after it let a call in."""
    seen = calls_of(world)
    wait_until(lambda: calls_of(world) > seen or running.process.poll() is not None, "the holder was called")
    time.sleep(delay_seconds)
    world.processes.kill("holder-1")


def calls_of(world: World) -> int:
    """How many calls key holder 1 ever let in."""
    return int(world.holder_books(1).rows("SELECT count(*) FROM idempotency_keys")[0][0])


def charged(world: World, number: int) -> int:
    """How many identifiers a key holder has charged the police unit."""
    query = "SELECT coalesce(sum(identifiers), 0) FROM permits_used WHERE requester = ?"
    return int(world.holder_books(number).rows(query, POLICE.party_id)[0][0])


def assert_charged_once(world: World, asked: Asked, number: int) -> None:
    """A key holder charged the permit at most once, and recorded each series once for each quorum."""
    permit, books = world.permit_id(asked), world.holder_books(number)
    charges = books.rows("SELECT identifiers FROM permits_used WHERE permit_id = ?", permit)
    evaluations = books.rows("SELECT series_id, quorum FROM evaluations WHERE permit_id = ?", permit)
    assert charges in ([], [(ASKED,)])
    assert bool(charges) == bool(evaluations)
    records = books.entries("EVALUATED", permit_id=permit)
    told = [(bytes.fromhex(one["series_id"]), ",".join(str(x) for x in one["quorum"])) for one in records]
    assert sorted(told) == sorted(evaluations)
    assert len(told) == len(set(told))


def assert_own_log_verifies(world: World, number: int) -> None:
    """The leaves that a key holder serves give the root that its log key signed."""
    origin = world.places.holder_origins[number - 1]
    keys = open_keys(world.places.home(HOLDERS[number - 1]), None)
    key = checkpoint.VerifierKey(keys.log_origin, checkpoint.ED25519, documents.public_bytes(keys.log_key))
    signed = checkpoint.parse_and_verify(fetch(f"{origin}/checkpoint"), keys.log_origin, key)
    leaves: list[bytes] = []
    while len(leaves) < signed.size:
        tile = Tile(None, len(leaves) // TILE_WIDTH, min(TILE_WIDTH, signed.size - len(leaves)))
        leaves += read_entry_bundle(fetch(f"{origin}/tile/{tile.path}"), tile.width)
    assert merkle.root_of(merkle.leaf_hash(leaf) for leaf in leaves) == signed.root


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def unread_bytes(world: World) -> int:
    """Bytes that were sent to the broker and that it has not read (proc_net_tcp(5))."""
    port = int(world.places.broker_origin.rpartition(":")[2])
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    to_broker = [line for line in lines if int(line[1].partition(":")[2], 16) == port and line[3] == "01"]
    return sum(int(line[4].partition(":")[2], 16) for line in to_broker)


def all_is_sent(world: World) -> bool:
    """Whether a stopped broker has bytes waiting, and no more of them come."""
    before = unread_bytes(world)
    time.sleep(0.3)
    return 0 < before == unread_bytes(world)
