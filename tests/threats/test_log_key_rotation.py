"""The log's key is changed, and somebody would lead others to a key that is not the log's: the whole system, in memory.

Three witnesses, of which two must cosign. Which files lead where is `tests/unit/broker/protocol/test_log_keys.py`'s;
what a command that is cut short leaves behind, `tests/unit/broker/test_log_key_change.py`'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker import startup
from broker.audit.log import AuditLog
from broker.audit.records import LogKeyRotated
from broker.protocol import checkpoint, documents, log_keys, receipts, tlog_proof, witnessing
from broker.protocol.checkpoint import ED25519, VerifierKey
from broker.protocol.documents import Signed, public_bytes
from broker.protocol.errors import Conflict, VerificationFailed
from broker.protocol.log_keys import WitnessQuorum
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.envelopes import SeenCheckpoint
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink, LogKeyRotation
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Admission, Permit
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.witnessing import AddCheckpoint
from broker.store.log import SqlLogStorage
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from clients.auditor import AuditFailed
from clients.founder import join
from clients.keyholder import pinning
from clients.mirrors.log_key_change import LogKeyChange
from clients.remote import RemoteProblem, RemoteUnavailable
from clients.witness.cosigning import follow_log
from clients.witness.store.logs import keys_of, newest
from tests import rules
from tests.broker_case import key_of
from tests.world import BROKER, HOLDERS, LOG_ORIGIN, POLICE, World, phone

pytestmark = pytest.mark.all_only

ASKED = [phone(3), phone(500)]
OLD = VerifierKey(LOG_ORIGIN, ED25519, public_bytes(key_of("log")))
NEW = VerifierKey(LOG_ORIGIN, ED25519, public_bytes(key_of("log 2")))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, witnesses=3, quorum=2)
    for name in ("company-1", "company-2", "ngo-1"):
        made.deposit(name, range(5))
    yield made
    made.close()


def run_broker(world: World) -> None:
    world.broker = rules.start_broker(
        world.settings, world.broker_keys, world.clock, world.random("broker"), ask=world.ask_witness
    )
    world.run_broker(world.broker)


def rotate(world: World, name: str = "log 2", earlier: Iterable[LogKeyLink] = ()) -> LogKeyChain:
    """The operator changes the key and starts the broker again: from now on both keys sign."""
    startup.stop(world.broker)
    world.broker_keys = replace(world.broker_keys, next_log_key=key_of(name))
    link = startup.rotate_log_key(
        world.settings, world.broker_keys, "Planned.", world.clock, world.random("broker"), world.ask_witness
    )
    run_broker(world)
    return LogKeyChain(log_origin=LOG_ORIGIN, links=(*earlier, link))


def drop_old_key(world: World) -> None:
    """The operator drops the old key, with or without everybody's following."""
    startup.stop(world.broker)
    following = world.broker_keys.next_log_key
    assert following is not None
    world.broker_keys = replace(world.broker_keys, log_key=following, next_log_key=None)
    run_broker(world)


def witnesses_follow(world: World, chain: LogKeyChain, numbers: Iterable[int] = (1, 2, 3)) -> None:
    for number in numbers:
        follow_log(world.witnesses[number].witness, chain)


def new_roster(world: World, chain: LogKeyChain) -> Signed[Space]:
    """The founder's next roster, which names the new key."""
    return world.founder().change_log_key(None, LogKeyChange(chain))


def join_with(world: World, name: str, signed: Signed[Space], change: LogKeyChange) -> None:
    join(world.homes[name], world.caller(name), signed.document, world.homes["company-1"].enrolment, change)


def pin_with(world: World, x: int, signed: Signed[Space], change: LogKeyChange) -> None:
    founder, holder = world.homes["company-1"].enrolment, world.holders[x]
    pinning.pin_space(holder.database, holder.keys, signed.document, founder, world.now, change)


