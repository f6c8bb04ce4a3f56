"""The way from hits to an opened record, with each process killed at each step of it and started again.

Each test lets a real process die by SIGKILL at a named point, starts it on the same folder and runs the very same
command once more, as a person would. What must hold (DESIGN 2.7, 3; AUDIT 3): nothing leaves that is not in the log,
nothing recorded is lost or done twice, the answer is the same, and a release that was decided and not finished is to be
seen by the auditor as just that.
"""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from clients.cli import run
from clients.cli.run import ExitCode
from clients.demo.parties import AUDITOR, HOLDERS, NGO, POLICE, SUPERVISOR
from clients.mirrors.mirror import Mirror
from clients.mirrors.watched_log import mirror_folder
from tests.integration import ladder_world
from tests.integration.ladder_world import CASE, OF_COMPANIES, OF_THE_NGO, Climbed, LadderWorld
from tests.integration.processes_world import Asked, email, wait_until

pytestmark = pytest.mark.all_only
_cases = count(1)
UNREACHABLE = (ExitCode.UNREACHABLE,)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LadderWorld]:
    with ladder_world.running_ladder(tmp_path_factory.mktemp("space") / "parties") as running:
        yield running


@pytest.fixture(scope="module")
def hits(world: LadderWorld) -> Asked:
    """An answered request, from which every test climbs."""
    asked = world.ask(CASE)
    world.run(POLICE, *world.request("send", asked))
    return asked


def sources(world: LadderWorld, hits: Asked, number: int) -> Climbed:
    """A request for sources about one hit, approved and not filed."""
    return world.climb(hits, [number], f"sources-{next(_cases)}")


def payload(world: LadderWorld, hits: Asked, number: int) -> Climbed:
    """A request for the payload of one hit, whose sources were told; approved and not filed."""
    told = sources(world, hits, number)
    send(world, told)
    return world.climb(told, [number], f"payload-{next(_cases)}")


def send(world: LadderWorld, asked: Asked, expect: tuple[int, ...] = (0,)) -> Any:
    """The command that files, evaluates and submits, or goes on from where it was."""
    return world.run(POLICE, *world.request("send", asked), expect=expect).json()


def kinds(world: LadderWorld, asked: Asked) -> list[str]:
    """What the log says of the steps of a request after its admission, in order."""
    found = ("TOKENS", "RELEASE", "RELEASED", "FAILED")
    return [kind for kind in found for _ in world.books.entries(kind, request_id=asked.request_id)]


def assert_told_once(world: LadderWorld, asked: Asked) -> None:
    assert kinds(world, asked) == ["TOKENS", "RELEASE", "RELEASED"]
    permit = world.permit_id(asked).hex()
    admitted = [one for one in world.books.entries("ADMITTED") if one["terms"]["permit_id"] == permit]
    assert len(admitted) == 1
    charges = world.books.rows("SELECT identifiers FROM ledger WHERE request_id = ?", asked.request_id)
    assert charges == [(0,)], "one case's ladder is one ask"
    assert world.audit()["verified"]


def assert_opened_once(world: LadderWorld, asked: Asked, number: int, contributors: set[str]) -> None:
    """The records open, for the identifier and of the contributors meant, and each holder recorded each series once."""
    opened = world.opened(asked)
    assert {each["identifier"] for each in opened} == {f"email/1|{email(number)}"}
    assert {each["contributor"] for each in opened} == contributors
    assert len(opened) == len(contributors)
    [record] = world.books.entries("RELEASE", request_id=asked.request_id)
    permit = bytes.fromhex(record["opening"]["permit_id"])
    asked_holders = 0
    for x in range(1, len(HOLDERS) + 1):
        entries = world.holder_books(x).entries("OPENED", permit_id=permit)
        told = [(one["series_id"], tuple(one["quorum"])) for one in entries]
        assert len(told) == len(set(told))
        charges = world.holder_books(x).rows("SELECT 1 FROM permits_used WHERE permit_id = ?", permit)
        assert len(charges) == bool(told)
        asked_holders += bool(told)
    assert asked_holders >= 2, "nothing opens below the threshold"


