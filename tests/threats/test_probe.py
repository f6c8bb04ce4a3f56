"""A broker that answers and does not log, or drops an entry, is found by a probe: test identifiers of nobody.

The auditor plans, a contributor deposits the planted rows from a file, a police unit asks about a file of identifiers,
all by command; then the auditor looks in her mirror.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker import startup, witnessed_answers
from broker.audit.log import AuditLog, Receipt
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import Message
from broker.protocol.messages.vocabulary import Purpose, RecordKind
from broker.store.database import Connection
from clients.auditing.mirrored import Entry
from clients.auditing.probe import Asked, HandedBack, check
from clients.cli import run
from clients.cli.main import app
from clients.probing import ProbePlan, Probing
from clients.remote import RefusedByGate
from tests import auditing_case as case
from tests import rules
from tests.threats.test_canary import spellings
from tests.world import BROKER, HOLDERS, POLICE, World

pytestmark = pytest.mark.all_only

CONTRIBUTOR = "company-1"


@dataclass
class Probe:
    """One probe in a world, and what was handed back so far."""

    world: World
    probe_id: str
    plan: ProbePlan
    deposit_id: str
    request_id: str = ""
    refused_id: str = ""

    def asked(self, **answers: Any) -> str:
        """The police ask about the file of identifiers. Returns the request's id; the document lies in a file."""
        rows = (self.world.folder / "identifiers.csv").read_text().split()
        assert rows[0] == "email"
        prepared = self.world.prepare([f"email/1|{each}" for each in rows[1:]])
        (self.world.folder / f"{prepared.request_id.hex()}.jws").write_text(prepared.document)
        finding = self.world.finding(prepared, **answers)
        if answers:
            with pytest.raises(RefusedByGate):
                self.world.requester().run(prepared.request_id, [finding])
        else:
            answer = self.world.requester().run(prepared.request_id, [finding])
            assert len(answer.hits) == self.plan.asked
        return prepared.request_id.hex()

    def request_file(self, request_id: str) -> str:
        """The signed request."""
        return str(self.world.folder / f"{request_id}.jws")

    def disclosure_file(self, request_id: str) -> str:
        """The broker's signed answer, in the requester's home."""
        vault = self.world.homes[POLICE].vault
        return str(vault.path(f"requests/{request_id}/disclosure.jws"))

    def checked(self, *words: str, expect: int) -> Any:
        """What the auditor is told after she mirrored what is new."""
        self.world.auditor().verify()
        words = ("--deposit", self.deposit_id, *words)
        return json.loads(command(self.world, "check", self.probe_id, *words, "--json", expect=expect).stdout)


def command(world: World, name: str, *words: str, expect: int = 0) -> Result:
    """An `audit probe` command."""
    arguments = ["audit", "probe", name, str(world.folder / "auditor-1"), *words]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == expect, done.output
    return done


def wrong(told: Any) -> dict[str, str]:
    """The steps that are missing or otherwise."""
    return {each["step"]: each["wrong"] for each in told["steps"] if each["wrong"]}


def planned(folder: Path) -> Probe:
    """A probe that was planned, and deposited by a contributor that consented."""
    world = World(folder)
    for name in ("company-2", "ngo-1"):
        world.deposit(name, [], range(5))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "new_transport", lambda: world.wire)
        patched.setattr(run, "clock", world.clock)
        files = ("--signals", str(folder / "signals.csv"), "--identifiers", str(folder / "identifiers.csv"))
        named = ("--contributor", CONTRIBUTOR, "--requester", POLICE, "--consent", "Letter 12 of 3 May")
        told = json.loads(command(world, "plan", *named, *files, "--json").stdout)
        conditions = folder / "conditions.json"
        conditions.write_text(world.conditions(CONTRIBUTOR).model_dump_json())
        words = ["deposit", "add", str(folder / CONTRIBUTOR), str(folder / "signals.csv")]
        done = CliRunner().invoke(app, [*words, "--conditions", str(conditions), "--json"])
    assert done.exit_code == 0, done.output
    # The services of the world log to the same output.
    (deposit,) = json.loads(done.stdout[done.stdout.index("{\n") :])["deposits"]
    probing = Probing(world.homes["auditor-1"], world.space, world.clock, world.random("auditor-1"))
    plan = probing.find(bytes.fromhex(told["probe_id"]))
    return Probe(world, told["probe_id"], plan, deposit["deposit_id"])


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Probe]:
    """One of the test's own, not asked about yet."""
    made = planned(tmp_path)
    yield made
    made.world.close()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """One at an honest broker that was asked about, and refused for another purpose."""
    made = planned(tmp_path_factory.mktemp("honest"))
    made.request_id = made.asked()
    made.refused_id = made.asked(purpose=Purpose.GENERAL_INTELLIGENCE)
    yield made
    made.world.close()


