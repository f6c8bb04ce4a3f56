"""A broker that would have something evaluated without its log showing it: no entry, a false one, or two logs.

Without witnesses (a trial) a first lie can be shown to holders; these tests show that it cannot be taken back.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from broker import startup
from broker.protocol import documents, wrapping
from broker.protocol.errors import NarrowgateError, VerificationFailed
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.evaluation import Consistency
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.requests import AdmissionRecord, OpenedRecord, Permit, PermitTerms, SealedRecord
from broker.protocol.messages.vocabulary import Purpose
from broker.translog import log as translog
from clients.auditor import AuditFailed
from clients.keyholder.store import permits
from clients.remote import RefusedByGate
from tests import rules
from tests.broker_case import key_of
from tests.keyholder_papers import BrokerLog
from tests.threats import colluding
from tests.threats.colluding import Papers
from tests.world import World, phone

pytestmark = pytest.mark.all_only

ASKED = [phone(3), phone(7), phone(500)]
FALSE_LOG_KEY = key_of("mallory")
Proofs = Callable[[World, LogProof], LogProof]


def resigned(world: World, papers: Papers, terms: PermitTerms, proof: LogProof) -> Papers:
    """The same papers with a permit that the broker signs over these terms and this proof."""
    permit = documents.sign(Permit(terms=terms, proof=proof), world.broker_keys.signing_key)
    return replace(papers, admission=papers.admission.model_copy(update={"permit": permit.document}))


def receipt_of(world: World, index: int) -> tuple[LogProof, bytes, bytes]:
    """The proof, record and salt of an entry of the real log."""
    with world.broker.database.read() as connection:
        receipt = world.broker.audit.receipt(connection, index)
    return receipt.proof, receipt.record, receipt.salt


def latest(world: World, kind: str) -> int:
    """The index of the newest entry of a kind."""
    kinds = world.log_kinds()
    return len(kinds) - 1 - kinds[::-1].index(kind)


def log_so_far(world: World, origin: str = "broker.example.org/log", false_key: bool = False) -> BrokerLog:
    """A copy of the real log's leaves that the broker may continue otherwise, under the log's key or another."""
    log = BrokerLog(FALSE_LOG_KEY if false_key else world.broker_keys.log_key, origin)
    with world.broker.database.read() as connection:
        page = world.broker.audit.leaf_page(connection, 0, 1000)
    translog.append(log.storage, page.leaves)
    return log


def _refusals_proof(world: World, _proof: LogProof) -> LogProof:
    with pytest.raises(RefusedByGate):
        world.ask([phone(3)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    return receipt_of(world, latest(world, "REFUSED"))[0]


def _others_proof(world: World, _proof: LogProof) -> LogProof:
    return colluding.admitted(world, [phone(900)]).permit(world).payload.proof


def _under_another_key(world: World, proof: LogProof) -> LogProof:
    return log_so_far(world, false_key=True).proof(proof.index, proof.index + 1)


def _of_another_log(world: World, proof: LogProof) -> LogProof:
    return log_so_far(world, origin="elsewhere.example.org/log").proof(proof.index, proof.index + 1)


@pytest.mark.parametrize(
    "false",
    [
        _others_proof,
        _refusals_proof,
        _under_another_key,
        _of_another_log,
        lambda world, proof: proof.model_copy(update={"path": (bytes(32), *proof.path[1:])}),
        lambda world, proof: proof.model_copy(update={"index": proof.index - 1}),
        lambda world, proof: proof.model_copy(update={"leaf": proof.leaf.replace(b"1", b"2")}),
    ],
    ids=["another's entry", "a refusal", "another key", "another log", "path", "place", "leaf"],
)
def test_a_permit_whose_own_entry_is_not_in_the_log_is_refused_by_every_holder(
    world: World, false: Proofs
) -> None:
    papers = colluding.admitted(world, ASKED)
    permit = papers.permit(world).payload
    before = world.evaluations()
    lying = resigned(world, papers, permit.terms, false(world, permit.proof))
    for x, outcome in colluding.ask_all(world, lying).items():
        assert isinstance(outcome, VerificationFailed), f"holder {x}: {outcome!r}"
    assert world.evaluations() == before
    colluding.assert_all_answer(colluding.ask_all(world, papers))


def test_terms_that_differ_from_the_logged_ones_are_refused_by_every_holder(world: World) -> None:
    papers = colluding.admitted(world, ASKED)
    permit = papers.permit(world).payload
    longer = permit.terms.model_copy(update={"expires_at": permit.terms.expires_at + 86_400})
    outcomes = colluding.ask_all(world, resigned(world, papers, longer, permit.proof))
    colluding.assert_all_refuse(outcomes, VerificationFailed, "not those recorded in the log")


def hidden(world: World, papers: Papers) -> tuple[Papers, Consistency]:
    """The same decision once more under another permit, with an entry in a log that holders alone are shown."""
    permit = papers.permit(world).payload
    _, record, _ = receipt_of(world, permit.proof.index)
    terms = permit.terms.model_copy(update={"permit_id": bytes(range(16))})
    false = encode(decode(AdmissionRecord, record).model_copy(update={"terms": terms}))
    log, salt = log_so_far(world), bytes(32)
    proof = log.append(false, salt)
    opened = encode(OpenedRecord(record=false, salt=salt))
    sealed = tuple(
        SealedRecord(
            holder_id=holder.holder_id,
            wrapped=wrapping.wrap(
                holder.wrapping_key, opened, wrapping.facts_info(terms.permit_id, holder.holder_id)
            ),
        )
        for holder in world.space.holders
    )
    changed = replace(papers, admission=papers.admission.model_copy(update={"sealed_records": sealed}))
    return resigned(world, changed, terms, proof), log.consistency(proof.index, proof.index + 1)


def test_an_entry_that_only_holders_were_shown_cannot_be_left_out_of_the_log_again(
    fresh_world: World,
) -> None:
    world = fresh_world
    papers = colluding.admitted(world, ASKED)
    colluding.assert_all_answer(colluding.ask_all(world, papers))
    lying, consistency = hidden(world, papers)
    colluding.assert_all_answer(colluding.ask_all(world, lying, consistency=consistency))
    # The holders keep the signed checkpoint. Whatever the broker's true log says next contradicts it.
    before = world.evaluations()
    same_size = colluding.admitted(world, [phone(900)])
    colluding.assert_all_refuse(colluding.ask_all(world, same_size), VerificationFailed, "forked")
    longer = colluding.admitted(world, [phone(901)])
    for x, outcome in colluding.ask_all(world, longer).items():
        assert isinstance(outcome, VerificationFailed), f"holder {x}: {outcome!r}"
    assert world.evaluations() == before
    assert forks_found(world) == [1, 1, 1]


def forks_found(world: World) -> list[int]:
    """How many forks each holder keeps the evidence of."""
    found = []
    for holder in world.holders.values():
        with holder.database.read() as connection:
            found.append(permits.count_forks(connection))
    return found


def copy_database(world: World) -> Path:
    """A copy of the broker's database as it is now."""
    copy = world.folder / "copy.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(f"{world.folder / 'broker.sqlite3'}{suffix}", f"{copy}{suffix}")
    return copy


