"""A key holder's log key is changed, stolen, or made up: who is led astray by it, and who tells.

The whole system in memory. The first holder's log has two witnesses, which are the space's too, and both must cosign.
How the command goes on when it is cut short is `tests/unit/clients/keyholder/log_keys/test_change.py`'s.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from broker.protocol.checkpoint import ED25519, VerifierKey
from broker.protocol.documents import public_bytes
from broker.protocol.errors import NotPermitted, Unavailable, VerificationFailed
from broker.protocol.messages.erasure import ErasureGround, order
from broker.protocol.messages.log_keys import LogKeyChain
from broker.protocol.messages.parties import Holder
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog import key_change
from broker.translog.key_change import ChangingKeys, LostKey
from clients.auditing.holder_logs import MirroredHolderLog
from clients.auditor import AuditFailed, Auditor
from clients.cli import run
from clients.cli.main import app
from clients.keyholder import erasing, witness_choice
from clients.keyholder.api.app import create_app
from clients.keyholder.context import KeyHolder, open_key_holder
from clients.keyholder.log_keys import change
from clients.keyholder.own_log import LogKeyRotated, OwnLog, RecordsRead
from clients.keyholder.store.log import erase_record_at, of_kind
from clients.keyholder.witnesses import witnesses_of
from clients.mirrors.watched_log import holder_log
from clients.witness.cosigning import follow_log, pin_log
from clients.witness.store.logs import newest
from tests.asgi import InMemoryClient
from tests.broker_case import key_of
from tests.world import CONTRIBUTORS, HOLDERS, WITNESSES, World, phone

pytestmark = pytest.mark.all_only

MADE_UP = key_of("a log key that nobody handed on")


class Story:
    """The world, in which the first holder's key is changed and the auditor looks."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, witnesses=2, quorum=2)
        self.directory = folder / "holder-1"
        keys = self.holder.keys
        self.origin, self.old, self.signing = keys.log_origin, keys.log_key, keys.signing_key
        for each in self.world.witnesses.values():
            pin_log(each.witness, VerifierKey(self.origin, ED25519, public_bytes(self.old)))
        chosen = tuple(
            (str(each.verifier_key), WITNESSES[number]) for number, each in self.world.witnesses.items()
        )
        witness_choice.choose(self.directory, chosen, quorum=2, timeout_seconds=20)
        self.holder.close()
        self.open()
        for name in CONTRIBUTORS:
            self.world.deposit(name, range(3))

    @property
    def holder(self) -> KeyHolder:
        return self.world.holders[1]

    @property
    def entry(self) -> Holder:
        return self.world.space.holders[0]

    @property
    def stopped(self) -> change.StoppedHolder:
        return change.StoppedHolder(
            self.directory, self.world.clock, self.world.random("holder-1"), ask=self.world.ask_witness
        )

    def open(self) -> None:
        """The holder's service starts anew, once it is stopped."""
        opened = open_key_holder(
            self.directory, self.world.clock, self.world.random("holder-1"), ask=self.world.ask_witness
        )
        opened.witnesses.start()
        self.answer_by(opened)

    def answer_by(self, holder: KeyHolder) -> None:
        self.world.holders[1] = holder
        self.world.wire.apps[HOLDERS[1]] = InMemoryClient(create_app(holder))

    def signed_by(self, *keys: Ed25519PrivateKey, signing: Ed25519PrivateKey | None = None) -> KeyHolder:
        """The same holder, by whose log these keys sign; no witness is asked."""
        made = self.holder
        log = OwnLog(self.origin, keys[0], signing or self.signing, self.world.random("holder-1"), keys[1:])
        nobody = witness_choice.WitnessChoice()
        return replace(made, log=log, witnesses=witnesses_of(made.database, log, nobody, None))

    def rotate(self) -> LogKeyChain:
        """The operator changes the key; both sign from then on."""
        self.holder.close()
        chain = change.change(self.stopped, "Planned.")
        self.open()
        return chain

    def follow_and_finish(self, chain: LogKeyChain) -> None:
        for each in self.world.witnesses.values():
            follow_log(each.witness, chain)
        self.holder.close()
        change.finish(self.stopped)
        self.open()

    def auditor(self) -> Auditor:
        world = self.world
        log, caller = holder_log(world.space, self.entry), world.caller("auditor-1")
        return Auditor(world.homes["auditor-1"].vault, log, caller, world.clock)

    def named(self, match: str) -> AuditFailed:
        """What the auditor is told, the same each time she looks."""
        for _ in range(2):
            with pytest.raises(AuditFailed, match=match) as told:
                self.auditor().verify()
        assert not told.value.report.verified
        return told.value

    def grow(self) -> None:
        """One more entry, which the witnesses see."""
        holder = self.holder
        with holder.database.write() as connection:
            read = RecordsRead(auditor="auditor-1", kid="k" * 43, start=0, end=1, read_at=self.world.now)
            holder.log.append(connection, RecordKind.RECORDS_READ, read, self.world.now)
        holder.witnesses.published()

    def append(self, record: LogKeyRotated) -> int:
        with self.holder.database.write() as connection:
            return self.holder.log.append(connection, RecordKind.LOG_KEY_ROTATED, record, self.world.now)

    def size(self) -> int:
        with self.holder.database.read() as connection:
            return self.holder.log.size(connection)

    def witnessed(self) -> list[int]:
        found = []
        for each in self.world.witnesses.values():
            with each.witness.database.read() as connection:
                last = newest(connection, self.origin)
            found.append(0 if last is None else last.size)
        return found

    def ask_witnesses(self, holder: KeyHolder) -> None:
        """A service with this log's keys starts: it shows the log to the witnesses."""
        choice = witness_choice.read_choice(self.directory)
        asked = witnesses_of(holder.database, holder.log, choice, self.world.ask_witness)
        try:
            asked.start()
        finally:
            asked.close()

    def close(self) -> None:
        self.world.close()


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    made = Story(tmp_path)
    monkeypatch.setattr(run, "new_transport", lambda: made.world.wire)
    monkeypatch.setattr(run, "clock", made.world.clock)
    yield made
    made.close()


