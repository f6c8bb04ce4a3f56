"""The log's key is changed by a command that may fail at every step; the next try goes on from there.

A broker's folder, and two real witnesses, both of which must cosign.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import folder, log_key_change, log_rotation, startup
from broker.audit.log import AuditLog
from broker.audit.records import DepositCompleted
from broker.protocol import checkpoint, leaves, log_keys, witnessing
from broker.protocol.checkpoint import VerifierKey
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, Unavailable, VerificationFailed
from broker.protocol.log_keys import WitnessQuorum
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyRecord
from broker.protocol.messages.vocabulary import RecordKind
from broker.settings import Settings, WitnessAddress
from broker.store import log as rows
from broker.store import migrate
from broker.store.database import Connection, Database
from broker.translog import key_change
from broker.translog.cosigning import Answer, Witnesses
from broker.translog.key_change import LostKey
from clients.witness.cosigning import follow_log, pin_log, replace_log_key
from tests.broker_case import ORIGIN, seeded
from tests.cut_short import after, before
from tests.witness_case import NOW, WitnessCase

LOG = "broker.example.org:8470/log"
REASON = "The key is three years old."


class Case:
    """A broker's folder with five entries in its log, and its witnesses."""

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        self.directory = directory / "broker"
        folder.create(self.directory, ORIGIN, seeded("change"))
        self.random = seeded("change further")
        names = ("w1.example.org", "w2.example.org")
        self.witnesses = {f"https://{name}": WitnessCase(directory / name, name) for name in names}
        self.down: set[str] = set()
        self.first_key = self.described
        for each in self.witnesses.values():
            pin_log(each.witness, self.first_key)
        addresses = [
            WitnessAddress(key=str(each.verifier_key), url=url) for url, each in self.witnesses.items()
        ]
        named = {"witnesses": tuple(addresses), "witness_quorum": 2}
        if database_url is not None:
            named["database_url"] = database_url
        self.settings: Settings = folder.read_settings(self.directory).model_copy(update=named)
        self.grow(5)

    @property
    def described(self) -> VerifierKey:
        """The key that founders are told."""
        return checkpoint.parse_verifier_key(folder.describe(self.directory).log_verifier_key)

    def ask(self, url: str, body: bytes) -> Answer:
        """A call to a witness."""
        origin = url.removesuffix(witnessing.ADD_CHECKPOINT)
        if origin in self.down:
            raise Unavailable("could not be reached in time")
        status, media_type, text = self.witnesses[origin].post(body)
        return Answer(status, media_type, text.encode())

    def grow(self, entries: int) -> None:
        """The broker runs for so many entries, and shows the log to its witnesses."""
        opened = self.opened()
        try:
            with opened.database.write() as connection:
                for _ in range(entries):
                    record = DepositCompleted(deposit_id=bytes(32), records=1, root=bytes(32))
                    opened.audit.append(connection, RecordKind.DEPOSIT_COMPLETED, record, NOW)
            self.asked(opened).start()
        finally:
            opened.database.close()

    def opened(self) -> startup.Opened:
        return startup.open_checked(self.settings, folder.read_keys(self.directory), self.random)

    def asked(self, opened: startup.Opened) -> Witnesses:
        return startup._witnesses(opened, self.settings, lambda: NOW, self.ask)

    def note(self) -> str:
        """What the broker publishes when it starts now."""
        opened = self.opened()
        try:
            witnesses = self.asked(opened)
            witnesses.start()
            return witnesses.published()
        finally:
            opened.database.close()

    def signers(self) -> list[bytes]:
        """Which of the keys in the folder sign it, in order."""
        keys = folder.read_keys(self.directory)
        known = [keys.log_public, *([public_bytes(keys.next_log_key)] if keys.next_log_key else [])]
        _, lines = checkpoint.read_unverified(self.note().encode())
        named = {checkpoint.line_of(VerifierKey(LOG, checkpoint.ED25519, key), lines): key for key in known}
        return [named[line] for line in lines if line in named]

    def kinds(self) -> list[str]:
        opened = self.opened()
        try:
            with opened.database.read() as connection:
                page = opened.audit.leaf_page(connection, 0, 1000).leaves
        finally:
            opened.database.close()
        return [leaves.parse_leaf(leaf).kind for leaf in page]

    def change(self, reason: str = REASON, lost: LostKey | None = None) -> LogKeyChain:
        return log_key_change.change(
            self.directory, self.settings, reason, lambda: NOW, self.random, lost, self.ask
        )

    def finish(self) -> None:
        log_key_change.finish(self.directory, self.settings, lambda: NOW, self.random, self.ask)

    def quorum(self) -> WitnessQuorum:
        return WitnessQuorum(tuple(each.verifier_key for each in self.witnesses.values()), 2)

    def follow(self) -> VerifierKey:
        """The witnesses' operators follow."""
        chain = folder.log_key_chain(self.directory)
        assert chain is not None
        for each in self.witnesses.values():
            newest = follow_log(each.witness, chain).newest
        return newest

    def close(self) -> None:
        for each in self.witnesses.values():
            each.stop()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    yield made
    made.close()