def all_follow(world: World, chain: LogKeyChain) -> None:
    """Everybody does what its operator is told."""
    witnesses_follow(world, chain)
    signed, change = new_roster(world, chain), LogKeyChange(chain)
    for name in ("company-2", "ngo-1", POLICE, "desk-1", "auditor-1"):
        join_with(world, name, signed, change)
    for x in world.holders:
        pin_with(world, x, signed, change)
    world.signed_space, world.space = signed, signed.payload


def quorum(world: World) -> WitnessQuorum:
    return log_keys.quorum_of(world.space)


def permit_proof(world: World) -> LogProof:
    """The proof of the last permit that was given."""
    answered = [
        each.answer
        for each in world.wire.seen(BROKER, "/v1/requests")
        if each.call.path.endswith("/requests") and each.answer.status == 200
    ]
    admission = decode(Admission, answered[-1].body)
    return documents.unverified_payload(Permit, admission.permit).proof


def published(world: World) -> str:
    status, _, body = world.wire.apps[BROKER].send("GET", f"{BROKER}/checkpoint", {})
    assert status == 200
    return body.decode()


# --- the honest way ---


def test_nobody_has_to_hurry_while_both_keys_sign_and_all_goes_on_once_the_old_one_is_dropped(
    world: World,
) -> None:
    assert world.ask(ASKED).hits == (phone(3),)
    assert world.auditor().verify().verified
    chain = rotate(world)
    assert world.ask(ASKED).hits, "those who pinned the old key go on"
    assert world.auditor().verify().verified
    all_follow(world, chain)
    assert world.space.log_key == NEW.public_key
    assert world.ask(ASKED).hits, "and so do those who followed"
    drop_old_key(world)
    assert world.ask([phone(4)]).hits
    report = world.auditor().verify()
    assert report.verified
    assert report.kinds["LOG_KEY_ROTATED"] == 1
    assert world.replay().different == ()


def test_the_old_key_may_be_dropped_only_when_witnesses_and_spaces_follow(world: World) -> None:
    chain = rotate(world)

    def may_drop() -> None:
        startup.stop(world.broker)
        try:
            startup.check_log_key_followed(
                world.settings, world.broker_keys, world.clock, world.random("broker"), world.ask_witness
            )
        finally:
            run_broker(world)

    with pytest.raises(Conflict, match="1 spaces still name the old key"):
        may_drop()
    all_follow_but_witnesses = new_roster(world, chain)
    assert all_follow_but_witnesses.payload.log_key == NEW.public_key
    with pytest.raises(Conflict, match="narrowgate witness follow-log"):
        may_drop()
    witnesses_follow(world, chain, (1, 2))
    may_drop()


def test_a_second_change_is_followed_by_those_who_missed_the_first(world: World) -> None:
    first = rotate(world)
    witnesses_follow(world, first)
    startup.stop(world.broker)
    world.broker_keys = replace(world.broker_keys, log_key=key_of("log 2"), next_log_key=None)
    chain = rotate_again(world, first)
    all_follow(world, chain)
    drop_old_key(world)
    assert world.space.log_key == public_bytes(key_of("log 3"))
    assert world.ask(ASKED).hits
    assert world.auditor().verify().kinds["LOG_KEY_ROTATED"] == 2


def rotate_again(world: World, first: LogKeyChain) -> LogKeyChain:
    run_broker(world)
    return rotate(world, "log 3", first.links)


# --- those who did not follow ---


def test_a_new_roster_without_the_file_is_refused_with_what_to_do(world: World) -> None:
    signed = new_roster(world, rotate(world))
    for name in (POLICE, "auditor-1", "company-2"):
        with pytest.raises(Conflict, match=r"names another key .* --log-keys FILE"):
            join_with(world, name, signed, LogKeyChange())
        assert world.homes[name].space().payload.log_key == OLD.public_key
    with pytest.raises(Conflict, match=r"names another key .* --log-keys FILE"):
        pin_with(world, 1, signed, LogKeyChange())