def unfinished_releases(world: LadderWorld) -> set[str]:
    """Requests of which the auditor's own mirror has a RELEASE and neither RELEASED nor FAILED."""
    world.audit()
    home = run.open_home(world.places.home(AUDITOR))
    mirror = Mirror(home.vault, mirror_folder(home.space(None).payload.space_id))
    decided, ended = {}, set()
    for logged in mirror.records():
        record = json.loads(logged.record or b"{}")
        if "token_root" in record and "decision" in record:
            decided[logged.index] = record["request_id"]
        if "release_index" in record:
            ended.add(record["release_index"])
    return {request for index, request in decided.items() if index not in ended}


# --- the broker ---

BROKER_POINTS = {
    "in the midst of the admission": "broker.permits:keep",
    "admitted, the tokens not recorded": "broker.exchange:_record_tokens",
    "tokens recorded, nothing decided": "broker.exchange:_decide_release",
    "decided, the release not recorded": "broker.exchange:ReleaseDecided",
    "RELEASE recorded, nothing assembled": "broker.exchange:_disclose",
    "assembled, RELEASED not recorded": "broker.exchange:Released",
    "RELEASED recorded, its entry not proved": "broker.witnessed_answers:with_entry",
    "RELEASED recorded, the answer not sent": "broker.exchange:answer_tokens@after",
}


@pytest.mark.parametrize("point", BROKER_POINTS)
@pytest.mark.parametrize("tier", ["sources", "payload"])
def test_a_broker_killed_at_each_step_tells_once_and_the_same(
    world: LadderWorld, hits: Asked, tier: str, point: str
) -> None:
    make = sources if tier == "sources" else payload
    asked = make(world, hits, OF_COMPANIES)
    world.restart_dying("broker", BROKER_POINTS[point])
    send(world, asked, UNREACHABLE)
    assert not (world.kept(asked) / "disclosure.jws").exists(), "nothing left the broker"
    world.reap("broker")
    before = kept_of(world, asked)
    # A RELEASE that is not finished is seen as such, until the same command finishes it.
    is_open = point in ("RELEASE recorded, nothing assembled", "assembled, RELEASED not recorded")
    assert (asked.name in unfinished_releases(world)) == is_open
    assert (kinds(world, asked)[-1:] == ["RELEASE"]) == is_open
    answer = send(world, asked)
    assert send(world, asked) == answer
    assert asked.name not in unfinished_releases(world)
    assert_told_once(world, asked)
    if before is not None:
        assert (world.kept(asked) / "disclosure.jws").read_text() in before, "the answer that was recorded"
    if tier == "payload":
        assert_opened_once(world, asked, OF_COMPANIES, {"adverts-company", "payments-company"})


def kept_of(world: LadderWorld, asked: Asked) -> str | None:
    """The answer that the broker keeps, if it has come that far."""
    query = "SELECT disclosure FROM permits WHERE request_id = ? AND disclosure IS NOT NULL"
    rows = world.books.rows(query, asked.request_id)
    return bytes(rows[0][0]).decode() if rows else None


@pytest.mark.parametrize("seed", range(2))
def test_a_broker_killed_at_random_moments_tells_once(world: LadderWorld, hits: Asked, seed: int) -> None:
    chance, asked = random.Random(seed), payload(world, hits, OF_COMPANIES)
    for _ in range(3):
        running = world.processes.start(world.request("send", asked))
        time.sleep(chance.uniform(0.8, 2.5))
        world.processes.kill("broker")
        assert running.finish().code in (ExitCode.DONE, ExitCode.UNREACHABLE)
        world.start_broker()
    send(world, asked)
    assert_told_once(world, asked)
    assert_opened_once(world, asked, OF_COMPANIES, {"adverts-company", "payments-company"})


