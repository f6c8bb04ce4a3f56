"""What fsck says of changes of a holder's log key: each of them against the keys and the file in the folder."""

from typing import Any

import pytest

from broker.protocol import wrapping
from broker.protocol.messages.base import decode
from broker.protocol.messages.log_keys import LogKeyChain
from broker.protocol.messages.parties import holder_log_origin
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.stored import Entry, Finding
from clients.keyholder.keys import HolderKeys
from clients.keyholder.log_keys.kept import LogKeysKept
from clients.keyholder.own_log import LogKeyRotated
from clients.keyholder.store.sealing import StorageKey
from tests.log_key_case import NOW, Changed, KeyedLog, chain, key_of

ORIGIN = holder_log_origin("http://court.example.org:8000", "court-office")


def keys_of(present: str, following: str | None = None) -> HolderKeys:
    """A holder's keys whose log keys go by name."""
    return HolderKeys(
        holder_id="court-office",
        origin="http://court.example.org:8000",
        signing_key=key_of("signing"),
        log_key=key_of(present),
        wrapping=wrapping.generate_key_pair(),
        storage_key=StorageKey(bytes(32)),
        next_log_key=None if following is None else key_of(following),
    )


def change(log: KeyedLog, old: str, new: str, **said: Any) -> Changed:
    """An entry that changes the key of the holder's log."""
    return log.change(old, new, origin=ORIGIN, **said)


def told(
    keys: HolderKeys, kept: LogKeyChain | None, *changes: Changed, erased: int | None = None
) -> list[str]:
    looking = LogKeysKept(keys, kept)
    found: list[Finding] = []
    for each in changes:
        record = None if each.index == erased else decode(LogKeyRotated, each.record)
        found += looking.see(Entry(each.index, RecordKind.LOG_KEY_ROTATED, NOW, record))
    found += looking.see(Entry(99, RecordKind.RECORDS_READ, NOW, None))
    return [str(each) for each in (*found, *looking.finish())]


def test_of_changes_that_fit_it_says_nothing() -> None:
    log = KeyedLog()
    one, two = change(log, "a", "b"), change(log, "b", "c")
    links = chain(log.link(one), log.link(two))
    assert told(keys_of("c"), links, one, two) == []
    assert told(keys_of("b", "c"), links, one, two) == [], "both sign"
    assert told(keys_of("a"), None) == [], "the first key"
    assert told(keys_of("a", "b"), None) == [], "drawn, and not yet announced"


@pytest.mark.parametrize("keys", [keys_of("a"), keys_of("a", "d"), keys_of("c")])
def test_a_key_file_without_the_key_that_the_log_names(keys: HolderKeys) -> None:
    log = KeyedLog()
    one = change(log, "a", "b")
    [found] = told(keys, chain(log.link(one)), one)
    assert found.startswith("keys.json: The log's key was changed")


def test_a_change_that_is_not_signed_or_does_not_follow() -> None:
    log = KeyedLog()
    one, two = change(log, "a", "b"), change(log, "x", "c")
    found = told(keys_of("c"), chain(log.link(one), log.link(two)), one, two)
    assert found == ["log entry 6 (LOG_KEY_ROTATED): it changes another key than the one that the log had."]
    forged = change(log, "c", "d", by_old="thief")
    [found_forged] = told(keys_of("d"), chain(log.link(forged)), forged)
    assert found_forged.startswith("log entry 7 (LOG_KEY_ROTATED): ")


def test_a_file_of_log_keys_that_lacks_a_change_has_another_or_one_too_many() -> None:
    log = KeyedLog()
    one, two = change(log, "a", "b"), change(log, "b", "c")
    [found] = told(keys_of("c"), chain(log.link(one)), one, two)
    assert found.startswith("log-keys.json: has no proof of log entry 6")
    [found] = told(keys_of("b"), chain(log.link(one), log.link(two)), one)
    assert found.startswith("log-keys.json: proves log entry 6, of a log of 7 entries, and it is not there")
    another = KeyedLog()
    assert told(keys_of("b"), chain(another.link(change(another, "a", "e"))), one) == [
        "log-keys.json: has another record of log entry 5 (LOG_KEY_ROTATED) than the log."
    ]


def test_an_erased_record_of_a_change() -> None:
    log = KeyedLog()
    one, two = change(log, "a", "b"), change(log, "b", "c")
    links = chain(log.link(one), log.link(two))
    found = told(keys_of("c"), links, one, two, erased=one.index)
    assert found[0].endswith("its record was erased, so it is not known which key the log was changed to.")
    assert not any("changes another key" in each for each in found)
