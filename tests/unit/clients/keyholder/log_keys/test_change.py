"""The key of a holder's own log is changed by a command that may fail at every step; the next try goes on from it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint, log_keys, receipts
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, Unavailable, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.log_keys import LogKeyRecord
from broker.translog import key_change
from broker.translog.key_change import LostKey
from clients.keyholder.context import DATABASE_FILE
from clients.keyholder.keys import KEY_FILE
from clients.keyholder.log_keys import change, rotation
from clients.keyholder.log_keys.chain_file import LOG_KEYS_FILE, read_kept
from clients.witness.cosigning import replace_log_key
from tests.cut_short import after, before
from tests.holder_log_key_case import REASON, HolderLogKeyCase


@pytest.fixture
def case(tmp_path: Path) -> Iterator[HolderLogKeyCase]:
    made = HolderLogKeyCase(tmp_path)
    yield made
    made.close()


def test_the_key_is_changed_followed_and_dropped_and_the_signing_key_signs_throughout(
    case: HolderLogKeyCase,
) -> None:
    notes, signing = [case.note()], case.keys.signing_public
    chain = case.change()
    new = log_keys.follow(chain, case.first_key, (case.quorum(),)).newest
    assert case.signers() == [new, case.first_key], "both sign"
    notes.append(case.note())
    case.grow(3)
    assert case.follow() == new
    case.finish()
    assert case.signers() == [new]
    case.grow(2)
    notes.append(case.note())
    assert case.kinds() == [*["RECORDS_READ"] * 5, "LOG_KEY_ROTATED", *["RECORDS_READ"] * 5]
    assert case.keys.signing_public == signing
    witnesses = [each.verifier_key for each in case.witnesses.values()]
    for note, size in zip(notes, (5, 6, 11), strict=True):
        assert receipts.verify_checkpoint(note, case.origin, signing, witnesses, 2).size == size
    record = decode(LogKeyRecord, chain.links[0].record)
    assert (record.reason, record.from_size) == (REASON, 6)
    assert case.fsck() == []


@pytest.mark.all_only
def test_it_is_changed_a_second_time(case: HolderLogKeyCase) -> None:
    for _ in range(2):
        chain = case.change()
        new = case.follow()
        case.finish()
    assert len(chain.links) == 2
    assert log_keys.follow(chain, case.first_key, (case.quorum(),)).newest == new
    assert (case.signers(), case.fsck()) == ([new], [])
    assert key_change.describe(chain)["changes"] == 2


STEPS = [
    (change, "draw_next_log_key"),
    (rotation, "announce"),
    (rotation, "prove"),
    (change, "keep_link"),
]


@pytest.mark.all_only
@pytest.mark.parametrize("stop", [before, after])
@pytest.mark.parametrize(("module", "name"), STEPS)
def test_cut_short_at_any_step_the_same_command_goes_on(
    case: HolderLogKeyCase, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, stop: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, name, stop(getattr(module, name)))
        with pytest.raises(KeyboardInterrupt):
            case.change()
    drawn = case.keys.next_log_key
    assert case.signers(), "the holder serves meanwhile, and its witnesses cosign"
    case.grow(2)
    chain = case.change()
    assert case.kinds().count("LOG_KEY_ROTATED") == 1
    new = log_keys.follow(chain, case.first_key, (case.quorum(),)).newest
    if drawn is not None:
        assert new.public_key == public_bytes(drawn), "the key that was drawn is the one that is used"
    assert case.signers() == [new, case.first_key]


def test_cut_short_after_the_entry_the_same_command_makes_no_second_one(
    case: HolderLogKeyCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the steps above, for the quick suite."""
    with monkeypatch.context() as patched:
        patched.setattr(rotation, "announce", after(rotation.announce))
        with pytest.raises(KeyboardInterrupt):
            case.change()
    assert len(case.signers()) == 2
    assert [str(each) for each in case.fsck()] == [
        "log-keys.json: has no proof of log entry 5 (LOG_KEY_ROTATED). Repeat: narrowgate keyholder rotate-log-key, or "
        "put the newest file back."
    ]
    assert len(case.change("Another reason.").links) == 1
    assert case.kinds().count("LOG_KEY_ROTATED") == 1


@pytest.mark.all_only
@pytest.mark.parametrize("stop", [before, after])
@pytest.mark.parametrize("name", ["drop_old_log_key", "read_kept"])
def test_dropping_the_old_key_may_be_cut_short_too(
    case: HolderLogKeyCase, monkeypatch: pytest.MonkeyPatch, name: str, stop: Any
) -> None:
    case.change()
    new = case.follow()
    with monkeypatch.context() as patched:
        patched.setattr(change, name, stop(getattr(change, name)))
        with pytest.raises(KeyboardInterrupt):
            case.finish()
    assert case.signers()[0] == new, "the holder serves meanwhile"
    if case.keys.next_log_key is not None:
        case.finish()
    assert case.signers() == [new]


def test_without_enough_witnesses_the_change_is_not_proved_and_the_next_try_goes_on(
    case: HolderLogKeyCase,
) -> None:
    case.down = {"https://w1.example.org"}
    with pytest.raises(Unavailable, match="Too few witnesses"):
        case.change()
    assert read_kept(case.directory) is None
    case.down.clear()
    assert len(case.change().links) == 1
    assert case.kinds().count("LOG_KEY_ROTATED") == 1