# --- while a contributor is waited for ---


def test_killed_while_a_contributor_is_asked_and_while_it_answers_the_record_opens_on_its_word_alone(
    world: LadderWorld, hits: Asked
) -> None:
    asked = payload(world, hits, OF_THE_NGO)
    world.restart_dying("broker", "broker.releases:_ask@after")
    send(world, asked, UNREACHABLE)
    world.reap("broker")
    assert not world.books.entries("RELEASE_ASKED", request_id=asked.request_id), "rolled back, so not asked"
    waiting = send(world, asked)["waiting"]
    assert waiting["contributors"] == 1
    world.processes.kill("broker")
    world.start_broker()
    assert send(world, asked)["waiting"] == waiting, "it is still waited for, until the same time"
    assert len(world.books.entries("RELEASE_ASKED", request_id=asked.request_id)) == 1
    assert kinds(world, asked) == ["TOKENS"], "nothing is decided without the contributor"

    home, permit = world.places.home(NGO), world.permit_id(asked)
    give = ("release", "give", home, permit.hex())
    # The contributor dies with its answer signed and not sent; then the broker while it keeps it.
    world.run_dying("clients.transport:Caller.post", give)
    assert not world.books.entries("RELEASE_ANSWERED", permit_id=permit)
    [signed] = [path.read_text() for path in (home / "releases").rglob("*.jws")]
    world.restart_dying("broker", "broker.store.releases:answer@after")
    world.run(NGO, *give, expect=UNREACHABLE)
    world.reap("broker")
    assert not world.books.entries("RELEASE_ANSWERED", permit_id=permit)
    # And once more after it is kept, before the receipt comes.
    world.run_dying("clients.transport:Caller.post@after", give)
    world.run(NGO, *give)
    assert len(world.books.entries("RELEASE_ANSWERED", permit_id=permit)) == 1
    assert [path.read_text() for path in (home / "releases").rglob("*.jws")] == [signed]
    send(world, asked)
    assert_told_once(world, asked)
    assert_opened_once(world, asked, OF_THE_NGO, {"shelter-ngo"})


# --- the key holders ---

HOLDER_POINTS = {
    "before it decided": "clients.keyholder.opening:_clear",
    "decided, not charged": "clients.keyholder.evaluation:_charge",
    "in the midst of the charge": "clients.keyholder.store.permits:add_evaluation@after",
    "OPENED recorded, the high-water mark not raised": "clients.keyholder.high_water:write_durably",
    "high-water mark raised, nothing computed": "clients.keyholder.evaluation:_answer",
    "computed, the answer not sent": "clients.keyholder.opening:open_payload@after",
}


@pytest.mark.parametrize("point", HOLDER_POINTS)
@pytest.mark.parametrize("number", [1, 2])
def test_a_holder_killed_in_the_midst_of_opening_opens_once(
    world: LadderWorld, hits: Asked, number: int, point: str
) -> None:
    asked = payload(world, hits, OF_COMPANIES)
    send(world, asked)
    role, other = f"holder-{number}", "holder-3"
    # The third holder is down, so that the same quorum must go on where it was.
    world.processes.stop(other)
    world.restart_dying(role, HOLDER_POINTS[point])
    world.run(POLICE, *world.open(asked), expect=UNREACHABLE)
    assert not (world.kept(asked) / "payloads").exists()
    world.reap(role)
    assert_opened_once(world, asked, OF_COMPANIES, {"adverts-company", "payments-company"})
    world.restart(other)


def test_another_quorum_opens_while_a_killed_holder_is_down(world: LadderWorld, hits: Asked) -> None:
    asked = payload(world, hits, OF_COMPANIES)
    send(world, asked)
    world.restart_dying("holder-1", HOLDER_POINTS["high-water mark raised, nothing computed"])
    assert_opened_once(world, asked, OF_COMPANIES, {"adverts-company", "payments-company"})
    world.reap("holder-1")