def test_who_did_not_follow_refuses_what_the_new_key_signs_alone_and_says_what_to_do(world: World) -> None:
    chain = rotate(world)
    witnesses_follow(world, chain, (1, 2))
    drop_old_key(world)
    with pytest.raises(VerificationFailed, match=r"pinned here.*newest file"):
        world.auditor().verify()
    evaluated = world.evaluations()
    with pytest.raises(VerificationFailed, match=r"pinned here.*newest file"):
        world.ask(ASKED)
    assert world.evaluations() == evaluated, "no key holder was asked"
    call = AddCheckpoint(seen_by(world, 3), consistency(world, seen_by(world, 3)), published(world))
    status, _, told = world.witnesses[3].post(witnessing.write_call(call))
    assert (status, "narrowgate witness follow-log" in told) == (403, True)


def test_a_key_holder_that_did_not_follow_evaluates_nothing(world: World) -> None:
    """The requester has the new roster; two holders have, and the third is told from the roster's version."""
    chain = rotate(world)
    witnesses_follow(world, chain)
    signed, change = new_roster(world, chain), LogKeyChange(chain)
    for name in ("company-2", "ngo-1", POLICE, "desk-1"):
        join_with(world, name, signed, change)
    world.signed_space, world.space = signed, signed.payload
    drop_old_key(world)
    evaluated = world.evaluations()
    with pytest.raises(RemoteProblem, match="will not evaluate it"):
        world.ask(ASKED)
    assert world.evaluations() == evaluated
    for x in world.holders:
        pin_with(world, x, signed, change)
    assert world.ask([phone(4)]).hits


def seen_by(world: World, number: int) -> int:
    with world.witnesses[number].witness.database.read() as connection:
        seen = newest(connection, LOG_ORIGIN)
    assert seen is not None
    return seen.size


def consistency(world: World, old: int) -> tuple[bytes, ...]:
    size, _ = checkpoint.read_unverified(published(world).encode())
    with world.broker.database.read() as connection:
        return world.broker.audit.consistency(connection, old, size).path


# --- the old key is stolen ---


def grown_by_a_thief(world: World) -> MemoryStorage:
    """The true log, which is public, and three entries more."""
    with world.broker.database.read() as connection:
        leaves = world.broker.audit.leaf_page(connection, 0, 1000).leaves
    storage = MemoryStorage()
    translog.append(storage, [*leaves, *(f"forged {number}".encode() for number in range(3))])
    return storage


def stolen_note(storage: MemoryStorage) -> str:
    """Its checkpoint, signed with the old key."""
    head = storage.head()
    return checkpoint.sign(LOG_ORIGIN, head.size, head.root, key_of("log"), LOG_ORIGIN).decode()


def ask_to_cosign(world: World, number: int, storage: MemoryStorage) -> int:
    """What a witness answers whoever stole the old key, asked from the size that it saw."""
    seen = seen_by(world, number)
    path = translog.consistency_proof(storage, seen, storage.head().size)
    call = AddCheckpoint(seen, path, stolen_note(storage))
    return world.witnesses[number].post(witnessing.write_call(call))[0]


def test_a_stolen_old_key_extends_the_log_for_nobody_who_followed(world: World) -> None:
    all_follow(world, rotate(world))
    world.ask(ASKED)
    assert world.auditor().verify().verified
    forged = grown_by_a_thief(world)
    note = stolen_note(forged)
    # A witness, asked by whoever has the key.
    assert [ask_to_cosign(world, number, forged) for number in world.witnesses] == [403, 403, 403]
    # The auditor, even if witnesses had cosigned it.
    with (
        world.tamper(
            BROKER, "/checkpoint", answer=lambda answer: replace(answer, body=cosigned(world, note))
        ),
        pytest.raises(VerificationFailed, match="not signed with the log's key"),
    ):
        world.auditor().verify()
    # Requester and key holder: a proof under it.
    proof = permit_proof(world).model_copy(update={"checkpoint": cosigned(world, note).decode()})
    with pytest.raises(VerificationFailed, match="not signed with the log's key"):
        receipts.verify_witnessed(proof, world.space)