@pytest.mark.all_only
def test_the_old_key_is_kept_until_the_witnesses_follow(case: HolderLogKeyCase) -> None:
    case.change()
    with pytest.raises(Conflict, match="narrowgate witness follow-log"):
        case.finish()
    assert len(case.signers()) == 2
    case.follow()
    case.finish()
    with pytest.raises(Conflict, match="not being changed"):
        case.finish()


@pytest.mark.all_only
def test_there_is_no_old_key_to_drop_before_a_change(case: HolderLogKeyCase) -> None:
    with pytest.raises(Conflict, match="rotate it first"):
        case.finish()


@pytest.mark.all_only
@pytest.mark.parametrize("reason", ["", "x" * 1001])
def test_a_reason_is_a_sentence(case: HolderLogKeyCase, reason: str) -> None:
    with pytest.raises(BadInput, match="Say why"):
        case.change(reason)
    assert "LOG_KEY_ROTATED" not in case.kinds()


# --- files that are not of one state ---


def changed(case: HolderLogKeyCase) -> None:
    """The whole change, done."""
    case.change()
    case.follow()
    case.finish()


def test_an_older_copy_of_the_key_file_serves_nothing(case: HolderLogKeyCase) -> None:
    path = case.directory / KEY_FILE
    older = path.read_bytes()
    changed(case)
    newest = path.read_bytes()
    path.write_bytes(older)
    for act in (case.opened, case.change):
        with pytest.raises(Unavailable, match="older copy"):
            act()
    path.write_bytes(older)
    (found,) = case.fsck()
    assert (found.where, "older copy" in found.what) == ("keys.json", True)
    path.write_bytes(newest)
    assert (len(case.signers()), case.fsck()) == (1, [])


@pytest.mark.all_only
def test_a_database_from_before_the_change_is_not_signed_with_the_new_key(case: HolderLogKeyCase) -> None:
    """Else the new key would sign a log that does not hand it on."""
    database = case.directory / DATABASE_FILE
    older = database.read_bytes()
    changed(case)
    for extra in case.directory.glob(f"{database.name}-*"):
        extra.unlink()
    database.write_bytes(older)
    with pytest.raises(Unavailable, match=r"log-keys\.json proves.*older copy"):
        case.opened()
    assert any("proves log entry 5, of a log of 6 entries" in str(each) for each in case.fsck())


@pytest.mark.all_only
def test_fsck_tells_a_file_of_log_keys_that_is_gone_or_another(case: HolderLogKeyCase) -> None:
    changed(case)
    kept = (case.directory / LOG_KEYS_FILE).read_bytes()
    (case.directory / LOG_KEYS_FILE).unlink()
    assert [each.where for each in case.fsck()] == ["log-keys.json"]
    (case.directory / LOG_KEYS_FILE).write_bytes(kept[:-9])
    with pytest.raises(BadInput, match=r"log-keys\.json is damaged"):
        case.opened()


# --- a key that was lost ---


def losing(case: HolderLogKeyCase) -> LostKey:
    """The log has its second key, and the operator only an older keys.json, with the first."""
    older = (case.directory / KEY_FILE).read_bytes()
    changed(case)
    lost = LostKey(case.signers()[0].public_key, case.note())
    (case.directory / KEY_FILE).write_bytes(older)
    return lost


@pytest.mark.all_only
def test_after_a_loss_the_log_goes_on_once_witnesses_and_people_accept_it(case: HolderLogKeyCase) -> None:
    lost = losing(case)
    with pytest.raises(Unavailable, match="Too few witnesses") as told:
        case.change(lost=lost)
    drawn = case.keys.next_log_key
    assert drawn is not None
    new = case.key_of(public_bytes(drawn))
    assert str(new) in told.value.detail, "for the witnesses' operators to pin"
    for each in case.witnesses.values():
        replace_log_key(each.witness, new)
    chain = case.change(lost=lost)
    assert case.signers() == [new], "there is no old key that could sign"
    followed = log_keys.follow(chain, case.first_key, (case.quorum(),), accept_lost=True)
    assert (followed.newest, followed.lost) == (new, True)
    assert case.fsck() == []


@pytest.mark.all_only
def test_what_is_said_of_a_lost_key_must_be_so_before_anything_is_logged(case: HolderLogKeyCase) -> None:
    """An entry cannot be taken back."""
    older = (case.directory / KEY_FILE).read_bytes()
    changed(case)
    second, size = case.keys.log_key, 6
    (case.directory / KEY_FILE).write_bytes(older)

    def note(at: int, key: Ed25519PrivateKey) -> str:
        return checkpoint.sign(case.origin, at, bytes(32), key, case.origin).decode()

    lost = public_bytes(second)
    for wrong, error, words in (
        (LostKey(bytes(range(32)), note(size, second)), Unavailable, "older copy"),
        (LostKey(lost, note(size, case.keys.log_key)), VerificationFailed, "not signed with"),
        (LostKey(lost, note(99, second)), VerificationFailed, "longer or another log"),
        (LostKey(lost, note(size, second)), VerificationFailed, "longer or another log"),
    ):
        with pytest.raises(error, match=words):
            case.change(lost=wrong)
    with closing(sqlite3.connect(case.directory / DATABASE_FILE)) as connection:
        query = "SELECT count(*) FROM log_leaves WHERE instr(leaf, 'LOG_KEY_ROTATED')"
        assert connection.execute(query).fetchone() == (1,)