# --- the requester, and who approves ---

REQUESTER_POINTS = {
    "filed, the permit not kept": "clients.requesting.request_folder:RequestFolder.keep_admission",
    "permit kept": "clients.requesting.request_folder:RequestFolder.keep_admission@after",
    "tokens kept, not sent": "clients.requesting.request_folder:RequestFolder.keep_tokens@after",
    "told, the disclosure not kept": "clients.requesting.request_folder:RequestFolder.keep_disclosure",
    "disclosure kept, the opening not": "clients.requesting.request_folder:RequestFolder.keep_opening",
    "all but the answer kept": "clients.requesting.request_folder:RequestFolder.keep_answer",
    "answer kept": "clients.requesting.request_folder:RequestFolder.keep_answer@after",
}


def test_a_requester_killed_before_and_after_each_thing_it_keeps_goes_on(
    world: LadderWorld, hits: Asked
) -> None:
    asked = payload(world, hits, OF_COMPANIES)
    for point in REQUESTER_POINTS.values():
        world.run_dying(point, world.request("send", asked))
    answer = send(world, asked)
    assert send(world, asked) == answer
    assert_told_once(world, asked)
    for point in ("keep_evaluation", "keep_evaluation@after", "keep_payloads", "keep_payloads@after"):
        world.run_dying(f"clients.requesting.request_folder:RequestFolder.{point}", world.open(asked))
    assert_opened_once(world, asked, OF_COMPANIES, {"adverts-company", "payments-company"})


def test_a_requester_killed_while_it_climbs_leaves_no_half_request(world: LadderWorld, hits: Asked) -> None:
    with_plan = "clients.vault:Vault.write_secret@after"
    document = world.places.root / "papers" / "half.jws"
    again = sources(world, hits, OF_COMPANIES)
    claims = again.document.with_name(again.document.stem + "-claims.json")
    command = (
        "request",
        "climb",
        world.places.home(POLICE),
        hits.name,
        "--claims",
        claims,
        "--out",
        document,
    )
    world.run_dying(with_plan, command)
    assert not document.exists()
    listed = world.run(POLICE, "request", "list", world.places.home(POLICE), "--json").json()["requests"]
    assert again.name in {each["request_id"] for each in listed}
    folders = list((world.places.home(POLICE) / "requests").iterdir())
    (cut,) = [folder for folder in folders if not (folder / "request.jws").exists()]
    assert {path.name for path in cut.iterdir()} == {"begun.json", "plan"}
    assert len(listed) == len(folders) - 1
    send(world, again)
    assert_told_once(world, again)


def test_a_person_killed_while_approving_signs_again_and_one_approval_counts(
    world: LadderWorld, hits: Asked
) -> None:
    asked = sources(world, hits, OF_COMPANIES)
    out = asked.approvals[0]
    out.unlink()
    command = world.approve(SUPERVISOR, asked, out)
    world.run_dying("clients.approver:read_approval@after", command)
    world.run_dying("clients.cli.run:write_output", command)
    assert not out.exists()
    # What was cut short counts for nothing: with the other person's approval alone, the rules refuse.
    other = sources(world, hits, OF_COMPANIES)
    alone = replace(other, approvals=other.approvals[1:])
    assert send(world, alone, (ExitCode.REFUSED,))["rules"] == ["L09"]
    world.run(SUPERVISOR, *command)
    send(world, asked)
    assert_told_once(world, asked)


# --- at the end ---


def test_after_all_this_every_release_is_finished_and_the_log_verifies(
    world: LadderWorld, hits: Asked
) -> None:
    wait_until(
        partial(lambda: not unfinished_releases(world)), "every release is finished", pause_seconds=0.1
    )
    assert world.audit()["first_bad_index"] is None