def verify_holders(story: Story, expect: int = 0) -> str:
    home = str(story.world.folder / "auditor-1")
    result = CliRunner().invoke(app, ["audit", "verify-holders", home, "--holder", "holder-1"])
    assert result.exit_code == expect, result.output
    return result.stdout


# --- the honest way ---


def test_the_change_needs_no_new_roster_and_the_auditor_meets_it_in_the_log(story: Story) -> None:
    world = story.world
    roster = world.space.roster_version
    assert world.ask([phone(1)])
    assert story.auditor().verify().witnesses, "before"
    chain = story.rotate()
    assert world.ask([phone(1)]), "both keys sign: nobody has to hurry"
    report = story.auditor().verify()
    assert report.kinds["LOG_KEY_ROTATED"] == 1
    assert len(report.witnesses) == 2, "who has the old key only cosigns too"
    story.follow_and_finish(chain)
    assert world.ask([phone(2)])
    auditor = story.auditor()
    assert auditor.verify().verified
    (changed,) = auditor.changed_keys
    assert (changed.old_key, changed.new_key, changed.lost) == (
        public_bytes(story.old),
        story.holder.log.public_keys[0],
        False,
    )
    assert "the old key signed that" in verify_holders(story)
    mirrored = MirroredHolderLog(world.homes["auditor-1"], world.space, story.entry)
    assert sum(each.kind == "LOG_KEY_ROTATED" for each in mirrored.entries()) == 1
    assert world.space.roster_version == roster


def test_an_auditor_who_comes_after_the_change_follows_it_from_the_entries_alone(story: Story) -> None:
    story.follow_and_finish(story.rotate())
    assert story.auditor().verify().verified
    story.follow_and_finish(story.rotate())
    assert len(verify_holders(story).split("changed the log's key to")) == 3


def test_a_mirror_of_an_earlier_release_is_followed_from_its_last_checkpoint(story: Story) -> None:
    story.auditor().verify()
    vault = story.world.homes["auditor-1"].vault
    folder = holder_log(story.world.space, story.entry).folder
    vault.remove(f"mirror/{folder}/first.txt")
    story.answer_by(story.signed_by(MADE_UP))
    story.named("no entry of the log hands it on")


# --- a key that is stolen ---


def test_a_stolen_old_key_extends_the_log_for_nobody_who_followed(story: Story) -> None:
    story.auditor().verify()
    story.follow_and_finish(story.rotate())
    honest = story.holder
    before = story.witnessed()
    story.grow()
    # With the log key alone: it is not what auditors pinned, and not what witnesses have now.
    thief = story.signed_by(story.old, signing=story.old)
    with pytest.raises(Unavailable, match="Too few witnesses"):
        story.ask_witnesses(thief)
    story.answer_by(thief)
    with pytest.raises(AuditFailed, match="not signed with the log's key"):
        story.auditor().verify()
    # With all of an older keys.json, the signing key in it too.
    thief = story.signed_by(story.old)
    with pytest.raises(Unavailable, match="Too few witnesses"):
        story.ask_witnesses(thief)
    story.answer_by(thief)
    assert "stolen" in story.named("not signed with the log key that the log had then").detail
    story.answer_by(honest)
    assert story.auditor().verify().verified, "the honest holder goes on"
    assert min(story.witnessed()) > max(before)