def test_the_key_is_changed_followed_and_dropped(case: Case) -> None:
    chain = case.change()
    new = case.described
    assert new != case.first_key
    assert log_keys.follow(chain, case.first_key, (case.quorum(),)).newest == new
    assert case.signers() == [new.public_key, case.first_key.public_key], "both sign"
    case.grow(3)
    assert case.follow() == new
    case.grow(3)
    case.finish()
    assert case.signers() == [new.public_key]
    assert case.kinds() == [*["DEPOSIT_COMPLETED"] * 5, "LOG_KEY_ROTATED", *["DEPOSIT_COMPLETED"] * 6]
    assert key_change.describe(chain)["from_size"] == 6
    record = decode(LogKeyRecord, chain.links[0].record)
    assert (record.reason, record.from_size) == (REASON, 6)


@pytest.mark.all_only
def test_it_is_changed_a_second_time(case: Case) -> None:
    for _ in range(2):
        chain = case.change()
        case.follow()
        case.finish()
    assert len(chain.links) == 2
    assert log_keys.follow(chain, case.first_key, (case.quorum(),)).newest == case.described
    assert case.signers() == [case.described.public_key]


STEPS = [
    (folder, "prepare_log_key"),
    (folder, "_replace"),
    (startup, "_witnesses"),
    (log_rotation, "announce"),
    (log_rotation, "prove"),
    (folder, "keep_log_key_link"),
]


@pytest.mark.all_only
@pytest.mark.parametrize("stop", [before, after])
@pytest.mark.parametrize(("module", "name"), STEPS)
def test_cut_short_at_any_step_the_same_command_goes_on(
    case: Case, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, stop: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, name, stop(getattr(module, name)))
        with pytest.raises(KeyboardInterrupt):
            case.change()
    drawn = folder.read_keys(case.directory).next_log_key
    assert case.signers(), "the broker serves meanwhile, and its witnesses cosign"
    case.grow(2)
    chain = case.change()
    assert case.kinds().count("LOG_KEY_ROTATED") == 1
    new = log_keys.follow(chain, case.first_key, (case.quorum(),)).newest
    assert new == case.described
    if drawn is not None:
        assert new.public_key == public_bytes(drawn), "the key that was drawn is the one that is used"
    assert case.signers() == [new.public_key, case.first_key.public_key]


@pytest.mark.all_only
@pytest.mark.parametrize("stop", [before, after])
@pytest.mark.parametrize(
    ("module", "name"),
    [(startup, "check_log_key_followed"), (folder, "_replace"), (folder, "drop_old_log_key")],
)
def test_dropping_the_old_key_may_be_cut_short_too(
    case: Case, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, stop: Any
) -> None:
    case.change()
    new = case.follow()
    with monkeypatch.context() as patched:
        patched.setattr(module, name, stop(getattr(module, name)))
        with pytest.raises(KeyboardInterrupt):
            case.finish()
    assert case.signers()[0] == new.public_key, "the broker serves meanwhile"
    if folder.read_keys(case.directory).next_log_key is not None:
        case.finish()
    assert case.signers() == [new.public_key]


@pytest.mark.all_only
def test_the_same_command_again_proves_the_same_change_anew(case: Case) -> None:
    first = case.change()
    case.grow(3)
    again = case.change("Another reason.")
    assert first.links[0].record == again.links[0].record
    assert len(again.links) == 1
    assert again.links[0].proof.checkpoint != first.links[0].proof.checkpoint