def cosigned(world: World, note: str) -> bytes:
    """The note, as if every witness had been taken in."""
    text = f"{note.rpartition(chr(10) * 2)[0]}\n".encode()
    lines = (
        checkpoint.cosign(text, world.now, key, case.witness.keys.name)
        for case in world.witnesses.values()
        for key in case.witness.keys.private_keys
    )
    return note.encode() + b"".join(lines)


def test_before_anybody_followed_a_stolen_key_can_stop_the_broker_and_no_more(world: World) -> None:
    """A limit that is written down: witnesses cosign what the pinned key signs first."""
    world.ask(ASKED)
    forged = grown_by_a_thief(world)
    assert [ask_to_cosign(world, number, forged) for number in world.witnesses] == [200, 200, 200]
    with pytest.raises(RemoteUnavailable, match=r"rolled back|changed"):
        world.ask([phone(4)])


# --- the broker lies about its key ---


def announce_falsely(world: World, old: str, new: str, by_old: str) -> None:
    """An entry in the true log that changes the key from `old` to `new`, on the signature of `by_old`."""
    with world.broker.database.write() as connection:
        statement = LogKeyRotation(
            log_origin=LOG_ORIGIN,
            old_key=public_bytes(key_of(old)),
            new_key=public_bytes(key_of(new)),
            from_size=world.broker.audit.size(connection) + 1,
            reason="Planned.",
            rotated_at=world.now,
        )
        record = LogKeyRotated(
            old_key=statement.old_key,
            new_key=statement.new_key,
            from_size=statement.from_size,
            reason=statement.reason,
            by_old_key=documents.sign(statement, key_of(by_old)).document,
            by_new_key=documents.sign(statement, key_of(new)).document,
        )
        world.broker.audit.append(connection, RecordKind.LOG_KEY_ROTATED, record, world.now)


def false_link(world: World, new: str) -> LogKeyLink:
    """The proof of the last entry, signed with the broker's keys and the new one, and cosigned by all witnesses."""
    audit: AuditLog = world.broker.audit
    with world.broker.database.read() as connection:
        index = audit.size(connection) - 1
        logged = audit.record_page(connection, index, index + 1).records[0]
        proof = audit.inclusion(connection, index, index + 1)
        head = SqlLogStorage(connection).head()
    assert head.size == index + 1
    keys = [key_of(new), key_of("log 2"), key_of("log")]
    note = checkpoint.sign(LOG_ORIGIN, head.size, head.root, keys, LOG_ORIGIN)
    proof = proof.model_copy(update={"checkpoint": cosigned(world, note.decode()).decode()})
    assert logged.record is not None
    assert logged.salt is not None
    return LogKeyLink(record=logged.record, salt=logged.salt, proof=proof)


def test_a_key_that_the_old_one_did_not_sign_is_taken_by_nobody_and_the_auditor_tells(world: World) -> None:
    announce_falsely(world, "log", "mallory", by_old="mallory")
    chain = LogKeyChain(log_origin=LOG_ORIGIN, links=(false_link(world, "mallory"),))
    change = LogKeyChange(chain)
    with pytest.raises(VerificationFailed, match="may not sign it"):
        world.founder().change_log_key(None, change)
    with pytest.raises(VerificationFailed, match="may not sign it"):
        follow_log(world.witnesses[1].witness, chain)
    # A founder who is in it signs the roster all the same.
    space = world.space.model_copy(update={"roster_version": 2, "log_key": public_bytes(key_of("mallory"))})
    signed = documents.sign(space, world.homes["company-1"].signing_key)
    with pytest.raises(VerificationFailed, match="may not sign it"):
        join_with(world, "auditor-1", signed, change)
    with pytest.raises(VerificationFailed, match="may not sign it"):
        pin_with(world, 1, signed, change)
    with pytest.raises(AuditFailed, match=r"Entry \d+ does not verify. .* may not sign it"):
        world.auditor().verify()