def test_an_honest_broker_shows_the_whole_probe_and_the_refusal_too(honest: Probe) -> None:
    probe, request_id, refused = honest, honest.request_id, honest.refused_id
    request, disclosure = probe.request_file(request_id), probe.disclosure_file(request_id)
    words = ("--request", request, "--disclosure", disclosure, "--refused", refused)
    told = probe.checked(*words, expect=0)
    assert (told["complete"], told["not_looked_for"], len(told["steps"])) == (True, [], 10)
    # Its id is enough, with what the requester says it was told.
    assert probe.checked("--request", request_id, "--hits", "5", expect=0)["complete"]
    # Its case has two requests, one of them refused: the auditor is told.
    assert "refused" in str(wrong(probe.checked("--case", "CASE-1", expect=4)))
    said = command(probe.world, "check", probe.probe_id, "--request", request_id).stdout
    assert "Planted with the contributor's consent: Letter 12 of 3 May." in said
    assert "Not looked for: the deposit" in said
    assert said.endswith("The log shows all of it.\n")


def test_the_broker_and_the_holders_meet_no_test_identifier_and_no_word_of_the_probe(honest: Probe) -> None:
    probe = honest
    names = [each.partition("@")[0] for each in probe.plan.signals]
    needles = [each for name in (*names, probe.probe_id) for each in spellings(name.encode())]
    needles += spellings(probe.plan.seed)
    for origin in (BROKER, *HOLDERS.values()):
        for passed in probe.world.wire.seen(origin):
            sent = repr((passed.call.url, dict(passed.call.headers))).encode() + passed.call.body
            assert not any(needle in sent for needle in needles)
    for path in (probe.world.folder / "auditor-1").rglob("*"):
        if path.is_file():
            assert not any(needle in path.read_bytes() for needle in needles), "sealed in the auditor's home"