def test_cut_short_after_the_entry_the_same_command_makes_no_second_one(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the steps above, for the quick suite."""
    with monkeypatch.context() as patched:
        patched.setattr(log_rotation, "announce", after(log_rotation.announce))
        with pytest.raises(KeyboardInterrupt):
            case.change()
    assert len(case.signers()) == 2
    assert len(case.change().links) == 1
    assert case.kinds().count("LOG_KEY_ROTATED") == 1


def test_without_enough_witnesses_the_change_is_not_proved_and_the_next_try_goes_on(case: Case) -> None:
    case.down = {"https://w1.example.org"}
    with pytest.raises(Unavailable, match="Too few witnesses"):
        case.change()
    assert folder.log_key_chain(case.directory) is None
    case.down.clear()
    assert len(case.change().links) == 1
    assert case.kinds().count("LOG_KEY_ROTATED") == 1


@pytest.mark.all_only
def test_the_old_key_is_kept_until_the_witnesses_follow(case: Case) -> None:
    case.change()
    with pytest.raises(Conflict, match="narrowgate witness follow-log"):
        case.finish()
    assert len(case.signers()) == 2
    case.follow()
    case.finish()


@pytest.mark.all_only
def test_there_is_no_old_key_to_drop_before_a_change(case: Case) -> None:
    with pytest.raises(Conflict, match="rotate it first"):
        case.finish()
    folder.prepare_log_key(case.directory, case.random)
    with pytest.raises(Conflict, match="rotate it first"):
        case.finish()


def test_an_older_copy_of_the_key_file_serves_nothing(case: Case) -> None:
    older = (case.directory / folder.KEYS_FILE).read_bytes()
    case.change()
    case.follow()
    case.finish()
    newest = (case.directory / folder.KEYS_FILE).read_bytes()
    (case.directory / folder.KEYS_FILE).write_bytes(older)
    with pytest.raises(Unavailable, match="older copy"):
        case.opened()
    with pytest.raises(Unavailable, match="older copy"):
        case.change()
    (case.directory / folder.KEYS_FILE).write_bytes(newest)
    assert case.signers() == [case.described.public_key]


@pytest.mark.all_only
def test_the_files_are_for_those_who_may_read_them(case: Case) -> None:
    case.change()
    case.follow()
    old = folder.read_keys(case.directory).log_key
    case.finish()
    keys, file = case.directory / folder.KEYS_FILE, case.directory / folder.LOG_KEYS_FILE
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    written = keys.read_bytes() + file.read_bytes()
    assert old.private_bytes_raw().hex().encode() not in written
    assert not [each.name for each in case.directory.iterdir() if each.name.endswith(".new")]


@pytest.mark.all_only
def test_a_key_file_of_an_earlier_release_is_read(case: Case) -> None:
    path = case.directory / folder.KEYS_FILE
    path.write_bytes(path.read_bytes().replace(b'"next_log_seed":null,', b""))
    assert folder.read_keys(case.directory).next_log_key is None
    assert case.change()


@pytest.mark.all_only
@pytest.mark.parametrize("reason", ["", "x" * 1001])
def test_a_reason_is_a_sentence(case: Case, reason: str) -> None:
    with pytest.raises(BadInput, match="Say why"):
        case.change(reason)
    assert "LOG_KEY_ROTATED" not in case.kinds()


# --- a key that was lost ---


def losing(case: Case) -> LostKey:
    """The operator has the database, the old key's public line and a cosigned checkpoint, and no old key."""
    lost = LostKey(case.first_key.public_key, case.note())
    path = case.directory / folder.KEYS_FILE
    keys = folder.KeyFile.model_validate_json(path.read_bytes())
    damaged = keys.model_copy(update={"log_seed": bytes(32)})
    path.write_bytes(encode(damaged))
    return lost


def test_after_a_loss_the_log_goes_on_once_witnesses_and_people_accept_it(case: Case) -> None:
    lost = losing(case)
    with pytest.raises(Unavailable, match="Too few witnesses") as told:
        case.change(lost=lost)
    drawn = folder.read_keys(case.directory).next_log_key
    assert isinstance(drawn, Ed25519PrivateKey)
    new = VerifierKey(LOG, checkpoint.ED25519, public_bytes(drawn))
    assert str(new) in told.value.detail, "for the witnesses' operators to pin"
    for each in case.witnesses.values():
        replace_log_key(each.witness, new)
    chain = case.change(lost=lost)
    assert case.described == new
    assert case.signers() == [new.public_key], "there is no old key that could sign"
    followed = log_keys.follow(chain, case.first_key, (case.quorum(),), accept_lost=True)
    assert (followed.newest, followed.lost) == (new, True)
    with pytest.raises(Conflict, match="another key by now"):
        case.change(lost=lost)


def test_what_is_said_of_a_lost_key_must_be_so_before_anything_is_logged(case: Case) -> None:
    """An entry cannot be taken back."""
    first = folder.read_keys(case.directory).log_key
    lost = losing(case)
    damaged = folder.read_keys(case.directory).log_key

    def note(size: int, key: Ed25519PrivateKey) -> str:
        return checkpoint.sign(LOG, size, bytes(32), key, LOG).decode()

    for wrong, words in (
        (note(5, damaged), "not signed with"),
        (note(99, first), "longer or another log"),
        (note(5, first), "longer or another log"),
    ):
        with pytest.raises(VerificationFailed, match=words):
            case.change(lost=LostKey(lost.old_key, wrong))
    assert "LOG_KEY_ROTATED" not in case.kinds()


# --- which entries there are ---


def test_entries_of_a_kind_are_found_in_either_database(database_url: str) -> None:
    database = Database(database_url)
    try:
        migrate.upgrade(database)
        keys = Ed25519PrivateKey.from_private_bytes(bytes(32))
        audit = AuditLog("log.example.org", keys, seeded("kinds"), trial=True)

        def found(connection: Connection) -> tuple[int, ...]:
            return rows.of_kind(connection, RecordKind.LOG_KEY_ROTATED)

        record = DepositCompleted(deposit_id=bytes(32), records=1, root=bytes(32))
        with database.write() as connection:
            assert found(connection) == ()
            for kind in ("DEPOSIT_COMPLETED", "LOG_KEY_ROTATED", "DEPOSIT_COMPLETED", "LOG_KEY_ROTATED"):
                audit.append(connection, RecordKind(kind), record, NOW)
            assert found(connection) == (1, 3)
    finally:
        database.close()
