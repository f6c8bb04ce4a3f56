"""What a change of a log's key is made of: which keys sign, the entry that says so, and the file that proves it."""

import pytest

from broker.protocol import log_keys
from broker.protocol.checkpoint import ED25519_COSIGNATURE, verifier_key
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, Unavailable, VerificationFailed
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.log_keys import LogKeyRecord
from broker.translog import key_change
from broker.translog.key_change import ChangingKeys, LostKey
from tests.log_key_case import NOW, ORIGIN, KeyedLog, key_of

KEYS = ChangingKeys(key_of("a"), key_of("b"))


def record(log: KeyedLog, old: str, new: str, by_old: str | None = "") -> LogKeyRecord:
    return decode(LogKeyRecord, log.change(old, new, by_old=by_old).record)


def announced(
    keys: ChangingKeys = KEYS,
    rotated: LogKeyRecord | None = None,
    reason: str = "It is time.",
    lost: LostKey | None = None,
) -> LogKeyRecord:
    return key_change.announcement(LogKeyRecord, rotated, keys, ORIGIN, 5, reason, NOW, lost)


def test_which_keys_sign_is_what_the_log_says() -> None:
    a, b = KEYS.present, KEYS.following
    changed = record(KeyedLog(), "a", "b")
    assert key_change.signing_keys(None, KEYS) == (a,), "drawn, and not announced"
    assert key_change.signing_keys(changed, KEYS) == (b, a), "both sign"
    dropped = ChangingKeys(key_of("b"))
    assert key_change.signing_keys(changed, dropped) == (dropped.present,), "the old one is dropped"
    lost = record(KeyedLog(), "a", "b", by_old=None)
    assert key_change.signing_keys(lost, KEYS) == (b,), "there is no old key that could"
    for older in (ChangingKeys(key_of("a")), ChangingKeys(key_of("a"), key_of("c"))):
        with pytest.raises(Unavailable, match="older copy"):
            key_change.signing_keys(changed, older)


def test_an_announcement_is_signed_by_both_keys_and_stands_where_it_says() -> None:
    made = announced()
    said = log_keys.check_record(encode(made), ORIGIN, 5)
    assert (said.old_key, said.new_key) == (public_bytes(key_of("a")), public_bytes(key_of("b")))
    assert key_change.announced_at(made, KEYS) == 5
    assert key_change.announced_at(None, KEYS) is None
    lost = announced(lost=LostKey(public_bytes(key_of("x")), ""))
    assert (lost.by_old_key, lost.old_key) == (None, public_bytes(key_of("x")))


def test_nothing_is_announced_without_a_key_a_reason_or_from_another_key() -> None:
    alone = ChangingKeys(key_of("a"))
    for act in (lambda: announced(alone), lambda: key_change.announced_at(None, alone)):
        with pytest.raises(Conflict, match="No new key"):
            act()
    for reason in ("", "x" * 1001):
        with pytest.raises(BadInput, match="Say why"):
            announced(reason=reason)
    with pytest.raises(Conflict, match="another key by now"):
        announced(rotated=record(KeyedLog(), "a", "c"))


def test_the_file_grows_by_links_that_go_on_from_its_last() -> None:
    log = KeyedLog()
    one = log.change("a", "b")
    first = log.link(one)
    file = key_change.with_link(None, ORIGIN, first)
    anew = log.link(one)
    assert key_change.with_link(file, ORIGIN, anew).links == (anew,), "proved anew, in its place"
    second = log.rotate("b", "c")
    file = key_change.with_link(file, ORIGIN, second)
    assert file.links == (first, second)
    assert key_change.describe(file)["changes"] == 2
    with pytest.raises(VerificationFailed, match="older copy"):
        key_change.with_link(file, ORIGIN, log.rotate("x", "d"))


def test_a_lost_key_is_a_logs_key() -> None:
    line = verifier_key(ORIGIN, bytes(range(32)))
    assert key_change.read_lost(line, "note") == LostKey(bytes(range(32)), "note")
    with pytest.raises(BadInput, match="another kind"):
        key_change.read_lost(verifier_key(ORIGIN, bytes(range(32)), ED25519_COSIGNATURE), "note")