def test_of_two_successors_of_one_key_the_auditor_tells_and_who_followed_one_refuses_the_other(
    world: World,
) -> None:
    chain = rotate(world)
    all_follow(world, chain)
    announce_falsely(world, "log", "mallory", by_old="log")
    other = LogKeyChain(log_origin=LOG_ORIGIN, links=(false_link(world, "mallory"),))
    assert log_keys.follow(other, OLD, (quorum(world),)).newest.public_key == public_bytes(key_of("mallory"))
    with pytest.raises(VerificationFailed, match=r"two successors .* keep both files"):
        follow_log(world.witnesses[1].witness, other)
    space = world.space.model_copy(update={"roster_version": 3, "log_key": public_bytes(key_of("mallory"))})
    signed = documents.sign(space, world.homes["company-1"].signing_key)
    with pytest.raises(VerificationFailed, match=r"two successors .* keep both files"):
        pin_with(world, 1, signed, LogKeyChange(other))
    with pytest.raises(VerificationFailed, match=r"two successors .* keep both files"):
        join_with(world, POLICE, signed, LogKeyChange(other))
    with pytest.raises(AuditFailed, match="two successors of one key"):
        world.auditor().verify()


def test_a_witness_follows_only_in_the_log_that_it_cosigned_itself(world: World) -> None:
    chain = rotate(world)
    link = chain.links[0]
    lines = link.proof.checkpoint.splitlines(keepends=True)
    without = "".join(line for line in lines if "witness-1.example.org" not in line)
    proof = link.proof.model_copy(update={"checkpoint": without})
    stripped = chain.model_copy(update={"links": (link.model_copy(update={"proof": proof}),)})
    with pytest.raises(VerificationFailed, match="This witness did not cosign"):
        follow_log(world.witnesses[1].witness, stripped)
    witnesses_follow(world, stripped, [2])
    with world.witnesses[2].witness.database.read() as connection:
        assert keys_of(connection, LOG_ORIGIN) == (str(NEW),)


def test_a_key_holder_keeps_the_size_it_saw_across_the_change(world: World) -> None:
    world.ask(ASKED)
    chain = rotate(world)
    all_follow(world, chain)
    holder = world.holders[1]

    def seen() -> int:
        answered = world.wire.apps[HOLDERS[1]].send("GET", f"{HOLDERS[1]}/v1/log/seen", {})
        return decode(SeenCheckpoint, answered[2]).size

    before = seen()
    assert before > 0, "though nothing was evaluated under the new key yet"
    world.ask([phone(4)])
    assert seen() > before
    with holder.database.read() as connection:
        assert pinning.log_keys_of(connection, world.space.space_id) == (NEW.public_key, OLD.public_key)


# --- receipts ---


def test_receipts_from_before_and_after_verify_offline_under_either_key_with_the_file(world: World) -> None:
    witnesses = quorum(world)

    def receipt(number: int) -> tlog_proof.Receipt:
        world.ask([phone(number)])
        return tlog_proof.read(tlog_proof.write(permit_proof(world)))

    before = receipt(1)
    chain = rotate(world)
    during = receipt(2)
    all_follow(world, chain)
    drop_old_key(world)
    after = receipt(3)
    for each, key in ((before, OLD), (during, OLD), (during, NEW), (after, NEW)):
        assert tlog_proof.verify(each, key, witnesses.keys, 2)
    for each, key in ((before, NEW), (after, OLD)):
        with pytest.raises(VerificationFailed, match="not signed with the log's key"):
            tlog_proof.verify(each, key, witnesses.keys, 2)
    file = log_keys.read_chain(encode(chain))
    for pinned in (OLD, NEW):
        followed = log_keys.follow(file, pinned, (witnesses,))
        for each in (before, during, after):
            key = followed.key_for(each.checkpoint)
            assert tlog_proof.verify(each, key, witnesses.keys, 2).index == each.index