def test_a_broker_that_drops_the_entry_of_the_disclosure_is_not_believed_and_found(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = AuditLog.append

    def dropping(
        log: AuditLog, connection: Connection, kind: RecordKind, record: Message, now: int
    ) -> Receipt:
        if kind is RecordKind.RELEASED:
            return log.receipt(connection, log.size(connection) - 1)
        return append(log, connection, kind, record, now)

    monkeypatch.setattr(AuditLog, "append", dropping)
    monkeypatch.setattr(witnessed_answers, "with_entry", lambda _broker, _request_id, answer: answer)
    before = set(probe.world.folder.glob("*.jws"))
    with pytest.raises(VerificationFailed, match="without the log entry"):
        probe.asked()
    (asked,) = set(probe.world.folder.glob("*.jws")) - before
    request_id = asked.stem
    told = probe.checked("--request", request_id, expect=4)
    assert wrong(told) == {"the disclosure is recorded": "The log has no entry RELEASED of it."}


def test_a_broker_that_answers_from_another_log_than_it_shows_the_auditor_is_found(probe: Probe) -> None:
    """In a trial nobody cosigns, so requester and holders can be shown a log of their own: all their proofs verify."""
    world, honest = probe.world, probe.world.broker
    honest.database.empty_wal()
    copy = world.folder / "fork" / "broker.sqlite3"
    copy.parent.mkdir()
    shutil.copy(world.folder / "broker.sqlite3", copy)
    settings = world.settings.model_copy(update={"database_url": f"sqlite:///{copy}"})
    fork = rules.start_broker(settings, world.broker_keys, world.clock, world.random("fork"))
    world.run_broker(fork)
    request_id = probe.asked()
    world.run_broker(honest)
    startup.stop(fork)
    words = ("--request", probe.request_file(request_id), "--disclosure", probe.disclosure_file(request_id))
    told = probe.checked(*words, expect=4)
    assert list(wrong(told)) == [
        "the request is admitted",
        "its tokens came in, once",
        "its release is decided on the result",
        "the disclosure is recorded",
    ]
    said = command(world, "check", probe.probe_id, *words, expect=4).stdout
    assert "MISSING: the request is admitted (no entry)" in said


def test_a_refusal_that_the_broker_does_not_record_is_found(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = AuditLog.append

    def dropping(
        log: AuditLog, connection: Connection, kind: RecordKind, record: Message, now: int
    ) -> Receipt:
        if kind is RecordKind.REFUSED:
            return log.receipt(connection, log.size(connection) - 1)
        return append(log, connection, kind, record, now)

    monkeypatch.setattr(AuditLog, "append", dropping)
    refused = probe.asked(purpose=Purpose.GENERAL_INTELLIGENCE)
    told = probe.checked("--refused", refused, expect=4)
    assert "what should be refused is refused" in wrong(told)


# --- what is looked for, entry by entry ---


def test_each_entry_of_a_probe_is_missed_when_it_is_gone_doubled_late_or_before_its_turn(
    probe: Probe,
) -> None:
    request_id = probe.asked()
    refused = probe.asked(purpose=Purpose.GENERAL_INTELLIGENCE)
    entries = case.entries(probe.world)
    handed = HandedBack(
        deposit_id=probe.deposit_id,
        answered=Asked(request_id=request_id),
        refused=Asked(request_id=refused),
        told_hits=5,
    )
    report = check(entries, probe.plan, handed)
    assert report.complete
    steps = [step for step in report.steps if step.entries]
    assert len(steps) == 8

    def found(changed: list[Entry]) -> bool:
        return check(changed, probe.plan, handed).complete

    for step in steps:
        (index,) = step.entries
        entry = entries[index]
        rest = [each for each in entries if each.index != index]
        assert not found(rest), step.name
        assert not found([*entries, replace(entry, index=len(entries))]), step.name
        assert not found([*rest, replace(entry, recorded_at=probe.plan.planned_at - 61)]), step.name
        if step.name not in (
            "the deposit is admitted",
            "the request is admitted",
            "what should be refused is refused",
        ):
            assert not found([replace(entry, index=0), *rest]), step.name


@pytest.mark.parametrize(
    "changes",
    [{"deposited": 13}, {"asked": 4}, {"others": 8}, {"contributor": "company-2"}, {"requester": "unit-2"}],
    ids=lambda each: next(iter(each)),
)
def test_other_numbers_and_parties_than_planned_are_found(honest: Probe, changes: dict[str, Any]) -> None:
    probe, request_id = honest, honest.request_id
    handed = HandedBack(deposit_id=probe.deposit_id, answered=Asked(request_id=request_id))
    assert check(case.entries(probe.world), probe.plan, handed).complete
    planned = probe.plan.model_copy(update=changes)
    assert not check(case.entries(probe.world), planned, handed).complete


def test_the_rows_of_the_two_files_are_the_plans(honest: Probe) -> None:
    def rows(name: str) -> list[str]:
        with (honest.world.folder / name).open(newline="") as file:
            return [each[0] for each in csv.reader(file)][1:]

    signals, question = rows("signals.csv"), rows("identifiers.csv")
    assert (len(set(signals)), len(set(question))) == (12, 12)
    assert len(set(signals) & set(question)) == 5
    assert all(each.endswith("@example.org") for each in (*signals, *question))
    assert question == sorted(question)