@pytest.mark.sqlite_only
def test_a_broker_that_goes_on_from_an_older_copy_is_refused_and_found_by_the_auditor(
    fresh_world: World,
) -> None:
    world = fresh_world
    world.ask(ASKED)
    copy = copy_database(world)
    colluding.admitted(world, ASKED)
    assert set(world.ask(ASKED).hits) == {phone(3), phone(7)}
    assert world.auditor().verify().verified
    settings = world.settings.model_copy(update={"database_url": f"sqlite:///{copy}"})
    forked = rules.start_broker(settings, world.broker_keys, world.clock, world.random("broker"))
    try:
        world.run_broker(forked)
        before = world.evaluations()
        # Smaller than what holders saw, of the same size, and larger.
        for number in range(3):
            outcomes = colluding.ask_all(world, colluding.admitted(world, [phone(900 + number)]))
            for x in (1, 2):
                assert isinstance(outcomes[x], NarrowgateError), f"holder {x} answered, entry {number}"
        assert forks_found(world) == [1, 1, 0]
        # Holder 3 was never asked, so it takes the first log it sees on trust; but any two quorums share a holder.
        with pytest.raises(NarrowgateError):
            world.ask(ASKED)
        assert world.evaluations() == before | {3: world.evaluations()[3]}
        with pytest.raises(AuditFailed) as found:
            world.auditor().verify()
        assert found.value.report.fork
        assert found.value.evidence is not None
    finally:
        world.run_broker(world.broker)
        startup.stop(forked)
    assert set(world.ask(ASKED).hits) == {phone(3), phone(7)}
    assert world.auditor().verify().verified