def test_the_old_key_may_not_sign_again_once_a_second_change_came(story: Story) -> None:
    story.auditor().verify()
    story.follow_and_finish(story.rotate())
    story.follow_and_finish(story.rotate())
    (newest_key,) = story.holder.log._log_keys
    story.answer_by(story.signed_by(newest_key, story.old))
    story.named("also signed, in the log's name, with a key that nobody handed on")


def test_before_witnesses_follow_a_stolen_log_key_can_stop_the_holder_and_no_auditor_takes_it(
    story: Story,
) -> None:
    """What is left to a thief: to change the key early is the only remedy."""
    story.auditor().verify()
    honest = story.holder
    thief = story.signed_by(story.old, signing=story.old)
    with thief.database.write() as connection:
        read = RecordsRead(auditor="auditor-1", kid="k" * 43, start=0, end=1, read_at=story.world.now)
        thief.log.append(connection, RecordKind.RECORDS_READ, read, story.world.now)
    story.answer_by(thief)
    story.ask_witnesses(thief)
    assert story.witnessed() == [story.size()] * 2, "the witnesses cannot tell"
    with pytest.raises(AuditFailed, match="not signed with the log's key"):
        story.auditor().verify()
    story.answer_by(honest)


# --- a key that nobody handed on ---


def test_a_key_that_no_entry_hands_on_is_named_each_time_and_witnesses_do_not_cosign_it(story: Story) -> None:
    """Whoever has the signing key, and puts another log key in its place."""
    story.auditor().verify()
    story.answer_by(story.signed_by(MADE_UP))
    told = story.named("no entry of the log hands it on")
    made_up = VerifierKey(story.origin, ED25519, public_bytes(MADE_UP)).key_id.hex()
    assert made_up in told.detail
    assert told.evidence is not None
    assert "--- seen first ---" in Path(told.evidence).read_text()
    assert "not verified" in verify_holders(story, expect=4)
    with pytest.raises(VerificationFailed, match="no entry of the log hands it on"):
        list(MirroredHolderLog(story.world.homes["auditor-1"], story.world.space, story.entry).entries())
    story.grow()
    with pytest.raises(Unavailable, match="Too few witnesses"):
        story.ask_witnesses(story.holder)


def test_a_second_key_that_signs_beside_the_right_one_is_named(story: Story) -> None:
    story.auditor().verify()
    story.answer_by(story.signed_by(story.old, MADE_UP))
    story.named("no entry of the log hands it on")


def test_an_entry_with_a_forerunner_that_never_signed_is_named(story: Story) -> None:
    """The old key is made up with the new one: the entry verifies by itself, and the first checkpoint does not."""
    story.auditor().verify()
    following = key_of("the next")
    record = key_change.announcement(
        LogKeyRotated, None, ChangingKeys(MADE_UP, following), story.origin, story.size(), "Why.", 1
    )
    story.append(record)
    story.answer_by(story.signed_by(following))
    story.named("not signed with the log key that the log had then")


def test_a_change_that_the_old_key_did_not_sign_is_named_where_it_is_said_to_be_lost(story: Story) -> None:
    story.auditor().verify()
    following, lost = key_of("the next"), LostKey(public_bytes(story.old), "")
    record = key_change.announcement(
        LogKeyRotated, None, ChangingKeys(MADE_UP, following), story.origin, story.size(), "Why.", 1, lost
    )
    story.append(record)
    story.answer_by(story.signed_by(following))
    said = verify_holders(story)
    assert "the old key did not hand it on: it is said to be lost" in said
    story.answer_by(story.signed_by(MADE_UP))
    story.named("not signed with the log key that the log had then")


def test_two_successors_of_one_key_are_named(story: Story) -> None:
    story.auditor().verify()
    for name in ("one", "another"):
        keys = ChangingKeys(story.old, key_of(name))
        story.append(
            key_change.announcement(LogKeyRotated, None, keys, story.origin, story.size(), "Why.", 1)
        )
    story.answer_by(story.signed_by(key_of("another")))
    story.named("two successors")


def test_the_record_of_a_change_is_never_erased_and_where_it_is_gone_that_is_named(story: Story) -> None:
    story.follow_and_finish(story.rotate())
    with story.holder.database.read() as connection:
        (index,) = of_kind(connection, RecordKind.LOG_KEY_ROTATED)
    said = (ErasureGround.COURT_ORDER, "court", "letter 7")
    with pytest.raises(NotPermitted, match="never erased"):
        erasing.erase(story.holder, order(index, RecordKind.LOG_KEY_ROTATED, *said))
    with story.holder.database.write() as connection:
        erase_record_at(connection, index)
    story.named("not known which key the log was changed to")
